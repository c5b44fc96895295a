//! Whether acknowledged changes are kept: connections after an error, and the check over another connection.

use std::time::Duration;

use ficha_store::testing::{RawConnection, TestDatabase};
use ficha_store::{BeatTime, DatabaseKind, Heartbeat, RevokeReason, StoreError, Writes, on_both_databases};
use uuid::Uuid;

use crate::support::*;

fn beat(number: i64) -> Heartbeat {
    let time = BeatTime { at: NOW + number, earliest: NOW, expiry: NOW - 1 };
    Heartbeat { process: Uuid::from_u128(7), number, time, boot: None, elapsed: number, settings: String::new() }
}

/// Makes the database accept every update of a table's rows, report success, and change nothing: like in a transaction
/// that has ended unnoticed.
async fn swallow_updates(raw: &RawConnection, kind: DatabaseKind, table: &str) {
    let sql = match kind {
        DatabaseKind::Sqlite => {
            format!("CREATE TRIGGER swallow BEFORE UPDATE ON {table} BEGIN SELECT RAISE(IGNORE); END")
        }
        DatabaseKind::Postgres => format!(
            "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
             CREATE TRIGGER swallow BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION swallow()"
        ),
    };
    raw.execute(&sql).await;
}

async fn stop_swallowing(raw: &RawConnection, kind: DatabaseKind, table: &str) {
    let sql = match kind {
        DatabaseKind::Sqlite => "DROP TRIGGER swallow".to_owned(),
        DatabaseKind::Postgres => format!("DROP TRIGGER swallow ON {table}; DROP FUNCTION swallow()"),
    };
    raw.execute(&sql).await;
}

on_both_databases! {
    async fn a_revocation_that_another_connection_does_not_see_is_an_alarm_and_not_a_success(db: TestDatabase) {
        let (store, raw) = (db.store().await, db.raw().await);
        let made = sessions(&store, 3).await;
        let revoke = |index: usize| [revocation(made[index].id, RevokeReason::Logout)];
        store.revoke_batch(&revoke(0), NOW).await.unwrap();
        swallow_updates(&raw, db.kind(), "denylist_head").await;
        let error = store.revoke_batch(&revoke(1), NOW).await.unwrap_err();
        assert!(matches!(error, StoreError::Lost(_)), "{error:?}");
        assert_eq!((store.changes_lost(), store.failures()), (1, 1));
        assert!(matches!(&*store.writes().borrow(), Writes::Lost(_)));
        // From then on nothing is vouched for, and no changes are accepted.
        assert!(matches!(store.head().await, Err(StoreError::Lost(_))));
        assert!(matches!(store.declare_scope("a", "", &cause()).await, Err(StoreError::Lost(_))));
        stop_swallowing(&raw, db.kind(), "denylist_head").await;
        // Only the update of the head was swallowed.
        raw.execute("DELETE FROM denylist WHERE number > 1").await;
        store.beat(&beat(1), true).await.unwrap();
        assert_eq!(*store.writes().borrow(), Writes::Kept);
        store.revoke_batch(&revoke(2), NOW).await.unwrap();
        assert!(store.head().await.is_ok());
    }

    async fn a_heartbeat_that_another_connection_does_not_see_is_an_alarm(db: TestDatabase) {
        let (store, raw) = (db.store().await, db.raw().await);
        store.beat(&beat(1), false).await.unwrap();
        swallow_updates(&raw, db.kind(), "heartbeats").await;
        let error = store.beat(&beat(2), false).await.unwrap_err();
        assert!(matches!(error, StoreError::Lost(_)), "{error:?}");
        assert!(matches!(&*store.writes().borrow(), Writes::Lost(_)));
        stop_swallowing(&raw, db.kind(), "heartbeats").await;
        store.beat(&beat(3), true).await.unwrap();
        assert_eq!(*store.writes().borrow(), Writes::Kept);
    }

    async fn a_database_that_refuses_changes_is_noticed_and_so_is_its_recovery(db: TestDatabase) {
        let (store, raw) = (db.store().await, db.raw().await);
        raw.execute("ALTER TABLE heartbeats RENAME COLUMN proof TO proof_away").await;
        assert!(store.beat(&beat(1), false).await.is_err());
        assert!(matches!(&*store.writes().borrow(), Writes::Refused(_)));
        // Reading still works.
        assert!(store.head().await.is_ok());
        raw.execute("ALTER TABLE heartbeats RENAME COLUMN proof_away TO proof").await;
        store.beat(&beat(2), true).await.unwrap();
        assert_eq!(*store.writes().borrow(), Writes::Kept);
        assert_eq!(store.last_beat(None).await.unwrap().any, Some(beat(2).time));
    }

    // A failure in the middle of a transaction leaves no lock behind, and no transaction that the next one would join.
    async fn after_a_failed_transaction_others_write_at_once_and_so_do_we(db: TestDatabase) {
        let (store, raw) = (db.store().await, db.raw().await);
        let made = sessions(&store, 2).await;
        raw.take_away("denylist").await;
        for session in &made {
            let failed = store.revoke_batch(&[revocation(session.id, RevokeReason::Logout)], NOW).await;
            assert!(failed.is_err(), "{failed:?}");
        }
        tokio::time::timeout(Duration::from_secs(4), raw.give_back("denylist")).await.expect("no lock is held");
        for session in &made {
            store.revoke_batch(&[revocation(session.id, RevokeReason::Logout)], NOW).await.unwrap();
        }
        assert_eq!(raw.number("SELECT COUNT(*) FROM denylist").await, 2);
        assert_eq!(raw.number("SELECT number FROM denylist_head").await, 2);
    }

    // A transaction that was left open on a connection must not swallow later writes.
    async fn a_connection_in_a_transaction_is_never_used_again(db: TestDatabase) {
        if db.kind() == DatabaseKind::Sqlite {
            let (store, raw) = (db.store().await, db.raw().await);
            store.run_sql("BEGIN IMMEDIATE").await.unwrap();
            store.declare_scope("a", "", &cause()).await.unwrap();
            assert_eq!(raw.number("SELECT COUNT(*) FROM scopes").await, 1);
        }
    }

    async fn a_caller_that_hangs_up_in_a_transaction_leaves_nothing_open(db: TestDatabase) {
        let (store, raw) = (db.store().await, db.raw().await);
        let made = sessions(&store, 1).await;
        for micros in [50, 200, 500, 1_000, 2_000, 4_000, 8_000] {
            let revocations = [revocation_of_token(token())];
            let revoking = store.revoke_batch(&revocations, NOW);
            let _ = tokio::time::timeout(Duration::from_micros(micros), revoking).await;
            raw.execute("UPDATE scopes SET description = ''").await;
        }
        let numbers = raw.number("SELECT number FROM denylist_head").await;
        assert_eq!(raw.number("SELECT COUNT(*) FROM denylist").await, numbers);
        store.revoke_batch(&[revocation(made[0].id, RevokeReason::Logout)], NOW).await.unwrap();
        assert_eq!(raw.number("SELECT number FROM denylist_head").await, numbers + 1);
    }

    async fn a_commit_is_on_the_disk_whatever_the_role_says(db: TestDatabase) {
        if db.kind() == DatabaseKind::Postgres {
            let raw = db.raw().await;
            for (role, expected) in [("off", "on"), ("local", "on"), ("remote_write", "on"), ("remote_apply", "remote_apply")] {
                raw.execute(&format!(
                    "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = {role}', current_database()); END $$"
                ))
                .await;
                let store = db.store().await;
                assert_eq!(store.show("synchronous_commit").await.unwrap(), expected, "{role}");
                store.close().await;
            }
        }
    }
}
