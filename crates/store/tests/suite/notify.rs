use std::time::Duration;

use ficha_store::testing::TestDatabase;
use ficha_store::{DatabaseKind, on_both_databases};
use tokio::time::timeout;

use crate::support::{NOW, cause, client, revocation_of_token, token};

const SOON: Duration = Duration::from_secs(10);

on_both_databases! {
    async fn a_listener_is_notified_of_each_relevant_commit(db: TestDatabase) {
        let (store, other) = (db.store().await, db.store().await);
        let Some(mut listener) = store.listen().await.unwrap() else {
            assert_eq!(db.kind(), DatabaseKind::Sqlite);
            return store.notify_self().await.unwrap();
        };
        store.notify_self().await.unwrap();
        timeout(SOON, listener.next()).await.unwrap().unwrap();
        other.revoke_batch(&[revocation_of_token(token())], NOW).await.unwrap();
        timeout(SOON, listener.next()).await.unwrap().unwrap();
        assert_eq!(store.head().await.unwrap().number, 1);
        other.add_client(client("app"), &cause()).await.unwrap();
        timeout(SOON, listener.next()).await.unwrap().unwrap();
        assert!(store.client("app").await.unwrap().is_some());
        // A call that changed nothing sends no notification.
        other.rotate_key(crate::support::key(ficha_store::KeyPurpose::Sign, "x"), "none", NOW, &cause()).await.unwrap();
        assert!(timeout(Duration::from_millis(200), listener.next()).await.is_err());
    }

    async fn a_listener_that_lost_its_connection_reports_it_and_continues(db: TestDatabase) {
        let store = db.store().await;
        let Some(mut listener) = store.listen().await.unwrap() else { return };
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        store.run_sql(cut).await.unwrap();
        // Reported by an error or by a return. In either case the caller reads the head, and the next call continues.
        let mut continued = false;
        for _ in 0..3 {
            continued |= timeout(SOON, listener.next()).await.unwrap().is_ok();
            if continued {
                break;
            }
        }
        assert!(continued);
        store.notify_self().await.unwrap();
        timeout(SOON, listener.next()).await.unwrap().unwrap();
    }
}
