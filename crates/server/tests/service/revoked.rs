//! Whatever revokes a token at the server, the service refuses it. The service's clock stands still, so no lease runs
//! out: it was told.

use ficha_authority::{ClientScopes, NewPassword, Password};
use ficha_store::testing::TestDatabase;
use futures_util::future::join_all;
use uuid::Uuid;

use crate::place::Place;
use crate::road::Road;
use crate::serve::{ROUTES, Service};
use crate::world::*;
use ficha_testing::{App, Tokens};

ficha_store::on_both_databases! {
    async fn a32_a_revoked_access_token_is_refused_by_a_service_that_was_never_told_where_the_database_is(database: TestDatabase) {
        let (app, service) = server_and_service(&database).await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first).await;
        for tokens in [&first, &second] {
            service.takes(&tokens.access).await;
        }
        revoke(&app, &first.access).await;
        service.comes_to_refuse(&first.access).await;
        service.takes(&second.access).await;
    }

    async fn a_revoked_refresh_token_takes_every_access_token_of_its_session_with_it(database: TestDatabase) {
        let (app, service) = server_and_service(&database).await;
        let other = app.login("alice").await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first).await;
        service.takes(&first.access).await;
        revoke(&app, &second.refresh).await;
        service.comes_to_refuse(&first.access).await;
        // The service sees this one for the first time.
        service.refuses(&second.access).await;
        service.takes(&other.access).await;
    }

    async fn logging_out_ends_the_session_at_the_service_too(database: TestDatabase) {
        let (app, service) = server_and_service(&database).await;
        let other = app.login("alice").await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first).await;
        service.takes(&second.access).await;
        let logout = app.http.post(app.url("/logout")).bearer_auth(&first.access).send().await;
        assert_eq!(logout.expect("an answer").status(), 204);
        service.comes_to_refuse(&second.access).await;
        service.refuses(&first.access).await;
        service.takes(&other.access).await;
    }

    async fn a_replayed_refresh_token_ends_its_session_at_the_service_too(database: TestDatabase) {
        let (app, service) = server_and_service(&database).await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first).await;
        let third = refreshed(&app, &second).await;
        service.takes(&third.access).await;
        ficha_testing::error(app.refresh(&first.refresh).await, 400, "invalid_grant").await;
        service.comes_to_refuse(&third.access).await;
        service.refuses(&second.access).await;
    }

    async fn what_an_admin_ends_the_service_refuses(database: TestDatabase) {
        let (app, service) = server_and_service(&database).await;
        let admin = app.admin.clone();
        let kept = app.login("alice").await;
        let ended = app.login("alice").await;
        service.takes(&ended.access).await;
        assert!(admin.revoke_session("test", sid(&ended)).await.expect("it is there"));
        service.comes_to_refuse(&ended.access).await;

        for name in ["disabled", "changed", "deleted", "revoked"] {
            app.add_user(name, "notes:read").await;
            let tokens = app.login(name).await;
            service.takes(&tokens.access).await;
            let ended = match name {
                "disabled" => admin.set_user_enabled("test", name, false).await,
                "changed" => {
                    let password = NewPassword::Plain(Password::new("nine loud herons whistle"));
                    admin.set_password("test", name, password).await
                }
                "deleted" => admin.delete_user("test", name).await,
                _ => admin.revoke_user("test", name).await,
            };
            assert_eq!(ended.expect("the user is there"), 1, "{name}");
            service.comes_to_refuse(&tokens.access).await;
        }

        let client = app.add_client("reader", |new| {
            new.scopes = ClientScopes::Only("notes:read".parse().expect("a scope"));
        })
        .await;
        let (of_user, own) = (app.login_as(&client, "alice").await, own_token(&app, &client).await);
        for tokens in [&of_user, &own] {
            service.takes(&tokens.access).await;
        }
        assert_eq!(admin.revoke_client("test", &client.id).await.expect("the client is there"), 2);
        service.comes_to_refuse(&of_user.access).await;
        service.comes_to_refuse(&own.access).await;
        service.takes(&kept.access).await;
    }

    async fn after_a_purge_the_service_refuses_all_and_takes_the_next_login(database: TestDatabase) {
        let (app, service) = server_and_service(&database).await;
        let logins = join_all((0..3).map(|_| app.login("alice"))).await;
        service.takes(&logins[0].access).await;
        app.admin.purge_keys("test").await.expect("a purge");
        service.comes_to_refuse(&logins[0].access).await;
        for tokens in &logins {
            service.refuses(&tokens.access).await;
        }
        // Its key is one that the service has never heard of.
        service.takes(&app.login("alice").await.access).await;
        service.refuses(&logins[0].access).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_of_a_service_asks_the_server() {
    let database = TestDatabase::sqlite().await;
    let road = Road::new().await;
    let app = server_behind(&database, &road.issuer()).await;
    road.leads_to(app.address);
    let client = app.add_client("notes-api", |new| new.serves = vec![AUDIENCE.to_owned()]).await;
    let clock = ficha_token::ManualClock::new(ficha_token::Clock::now(&*app.clock));
    let service =
        Service::with_clock(&road.issuer(), clock, |builder| builder.credentials(&client.id, &client.secret)).await;
    let start = road.asked();
    assert!(start.len() <= 4, "metadata, keys, the list, and the poll that waits for news: {start:?}");
    let logins = join_all((0..20).map(|_| app.login("alice"))).await;
    for _ in 0..10 {
        for tokens in &logins {
            assert_eq!(service.get(ROUTES[0], &tokens.access).await.status, 200);
        }
        assert_eq!(service.get(ROUTES[0], "garbage").await.status, 401);
    }
    revoke(&app, &logins[0].access).await;
    service.comes_to_refuse(&logins[0].access).await;
    for _ in 0..100 {
        assert_eq!(service.get(ROUTES[0], &logins[0].access).await.status, 401);
        assert_eq!(service.get(ROUTES[0], &logins[1].access).await.status, 200);
    }
    let asked = road.asked().split_off(start.len());
    // The news of the revocation, and a poll that waits again; a slow machine may see a wait or two end.
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
