//! The whole list in pages.

use ficha_store::testing::TestDatabase;

use crate::support::*;

ficha_store::on_both_databases! {
    async fn an_empty_list_has_a_cursor_to_continue_from(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let first = page(&app, "").await;
        assert_eq!((first.reset, first.more, &first.nonce, ids(&first)), (false, false, &None, vec![]));
        let id = revoked_token(&app).await;
        let next = page(&app, &format!("after={}", first.cursor)).await;
        assert_eq!((next.reset, next.more, ids(&next)), (false, false, vec![id]));
        assert_eq!(ids(&page(&app, &format!("after={}", next.cursor)).await), NOTHING);
        assert_eq!(ids(&page(&app, "after=").await), [id], "an empty parameter counts as omitted");
    }

    async fn a_long_list_comes_in_pages_and_what_is_revoked_meanwhile_comes_last(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let raw = database.raw().await;
        raw.fill_denylist(45_000, later(&app)).await;
        let first = page(&app, "").await;
        assert_eq!((first.entries.len(), first.more), (20_000, true));
        let again = page(&app, "wait=30").await;
        assert_eq!(first, again, "every follower gets the same page, and there is no wait without a cursor");
        let late = revoked_token(&app).await;
        let second = page(&app, &format!("after={}&{LONG}", first.cursor)).await;
        assert_eq!((second.entries.len(), second.more, second.reset), (20_000, true, false));
        let third = page(&app, &format!("after={}&{LONG}", second.cursor)).await;
        assert_eq!((third.entries.len(), third.more, third.reset), (5_001, false, false));
        assert_eq!(ids(&third).last(), Some(&late));
        let all: std::collections::HashSet<_> = [&first, &second, &third].into_iter().flat_map(ids).collect();
        assert_eq!(all.len(), 45_001);
        assert_eq!(ids(&page(&app, &format!("after={}", third.cursor)).await), NOTHING);
        assert!(all.iter().all(|id| denies(&app, *id)));
    }

    async fn a_page_that_ends_with_the_list_is_followed_by_an_empty_one(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let raw = database.raw().await;
        raw.fill_denylist(20_000, later(&app)).await;
        let first = page(&app, "").await;
        let last = page(&app, &format!("after={}", first.cursor)).await;
        assert_eq!((first.more, last.entries.len(), last.more), (true, 0, false));
        assert_eq!(last.cursor, first.cursor);
    }

    async fn expired_entries_are_not_in_the_list(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let raw = database.raw().await;
        let now = later(&app) - 600;
        raw.fill_denylist(3, now).await;
        raw.fill_denylist(2, now + 1).await;
        raw.fill_denylist(2, now).await;
        let first = page(&app, "").await;
        assert!(first.entries.iter().all(|entry| entry.until == now + 1) && first.entries.len() == 2, "{first:?}");
        // The cursor is still that of the end of the list.
        let head = raw.number("SELECT number FROM denylist_head").await;
        assert!(first.cursor.starts_with(&format!("{head}.")), "{}", first.cursor);
        assert_eq!(ids(&page(&app, &format!("after={}", first.cursor)).await), NOTHING);
    }

    async fn a_cached_page_whose_end_was_pruned_is_read_again(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let raw = database.raw().await;
        raw.fill_denylist(50_000, later(&app)).await;
        app.authority.follow().await.expect("the database answers");
        for first in ["", "after=x"] {
            page(&app, first).await;
        }
        raw.execute("DELETE FROM denylist WHERE number <= 25000").await;
        // New followers and followers that were reset both reach the next page, instead of starting over forever.
        for first in ["", "after=x"] {
            eventually("the next page follows the first", async || {
                let start = page(&app, first).await;
                !page(&app, &format!("after={}", start.cursor)).await.reset
            })
            .await;
        }
    }

    async fn a_full_page_is_built_once_for_all_followers(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let raw = database.raw().await;
        raw.fill_denylist(30_000, later(&app)).await;
        app.authority.follow().await.expect("the database answers");
        let explained = app.store.explain(async |_| {
            let polls = (0..40).map(|_| poll(&app, ""));
            for response in futures_util::future::join_all(polls).await {
                assert_eq!(read_page(response).await.entries.len(), 20_000);
            }
        });
        let explained = explained.await.expect("plans");
        let reads = explained.iter().filter(|one| one.sql.contains("\"denylist\".\"until\" >")).count();
        assert!((1..=4).contains(&reads), "{reads} reads for 40 followers");
    }
}
