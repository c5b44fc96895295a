//! Known and unknown cursors.

use std::time::Duration;

use ficha_store::testing::TestDatabase;

use crate::support::*;

/// The number and the tag of a cursor, which are opaque to followers.
fn parts(cursor: &str) -> (i64, u64) {
    let (number, tag) = cursor.split_once('.').expect("a cursor has two parts");
    (number.parse().expect("a number"), u64::from_str_radix(tag, 16).expect("a tag"))
}

ficha_store::on_both_databases! {
    async fn an_unknown_cursor_gets_the_whole_list_again(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let known = [revoked_token(&app).await, revoked_token(&app).await];
        let (number, tag) = parts(&cursor(&app).await);
        let garbage = ["x", "1", "1.", ".1", "-1.1", "1.1.1", "%00", "%C3%BC", "01.1", "99999999999999999999.1", "1.%20"];
        let foreign = [format!("{number}.{:x}", tag ^ 1), format!("1.{tag:x}"), format!("{}.{tag:x}", number + 1), "0.1".into()];
        for text in garbage.iter().copied().chain(foreign.iter().map(String::as_str)) {
            for wait in ["", "&wait=30"] {
                let page = page(&app, &format!("after={text}{wait}")).await;
                assert_eq!((page.reset, page.more, ids(&page)), (true, false, known.to_vec()), "{text}");
                assert_eq!(parts(&page.cursor), (number, tag), "{text}");
            }
        }
        let long = "9".repeat(4_000);
        assert!(page(&app, &format!("after={long}")).await.reset);
        assert_eq!(metric(&app, "ficha_denylist_resets_total").await, 31);
        let start = page(&app, "after=0.0").await;
        assert_eq!((start.reset, ids(&start)), (false, known.to_vec()), "this cursor precedes the first row of any history");
    }

    async fn a_cursor_from_the_middle_of_the_list_works_too(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let mut cursors = vec![cursor(&app).await];
        let mut revoked = Vec::new();
        for _ in 0..3 {
            revoked.push(revoked_token(&app).await);
            cursors.push(cursor(&app).await);
        }
        // From memory, and from the database.
        let other = app.another(&database).await;
        for server in [&app, &other] {
            for (at, cursor) in cursors.iter().enumerate() {
                let page = page(server, &format!("after={cursor}")).await;
                assert_eq!((page.reset, ids(&page)), (false, revoked[at..].to_vec()));
                assert_eq!(&page.cursor, cursors.last().expect("four"));
            }
        }
    }

    async fn pruning_makes_old_cursors_unknown_but_not_the_newest(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        revoked_token(&app).await;
        let old = cursor(&app).await;
        // The newest thousand entries stay.
        database.raw().await.fill_denylist(1_000, later(&app)).await;
        revoked_token(&app).await;
        let newest = cursor(&app).await;
        app.advance(Duration::from_secs(5_000)).await;
        // The server also prunes in the background.
        app.authority.maintain_once(&mut None).await.expect("the database answers");
        // A new server has none of it in memory.
        let other = app.another(&database).await;
        let reset = page(&other, &format!("after={old}")).await;
        assert_eq!((reset.reset, ids(&reset)), (true, vec![]));
        let held = held(&other, &format!("after={newest}&{LONG}")).await;
        let live = revoked_token(&app).await;
        let gone_on = read_page(answered(held).await).await;
        assert_eq!((gone_on.reset, ids(&gone_on)), (false, vec![live]));
        let reset = page(&other, &format!("after={old}")).await;
        assert_eq!((reset.reset, ids(&reset)), (true, vec![live]));
    }

    async fn a_restored_database_is_noticed_and_nothing_is_forgotten_or_missed(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let mut follower = Follower::default();
        let before = revoked_token(&app).await;
        let raw = database.raw().await;
        raw.execute("CREATE TABLE denylist_copy AS SELECT * FROM denylist").await;
        raw.execute("CREATE TABLE head_copy AS SELECT * FROM denylist_head").await;
        let lost = [revoked_token(&app).await, revoked_token(&app).await];
        follower.catch_up(&app).await;
        let query = format!("after={}&{LONG}", follower.cursor.as_ref().expect("a cursor"));
        let held = held(&app, &query).await;

        raw.execute("BEGIN").await;
        raw.execute("DELETE FROM denylist").await;
        raw.execute("DELETE FROM denylist_head").await;
        raw.execute("INSERT INTO denylist SELECT * FROM denylist_copy").await;
        raw.execute("INSERT INTO denylist_head SELECT * FROM head_copy").await;
        raw.execute("COMMIT").await;

        let mut woken = answered(held).await;
        // While the server writes again what was lost, it vouches for nothing.
        while woken.status() == 503 {
            woken = poll(&app, &query).await;
        }
        let woken = read_page(woken).await;
        // What was lost was written again before the poll was answered.
        let mut all = ids(&woken);
        all.sort_unstable();
        let mut expected = vec![before, lost[0], lost[1]];
        expected.sort_unstable();
        assert_eq!((woken.reset, all), (true, expected));
        follower.catch_up(&app).await;
        assert_eq!(follower.resets, 1);
        // The new history reaches the same numbers, and goes beyond.
        let after = [revoked_token(&app).await, revoked_token(&app).await, revoked_token(&app).await];
        follower.catch_up(&app).await;
        assert_eq!(follower.resets, 1);
        for id in lost.iter().chain(&after).chain([&before]) {
            assert!(follower.denied.contains_key(id) && denies(&app, *id));
        }
        assert_eq!(follower.denied.len(), 6);
    }

    async fn a_cursor_from_another_history_is_noticed_after_its_number_was_passed(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let mut follower = Follower::default();
        for _ in 0..2 {
            revoked_token(&app).await;
        }
        follower.catch_up(&app).await;
        let raw = database.raw().await;
        raw.execute("BEGIN").await;
        raw.execute("DELETE FROM denylist").await;
        raw.execute("UPDATE denylist_head SET number = 0, tag = 0").await;
        raw.fill_denylist_within(5, later(&app)).await;
        raw.execute("COMMIT").await;
        follower.catch_up(&app).await;
        assert_eq!((follower.resets, follower.denied.len()), (1, 7));
    }

    async fn three_hundred_followers_of_another_history_cost_few_queries(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let raw = database.raw().await;
        raw.fill_denylist(100, later(&app)).await;
        app.authority.follow().await.expect("the database answers");
        let explained = app.store.explain(async |_| {
            let polls = (0..300).map(|_| poll(&app, "after=50.1&wait=30"));
            for response in futures_util::future::join_all(polls).await {
                let page = read_page(response).await;
                assert_eq!((page.reset, page.entries.len()), (true, 100));
            }
        });
        let explained = explained.await.expect("plans");
        let reads = explained.iter().filter(|one| one.sql.contains("\"denylist\".\"until\" >")).count();
        assert!((1..=6).contains(&reads), "{reads} reads for 300 followers");
    }
}
