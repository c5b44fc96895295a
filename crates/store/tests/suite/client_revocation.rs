use ficha_store::testing::TestDatabase;
use ficha_store::{InsertOutcome, RevokeReason, SessionFilter, StoreError, on_both_databases};
use futures_util::future::join;

use crate::support::{NOW, alice_and_app, inserted, login, more_sessions, rotation, terms};

on_both_databases! {
    async fn a_client_is_blocked_first_and_unblocked_by_the_last_batch(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        let made = more_sessions(&store, &alice, &app, 7).await;
        assert!(store.begin_revoking_client("app").await.unwrap());
        assert_eq!(store.clients_being_revoked().await.unwrap(), ["app"]);
        let blocked = store.client("app").await.unwrap().unwrap();
        assert!(blocked.revoking && blocked.auth_version == 2);
        assert_eq!(store.insert_session(login(&alice, &blocked)).await.unwrap(), InsertOutcome::Outdated);
        let mut batches = Vec::new();
        loop {
            let batch = store.revoke_client_sessions("app", NOW, 3).await.unwrap();
            batches.push((batch.sessions, batch.entries.len()));
            if !batch.more {
                break;
            }
            assert!(store.client("app").await.unwrap().unwrap().revoking);
        }
        assert_eq!(batches, [(3, 3), (3, 3), (1, 1)]);
        assert_eq!(store.clients_being_revoked().await.unwrap(), Vec::<String>::new());
        let unblocked = store.client("app").await.unwrap().unwrap();
        assert!(!unblocked.revoking);
        for session in made {
            let stored = store.session(session.id).await.unwrap().unwrap();
            assert_eq!(stored.revoked, Some((NOW, RevokeReason::ClientRevoked)));
        }
        inserted(store.insert_session(login(&alice, &unblocked)).await.unwrap());
    }

    async fn a_revocation_ends_even_if_the_batches_are_exactly_full(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        more_sessions(&store, &alice, &app, 4).await;
        store.begin_revoking_client("app").await.unwrap();
        assert!(store.revoke_client_sessions("app", NOW, 2).await.unwrap().more);
        let last = store.revoke_client_sessions("app", NOW, 2).await.unwrap();
        assert_eq!((last.sessions, last.more), (2, false));
        assert!(!store.revoke_client_sessions("app", NOW, 2).await.unwrap().more);
    }

    async fn two_servers_may_continue_a_revocation_at_once(db: TestDatabase) {
        let (one, other) = (db.store().await, db.store().await);
        let (alice, app) = alice_and_app(&one).await;
        more_sessions(&one, &alice, &app, 25).await;
        one.begin_revoking_client("app").await.unwrap();
        let run = async |store: &ficha_store::Store| {
            let mut ended = 0;
            loop {
                let batch = store.revoke_client_sessions("app", NOW, 4).await.unwrap();
                ended += batch.sessions;
                if !batch.more {
                    return ended;
                }
            }
        };
        let (a, b) = join(run(&one), run(&other)).await;
        assert_eq!(a + b, 25);
        assert_eq!(one.clients_being_revoked().await.unwrap(), Vec::<String>::new());
        assert_eq!(one.head().await.unwrap().number, 25);
    }

    async fn no_session_of_a_concurrent_login_survives(db: TestDatabase) {
        let (one, other) = (db.store().await, db.store().await);
        let (alice, _) = alice_and_app(&one).await;
        for _ in 0..15 {
            let app = one.client("app").await.unwrap().unwrap();
            let checked = login(&alice, &app);
            let (outcome, _) = join(one.insert_session(checked), other.begin_revoking_client("app")).await;
            other.revoke_client_sessions("app", NOW, 100).await.unwrap();
            if let InsertOutcome::Inserted(session) = outcome.unwrap() {
                assert_eq!(one.rotate_sessions(&[rotation(&session)], terms(NOW)).await.unwrap(), []);
            }
        }
    }

    async fn a_client_with_live_sessions_is_not_deleted(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        let session = more_sessions(&store, &alice, &app, 1).await.remove(0);
        assert!(matches!(store.delete_client("app", NOW).await, Err(StoreError::Conflict(_))));
        store.begin_revoking_client("app").await.unwrap();
        store.revoke_client_sessions("app", NOW, 10).await.unwrap();
        assert!(store.delete_client("app", NOW).await.unwrap());
        assert!(!store.delete_client("app", NOW).await.unwrap());
        assert_eq!(store.client("app").await.unwrap(), None);
        let of_app = SessionFilter { client: Some("app".into()), ..SessionFilter::default() };
        assert_eq!(store.list_sessions(&of_app, None, 10).await.unwrap()[0].id, session.id);
    }
}
