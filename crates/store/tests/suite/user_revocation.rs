//! Users whose sessions are too many for one transaction.

use ficha_store::testing::TestDatabase;
use ficha_store::{BulkStep, BulkWork, InsertOutcome, RevokeReason, SessionFilter, SessionRecord, Store, UserRecord};
use ficha_store::{PasswordHashText, on_both_databases};

use crate::support::{NOW, alice_and_app, cause, inserted, login, more_sessions, new_hash, rotation, terms};

/// More than one transaction ends, with the one that they are copies of.
const COPIES: u32 = 1_000;

async fn alice_with_many(db: &TestDatabase, store: &Store) -> (UserRecord, SessionRecord) {
    let (alice, app) = alice_and_app(store).await;
    let session = more_sessions(store, &alice, &app, 1).await.remove(0);
    db.raw().await.copy_session(session.id, COPIES).await;
    (alice, session)
}

async fn finish(store: &Store, work: BulkWork) -> u64 {
    while let BulkStep::Ended(_) = store.continue_bulk_revocation(work, NOW, NOW * 1_000, 400).await.unwrap() {}
    let done = store.bulk_revocation(work.revocation).await.unwrap().unwrap();
    assert!(done.finished);
    done.sessions
}

async fn live(store: &Store, user: &UserRecord) -> usize {
    let filter = SessionFilter { user: Some(user.id), live_at: Some(NOW), ..SessionFilter::default() };
    store.list_sessions(&filter, None, 2_000).await.unwrap().len()
}

on_both_databases! {
    async fn nobody_logs_in_until_the_last_session_has_ended(db: TestDatabase) {
        let store = db.store().await;
        let (alice, session) = alice_with_many(&db, &store).await;
        let app = store.client("app").await.unwrap().unwrap();
        let hash = PasswordHashText("new".into());
        let revoked = store.change_password(alice.id, new_hash(&hash, 12), NOW, &cause()).await.unwrap().unwrap();
        assert_eq!((revoked.sessions, revoked.entries.len()), (0, 0));
        let work = revoked.rest.unwrap();
        let read = store.user_by_id(alice.id).await.unwrap().unwrap();
        assert_eq!(read.password_hash, hash, "the new password is in force at once");
        assert_eq!(store.insert_session(login(&alice, &app)).await.unwrap(), InsertOutcome::Outdated);
        assert_eq!(store.insert_session(login(&read, &app)).await.unwrap(), InsertOutcome::Revoking);
        assert_eq!(finish(&store, work).await, u64::from(COPIES) + 1);
        assert_eq!(live(&store, &alice).await, 0);
        let stored = store.session(session.id).await.unwrap().unwrap();
        assert_eq!(stored.revoked, Some((NOW, RevokeReason::PasswordChanged)));
        inserted(store.insert_session(login(&read, &app)).await.unwrap());
    }

    async fn a_user_is_deleted_after_the_last_session_has_ended(db: TestDatabase) {
        let store = db.store().await;
        let (alice, _) = alice_with_many(&db, &store).await;
        let work = store.delete_user(alice.id, NOW, &cause()).await.unwrap().unwrap().rest.unwrap();
        assert!(!store.user_by_id(alice.id).await.unwrap().unwrap().enabled);
        assert_eq!(finish(&store, work).await, u64::from(COPIES) + 1);
        let revoked = store.delete_user(alice.id, NOW, &cause()).await.unwrap().unwrap();
        assert_eq!((revoked.sessions, revoked.rest), (0, None));
        assert_eq!(store.user_by_id(alice.id).await.unwrap(), None);
    }

    async fn fewer_rights_end_in_batches_what_exceeds_them_and_no_more(db: TestDatabase) {
        let store = db.store().await;
        let (alice, kept) = alice_with_many(&db, &store).await;
        let app = store.client("app").await.unwrap().unwrap();
        let mut writing = login(&alice, &app);
        writing.session.scopes = "notes:read notes:write".parse().unwrap();
        let writing = inserted(store.insert_session(writing).await.unwrap());
        let (scopes, roles) = ("notes:read".parse().unwrap(), ["editor".to_owned(), "owner".to_owned()]);
        let revoked = store.set_user_rights(alice.id, &scopes, &roles, NOW, &cause()).await.unwrap().unwrap();
        assert_eq!(finish(&store, revoked.rest.unwrap()).await, 1);
        assert!(store.session(writing.id).await.unwrap().unwrap().revoked.is_some());
        let kept = store.session(kept.id).await.unwrap().unwrap();
        assert_eq!((kept.revoked, kept.roles.as_slice()), (None, &roles[..]));
    }

    async fn a_session_that_has_just_expired_is_ended_too(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        // Its refresh is on its way with the time of a moment ago. Its last token expired long ago.
        let mut idle = login(&alice, &app);
        (idle.session.access_exp, idle.session.idle_expires_at) = (NOW - 1_000, NOW);
        let idle = inserted(store.insert_session(idle).await.unwrap());
        let revoked = store.revoke_user(alice.id, NOW + 3, &cause()).await.unwrap().unwrap();
        assert_eq!((revoked.sessions, revoked.entries.len()), (1, 0));
        assert_eq!(store.rotate_sessions(&[rotation(&idle)], terms(NOW - 1)).await.unwrap(), []);
    }

    async fn fewer_rights_do_not_weaken_a_revocation_in_progress(db: TestDatabase) {
        let store = db.store().await;
        let (alice, session) = alice_with_many(&db, &store).await;
        let first = store.revoke_user(alice.id, NOW, &cause()).await.unwrap().unwrap().rest.unwrap();
        let second = store.set_user_rights(alice.id, &alice.scopes, &alice.roles, NOW, &cause()).await.unwrap().unwrap();
        assert_eq!(store.continue_bulk_revocation(first, NOW, NOW * 1_000, 10).await.unwrap(), BulkStep::TakenOver);
        assert_eq!(finish(&store, second.rest.unwrap()).await, u64::from(COPIES) + 1);
        let stored = store.session(session.id).await.unwrap().unwrap();
        assert_eq!(stored.revoked, Some((NOW, RevokeReason::Admin)));
    }
}
