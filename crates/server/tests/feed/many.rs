//! Many followers, few reads.

use ficha_store::testing::TestDatabase;
use futures_util::future::join_all;

use crate::world::*;

const MANY: usize = 300;

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

    async fn a_burst_is_gathered(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let mut follower = Follower::default();
        follower.catch_up(&app).await;
        let raw = database.raw().await;
        #[expect(clippy::disallowed_methods, reason = "how often the follower is woken in real time is what is tested")]
        let began = std::time::Instant::now();
        let polls = follower.polls;
        let burst = async {
            for _ in 0..100 {
                fill(&database, &raw, 1, later(&app)).await;
                // As if this process had written it.
                app.authority.denylist().add(&[]);
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
        assert!(polls <= most, "{polls} polls where {most} would do");
    }

    async fn three_hundred_waits_that_end_at_once_share_their_reads(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let query = format!("after={}&wait=2", cursor(&app).await);
        let explained = app.store.explain(async |_| {
            for response in join_all((0..MANY).map(|_| poll(&app, &query))).await {
                assert_eq!(ids(&read_page(response).await), NOTHING);
            }
        });
        // The tail's own are among them: twenty a second on SQLite.
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
