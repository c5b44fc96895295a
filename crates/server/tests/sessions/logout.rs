//! `POST /logout`.

use ficha_store::testing::TestDatabase;
use reqwest::Response;

use crate::support::*;
use ficha_testing::App;

async fn logout(app: &App, token: &str) -> Response {
    app.http.post(app.url("/logout")).bearer_auth(token).send().await.expect("the server answers")
}

ficha_store::on_both_databases! {
    async fn a_users_logout_ends_the_session_with_all_its_tokens(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let bystander = app.login("alice").await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first.refresh).await;
        let response = logout(&app, &first.access).await;
        assert_eq!(response.status(), 204);
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_dead(&app, &first).await;
        assert_dead(&app, &second).await;
        assert_eq!(app.me(&bystander.access).await, 200, "other logins of alice continue");
        assert_eq!(logout(&app, &first.access).await.status(), 401, "a session can't be ended twice");
        let events = events(&database, "session.logged_out").await;
        assert_eq!(events[0].session_id, Some(sid(&first.access)));
        assert_eq!(events[0].user_id, Some(subject(&first.access)));
        assert_eq!(events[0].address.as_deref(), Some("127.0.0.1"));
    }

    async fn a_clients_own_token_ends_alone(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let client = jobs_client(&app, "app").await;
        let (first, second) = (own_token(&app, &client).await, own_token(&app, &client).await);
        assert_eq!(sid(&first.access), sid(&second.access), "they share a session");
        let login = app.login_as(&client, "alice").await;
        assert_eq!(logout(&app, &first.access).await.status(), 204);
        assert_eq!(app.me(&first.access).await, 401);
        assert_eq!(app.me(&second.access).await, 200);
        assert_eq!(app.me(&own_token(&app, &client).await.access).await, 200);
        assert_eq!(app.me(&login.access).await, 200);
        let events = events(&database, "token.revoked").await;
        assert_eq!((events.len(), events[0].user_id), (1, None), "the client acts for itself");
    }
}
