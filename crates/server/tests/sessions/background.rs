//! Background tasks that end unexpectedly.

use ficha_store::EventFilter;
use ficha_store::testing::{TestDatabase, revocation};

use crate::support::*;

ficha_store::on_both_databases! {
    async fn every_background_task_that_ends_is_restarted_and_works_again(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let other = database.store().await;
        let tasks = app.background.as_ref().expect("they run").tasks();
        let names = tasks.names();
        assert!(["events", "followers", "heartbeat", "maintenance", "reload", "tail"].iter().all(|name| names.contains(name)));
        for (killed, name) in (1..).zip(names) {
            eventually(&format!("{name} runs"), async || tasks.kill(name)).await;
            eventually(&format!("{name} was restarted"), async || {
                metric(&app, "ficha_background_restarts_total").await >= killed
            })
            .await;
            // What another process revokes is rejected here, because of the tail and, on PostgreSQL, the listener.
            let tokens = app.login("alice").await;
            assert_eq!(app.me(&tokens.access).await, 200, "{name}");
            let now = ficha_token::Clock::unix_now(&*app.clock);
            other.revoke_batch(&[revocation(sid(&tokens.access))], now).await.expect("the database answers");
            eventually(&format!("the revocation is applied after {name}"), async || {
                app.me(&tokens.access).await == 401
            })
            .await;
            // Events get their numbers.
            let ended = app.login("alice").await;
            assert_eq!(app.post("/revoke", &[("token", &ended.refresh)]).await.status(), 200, "{name}");
            eventually(&format!("it has a number after {name}"), async || {
                let of_session = EventFilter { session: Some(sid(&ended.access)), ..EventFilter::default() };
                let events = other.events_before(&of_session, None, 20).await.expect("the database answers");
                events.iter().any(|event| event.event == "session.revoked")
            })
            .await;
            // Changes by another process are noticed.
            app.add_user(name, SCOPES).await;
            app.login(name).await;
            assert_eq!(app.get("/health/ready").await.status(), 200, "{name}");
        }
    }
}
