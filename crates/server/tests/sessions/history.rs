//! A database that was restored from a backup.

use ficha_authority::RevokeReason;
use ficha_store::testing::TestDatabase;

use crate::support::*;
use ficha_testing::error;

ficha_store::on_both_databases! {
    async fn a_token_ahead_of_its_row_ends_the_session_and_raises_the_alarm(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first.refresh).await;
        let third = refreshed(&app, &second.refresh).await;
        let session = sid(&first.access);
        let raw = database.raw().await;
        // As in a backup from before the two refreshes.
        let id = raw.literal(session);
        assert_eq!(raw.execute(&format!("UPDATE sessions SET generation = 0 WHERE id = {id}")).await, 1);
        error(app.refresh(&third.refresh).await, 400, "invalid_grant").await;
        assert_dead(&app, &first).await;
        assert_eq!(app.me(&third.access).await, 401);
        let revoked = row(&database, session).await.revoked;
        assert_eq!(revoked.map(|(_, reason)| reason), Some(RevokeReason::FutureGeneration));
        let events = events(&database, "refresh.ahead_of_database").await;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].session_id, Some(session));
        assert_eq!(events[0].user_id, Some(subject(&first.access)));
        assert_eq!(events[0].address.as_deref(), Some("127.0.0.1"));
        assert_eq!(metric(&app, "ficha_refresh_ahead_of_database_total").await, 1);
        assert_eq!(metric(&app, "ficha_refresh_replays_total").await, 0);
    }

    async fn another_clients_token_ahead_of_its_row_changes_nothing(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let (owner, thief) = (jobs_client(&app, "owner").await, jobs_client(&app, "thief").await);
        let first = app.login_as(&owner, "alice").await;
        let second = ficha_testing::Tokens::of(refresh_as(&app, &owner, &first.refresh).await).await;
        let raw = database.raw().await;
        let id = raw.literal(sid(&first.access));
        raw.execute(&format!("UPDATE sessions SET generation = 0 WHERE id = {id}")).await;
        error(refresh_as(&app, &thief, &second.refresh).await, 400, "invalid_grant").await;
        assert_eq!(row(&database, sid(&first.access)).await.revoked, None);
        assert_eq!(metric(&app, "ficha_refresh_ahead_of_database_total").await, 0);
    }

    async fn a_restored_denylist_makes_no_token_valid_again_on_a_running_server(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let other = app.another(&database).await;
        let (early, late) = (app.login("alice").await, app.login("alice").await);
        assert_eq!(app.post("/revoke", &[("token", &early.refresh)]).await.status(), 200);
        eventually("the other server rejects it", async || other.me(&early.access).await == 401).await;
        let raw = database.raw().await;
        raw.execute("DELETE FROM denylist").await;
        raw.execute("UPDATE denylist_head SET number = 0, tag = 0").await;
        for server in [&app, &other] {
            server.authority.follow().await.expect("the database answers");
            assert_eq!(server.me(&early.access).await, 401);
        }
        // The new history has a different row under the number that both servers have passed.
        assert_eq!(app.post("/revoke", &[("token", &late.refresh)]).await.status(), 200);
        eventually("the other server loads the new history", async || other.me(&late.access).await == 401).await;
        assert_eq!(other.me(&early.access).await, 401);
    }

    async fn logging_out_of_a_session_that_the_database_lost_still_denies_it(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let first = app.login("alice").await;
        let second = refreshed(&app, &first.refresh).await;
        let raw = database.raw().await;
        let id = raw.literal(sid(&first.access));
        raw.execute(&format!("DELETE FROM sessions WHERE id = {id}")).await;
        error(app.refresh(&second.refresh).await, 400, "invalid_grant").await;
        let logout = app.http.post(app.url("/logout")).bearer_auth(&second.access).send().await;
        assert_eq!(logout.expect("an answer").status(), 204);
        assert_eq!(app.me(&second.access).await, 401);
        assert_eq!(app.me(&first.access).await, 401);
    }
}
