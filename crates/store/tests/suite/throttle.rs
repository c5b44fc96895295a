use ficha_store::testing::TestDatabase;
use ficha_store::{LoginHistory, on_both_databases};
use futures_util::future::join_all;

use crate::support::{NOW, bytes, failed};

on_both_databases! {
    async fn failures_are_counted_for_source_and_account(db: TestDatabase) {
        let store = db.store().await;
        let (account, source, other) = (bytes(), bytes(), bytes());
        assert_eq!(store.login_history(account, source).await.unwrap(), LoginHistory::default());
        store.login_failed(&failed(account, source, NOW), NOW).await.unwrap();
        let counted = store.login_failed(&failed(account, source, NOW + 1), NOW + 1).await.unwrap();
        let expected = LoginHistory {
            source_failures: 2,
            source_last_failure: NOW + 1,
            source_succeeded: 0,
            account_failures: 2,
            account_last_failure: NOW + 1,
            all_failures: 2,
            all_last_failure: NOW + 1,
        };
        assert_eq!(counted, expected);
        let of_other = store.login_failed(&failed(account, other, NOW + 2), NOW + 2).await.unwrap();
        assert_eq!((of_other.source_failures, of_other.account_failures), (1, 3));
        let elsewhere = store.login_history(bytes(), source).await.unwrap();
        let expected = LoginHistory { all_failures: 2, all_last_failure: NOW + 1, ..LoginHistory::default() };
        assert_eq!(elsewhere, expected, "only what the source did everywhere");
        // Two are forgiven after two times the interval, and then the next counts.
        let later = NOW + 1 + 2 * LoginHistory::FORGIVEN_EVERY;
        store.login_failed(&failed(account, source, later), later).await.unwrap();
        assert_eq!(store.login_history(bytes(), source).await.unwrap().all_failures, 1);
    }

    async fn each_of_several_concurrent_failures_counts(db: TestDatabase) {
        let stores = [db.store().await, db.store().await];
        let (account, source) = (bytes(), bytes());
        let failed = failed(account, source, NOW);
        let tries = (0..20).map(|n| stores[n % 2].login_failed(&failed, NOW));
        for counted in join_all(tries).await {
            counted.unwrap();
        }
        let counted = stores[0].login_history(account, source).await.unwrap();
        assert_eq!((counted.source_failures, counted.account_failures), (20, 20));
    }

    async fn a_success_clears_failures_and_makes_the_source_known(db: TestDatabase) {
        let store = db.store().await;
        let (account, source, attacker) = (bytes(), bytes(), bytes());
        store.login_failed(&failed(account, source, NOW), NOW).await.unwrap();
        store.login_failed(&failed(account, attacker, NOW), NOW).await.unwrap();
        store.login_succeeded(account, source, NOW + 5).await.unwrap();
        let known = store.login_history(account, source).await.unwrap();
        assert_eq!((known.source_failures, known.source_succeeded, known.account_failures), (0, NOW + 5, 0));
        assert_eq!(store.login_history(account, attacker).await.unwrap().source_failures, 1);
        // From now on its failures no longer count against the account.
        let failed = store.login_failed(&failed(account, source, NOW + 6), NOW + 6).await.unwrap();
        assert_eq!((failed.source_failures, failed.account_failures), (1, 0));
    }

    async fn a_repeated_login_soon_afterwards_writes_nothing(db: TestDatabase) {
        let store = db.store().await;
        let (account, source) = (bytes(), bytes());
        store.login_succeeded(account, source, NOW).await.unwrap();
        store.login_succeeded(account, source, NOW + 60).await.unwrap();
        assert_eq!(store.login_history(account, source).await.unwrap().source_succeeded, NOW);
        store.login_succeeded(account, source, NOW + 90_000).await.unwrap();
        assert_eq!(store.login_history(account, source).await.unwrap().source_succeeded, NOW + 90_000);
    }

    async fn old_failures_are_pruned(db: TestDatabase) {
        let store = db.store().await;
        let (account, source) = (bytes(), bytes());
        for n in 0..3 {
            store.login_failed(&failed(bytes(), bytes(), NOW + n), NOW + n).await.unwrap();
        }
        store.login_failed(&failed(account, source, NOW + 10), NOW + 10).await.unwrap();
        for expected in [4, 4, 1] {
            assert_eq!(store.prune_login_failures(NOW + 10, 4).await.unwrap(), expected);
        }
        assert_eq!(store.prune_login_failures(NOW + 10, 4).await.unwrap(), 0);
        assert_eq!(store.login_history(account, source).await.unwrap().source_failures, 1);
    }
}
