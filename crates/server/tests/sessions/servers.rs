//! Several servers on one database, at once or one after the other.

use ficha_store::testing::TestDatabase;

use crate::support::*;
use ficha_testing::{error, part, tester};

ficha_store::on_both_databases! {
    async fn a_revocation_at_one_server_is_seen_by_the_other(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let other = app.another(&database).await;
        let client = jobs_client(&app, "app").await;
        let (token, session) = (app.login_as(&client, "alice").await, app.login_as(&client, "alice").await);
        for tokens in [&token, &session] {
            assert_eq!(other.me(&tokens.access).await, 200);
        }
        assert_eq!(app.post_as(&client, "/revoke", &[("token", &token.access)]).await.status(), 200);
        assert_eq!(app.post_as(&client, "/revoke", &[("token", &session.refresh)]).await.status(), 200);
        for tokens in [&token, &session] {
            eventually("the other server rejects it", async || other.me(&tokens.access).await == 401).await;
            let answer = introspect(&other, &client, &tokens.access).await;
            assert_eq!(answer, serde_json::json!({ "active": false }));
        }
        // A refresh token is always checked against its row, so there is no delay.
        error(refresh_as(&other, &client, &session.refresh).await, 400, "invalid_grant").await;
    }

    async fn revoking_again_at_another_server_is_in_force_there_when_it_answers(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let other = app.another(&database).await;
        for _ in 0..10 {
            let tokens = app.login("alice").await;
            assert_eq!(app.post("/revoke", &[("token", &tokens.refresh)]).await.status(), 200);
            assert_eq!(other.post("/revoke", &[("token", &tokens.refresh)]).await.status(), 200);
            assert_eq!(other.me(&tokens.access).await, 401);
            let tokens = app.login("alice").await;
            assert_eq!(app.post("/revoke", &[("token", &tokens.access)]).await.status(), 200);
            assert_eq!(other.post("/revoke", &[("token", &tokens.access)]).await.status(), 200);
            assert_eq!(other.me(&tokens.access).await, 401);
        }
    }

    // keycloak#31296.
    async fn revoked_tokens_stay_refused_after_a_restart(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let client = jobs_client(&app, "app").await;
        let (token, session) = (app.login_as(&client, "alice").await, app.login_as(&client, "alice").await);
        let (out, good) = (app.login("alice").await, app.login("alice").await);
        assert_eq!(app.post_as(&client, "/revoke", &[("token", &token.access)]).await.status(), 200);
        assert_eq!(app.post_as(&client, "/revoke", &[("token", &session.refresh)]).await.status(), 200);
        let logout = app.http.post(app.url("/logout")).bearer_auth(&out.access).send().await;
        assert_eq!(logout.expect("an answer").status(), 204);
        let again = app.end().await.start(&database).await;
        for tokens in [&token, &session, &out] {
            assert_eq!(again.me(&tokens.access).await, 401);
        }
        for tokens in [&token, &session] {
            let answer = introspect(&again, &client, &tokens.access).await;
            assert_eq!(answer, serde_json::json!({ "active": false }));
        }
        error(refresh_as(&again, &client, &session.refresh).await, 400, "invalid_grant").await;
        assert_dead(&again, &out).await;
        assert_eq!(again.me(&good.access).await, 200);
        refreshed(&again, &good.refresh).await;
    }

    async fn a_session_continues_at_any_server_and_after_a_restart(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let other = app.another(&database).await;
        let first = app.login("alice").await;
        let second = refreshed(&other, &first.refresh).await;
        let again = refreshed(&app, &first.refresh).await;
        assert_eq!(again.refresh, second.refresh, "a retry at another server is a retry");
        let restarted = app.end().await.start(&database).await;
        assert_eq!(refreshed(&restarted, &first.refresh).await.refresh, second.refresh);
        assert_eq!(restarted.me(&refreshed(&restarted, &second.refresh).await.access).await, 200);
    }

    async fn right_after_a_purge_elsewhere_a_server_issues_nothing_under_the_old_keys(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let client = jobs_client(&app, "app").await;
        let old = app.login("alice").await;
        let old_kid = part(&old.access, 0)["kid"].clone();
        // None of these servers learns of the purge in the background. Each meets it with a different grant.
        let deaf = || app.another_with(&database, |options| options.background = false);
        let (login, refresh, own, revoke) = (deaf().await, deaf().await, deaf().await, deaf().await);
        let (check, ask) = (deaf().await, deaf().await);
        for server in [&login, &refresh, &own, &revoke, &check, &ask] {
            assert_eq!(server.me(&own_token(server, &client).await.access).await, 200);
        }
        app.admin.purge_keys(&tester()).await.expect("a purge");

        let at_login = login.login("alice").await;
        // A server that only checks the token does not reject it either.
        assert_eq!(check.me(&at_login.access).await, 200);
        assert_eq!(ask.me(&old.access).await, 200, "it has not learned of the purge");
        assert_eq!(introspect(&ask, &client, &at_login.access).await["active"], false, "issued to another client");
        assert_eq!(ask.me(&old.access).await, 401, "now it has");
        // The refresh key is new too; a server that does not know it yet must not reject the token.
        let renewed = refreshed(&refresh, &at_login.refresh).await;
        let at_own = own_token(&own, &client).await;
        app.authority.follow().await.expect("the database answers");
        for (server, tokens) in [(&login, &at_login), (&refresh, &renewed), (&own, &at_own)] {
            assert_ne!(part(&tokens.access, 0)["kid"], old_kid);
            assert_eq!(server.me(&tokens.access).await, 200);
            assert_eq!(app.me(&tokens.access).await, 200);
            assert_eq!(server.me(&old.access).await, 401);
        }
        refreshed(&app, &renewed.refresh).await;
        // Revoking an unknown token succeeds too (RFC 7009 section 2.2), so the server must know this one.
        let response = revoke.post_as(&client, "/revoke", &[("token", &at_own.access)]).await;
        assert_eq!((response.status().as_u16(), revoke.me(&at_own.access).await.as_u16()), (200, 401));
        eventually("the other server rejects it", async || app.me(&at_own.access).await == 401).await;
        // Sessions from before the purge are over even at a server that has not learned of it.
        let deaf = deaf().await;
        app.admin.purge_keys(&tester()).await.expect("a purge");
        error(deaf.refresh(&renewed.refresh).await, 400, "invalid_grant").await;
    }
}
