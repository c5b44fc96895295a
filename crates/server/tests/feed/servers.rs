//! Several servers on one database, and servers that stop.

use std::time::{Duration, Instant};

use ficha_store::testing::TestDatabase;

use crate::support::*;

ficha_store::on_both_databases! {
    async fn a_revocation_at_one_server_wakes_polls_that_another_holds(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let other = app.another(&database).await;
        let mut follower = Follower::default();
        follower.catch_up(&other).await;
        for round in 0..5 {
            let after = follower.cursor.clone().expect("a cursor");
            let held = held(&other, &format!("after={after}&{LONG}")).await;
            let id = revoked_token(&app).await;
            assert_eq!(ids(&read_page(answered(held).await).await), [id], "{round}");
            follower.catch_up(&other).await;
        }
        assert_eq!(follower.resets, 0);
    }

    async fn a_follower_may_change_servers_with_every_poll(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let other = app.another(&database).await;
        let mut follower = Follower::default();
        let mut revoked = Vec::new();
        for round in 0..20 {
            let (here, there) = if round % 2 == 0 { (&app, &other) } else { (&other, &app) };
            revoked.push(revoked_token(here).await);
            // What one server has answered, every other server knows after its next read.
            follower.catch_up(there).await;
            assert!(revoked.iter().all(|id| follower.denied.contains_key(id)), "{round}");
        }
        assert_eq!((follower.resets, follower.denied.len()), (0, 20));
    }

    async fn a_server_that_stops_answers_what_it_holds_at_once(database: TestDatabase) {
        let mut app = app_with_alice(&database).await;
        revoked_token(&app).await;
        let cursor = cursor(&app).await;
        let mut polls = Vec::new();
        for _ in 0..20 {
            polls.push(held(&app, &format!("after={cursor}&{LONG}")).await);
        }
        #[expect(clippy::disallowed_methods, reason = "the test measures how long the server takes to stop")]
        let began = Instant::now();
        app.stop().await;
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        for poll in polls {
            let page = read_page(answered(poll).await).await;
            assert_eq!((page.cursor, page.reset, page.entries.len()), (cursor.clone(), false, 0));
        }
    }

    async fn a_cursor_outlives_its_server(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        revoked_token(&app).await;
        let cursor = cursor(&app).await;
        let late = revoked_token(&app).await;
        let again = app.end().await.start(&database).await;
        let page = page(&again, &format!("after={cursor}&{LONG}")).await;
        assert_eq!((page.reset, ids(&page)), (false, vec![late]));
    }
}
