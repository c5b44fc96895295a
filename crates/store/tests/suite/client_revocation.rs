use ficha_store::testing::TestDatabase;
use ficha_store::{
    BulkStep, BulkWork, InsertOutcome, RevokeReason, SessionFilter, Store, StoreError, on_both_databases,
};
use futures_util::future::join;

use crate::support::{NOW, alice_and_app, cause, inserted, login, more_sessions, rotation, terms};

async fn begin(store: &Store) -> BulkWork {
    store.begin_revoking_client("app", NOW, &cause()).await.unwrap().unwrap()
}

/// Continues until there is nothing left, or somebody has taken over. Returns how many sessions each step ended.
async fn finish(store: &Store, work: BulkWork, limit: u64) -> (Vec<u64>, BulkStep) {
    let mut ended = Vec::new();
    loop {
        match store.continue_bulk_revocation(work, NOW, NOW * 1_000, limit).await.unwrap() {
            BulkStep::Ended(revoked) => ended.push(revoked.sessions),
            last => return (ended, last),
        }
    }
}

on_both_databases! {
    async fn a_client_is_blocked_first_and_unblocked_by_the_last_step(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        let made = more_sessions(&store, &alice, &app, 7).await;
        let work = begin(&store).await;
        assert_eq!(store.unfinished_bulk_revocations().await.unwrap().len(), 1);
        let blocked = store.client("app").await.unwrap().unwrap();
        assert!(blocked.revoking && blocked.auth_version == 2);
        assert_eq!(store.insert_session(login(&alice, &blocked)).await.unwrap(), InsertOutcome::Revoking);
        assert_eq!(store.insert_session(login(&alice, &app)).await.unwrap(), InsertOutcome::Outdated);
        let mut steps = Vec::new();
        while let BulkStep::Ended(revoked) = store.continue_bulk_revocation(work, NOW, NOW * 1_000, 3).await.unwrap() {
            steps.push((revoked.sessions, revoked.entries.len()));
            assert!(store.client("app").await.unwrap().unwrap().revoking);
        }
        assert_eq!(steps, [(3, 3), (3, 3), (1, 1)]);
        assert_eq!(store.unfinished_bulk_revocations().await.unwrap(), []);
        let done = store.bulk_revocation(work.revocation).await.unwrap().unwrap();
        assert!(done.finished && done.sessions == 7);
        let unblocked = store.client("app").await.unwrap().unwrap();
        assert!(!unblocked.revoking);
        for session in made {
            let stored = store.session(session.id).await.unwrap().unwrap();
            assert_eq!(stored.revoked, Some((NOW, RevokeReason::ClientRevoked)));
        }
        inserted(store.insert_session(login(&alice, &unblocked)).await.unwrap());
        assert_eq!(store.continue_bulk_revocation(work, NOW, NOW * 1_000, 3).await.unwrap(), BulkStep::TakenOver);
        assert_eq!(store.prune_bulk_revocations(NOW).await.unwrap(), 0);
        assert_eq!(store.prune_bulk_revocations(NOW + 1).await.unwrap(), 1);
    }

    async fn the_newest_sessions_end_first(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        let mut made: Vec<_> = more_sessions(&store, &alice, &app, 6).await.iter().map(|session| session.id).collect();
        made.sort_unstable();
        let work = begin(&store).await;
        store.continue_bulk_revocation(work, NOW, NOW * 1_000, 2).await.unwrap();
        for (index, id) in made.iter().enumerate() {
            let is_revoked = store.session(*id).await.unwrap().unwrap().revoked.is_some();
            assert_eq!(is_revoked, index >= 4, "{index}");
        }
    }

    async fn only_one_of_two_workers_continues(db: TestDatabase) {
        let (one, other) = (db.store().await, db.store().await);
        let (alice, app) = alice_and_app(&one).await;
        more_sessions(&one, &alice, &app, 40).await;
        let work = begin(&one).await;
        one.continue_bulk_revocation(work, NOW, NOW * 1_000, 4).await.unwrap();
        let seen = one.bulk_revocation(work.revocation).await.unwrap().unwrap();
        let (a, b) = join(one.take_over_bulk_revocation(&seen), other.take_over_bulk_revocation(&seen)).await;
        let (a, b) = (a.unwrap(), b.unwrap());
        assert!(a.is_some() != b.is_some(), "exactly one takes it over");
        let taken = a.or(b).unwrap();
        let ((_, stopped), (ended, last)) = join(finish(&one, work, 4), finish(&other, taken, 4)).await;
        assert_eq!((stopped, last), (BulkStep::TakenOver, BulkStep::Finished));
        assert_eq!(ended.iter().sum::<u64>(), 36, "the first worker ended none after it was replaced");
        assert_eq!(one.bulk_revocation(work.revocation).await.unwrap().unwrap().sessions, 40);
        assert_eq!(one.head().await.unwrap().number, 40);
    }

    async fn a_revocation_that_has_moved_is_not_taken_over(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        more_sessions(&store, &alice, &app, 4).await;
        let work = begin(&store).await;
        let seen = store.bulk_revocation(work.revocation).await.unwrap().unwrap();
        store.continue_bulk_revocation(work, NOW, NOW * 1_000, 2).await.unwrap();
        assert_eq!(store.take_over_bulk_revocation(&seen).await.unwrap(), None);
        assert_eq!(finish(&store, work, 2).await, (vec![2], BulkStep::Finished));
        let seen = store.bulk_revocation(work.revocation).await.unwrap().unwrap();
        assert_eq!(store.take_over_bulk_revocation(&seen).await.unwrap(), None);
    }

    async fn a_second_request_takes_the_first_one_over_and_counts_all(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        more_sessions(&store, &alice, &app, 5).await;
        let first = begin(&store).await;
        store.continue_bulk_revocation(first, NOW, NOW * 1_000, 2).await.unwrap();
        let second = begin(&store).await;
        assert_eq!(second.revocation, first.revocation);
        assert_eq!(store.continue_bulk_revocation(first, NOW, NOW * 1_000, 2).await.unwrap(), BulkStep::TakenOver);
        assert_eq!(finish(&store, second, 2).await, (vec![0, 2, 1], BulkStep::Finished));
        assert_eq!(store.bulk_revocation(first.revocation).await.unwrap().unwrap().sessions, 5);
    }

    async fn no_session_of_a_concurrent_login_survives(db: TestDatabase) {
        let (one, other) = (db.store().await, db.store().await);
        let (alice, _) = alice_and_app(&one).await;
        for _ in 0..15 {
            let app = one.client("app").await.unwrap().unwrap();
            let checked = login(&alice, &app);
            let (outcome, work) = join(one.insert_session(checked), other.begin_revoking_client("app", NOW, &cause())).await;
            finish(&other, work.unwrap().unwrap(), 100).await;
            if let InsertOutcome::Inserted(session) = outcome.unwrap() {
                assert_eq!(one.rotate_sessions(&[rotation(&session)], terms(NOW)).await.unwrap(), []);
            }
        }
    }

    async fn a_client_with_live_sessions_is_not_deleted(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        let session = more_sessions(&store, &alice, &app, 1).await.remove(0);
        assert!(matches!(store.delete_client("app", NOW, &cause()).await, Err(StoreError::Conflict(_))));
        let work = begin(&store).await;
        finish(&store, work, 10).await;
        assert!(store.delete_client("app", NOW, &cause()).await.unwrap());
        assert!(!store.delete_client("app", NOW, &cause()).await.unwrap());
        assert_eq!(store.client("app").await.unwrap(), None);
        let of_app = SessionFilter { client: Some("app".into()), ..SessionFilter::default() };
        assert_eq!(store.list_sessions(&of_app, None, 10).await.unwrap()[0].id, session.id);
    }
}
