use ficha_store::testing::TestDatabase;
use ficha_store::{KeyPurpose, StoreError, on_both_databases};
use ficha_token::DENY_MARGIN_SECONDS;
use futures_util::future::join_all;

use crate::bootstrap_with_keys;
use crate::support::{NOW, cause, key};

on_both_databases! {
    async fn only_one_of_several_servers_rotating_at_once_succeeds(db: TestDatabase) {
        let stores = [db.store().await, db.store().await];
        bootstrap_with_keys(&stores[0]).await;
        let tries = (0..8).map(|n| {
            let store = stores[n % 2].clone();
            async move { store.rotate_key(key(KeyPurpose::Sign, &format!("new{n}")), "sign-0", NOW + 99, &cause()).await.unwrap() }
        });
        assert_eq!(join_all(tries).await.into_iter().filter(|rotated| *rotated).count(), 1);
        let keys = stores[0].keys().await.unwrap();
        assert_eq!(keys.len(), 3);
        let old = keys.iter().find(|key| key.kid == "sign-0").unwrap();
        assert_eq!((old.expires_at, old.purged_at), (Some(NOW + 99), None));
        assert!(keys.iter().filter(|key| key.kid != "sign-0").all(|key| key.expires_at.is_none()));
    }

    async fn rotating_one_purpose_leaves_the_other_unchanged(db: TestDatabase) {
        let store = db.store().await;
        bootstrap_with_keys(&store).await;
        assert!(!store.rotate_key(key(KeyPurpose::Refresh, "r1"), "sign-0", NOW, &cause()).await.unwrap());
        assert!(store.rotate_key(key(KeyPurpose::Refresh, "r1"), "refresh-0", NOW, &cause()).await.unwrap());
        let keys = store.keys().await.unwrap();
        assert_eq!(keys.iter().map(|key| key.kid.as_str()).collect::<Vec<_>>(), ["sign-0", "refresh-0", "r1"]);
        assert!(keys.windows(2).all(|pair| pair[0].id < pair[1].id));
        assert_eq!((keys[2].sealed.as_slice(), keys[2].purpose), (&[1, 2, 3][..], KeyPurpose::Refresh));
    }

    async fn a_kid_is_used_once(db: TestDatabase) {
        let store = db.store().await;
        bootstrap_with_keys(&store).await;
        let again = store.rotate_key(key(KeyPurpose::Sign, "refresh-0"), "sign-0", NOW, &cause()).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
        assert_eq!(store.keys().await.unwrap().len(), 2);
    }

    async fn keys_are_pruned_when_no_token_they_signed_can_be_valid(db: TestDatabase) {
        let store = db.store().await;
        bootstrap_with_keys(&store).await;
        store.rotate_key(key(KeyPurpose::Sign, "s1"), "sign-0", NOW + 50, &cause()).await.unwrap();
        let over = NOW + 50 + DENY_MARGIN_SECONDS;
        assert_eq!(store.prune_keys(over - 1).await.unwrap(), 0);
        let before = store.head().await.unwrap().changes;
        assert_eq!(store.prune_keys(over).await.unwrap(), 1);
        assert_eq!(store.head().await.unwrap().changes, before + 1);
        assert_eq!(store.prune_keys(over).await.unwrap(), 0);
        assert_eq!(store.keys().await.unwrap().len(), 2);
    }
}
