use ficha_store::testing::TestDatabase;
use ficha_store::{DatabaseKind, RevokeReason, SessionFilter, StoreError, on_both_databases};
use ficha_token::{DENY_MARGIN_SECONDS, DenyEntry, DenyId};
use futures_util::future::join;

use crate::support::{NOW, id, revocation, revocation_of_token, revoke, rotation, sessions, terms, token};

on_both_databases! {
    async fn revoking_a_session_denies_its_tokens(db: TestDatabase) {
        let store = db.store().await;
        let session = sessions(&store, 1).await.remove(0);
        let (newly, revoked) = revoke(&store, session.id, RevokeReason::Logout, NOW + 5).await.unwrap();
        assert!(newly);
        let entry = DenyEntry::new(DenyId::from(session.id), session.access_exp + DENY_MARGIN_SECONDS);
        assert_eq!((revoked.sessions, revoked.entries.as_slice()), (1, &[entry][..]));
        assert_eq!(store.deny_rows_after(0, 10).await.unwrap()[0].entry, entry);
        let stored = store.session(session.id).await.unwrap().unwrap();
        assert_eq!(stored.revoked, Some((NOW + 5, RevokeReason::Logout)));
    }

    async fn revoking_a_session_again_changes_nothing_but_returns_the_entry(db: TestDatabase) {
        let store = db.store().await;
        let session = sessions(&store, 1).await.remove(0);
        let (_, first) = revoke(&store, session.id, RevokeReason::Logout, NOW).await.unwrap();
        let (newly, second) = revoke(&store, session.id, RevokeReason::Admin, NOW + 1).await.unwrap();
        assert!(!newly);
        // Another server may have revoked it, so this server's copy needs the entry too.
        assert_eq!((second.sessions, &second.entries), (0, &first.entries));
        assert_eq!(store.head().await.unwrap().number, 1);
        let stored = store.session(session.id).await.unwrap().unwrap();
        assert_eq!(stored.revoked, Some((NOW, RevokeReason::Logout)));
    }

    async fn a_session_without_a_live_token_needs_no_entry(db: TestDatabase) {
        let store = db.store().await;
        let session = sessions(&store, 1).await.remove(0);
        // A token counts as live until the margin has passed.
        let over = session.access_exp + DENY_MARGIN_SECONDS;
        let (newly, revoked) = revoke(&store, session.id, RevokeReason::Logout, over).await.unwrap();
        assert!(newly);
        assert_eq!(revoked.entries, []);
        assert_eq!(store.head().await.unwrap().number, 0);
    }

    async fn one_transaction_revokes_both_sessions_and_tokens(db: TestDatabase) {
        let store = db.store().await;
        let made = sessions(&store, 2).await;
        let jti = token();
        let batch = [
            revocation(made[1].id, RevokeReason::Logout),
            revocation_of_token(jti),
            revocation(id(), RevokeReason::Logout),
            revocation(made[0].id, RevokeReason::Replay),
            revocation(made[1].id, RevokeReason::Admin),
            revocation_of_token(jti),
            revocation_of_token(DenyEntry::new(token().id, NOW)),
        ];
        let applied = store.revoke_batch(&batch, NOW).await.unwrap();
        assert_eq!(applied.newly, [true, true, false, true, false, false, false]);
        assert_eq!(applied.revoked.sessions, 2);
        assert_eq!(store.head().await.unwrap().number, 3);
        let reason = |session: Option<ficha_store::SessionRecord>| session.unwrap().revoked.unwrap().1;
        assert_eq!(reason(store.session(made[0].id).await.unwrap()), RevokeReason::Replay);
        assert_eq!(reason(store.session(made[1].id).await.unwrap()), RevokeReason::Logout);
        assert_eq!(store.revoke_batch(&[], NOW).await.unwrap(), ficha_store::RevokedBatch::default());
    }

    /// If the denylist can't be written, the session must not be revoked either: it would look done while its tokens
    /// still work, and no one would retry.
    async fn session_and_denylist_change_together_or_not_at_all(db: TestDatabase) {
        let store = db.store().await;
        let session = sessions(&store, 1).await.remove(0);
        let (sabotage, repair) = match db.kind() {
            DatabaseKind::Sqlite => (
                "CREATE TRIGGER spoil BEFORE INSERT ON denylist BEGIN SELECT RAISE(ABORT, 'spoiled'); END",
                "DROP TRIGGER spoil",
            ),
            DatabaseKind::Postgres => (
                "ALTER TABLE denylist ADD CONSTRAINT spoil CHECK (number < 0)",
                "ALTER TABLE denylist DROP CONSTRAINT spoil",
            ),
        };
        store.run_sql(sabotage).await.unwrap();
        let failed = revoke(&store, session.id, RevokeReason::Logout, NOW).await;
        assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
        assert_eq!(store.session(session.id).await.unwrap().unwrap().revoked, None);
        assert_eq!(store.head().await.unwrap().number, 0);
        store.run_sql(repair).await.unwrap();
        assert!(revoke(&store, session.id, RevokeReason::Logout, NOW).await.unwrap().0);
        assert_eq!(store.head().await.unwrap().number, 1, "the rollback released the number");
    }

    async fn a_refresh_during_a_revocation_does_not_survive_it(db: TestDatabase) {
        let (one, other) = (db.store().await, db.store().await);
        for session in sessions(&one, 30).await {
            let batch = [rotation(&session)];
            let refresh = one.rotate_sessions(&batch, terms(NOW + 100));
            let revoke = revoke(&other, session.id, RevokeReason::Logout, NOW + 100);
            let (refreshed, revoked) = join(refresh, revoke).await;
            let (refreshed, (newly, revoked)) = (refreshed.unwrap(), revoked.unwrap());
            assert!(newly);
            // The denied entry covers every token that the refresh may issue.
            if let Some(row) = refreshed.first() {
                assert!(revoked.entries[0].until >= row.access_exp + DENY_MARGIN_SECONDS);
            }
            let next = refreshed.first().unwrap_or(&session);
            assert_eq!(one.rotate_sessions(&[rotation(next)], terms(NOW + 100)).await.unwrap(), []);
        }
    }

    async fn large_batches_in_opposite_order_all_succeed(db: TestDatabase) {
        let (one, other) = (db.store().await, db.store().await);
        let made = sessions(&one, 60).await;
        let batch: Vec<_> = made.iter().map(|row| revocation(row.id, RevokeReason::Admin)).collect();
        let backwards: Vec<_> = batch.iter().rev().cloned().collect();
        let (a, b) = join(one.revoke_batch(&batch, NOW), other.revoke_batch(&backwards, NOW)).await;
        assert_eq!(a.unwrap().revoked.sessions + b.unwrap().revoked.sessions, 60);
        assert_eq!(one.head().await.unwrap().number, 60);
        let live = SessionFilter { live_at: Some(NOW), ..SessionFilter::default() };
        assert_eq!(one.list_sessions(&live, None, 100).await.unwrap(), []);
    }
}
