//! Loss of the database.

use ficha_store::testing::TestDatabase;

use crate::support::*;
use ficha_testing::error;

ficha_store::on_both_databases! {
    async fn a_server_without_its_database_for_two_seconds_vouches_for_nothing_and_recovers(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let client = jobs_client(&app, "app").await;
        let (tokens, revoked) = (app.login_as(&client, "alice").await, app.login_as(&client, "alice").await);
        app.post_as(&client, "/revoke", &[("token", &revoked.access)]).await;
        assert_eq!(app.me(&tokens.access).await, 200);
        let ready = app.get("/health/ready").await;
        assert_eq!(ready.status(), 200);

        let raw = database.raw().await;
        raw.take_away("denylist_head").await;
        // For two seconds, the last read is still trusted.
        assert_eq!(app.me(&tokens.access).await, 200);
        assert_eq!(introspect(&app, &client, &tokens.access).await["active"], true);
        app.clock.advance(seconds(3));

        assert_unavailable(&app.get_with("/users/me", &tokens.access).await);
        assert_unavailable(&app.http.post(app.url("/logout")).bearer_auth(&tokens.access).send().await.expect("an answer"));
        assert_unavailable(&app.get("/health/ready").await);
        for token in [&tokens.access, &tokens.refresh, &revoked.access, "garbage"] {
            let response = app.post_as(&client, "/introspect", &[("token", token)]).await;
            assert_unavailable(&response);
            error(response, 503, "temporarily_unavailable").await;
        }
        assert_eq!(app.get("/health/live").await.status(), 200, "the process answers");
        assert_eq!(metric(&app, "ficha_database_fresh").await, 0);
        // Tokens known to be invalid or revoked are rejected without the database.
        assert_eq!(app.me("garbage").await, 401);
        assert_eq!(app.me(&revoked.access).await, 401);

        raw.give_back("denylist_head").await;
        eventually("the server is back", async || app.get("/health/ready").await.status() == 200).await;
        assert_eq!(app.me(&tokens.access).await, 200);
        assert_eq!(app.me(&revoked.access).await, 401);
        assert_eq!(introspect(&app, &client, &tokens.access).await["active"], true);
        assert_eq!(metric(&app, "ficha_database_fresh").await, 1);
    }

    // A client that gets invalid_grant discards its refresh token.
    async fn a_refresh_that_storage_fails_is_503_and_uses_nothing_up(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let first = app.login("alice").await;
        let raw = database.raw().await;
        for form in [
            vec![("grant_type", "refresh_token"), ("refresh_token", first.refresh.as_str())],
            vec![("grant_type", "refresh_token"), ("refresh_token", first.refresh.as_str()), ("scope", "notes:read")],
            vec![("grant_type", "password"), ("username", "alice"), ("password", ficha_testing::PASSWORD)],
        ] {
            raw.take_away("sessions").await;
            let response = app.post("/token", &form).await;
            assert_unavailable(&response);
            error(response, 503, "temporarily_unavailable").await;
            raw.give_back("sessions").await;
        }
        assert_eq!(row(&database, sid(&first.access)).await.generation, 0);
        refreshed(&app, &first.refresh).await;
    }

    // A replay that could not be acted on must not count as handled.
    async fn a_replay_that_storage_fails_is_503_and_revokes_when_it_comes_again(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first.refresh).await;
        app.advance(seconds(60)).await;
        let raw = database.raw().await;
        raw.take_away("denylist").await;
        assert_unavailable(&app.refresh(&first.refresh).await);
        raw.give_back("denylist").await;
        assert_eq!(row(&database, sid(&first.access)).await.revoked, None);
        error(app.refresh(&first.refresh).await, 400, "invalid_grant").await;
        assert_dead(&app, &second).await;
    }
}
