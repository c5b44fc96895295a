//! Logins that race with what revokes them: no token survives.

use std::num::NonZeroUsize;

use ficha_authority::{Cost, NewPassword, StoredHash};
use ficha_store::testing::TestDatabase;
use futures_util::future::{join, join_all};

use crate::raw::{self, Answer, encode};
use ficha_testing::{App, Client, PASSWORD, claims, tester};

/// Hashed in advance, so that changing the password takes no hashing lane from the concurrent logins.
const OTHER: &str = "$bcrypt-sha256$v=2,t=2b,r=4$Ukt70ZT6qTaUvT5PDSePS.$TZA5Jn1yPMetfQlhCuUGph2kAWOVPd.";

/// A server whose hashing takes long enough for something to happen meanwhile.
async fn slow(database: &TestDatabase) -> App {
    App::start_with(database, |options| {
        options.settings.password.bcrypt_cost = Cost::try_from(10).expect("10 is a valid cost");
        options.settings.password.threads = NonZeroUsize::new(1);
    })
    .await
}

async fn login(app: &App, client: &Client, name: &str) -> Answer {
    let form = encode(&[("grant_type", "password"), ("username", name), ("password", PASSWORD)]);
    raw::post(app, &raw::basic(&client.id, &client.secret), &form).await
}

/// Waits until a password is being checked; its user has been read by then.
async fn until_hashing(app: &App) {
    while app.authority.hashing().stats().running == 0 {
        tokio::task::yield_now().await;
    }
}

/// Expects that earlier tokens are rejected: the access token, and the refresh token from its client.
async fn assert_dead(app: &App, client: &Client, answer: &Answer) {
    if answer.status != 200 {
        return;
    }
    let body = answer.json();
    let access = body["access_token"].as_str().expect("a token");
    assert_eq!(app.me(access).await, 401, "a token survived");
    let refresh =
        encode(&[("grant_type", "refresh_token"), ("refresh_token", body["refresh_token"].as_str().expect("a token"))]);
    let refreshed = raw::post(app, &raw::basic(&client.id, &client.secret), &refresh).await;
    assert_ne!(refreshed.status, 200, "a session survived");
}

ficha_store::on_both_databases! {
    async fn a_login_under_way_does_not_survive_log_out_everywhere(database: TestDatabase) {
        let app = slow(&database).await;
        app.add_user("alice", "").await;
        let client = app.add_client("shop", |_| ()).await;
        for _ in 0..5 {
            let revoke = async {
                until_hashing(&app).await;
                app.admin.revoke_user(&tester(), "alice").await.expect("revoked");
            };
            let (answer, ()) = join(login(&app, &client, "alice"), revoke).await;
            assert_dead(&app, &client, &answer).await;
        }
        assert_eq!(login(&app, &client, "alice").await.status, 200, "a later login works");
    }

    async fn logins_during_a_password_change_leave_no_session_of_the_old_password(database: TestDatabase) {
        let app = App::start(&database).await;
        let client = app.add_client("shop", |_| ()).await;
        for round in 0..6 {
            let name = format!("user{round}");
            app.add_user(&name, "").await;
            let change = async {
                // Later in each round, so that it hits the logins at every stage.
                for _ in 0..round * 40 {
                    tokio::task::yield_now().await;
                }
                let hash: StoredHash = OTHER.parse().expect("a hash");
                app.admin.set_password(&tester(), &name, NewPassword::Imported(hash)).await.expect("changed");
            };
            let (answers, ()) = join(join_all((0..8).map(|_| login(&app, &client, &name))), change).await;
            for answer in &answers {
                assert!(matches!(answer.status, 200 | 400), "{answer:?}");
                assert_dead(&app, &client, answer).await;
            }
            let later = login(&app, &client, &name).await;
            assert_eq!((later.status, later.error().as_str()), (400, "invalid_grant"));
        }
    }

    async fn a_login_under_way_does_not_survive_a_password_change_or_disabling_the_user(database: TestDatabase) {
        let app = slow(&database).await;
        let client = app.add_client("shop", |_| ()).await;
        for (name, disable) in [("alice", true), ("bob", false)] {
            app.add_user(name, "").await;
            let change = async {
                until_hashing(&app).await;
                if disable {
                    app.admin.set_user_enabled(&tester(), name, false).await.expect("disabled");
                } else {
                    let hash: StoredHash = OTHER.parse().expect("a hash");
                    app.admin.set_password(&tester(), name, NewPassword::Imported(hash)).await.expect("changed");
                }
            };
            let (answer, ()) = join(login(&app, &client, name), change).await;
            assert_dead(&app, &client, &answer).await;
        }
    }

    async fn logins_while_their_client_is_disabled_leave_no_session(database: TestDatabase) {
        let app = slow(&database).await;
        app.add_user("alice", "").await;
        for round in 0..4 {
            let client = app.add_client(&format!("client{round}"), |_| ()).await;
            let disable = async {
                until_hashing(&app).await;
                app.admin.set_client_enabled(&tester(), &client.id, false).await.expect("disabled");
            };
            let own = raw::basic(&client.id, &client.secret);
            let owns = join_all((0..4).map(|_| raw::post(&app, &own, "grant_type=client_credentials")));
            let logins = join_all((0..4).map(|_| login(&app, &client, "alice")));
            let ((logins, owns), ()) = join(join(logins, owns), disable).await;
            for answer in &logins {
                assert!(matches!(answer.status, 200 | 400 | 401), "{answer:?}");
                assert_dead(&app, &client, answer).await;
            }
            for answer in owns.iter().filter(|answer| answer.status == 200) {
                let body = answer.json();
                assert_eq!(app.me(body["access_token"].as_str().expect("a token")).await, 401);
            }
            // At once, even if the server may not have learned of it yet.
            let later = login(&app, &client, "alice").await;
            assert!(matches!(later.status, 400 | 401), "{later:?}");
            let later = raw::post(&app, &own, "grant_type=client_credentials").await;
            assert!(matches!(later.status, 400 | 401), "{later:?}");
        }
    }

    async fn refreshes_during_log_out_everywhere_leave_nothing_alive(database: TestDatabase) {
        let app = App::start(&database).await;
        app.add_user("alice", "").await;
        let client = app.add_client("shop", |_| ()).await;
        let as_client = raw::basic(&client.id, &client.secret);
        for round in 0..6 {
            let logins = join_all((0..8).map(|_| login(&app, &client, "alice"))).await;
            let forms: Vec<String> = logins
                .iter()
                .map(|answer| {
                    let token = answer.json()["refresh_token"].as_str().expect("a token").to_owned();
                    encode(&[("grant_type", "refresh_token"), ("refresh_token", &token)])
                })
                .collect();
            let revoke = async {
                for _ in 0..round * 20 {
                    tokio::task::yield_now().await;
                }
                app.admin.revoke_user(&tester(), "alice").await.expect("revoked");
            };
            let refreshes = join_all(forms.iter().map(|form| raw::post(&app, &as_client, form)));
            let (answers, ()) = join(refreshes, revoke).await;
            for answer in answers.iter().chain(&logins) {
                assert!(matches!(answer.status, 200 | 400), "{answer:?}");
                assert_dead(&app, &client, answer).await;
            }
        }
    }

    async fn concurrent_first_tokens_of_a_client_share_one_session(database: TestDatabase) {
        let app = App::start(&database).await;
        let client = app.add_client("shop", |_| ()).await;
        let own = raw::basic(&client.id, &client.secret);
        let answers = join_all((0..16).map(|_| raw::post(&app, &own, "grant_type=client_credentials"))).await;
        let mut sessions: Vec<String> = answers
            .iter()
            .map(|answer| {
                assert_eq!(answer.status, 200, "{answer:?}");
                claims(answer.json()["access_token"].as_str().expect("a token"))["sid"].to_string()
            })
            .collect();
        sessions.dedup();
        assert_eq!(sessions.len(), 1);
    }
}
