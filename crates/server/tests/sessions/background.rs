//! Background tasks that end unexpectedly.

use ficha_store::RevokeReason;
use ficha_store::testing::TestDatabase;

use crate::support::*;

ficha_store::on_both_databases! {
    async fn every_background_task_that_ends_is_restarted_and_works_again(database: TestDatabase) {
        let app = app_with_alice(&database).await;
        let other = database.store().await;
        let tasks = app.background.as_ref().expect("they run").tasks();
        let names = tasks.names();
        assert!(["audit", "followers", "heartbeat", "maintenance", "reload", "tail"].iter().all(|name| names.contains(name)));
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
            other.revoke_session(sid(&tokens.access), RevokeReason::Admin, now).await.expect("the database answers");
            eventually(&format!("the revocation is applied after {name}"), async || {
                app.me(&tokens.access).await == 401
            })
            .await;
            // The audit log is written.
            let ended = app.login("alice").await;
            assert_eq!(app.post("/revoke", &[("token", &ended.refresh)]).await.status(), 200, "{name}");
            eventually(&format!("it is in the audit log after {name}"), async || {
                let records = other.list_audit(None, 20).await.expect("the database answers");
                records.iter().any(|record| record.session_id == Some(sid(&ended.access)))
            })
            .await;
            // Changes by another process are noticed.
            app.add_user(name, SCOPES).await;
            app.login(name).await;
            assert_eq!(app.get("/health/ready").await.status(), 200, "{name}");
        }
    }
}
