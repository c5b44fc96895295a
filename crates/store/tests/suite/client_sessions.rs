use std::collections::HashSet;

use ficha_store::testing::TestDatabase;
use ficha_store::{BulkStep, InsertOutcome, RevokeReason, on_both_databases};
use futures_util::future::join_all;

use crate::support::{NOW, alice_and_app, cause, inserted, new_keys, own_grant, revoke};

const HORIZON: i64 = NOW + 1_200;
const NEED: i64 = NOW + 600;

on_both_databases! {
    async fn many_concurrent_calls_all_get_the_same_session(db: TestDatabase) {
        let stores = [db.store().await, db.store().await];
        let (_, app) = alice_and_app(&stores[0]).await;
        let calls = (0..12).map(|n| stores[n % 2].client_session(own_grant(&app), NOW, NEED, HORIZON));
        let given: HashSet<_> =
            join_all(calls).await.into_iter().map(|outcome| inserted(outcome.unwrap()).id).collect();
        assert_eq!(given.len(), 1);
        let id = *given.iter().next().unwrap();
        assert_eq!(stores[0].session(id).await.unwrap().unwrap().access_exp, HORIZON);
    }

    async fn the_reach_is_raised_only_when_it_is_too_short(db: TestDatabase) {
        let store = db.store().await;
        let (_, app) = alice_and_app(&store).await;
        let first = inserted(store.client_session(own_grant(&app), NOW, NEED, HORIZON).await.unwrap());
        let again = inserted(store.client_session(own_grant(&app), NOW + 500, HORIZON, HORIZON + 500).await.unwrap());
        assert_eq!(again, first, "it reaches just far enough");
        let raised = inserted(store.client_session(own_grant(&app), NOW + 700, NOW + 1_300, NOW + 1_900).await.unwrap());
        assert_eq!((raised.id, raised.access_exp), (first.id, NOW + 1_900));
        assert_eq!(store.session(first.id).await.unwrap(), Some(raised));
    }

    async fn an_unusable_session_is_replaced(db: TestDatabase) {
        let store = db.store().await;
        let (_, app) = alice_and_app(&store).await;
        let first = inserted(store.client_session(own_grant(&app), NOW, NEED, HORIZON).await.unwrap());
        revoke(&store, first.id, RevokeReason::Admin, NOW).await.unwrap();
        let second = inserted(store.client_session(own_grant(&app), NOW, NEED, HORIZON).await.unwrap());
        assert_ne!(second.id, first.id);
        store.purge(new_keys("s", "r", NOW), &cause()).await.unwrap();
        let third = inserted(store.client_session(own_grant(&app), NOW, NEED, HORIZON).await.unwrap());
        assert_ne!(third.id, second.id);
        assert_eq!(third.epoch, 1);
        // It ends before the token would, so its reach is capped and another session replaces it.
        let late = third.expires_at - 100;
        let mut new = own_grant(&app);
        new.session.expires_at = late + 100_000;
        let fourth = inserted(store.client_session(new, late, late + 600, late + 1_200).await.unwrap());
        assert_ne!(fourth.id, third.id);
        assert_eq!(store.session(third.id).await.unwrap().unwrap().revoked, None);
    }

    async fn another_scope_or_audience_has_its_own_session(db: TestDatabase) {
        let store = db.store().await;
        let (_, app) = alice_and_app(&store).await;
        let mut other_scope = own_grant(&app);
        other_scope.session.scopes = "notes:write".parse().unwrap();
        let mut other_audience = own_grant(&app);
        other_audience.session.audience = "mail".into();
        let mut ids = HashSet::new();
        for new in [own_grant(&app), other_scope, other_audience] {
            ids.insert(inserted(store.client_session(new, NOW, NEED, HORIZON).await.unwrap()).id);
        }
        assert_eq!(ids.len(), 3);
    }

    async fn a_client_that_was_changed_after_it_was_read_is_outdated(db: TestDatabase) {
        let store = db.store().await;
        let (_, app) = alice_and_app(&store).await;
        inserted(store.client_session(own_grant(&app), NOW, NEED, HORIZON).await.unwrap());
        let work = store.begin_revoking_client("app", NOW, &cause()).await.unwrap().unwrap();
        let outdated = store.client_session(own_grant(&app), NOW, NEED, HORIZON).await.unwrap();
        assert_eq!(outdated, InsertOutcome::Outdated);
        let blocked = store.client("app").await.unwrap().unwrap();
        let outcome = store.client_session(own_grant(&blocked), NOW, NEED, HORIZON).await.unwrap();
        assert_eq!(outcome, InsertOutcome::Revoking);
        while store.continue_bulk_revocation(work, NOW, NOW * 1_000, 10).await.unwrap() != BulkStep::Finished {}
        let outdated = store.client_session(own_grant(&app), NOW, NEED, HORIZON).await.unwrap();
        assert_eq!(outdated, InsertOutcome::Outdated);
        let app = store.client("app").await.unwrap().unwrap();
        inserted(store.client_session(own_grant(&app), NOW, NEED, HORIZON).await.unwrap());
    }

    async fn the_longest_scope_fits(db: TestDatabase) {
        let store = db.store().await;
        let (_, app) = alice_and_app(&store).await;
        let mut new = own_grant(&app);
        new.session.scopes = "x".repeat(2_048).parse().unwrap();
        inserted(store.client_session(new, NOW, NEED, HORIZON).await.unwrap());
    }
}
