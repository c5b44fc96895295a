//! Each response follows a read of the database that began after the request arrived.

use ficha_testing::tester;
use std::time::Duration;

use ficha_store::testing::TestDatabase;

use crate::support::*;

/// Long enough for a response from memory, and short enough for a database failure to go unnoticed.
const MOMENT: Duration = Duration::from_millis(400);

ficha_store::on_both_databases! {
    async fn after_two_seconds_without_its_database_the_feed_vouches_for_nothing(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        revoked_token(&app).await;
        let cursor = cursor(&app).await;
        let held = held(&app, &format!("after={cursor}&{LONG}")).await;
        let raw = database.raw().await;
        raw.take_away("denylist_head").await;
        app.clock.advance(Duration::from_secs(3));
        // A held poll fails too, and does not wait until its end.
        assert_unavailable(answered(held).await).await;
        for query in ["", "after=x", &format!("after={cursor}"), &format!("after={cursor}&{LONG}")] {
            assert_unavailable(poll(&app, query).await).await;
        }
        raw.give_back("denylist_head").await;
        eventually("the feed is back", async || poll(&app, "").await.status() == 200).await;
        let page = page(&app, &format!("after={cursor}")).await;
        assert_eq!((page.reset, ids(&page)), (false, vec![]));
        assert_eq!(app.authority.followers_waiting(), 0);
    }

    async fn nothing_is_answered_from_memory_alone(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        revoked_token(&app).await;
        let cursor = cursor(&app).await;
        let raw = database.raw().await;
        for query in ["".to_owned(), "after=x".to_owned(), format!("after={cursor}"), "after=0.0".to_owned()] {
            raw.take_away("denylist_head").await;
            let request = app.http.get(app.url(&format!("/denylist?{query}")));
            let poll = tokio::spawn(async move { request.send().await.expect("an answer") });
            stays("it is answered by a read alone", MOMENT, async || !poll.is_finished()).await;
            // A moment without the database is not an outage.
            raw.give_back("denylist_head").await;
            assert_eq!(answered(poll).await.status(), 200, "{query:?}");
        }
        raw.take_away("denylist_head").await;
        assert_unavailable(poll(&app, &format!("after={cursor}")).await).await;
        raw.give_back("denylist_head").await;
    }

    async fn the_end_of_a_wait_is_vouched_for_by_another_read(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let held = held(&app, &format!("after={}&wait=1", cursor(&app).await)).await;
        let raw = database.raw().await;
        raw.take_away("denylist_head").await;
        stays("the wait ends with a read alone", Duration::from_secs(1) + MOMENT, async || !held.is_finished()).await;
        raw.give_back("denylist_head").await;
        assert_eq!(answered(held).await.status(), 200);
    }

    async fn a_head_that_its_rows_do_not_reach_is_not_vouched_for(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let id = revoked_token(&app).await;
        let cursor = cursor(&app).await;
        let raw = database.raw().await;
        // As on a lagging replica, or a database that is restored between two reads.
        raw.execute("UPDATE denylist_head SET number = number + 3").await;
        assert!(app.authority.follow().await.is_err());
        assert_unavailable(poll(&app, &format!("after={cursor}")).await).await;
        app.clock.advance(Duration::from_secs(3));
        assert_eq!(app.get("/health/ready").await.status(), 503);
        raw.execute("UPDATE denylist_head SET number = number - 3").await;
        eventually("the feed is back", async || poll(&app, "").await.status() == 200).await;
        let page = page(&app, &format!("after={cursor}")).await;
        assert_eq!((page.reset, ids(&page), denies(&app, id)), (false, vec![], true));
    }

    async fn three_hundred_polls_without_a_database_cost_few_reads(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let raw = database.raw().await;
        raw.take_away("denylist_head").await;
        app.clock.advance(Duration::from_secs(3));
        let before = app.authority.denylist().reads();
        for response in futures_util::future::join_all((0..300).map(|_| poll(&app, ""))).await {
            assert_unavailable(response).await;
        }
        let reads = app.authority.denylist().reads() - before;
        assert!(reads < 100, "{reads} reads for 300 polls");
        raw.give_back("denylist_head").await;
    }
}

/// SQLite has no lock that blocks the readers of a single table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_keeps_vouching_while_its_keys_cant_be_read() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let app = app_with_alice(&database).await;
    let cursor = cursor(&app).await;
    let raw = database.raw().await;
    raw.execute("BEGIN; LOCK TABLE keys IN ACCESS EXCLUSIVE MODE").await;
    // Keys and everything else in memory must be reloaded.
    app.admin.declare_scope(&tester(), "notes:write", "").await.expect("a scope");
    let query = format!("after={cursor}");
    // Longer than the two seconds after which the server would count as cut off.
    stays("it vouches", Duration::from_millis(3_500), async || {
        let response = tokio::time::timeout(Duration::from_secs(1), poll(&app, &query));
        response.await.expect("an answer in time").status() == 200
    })
    .await;
    let id = revoked_token(&app).await;
    assert_eq!(ids(&page(&app, &query).await), [id]);
    raw.execute("ROLLBACK").await;
    // The keys are still reloaded once they can be read.
    app.admin.purge_keys(&tester()).await.expect("new keys");
    eventually("a login works", async || app.me(&app.login("alice").await.access).await == 200).await;
}
