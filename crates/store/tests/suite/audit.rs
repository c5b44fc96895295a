use ficha_store::testing::TestDatabase;
use ficha_store::{AuditRecord, on_both_databases};
use uuid::Uuid;

use crate::support::NOW;

/// The `n`th record. Like UUIDv7, its id is ordered by time.
fn record(n: u8) -> AuditRecord {
    AuditRecord {
        id: Uuid::from_bytes([n; 16]),
        at: NOW + i64::from(n),
        event: "refresh.replayed".into(),
        actor: Some("app".into()),
        user_id: Some(Uuid::from_bytes([1; 16])),
        client_id: None,
        session_id: Some(Uuid::from_bytes([2; 16])),
        address: Some("192.0.2.1".into()),
        detail: None,
    }
}

on_both_databases! {
    async fn records_are_listed_newest_first_in_pages(db: TestDatabase) {
        let store = db.store().await;
        let records: Vec<_> = (1..=5).map(record).collect();
        store.audit(&records).await.unwrap();
        store.audit(&[]).await.unwrap();
        let page = store.list_audit(None, 2).await.unwrap();
        assert_eq!(page, [record(5), record(4)]);
        let page = store.list_audit(Some(page[1].id), 10).await.unwrap();
        assert_eq!(page, [record(3), record(2), record(1)]);
    }

    async fn old_records_are_pruned_oldest_first(db: TestDatabase) {
        let store = db.store().await;
        store.audit(&(1..=5).map(record).collect::<Vec<_>>()).await.unwrap();
        assert_eq!(store.prune_audit(NOW + 4, 2).await.unwrap(), 2);
        assert_eq!(store.prune_audit(NOW + 4, 10).await.unwrap(), 1);
        assert_eq!(store.list_audit(None, 10).await.unwrap(), [record(5), record(4)]);
    }
}
