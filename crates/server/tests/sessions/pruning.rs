//! Expired sessions and entries are removed in the background.

use ficha_store::testing::TestDatabase;
use ficha_token::Clock;

use crate::support::*;

async fn denylist_rows(database: &TestDatabase) -> i64 {
    database.raw().await.number("SELECT COUNT(*) FROM denylist").await
}

ficha_store::on_both_databases! {
    async fn sessions_that_are_over_are_removed_and_live_ones_stay(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let (idle, revoked, used) = (app.login("alice").await, app.login("alice").await, app.login("alice").await);
        app.post("/revoke", &[("token", &revoked.refresh)]).await;
        let raw = database.raw().await;
        // More than one batch of them.
        raw.copy_session(sid(&idle.access), 1_100).await;
        app.advance(days(13)).await;
        let used = refreshed(&app, &used.refresh).await;
        assert_eq!(raw.number("SELECT COUNT(*) FROM sessions").await, 1_103);
        app.advance(days(1)).await;
        eventually("the ended ones are gone", async || raw.number("SELECT COUNT(*) FROM sessions").await == 1).await;
        refreshed(&app, &used.refresh).await;
    }

    async fn a_session_whose_last_token_may_live_is_kept(database: TestDatabase) {
        // The session is idle after a minute; its token lives for ten, and its denial for two more.
        let app = ficha_testing::App::start_with(&database, |options| {
            options.settings.token.refresh_idle_ttl = seconds(60);
        })
        .await;
        app.add_user("alice", SCOPES).await;
        let tokens = app.login("alice").await;
        app.advance(seconds(719)).await;
        app.authority.maintain_once(&mut None).await.expect("the database answers");
        assert_eq!(row(&database, sid(&tokens.access)).await.generation, 0);
        app.advance(seconds(1)).await;
        let raw = database.raw().await;
        eventually("it is gone", async || raw.number("SELECT COUNT(*) FROM sessions").await == 0).await;
    }

    async fn a_pruned_list_still_refuses_what_must_be_refused(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let early = app.login("alice").await;
        app.post("/revoke", &[("token", &early.refresh)]).await;
        app.advance(seconds(500)).await;
        let late = app.login("alice").await;
        app.post("/revoke", &[("token", &late.refresh)]).await;
        // The newest thousand stay, so more are needed.
        let raw = database.raw().await;
        raw.fill_denylist(1_000, app.clock.unix_now() + 100_000).await;
        app.authority.follow().await.expect("the database answers");
        // The first entry is valid until 120 s after its last token's `exp`, and is kept for one more hour.
        app.advance(seconds(219 + 3_600)).await;
        app.authority.maintain_once(&mut None).await.expect("the database answers");
        assert_eq!(denylist_rows(&database).await, 1_002);
        assert_eq!(metric(&app, "ficha_denylist_entries").await, 1_002);
        app.advance(seconds(1)).await;
        eventually("the first is gone", async || denylist_rows(&database).await == 1_001).await;
        eventually("from memory too", async || metric(&app, "ficha_denylist_entries").await == 1_001).await;
        assert_dead(&app, &early).await;
        assert_dead(&app, &late).await;
        let again = app.end().await.start(&database).await;
        assert_eq!(metric(&again, "ficha_denylist_entries").await, 1_001, "a new server loads what is kept");
        assert_dead(&again, &early).await;
        assert_dead(&again, &late).await;
        again.advance(seconds(500)).await;
        eventually("the second is gone", async || denylist_rows(&database).await == 1_000).await;
        again.advance(seconds(200_000)).await;
        eventually("memory is empty", async || metric(&again, "ficha_denylist_entries").await == 0).await;
        // The newest rows stay, so that their cursors remain known.
        assert_eq!(denylist_rows(&database).await, 1_000);
        assert_dead(&again, &late).await;
        // A list whose entries have all expired continues its numbering.
        let next = again.login("alice").await;
        again.post("/revoke", &[("token", &next.refresh)]).await;
        assert_dead(&again, &next).await;
        assert_eq!(database.store().await.head().await.expect("the database answers").number, 1_003);
    }

    async fn a_server_whose_place_in_the_list_was_pruned_misses_nothing(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        // This server reads the list only when the test makes it.
        let other = app.another_with(&database, |options| options.background = false).await;
        let first = app.login("alice").await;
        app.post("/revoke", &[("token", &first.refresh)]).await;
        other.authority.follow().await.expect("the database answers");
        assert_eq!(other.me(&first.access).await, 401);
        let raw = database.raw().await;
        raw.fill_denylist(1_100, app.clock.unix_now() + 600).await;
        app.advance(seconds(5_000)).await;
        eventually("what is old is gone", async || denylist_rows(&database).await == 1_000).await;
        for _ in 0..3 {
            let next = app.login("alice").await;
            app.post("/revoke", &[("token", &next.refresh)]).await;
            other.authority.follow().await.expect("the database answers");
            assert_eq!(other.me(&next.access).await, 401);
        }
    }
}
