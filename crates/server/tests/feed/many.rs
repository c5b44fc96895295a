//! Many followers cause few reads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ficha_store::testing::TestDatabase;
use futures_util::future::join_all;

use crate::support::*;

const MANY: usize = 300;

#[expect(clippy::disallowed_methods, reason = "the test measures how soon a follower is answered in real time")]
fn now() -> Instant {
    Instant::now()
}

ficha_store::on_both_databases! {
    async fn one_revocation_wakes_three_hundred_followers_with_few_reads(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let tokens = app.login("alice").await;
        let query = format!("after={}&{LONG}", cursor(&app).await);
        let polls: Vec<_> = (0..MANY)
            .map(|_| {
                let request = app.http.get(app.url(&format!("/denylist?{query}")));
                tokio::spawn(async move { request.send().await.expect("an answer") })
            })
            .collect();
        waiting(&app, MANY).await;
        let explained = app.store.explain(async |_| {
            revoke(&app, &tokens.access).await;
            for poll in polls {
                assert_eq!(ids(&read_page(answered(poll).await).await), [jti(&tokens)]);
            }
        });
        let reads = explained.await.expect("plans").iter().filter(|one| one.sql.contains("denylist")).count();
        assert!(reads < 60, "{reads} statements for {MANY} followers");
        assert_eq!(app.authority.followers_waiting(), 0);
        assert_eq!(metric(&app, "ficha_denylist_polls_total").await, MANY as u64 + 1);
    }

    async fn a_burst_of_revocations_is_answered_in_few_polls(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let mut follower = Follower::default();
        follower.catch_up(&app).await;
        let raw = database.raw().await;
        let began = now();
        let polls = follower.polls;
        let burst = async {
            for _ in 0..100 {
                raw.fill_denylist(1, later(&app)).await;
                // As if this process had written it.
                app.authority.denylist().nudge();
            }
        };
        let following = async {
            while follower.denied.len() < 100 {
                follower.poll(&app, 30).await;
            }
            (follower.polls - polls) as u128
        };
        let ((), polls) = tokio::join!(burst, following);
        let most = began.elapsed().as_millis() / 20 + 2;
        assert!(polls <= most, "{polls} polls instead of at most {most}");
    }

    async fn an_endless_stream_of_revocations_keeps_no_poll_waiting(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let mut follower = Follower::default();
        follower.catch_up(&app).await;
        let raw = database.raw().await;
        let done = AtomicBool::new(false);
        let began = now();
        let flow = async {
            let mut count = 0;
            while began.elapsed() < Duration::from_secs(4) {
                raw.fill_denylist(1, later(&app)).await;
                // Read at once, so that there is news at every moment.
                app.authority.follow().await.expect("the database answers");
                count += 1;
            }
            done.store(true, Ordering::SeqCst);
            // Wakes every poll that waits for another entry.
            raw.fill_denylist(1, later(&app)).await;
            app.authority.denylist().nudge();
            count + 1
        };
        let following = async {
            let mut longest = Duration::ZERO;
            while !done.load(Ordering::SeqCst) {
                let asked = now();
                follower.poll(&app, 30).await;
                longest = longest.max(asked.elapsed());
            }
            longest
        };
        let (count, longest) = tokio::join!(flow, following);
        let polls = follower.polls;
        // A wake comes every 20 ms. The bounds are wide because the machine may be busy with a build. A poll that
        // waited for the stream to end would wait for all of it.
        assert!(longest < Duration::from_secs(2), "a poll took {longest:?} while {count} entries came");
        assert!(polls > 10, "{polls} polls while {count} entries came");
        follower.catch_up(&app).await;
        assert_eq!((follower.denied.len(), follower.resets), (count, 0));
    }

    async fn three_hundred_waits_that_end_at_once_share_their_reads(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let query = format!("after={}&wait=2", cursor(&app).await);
        let explained = app.store.explain(async |_| {
            for response in join_all((0..MANY).map(|_| poll(&app, &query))).await {
                assert_eq!(ids(&read_page(response).await), NOTHING);
            }
        });
        // These include the reads of the background tail: twenty per second on SQLite.
        let reads = explained.await.expect("plans").iter().filter(|one| one.sql.contains("denylist")).count();
        assert!(reads < 200, "{reads} statements for {MANY} followers");
    }

    async fn three_hundred_followers_of_one_client_read_it_once(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let notes = app.add_client("notes-api", |new| new.serves = vec!["notes".into()]).await;
        app.authority.follow().await.expect("the database answers");
        let explained = app.store.explain(async |_| {
            for response in join_all((0..MANY).map(|_| poll_as(&app, &notes, ""))).await {
                read_page(response).await;
            }
        });
        let reads = explained.await.expect("plans").iter().filter(|one| one.sql.contains("\"clients\"")).count();
        assert!((1..=3).contains(&reads), "{reads} reads of the client for {MANY} followers");
    }
}
