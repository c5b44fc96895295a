//! Every grant after everything that may prevent it.

use std::time::Duration;

use ficha_authority::{NewPassword, Password};
use ficha_store::testing::TestDatabase;
use serde_json::Value;
use uuid::Uuid;

use ficha_testing::{App, Client, PASSWORD, Tokens, tester};

const DAY: Duration = Duration::from_secs(86_400);

/// What happens between a login and the next attempt.
#[derive(Debug, Clone, Copy)]
enum Event {
    Nothing,
    UserDisabled,
    UserThrottled,
    UserDeleted,
    PasswordChanged,
    ClientDisabled,
    ClientRevoked,
    UserRevoked,
    SessionIdle,
    SessionOver,
    SessionRevoked,
}

/// The expected results: the `error`, or `ok`; for access tokens, the status of `/users/me`.
struct Expected {
    event: Event,
    password: &'static str,
    refresh: &'static str,
    own: &'static str,
    users_token: u16,
    clients_token: u16,
}

const fn row(
    event: Event,
    [password, refresh, own]: [&'static str; 3],
    [users_token, clients_token]: [u16; 2],
) -> Expected {
    Expected { event, password, refresh, own, users_token, clients_token }
}

const OK: &str = "ok";
const GRANT: &str = "invalid_grant";
const CLIENT: &str = "invalid_client";

/// Grants: `password`, `refresh_token`, `client_credentials`. Tokens: the user's, the client's own.
const MATRIX: [Expected; 11] = [
    row(Event::Nothing, [OK, OK, OK], [200, 200]),
    row(Event::UserDisabled, [GRANT, GRANT, OK], [401, 200]),
    // Users whose password is being guessed stay logged in.
    row(Event::UserThrottled, [GRANT, OK, OK], [200, 200]),
    row(Event::UserDeleted, [GRANT, GRANT, OK], [401, 200]),
    row(Event::PasswordChanged, [GRANT, GRANT, OK], [401, 200]),
    row(Event::ClientDisabled, [CLIENT, CLIENT, CLIENT], [401, 401]),
    // All users are logged out, and can log in again.
    row(Event::ClientRevoked, [OK, GRANT, OK], [401, 401]),
    row(Event::UserRevoked, [OK, GRANT, OK], [401, 200]),
    row(Event::SessionIdle, [OK, GRANT, OK], [401, 401]),
    row(Event::SessionOver, [OK, GRANT, OK], [401, 401]),
    row(Event::SessionRevoked, [OK, GRANT, OK], [401, 401]),
];

/// A user logged in through a client that has also obtained a token for itself.
struct Case {
    user: String,
    client: Client,
    tokens: Tokens,
    own: Tokens,
}

impl Case {
    async fn set_up(app: &App, index: usize) -> Self {
        let user = format!("user{index}");
        app.add_user(&user, "notes:read").await;
        let client = app.add_client(&format!("client{index}"), |_| ()).await;
        let tokens = app.login_as(&client, &user).await;
        let own = Tokens::of(app.post_as(&client, "/token", &[("grant_type", "client_credentials")]).await).await;
        Self { user, client, tokens, own }
    }

    async fn happens(&mut self, app: &App, event: Event) {
        let (admin, user, client) = (&app.admin, self.user.as_str(), self.client.id.as_str());
        match event {
            Event::Nothing => (),
            Event::UserDisabled => {
                admin.set_user_enabled(&tester(), user, false).await.expect("disabled");
            }
            Event::UserThrottled => self.throttle(app).await,
            Event::UserDeleted => {
                admin.delete_user(&tester(), user).await.expect("deleted");
            }
            Event::PasswordChanged => {
                let new = NewPassword::Plain(Password::new("an otter never forgets a face"));
                admin.set_password(&tester(), user, new).await.expect("changed");
            }
            Event::ClientDisabled => {
                admin.set_client_enabled(&tester(), client, false).await.expect("disabled");
            }
            Event::ClientRevoked => {
                admin.revoke_client(&tester(), client).await.expect("revoked");
            }
            Event::UserRevoked => {
                admin.revoke_user(&tester(), user).await.expect("revoked");
            }
            Event::SessionIdle => app.advance(14 * DAY).await,
            Event::SessionOver => {
                for _ in 0..8 {
                    app.advance(10 * DAY).await;
                    self.tokens = Tokens::of(self.refresh(app).await).await;
                }
                app.advance(10 * DAY).await;
            }
            Event::SessionRevoked => {
                for tokens in [&self.tokens, &self.own] {
                    let id = tokens.claims()["sid"].as_str().map(Uuid::parse_str).expect("a session").expect("an id");
                    assert!(admin.revoke_session(&tester(), id).await.expect("revoked"));
                }
            }
        }
        // Brings what the server keeps in memory up to date.
        app.advance(Duration::ZERO).await;
    }

    async fn throttle(&self, app: &App) {
        for _ in 0..10 {
            let form = [("grant_type", "password"), ("username", &self.user), ("password", "wrong")];
            assert_eq!(app.post_as(&self.client, "/token", &form).await.status(), 400);
        }
    }

    async fn password(&self, app: &App) -> reqwest::Response {
        let form = [("grant_type", "password"), ("username", &self.user), ("password", PASSWORD)];
        app.post_as(&self.client, "/token", &form).await
    }

    async fn refresh(&self, app: &App) -> reqwest::Response {
        let form = [("grant_type", "refresh_token"), ("refresh_token", self.tokens.refresh.as_str())];
        app.post_as(&self.client, "/token", &form).await
    }

    async fn own(&self, app: &App) -> reqwest::Response {
        app.post_as(&self.client, "/token", &[("grant_type", "client_credentials")]).await
    }
}

/// `ok` if the response has tokens that work, otherwise the error code; its status is checked too.
async fn outcome(app: &App, response: reqwest::Response) -> String {
    let status = response.status().as_u16();
    let body: Value = response.json().await.expect("JSON");
    let Some(code) = body["error"].as_str() else {
        assert_eq!(status, 200, "{body}");
        assert_eq!(app.me(body["access_token"].as_str().expect("a token")).await, 200, "a new token works");
        return OK.into();
    };
    assert_eq!(status, if code == CLIENT { 401 } else { 400 }, "{body}");
    code.to_owned()
}

ficha_store::on_both_databases! {
    async fn every_grant_against_every_obstacle(database: TestDatabase) {
        let app = App::start(&database).await;
        for (index, expected) in MATRIX.iter().enumerate() {
            let event = expected.event;
            let mut case = Case::set_up(&app, index).await;
            case.happens(&app, event).await;
            let users_token = app.me(&case.tokens.access).await.as_u16();
            let clients_token = app.me(&case.own.access).await.as_u16();
            assert_eq!((users_token, clients_token), (expected.users_token, expected.clients_token), "{event:?}");
            let password = outcome(&app, case.password(&app).await).await;
            let refresh = outcome(&app, case.refresh(&app).await).await;
            let own = outcome(&app, case.own(&app).await).await;
            let got = [password.as_str(), &refresh, &own];
            assert_eq!(got, [expected.password, expected.refresh, expected.own], "{event:?}");
        }
    }

    async fn once_enabled_again_logins_work_and_revoked_tokens_stay_revoked(database: TestDatabase) {
        let app = App::start(&database).await;
        let case = Case::set_up(&app, 0).await;
        app.admin.set_user_enabled(&tester(), &case.user, false).await.expect("disabled");
        app.admin.set_user_enabled(&tester(), &case.user, true).await.expect("enabled");
        app.admin.set_client_enabled(&tester(), &case.client.id, false).await.expect("disabled");
        app.admin.set_client_enabled(&tester(), &case.client.id, true).await.expect("enabled");
        app.advance(Duration::ZERO).await;
        assert_eq!(app.me(&case.tokens.access).await, 401);
        assert_eq!(app.me(&case.own.access).await, 401);
        assert_eq!(outcome(&app, case.refresh(&app).await).await, GRANT);
        assert_eq!(outcome(&app, case.password(&app).await).await, OK);
        assert_eq!(outcome(&app, case.own(&app).await).await, OK);
    }
}
