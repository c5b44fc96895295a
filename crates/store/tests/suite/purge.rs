use ficha_store::testing::TestDatabase;
use ficha_store::{EventKind, KeyPurpose, NewEvent, NewKeys, RevokeReason, on_both_databases};
use ficha_token::{DenyEntry, DenyId};
use futures_util::future::join3;

use crate::bootstrap_with_keys;
use crate::support::{NOW, alice_and_app, cause, inserted, key, login, new_keys};

on_both_databases! {
    async fn a_purge_denies_the_old_keys_and_starts_a_new_epoch(db: TestDatabase) {
        let store = db.store().await;
        bootstrap_with_keys(&store).await;
        store.rotate_key(key(KeyPurpose::Sign, "s1"), "sign-0", NOW + 300, &cause()).await.unwrap();
        let before = store.head().await.unwrap();
        let (sign, refresh) = (key(KeyPurpose::Sign, "s2"), key(KeyPurpose::Refresh, "r2"));
        let purged = store.purge(NewKeys { sign, refresh, now: NOW + 100, until: NOW + 900 }, &cause()).await.unwrap();
        let mut denied: Vec<_> = purged.entries.clone();
        denied.sort_by_key(|entry| entry.id);
        let mut expected = ["sign-0", "s1"].map(|kid| DenyEntry::new(DenyId::of_key(kid), NOW + 900));
        expected.sort_by_key(|entry| entry.id);
        assert_eq!(denied, expected);
        let after = store.head().await.unwrap();
        assert_eq!((after.epoch, after.number), (before.epoch + 1, 2));
        assert!(after.changes > before.changes);
        for key in store.keys().await.unwrap() {
            let is_new = key.kid == "s2" || key.kid == "r2";
            assert_eq!(key.purged_at, (!is_new).then_some(NOW + 100), "{}", key.kid);
            assert_eq!(key.expires_at.is_none(), is_new, "{}", key.kid);
        }
    }

    /// A shared secret is not among the keys that a purge denies: what was signed with it lives on.
    async fn what_a_purge_has_ended_is_denied_and_not_ended_again(db: TestDatabase) {
        let store = db.store().await;
        bootstrap_with_keys(&store).await;
        let (alice, app) = alice_and_app(&store).await;
        let mut sessions = Vec::new();
        for _ in 0..4 {
            sessions.push(inserted(store.insert_session(login(&alice, &app)).await.unwrap()).id);
        }
        store.purge(new_keys("s", "r", NOW), &cause()).await.unwrap();
        let live = inserted(store.insert_session(login(&alice, &app)).await.unwrap()).id;
        let event = NewEvent::new(EventKind::SessionsRevoked, &cause());
        let listed = store.revoke_sessions(&sessions[..2], RevokeReason::Logout, &event, NOW).await.unwrap();
        assert_eq!((listed.sessions, listed.entries.len()), (0, 2));
        let disabled = store.set_user_enabled(alice.id, false, NOW, &cause()).await.unwrap().unwrap();
        assert_eq!((disabled.sessions, disabled.entries.len()), (1, 5), "one was live");
        let rows = store.live_deny_rows(NOW, 0, 100).await.unwrap();
        let denied: Vec<_> = rows.iter().map(|row| row.entry.id).collect();
        for id in &sessions {
            assert_eq!(store.session(*id).await.unwrap().unwrap().revoked, None, "the purge has ended it");
            assert!(denied.contains(&DenyId::from(*id)), "its tokens are denied");
        }
        assert!(store.session(live).await.unwrap().unwrap().revoked.is_some());
        let counts: Vec<_> = store.all_events().await.into_iter().filter(|one| one.event == "sessions.revoked").collect();
        assert!(counts.len() == 1 && counts[0].detail.as_deref().unwrap().contains("\"count\":1"), "{counts:?}");
        // Nor do they keep their client from being deleted.
        assert!(store.delete_client("app", NOW, &cause()).await.unwrap());
    }

    /// More than one transaction ends.
    async fn a_user_with_many_sessions_that_a_purge_has_ended_is_deleted_at_once(db: TestDatabase) {
        let store = db.store().await;
        bootstrap_with_keys(&store).await;
        let (alice, app) = alice_and_app(&store).await;
        let session = inserted(store.insert_session(login(&alice, &app)).await.unwrap()).id;
        db.raw().await.copy_session(session, 1_200).await;
        store.purge(new_keys("s", "r", NOW), &cause()).await.unwrap();
        let alice = store.user_by_id(alice.id).await.unwrap().unwrap();
        let deleted = store.delete_user(&alice, NOW, &cause()).await.unwrap().unwrap();
        assert_eq!((deleted.rest, deleted.sessions, deleted.entries.len()), (None, 0, 1_201));
        assert_eq!(store.user_by_id(alice.id).await.unwrap(), None);
    }

    async fn of_several_servers_one_repeats_a_lost_purge(db: TestDatabase) {
        let stores = [db.store().await, db.store().await, db.store().await];
        bootstrap_with_keys(&stores[0]).await;
        let lost = ["sign-0".to_owned()];
        let repeat = async |at: usize| {
            let (sign, refresh) = (format!("s{at}"), format!("r{at}"));
            let (sign, refresh) = (key(KeyPurpose::Sign, &sign), key(KeyPurpose::Refresh, &refresh));
            stores[at].purge_again(&lost, NewKeys { sign, refresh, now: NOW, until: NOW + 900 }, &cause()).await.unwrap()
        };
        let (first, second, third) = join3(repeat(0), repeat(1), repeat(2)).await;
        let repeated: Vec<_> = [first, second, third].into_iter().flatten().collect();
        assert_eq!(repeated.len(), 1, "{repeated:?}");
        assert_eq!(repeated[0].entries[0].id, DenyId::of_key("sign-0"));
        assert_eq!(stores[0].head().await.unwrap().epoch, 1);
    }

    async fn a_second_purge_denies_only_the_key_that_the_first_created(db: TestDatabase) {
        let store = db.store().await;
        bootstrap_with_keys(&store).await;
        store.purge(new_keys("s1", "r1", NOW), &cause()).await.unwrap();
        let second = store.purge(new_keys("s2", "r2", NOW), &cause()).await;
        let ids: Vec<_> = second.unwrap().entries.into_iter().map(|entry| entry.id).collect();
        assert_eq!(ids, [DenyId::of_key("s1")]);
        assert_eq!(store.head().await.unwrap().epoch, 2);
    }

    async fn a_key_whose_tokens_have_expired_needs_no_entry(db: TestDatabase) {
        let store = db.store().await;
        bootstrap_with_keys(&store).await;
        store.rotate_key(key(KeyPurpose::Sign, "s1"), "sign-0", NOW, &cause()).await.unwrap();
        let (sign, refresh) = (key(KeyPurpose::Sign, "s2"), key(KeyPurpose::Refresh, "r2"));
        let purged = store.purge(NewKeys { sign, refresh, now: NOW + 500, until: NOW + 900 }, &cause()).await.unwrap();
        assert_eq!(purged.entries.iter().map(|entry| entry.id).collect::<Vec<_>>(), [DenyId::of_key("s1")]);
    }
}
