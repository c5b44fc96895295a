//! However a token is revoked at the server, the service rejects it. The service's clock stands still, so this is not
//! because its lease ran out.

use ficha_authority::{Began, ClientScopes, NewPassword, Password, Standing};
use ficha_store::testing::TestDatabase;
use futures_util::future::join_all;
use uuid::Uuid;

use crate::place::Place;
use crate::proxy::Proxy;
use crate::serve::{ROUTES, Service};
use crate::support::*;
use ficha_testing::{App, Tokens, tester};

ficha_store::on_both_databases! {
    async fn a32_a_service_without_database_access_rejects_a_revoked_access_token(database: TestDatabase) {
        let (app, service) = server_and_service(&database).await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first).await;
        for tokens in [&first, &second] {
            service.accepts(&tokens.access).await;
        }
        revoke(&app, &first.access).await;
        service.soon_rejects(&first.access).await;
        service.accepts(&second.access).await;
    }

    /// "Applied" in a receipt means that the service refuses the token by then, whoever looks.
    async fn a_receipt_says_that_the_service_refuses_the_token(database: TestDatabase) {
        let (app, service) = server_and_service(&database).await;
        let receipt = app.admin.receipt(Began::now(), seconds(10)).await;
        assert!(receipt.complete && receipt.unnamed == 0, "{receipt:?}");
        for _ in 0..20 {
            let tokens = app.login("alice").await;
            service.accepts(&tokens.access).await;
            let began = Began::now();
            app.admin.revoke_user(&tester(), "alice").await.expect("she is there");
            let receipt = app.admin.receipt(began, seconds(10)).await;
            service.rejects(&tokens.access).await;
            assert!(receipt.complete, "{receipt:?}");
            let [one] = &receipt.services[..] else { panic!("{receipt:?}") };
            assert_eq!((one.service.as_str(), one.standing, one.lease_seconds), (AUDIENCE, Standing::Applied, Some(30)));
            assert!(one.after_ms.is_some(), "{receipt:?}");
        }
    }

    async fn a_revoked_refresh_token_revokes_every_access_token_of_its_session(database: TestDatabase) {
        let (app, service) = server_and_service(&database).await;
        let other = app.login("alice").await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first).await;
        service.accepts(&first.access).await;
        revoke(&app, &second.refresh).await;
        service.soon_rejects(&first.access).await;
        // The service has not seen this one before.
        service.rejects(&second.access).await;
        service.accepts(&other.access).await;
    }

    async fn logging_out_ends_the_session_at_the_service_too(database: TestDatabase) {
        let (app, service) = server_and_service(&database).await;
        let other = app.login("alice").await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first).await;
        service.accepts(&second.access).await;
        let logout = app.http.post(app.url("/logout")).bearer_auth(&first.access).send().await;
        assert_eq!(logout.expect("an answer").status(), 204);
        service.soon_rejects(&second.access).await;
        service.rejects(&first.access).await;
        service.accepts(&other.access).await;
    }

    async fn a_replayed_refresh_token_ends_its_session_at_the_service_too(database: TestDatabase) {
        let (app, service) = server_and_service(&database).await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first).await;
        let third = refreshed(&app, &second).await;
        service.accepts(&third.access).await;
        ficha_testing::error(app.refresh(&first.refresh).await, 400, "invalid_grant").await;
        service.soon_rejects(&third.access).await;
        service.rejects(&second.access).await;
    }

    async fn a_service_rejects_what_an_admin_revokes(database: TestDatabase) {
        let (app, service) = server_and_service(&database).await;
        let admin = app.admin.clone();
        let kept = app.login("alice").await;
        let ended = app.login("alice").await;
        service.accepts(&ended.access).await;
        assert!(admin.revoke_session(&tester(), sid(&ended)).await.expect("it is there"));
        service.soon_rejects(&ended.access).await;

        for name in ["disabled", "changed", "deleted", "revoked"] {
            app.add_user(name, "notes:read").await;
            let tokens = app.login(name).await;
            service.accepts(&tokens.access).await;
            let ended = match name {
                "disabled" => admin.set_user_enabled(&tester(), name, false).await,
                "changed" => {
                    let password = NewPassword::Plain(Password::new("nine loud herons whistle"));
                    admin.set_password(&tester(), name, password).await
                }
                "deleted" => admin.delete_user(&tester(), name).await,
                _ => admin.revoke_user(&tester(), name).await,
            };
            assert_eq!(ended.expect("the user is there"), 1, "{name}");
            service.soon_rejects(&tokens.access).await;
        }

        let client = app.add_client("reader", |new| {
            new.scopes = ClientScopes::Only("notes:read".parse().expect("a scope"));
        })
        .await;
        let (of_user, own) = (app.login_as(&client, "alice").await, own_token(&app, &client).await);
        for tokens in [&of_user, &own] {
            service.accepts(&tokens.access).await;
        }
        assert_eq!(admin.revoke_client(&tester(), &client.id).await.expect("the client is there"), 2);
        service.soon_rejects(&of_user.access).await;
        service.soon_rejects(&own.access).await;
        service.accepts(&kept.access).await;
    }

    async fn after_a_purge_the_service_rejects_all_tokens_and_accepts_the_next_login(database: TestDatabase) {
        let (app, service) = server_and_service(&database).await;
        let logins = join_all((0..3).map(|_| app.login("alice"))).await;
        service.accepts(&logins[0].access).await;
        app.admin.purge_keys(&tester()).await.expect("a purge");
        service.soon_rejects(&logins[0].access).await;
        for tokens in &logins {
            service.rejects(&tokens.access).await;
        }
        // It is signed by a key that the service does not know yet.
        service.accepts(&app.login("alice").await.access).await;
        service.rejects(&logins[0].access).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_to_a_service_cause_no_requests_to_the_server() {
    let database = TestDatabase::sqlite().await;
    let proxy = Proxy::new().await;
    let app = server_behind(&database, &proxy.issuer()).await;
    proxy.forward_to(app.address);
    let client = app.add_client("notes-api", |new| new.serves = vec![AUDIENCE.to_owned()]).await;
    let clock = ficha_token::ManualClock::new(ficha_token::Clock::now(&*app.clock));
    let service =
        Service::with_clock(&proxy.issuer(), clock, |builder| builder.credentials(&client.id, &client.secret)).await;
    let start = proxy.asked();
    assert!(start.len() <= 4, "metadata, keys, the list, and a waiting poll: {start:?}");
    let logins = join_all((0..20).map(|_| app.login("alice"))).await;
    for _ in 0..10 {
        for tokens in &logins {
            assert_eq!(service.get(ROUTES[0], &tokens.access).await.status, 200);
        }
        assert_eq!(service.get(ROUTES[0], "garbage").await.status, 401);
    }
    revoke(&app, &logins[0].access).await;
    service.soon_rejects(&logins[0].access).await;
    for _ in 0..100 {
        assert_eq!(service.get(ROUTES[0], &logins[0].access).await.status, 401);
        assert_eq!(service.get(ROUTES[0], &logins[1].access).await.status, 200);
    }
    let asked = proxy.asked().split_off(start.len());
    // One poll that returns the revocation, and the next one; on a slow machine, a wait or two may end as well.
    assert!(asked.len() < 10 && asked.iter().all(|target| target.starts_with("/denylist?")), "{asked:?}");
}

async fn server_and_service(database: &TestDatabase) -> (App, Service) {
    let place = Place::free();
    let app = server_at(database, place).await;
    let service = Service::discover(&place.issuer(), &app).await;
    (app, service)
}

/// A token that a client obtains for itself.
async fn own_token(app: &App, client: &ficha_testing::Client) -> Tokens {
    let form = [("grant_type", "client_credentials"), ("scope", "notes:read")];
    Tokens::of(app.post_as(client, "/token", &form).await).await
}

fn sid(tokens: &Tokens) -> Uuid {
    tokens.claims()["sid"].as_str().expect("every token has a sid").parse().expect("a UUID")
}
