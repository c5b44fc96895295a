use std::time::Duration;

use ficha_store::testing::TestDatabase;
use ficha_store::{BulkStep, DatabaseKind, InsertOutcome, on_both_databases};
use ficha_token::DenyId;
use futures_util::future::join;

use crate::support::{NOW, alice_and_app, cause, inserted, login, new_keys, rotation, terms};

on_both_databases! {
    async fn a_login_is_stored_completely(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        let new = login(&alice, &app);
        let session = inserted(store.insert_session(new.clone()).await.unwrap());
        assert_eq!(session, new.session);
        assert_eq!(store.session(session.id).await.unwrap(), Some(session));
    }

    async fn a_login_checked_before_a_change_is_outdated(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        let checked = login(&alice, &app);
        store.revoke_user(alice.id, NOW, &cause()).await.unwrap();
        assert_eq!(store.insert_session(checked.clone()).await.unwrap(), InsertOutcome::Outdated);
        assert_eq!(store.session(checked.session.id).await.unwrap(), None);
        let alice = store.user_by_id(alice.id).await.unwrap().unwrap();
        let checked = login(&alice, &app);
        assert!(store.update_client(app.clone(), &cause()).await.unwrap());
        assert_eq!(store.insert_session(checked).await.unwrap(), InsertOutcome::Outdated);
        let app = store.client("app").await.unwrap().unwrap();
        inserted(store.insert_session(login(&alice, &app)).await.unwrap());
    }

    async fn a_disabled_or_deleted_user_cannot_log_in(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        store.set_user_enabled(alice.id, false, NOW, &cause()).await.unwrap();
        let disabled = store.user_by_id(alice.id).await.unwrap().unwrap();
        assert_eq!(store.insert_session(login(&disabled, &app)).await.unwrap(), InsertOutcome::Outdated);
        store.set_user_enabled(alice.id, true, NOW, &cause()).await.unwrap();
        let alice = store.user_by_id(alice.id).await.unwrap().unwrap();
        inserted(store.insert_session(login(&alice, &app)).await.unwrap());
        let work = store.disable_client("app", NOW, &cause()).await.unwrap().unwrap();
        let disabled = store.client("app").await.unwrap().unwrap();
        assert_eq!(store.insert_session(login(&alice, &disabled)).await.unwrap(), InsertOutcome::Outdated);
        while store.continue_bulk_revocation(work, NOW, NOW * 1_000, 10).await.unwrap() != BulkStep::Finished {}
        store.enable_client("app", &cause()).await.unwrap();
        let app = store.client("app").await.unwrap().unwrap();
        store.delete_user(alice.id, NOW, &cause()).await.unwrap();
        assert_eq!(store.insert_session(login(&alice, &app)).await.unwrap(), InsertOutcome::Outdated);
    }

    async fn no_login_slips_through_while_a_user_is_logged_out_everywhere(db: TestDatabase) {
        let (one, other) = (db.store().await, db.store().await);
        let (alice, app) = alice_and_app(&one).await;
        for _ in 0..30 {
            let read = one.user_by_id(alice.id).await.unwrap().unwrap();
            let checked = login(&read, &app);
            let (outcome, revoked) = join(one.insert_session(checked.clone()), other.revoke_user(alice.id, NOW, &cause())).await;
            let (outcome, revoked) = (outcome.unwrap(), revoked.unwrap().unwrap());
            if outcome == InsertOutcome::Outdated {
                assert_eq!(revoked.sessions, 0);
            } else {
                // It committed first, so it was found.
                assert_eq!(revoked.sessions, 1);
                assert_eq!(revoked.entries[0].id, DenyId::from(checked.session.id));
            }
        }
    }

    async fn a_login_during_a_purge_belongs_to_the_old_or_the_new_epoch(db: TestDatabase) {
        let (one, other) = (db.store().await, db.store().await);
        let (alice, app) = alice_and_app(&one).await;
        for round in 0..15 {
            let (sign, refresh) = (format!("s{round}"), format!("r{round}"));
            let cause = cause();
            let purge = other.purge(new_keys(&sign, &refresh, NOW), &cause);
            let (outcome, purged) = join(one.insert_session(login(&alice, &app)), purge).await;
            purged.unwrap();
            let session = inserted(outcome.unwrap());
            let epoch = one.head().await.unwrap().epoch;
            let refreshed = one.rotate_sessions(&[rotation(&session)], terms(NOW)).await.unwrap().len();
            assert_eq!(refreshed == 1, session.epoch == epoch);
        }
    }

    async fn a_login_that_meets_a_purge_waits_for_it_and_gets_the_new_epoch(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        let purging = db.raw().await;
        let begin = if db.kind() == DatabaseKind::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
        purging.execute(&format!("{begin}; UPDATE globals SET epoch = epoch + 1")).await;
        let login = tokio::spawn(async move { store.insert_session(login(&alice, &app)).await });
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!login.is_finished());
        purging.execute("COMMIT").await;
        assert_eq!(inserted(login.await.unwrap().unwrap()).epoch, 1);
    }
}
