use ficha_store::testing::TestDatabase;
use ficha_store::{
    Cause, EventKind, NewEvent, PasswordHashText, Revocation, RevokeReason, StoreError, Target, on_both_databases,
};
use uuid::Uuid;

use crate::support::{
    NOW, alice_and_app, cause, id, inserted, login, more_sessions, new_hash, revocation, revoke, user,
};

on_both_databases! {
    async fn a_user_is_read_back_as_it_was_stored(db: TestDatabase) {
        let store = db.store().await;
        let mut alice = user("alice");
        alice.email = Some("alice@example.com".into());
        alice.roles = vec!["editor".into(), "owner".into()];
        assert!(store.add_user(alice.clone(), 10, &cause()).await.unwrap());
        assert!(!store.add_user(user("alice"), 10, &cause()).await.unwrap());
        assert_eq!(store.user_by_name("alice").await.unwrap(), Some(alice.clone()));
        assert_eq!(store.user_by_id(alice.id).await.unwrap(), Some(alice.clone()));
        assert_eq!(store.user_by_name("Alice").await.unwrap(), None);
        assert!(store.set_user_email(alice.id, None, &cause()).await.unwrap());
        assert!(!store.set_user_email(id(), None, &cause()).await.unwrap());
        assert_eq!(store.user_by_id(alice.id).await.unwrap().unwrap().email, None);
        assert!(!format!("{alice:?}").contains("hash\""));
    }

    async fn a_role_with_a_space_is_refused(db: TestDatabase) {
        let store = db.store().await;
        let mut alice = user("alice");
        alice.roles = vec!["editor owner".into()];
        assert!(matches!(store.add_user(alice, 10, &cause()).await, Err(StoreError::Conflict(_))));
    }

    async fn users_are_listed_in_pages(db: TestDatabase) {
        let store = db.store().await;
        let mut made: Vec<_> = (0..5).map(|n| user(&format!("user{n}"))).collect();
        for one in &made {
            store.add_user(one.clone(), 10, &cause()).await.unwrap();
        }
        made.sort_by_key(|one| one.id);
        let page = store.list_users(None, 2).await.unwrap();
        assert_eq!(page, made[..2]);
        assert_eq!(store.list_users(Some(page[1].id), 10).await.unwrap(), made[2..]);
    }

    async fn the_highest_cost_is_the_highest_of_all_stored_hashes(db: TestDatabase) {
        let store = db.store().await;
        assert_eq!(store.highest_password_cost().await.unwrap(), None);
        let (alice, _) = alice_and_app(&store).await;
        store.add_user(user("bob"), 12, &cause()).await.unwrap();
        assert_eq!(store.highest_password_cost().await.unwrap(), Some(12));
        let changes = async || store.head().await.unwrap().changes;
        let before = changes().await;
        let (old, new) = (alice.password_hash.clone(), PasswordHashText("new".into()));
        assert!(store.rehash_password(alice.id, &old, &new, 12).await.unwrap());
        assert_eq!(changes().await, before, "the highest cost did not rise");
        assert!(store.rehash_password(alice.id, &new, &old, 13).await.unwrap());
        assert!(changes().await > before);
        assert_eq!(store.highest_password_cost().await.unwrap(), Some(13));
    }

    async fn a_rehash_does_not_undo_a_change_of_password(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        let session = more_sessions(&store, &alice, &app, 1).await.remove(0);
        let hash = |text: &str| PasswordHashText(text.into());
        assert!(store.rehash_password(alice.id, &hash("hash"), &hash("costlier"), 12).await.unwrap());
        let stored = store.user_by_id(alice.id).await.unwrap().unwrap();
        assert_eq!((stored.auth_version, &stored.password_hash), (1, &hash("costlier")));
        assert_eq!(store.session(session.id).await.unwrap().unwrap().revoked, None);
        store.change_password(alice.id, new_hash(&hash("changed"), 12), NOW, &cause()).await.unwrap();
        assert!(!store.rehash_password(alice.id, &hash("costlier"), &hash("late"), 13).await.unwrap());
        assert_eq!(store.user_by_id(alice.id).await.unwrap().unwrap().password_hash, hash("changed"));
    }

    async fn each_change_that_must_end_sessions_ends_all_of_them(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        let hash = PasswordHashText("new".into());
        for step in 0..4 {
            let read = store.user_by_id(alice.id).await.unwrap().unwrap();
            let made = more_sessions(&store, &read, &app, 2).await;
            let (revoked, reason) = match step {
                0 => (store.change_password(alice.id, new_hash(&hash, 12), NOW, &cause()).await, RevokeReason::PasswordChanged),
                1 => (store.revoke_user(alice.id, NOW, &cause()).await, RevokeReason::Admin),
                2 => (store.set_user_enabled(alice.id, false, NOW, &cause()).await, RevokeReason::UserDisabled),
                _ => (store.delete_user(alice.id, NOW, &cause()).await, RevokeReason::UserDisabled),
            };
            let revoked = revoked.unwrap().unwrap();
            assert_eq!((revoked.sessions, revoked.entries.len(), revoked.rest), (2, 2, None));
            for session in made {
                let stored = store.session(session.id).await.unwrap().unwrap();
                assert_eq!(stored.revoked, Some((NOW, reason)));
            }
            if step == 2 {
                let none = store.set_user_enabled(alice.id, true, NOW, &cause()).await.unwrap().unwrap();
                assert_eq!(none.sessions, 0);
            }
            if step < 3 {
                assert!(store.user_by_id(alice.id).await.unwrap().unwrap().auth_version > read.auth_version);
            }
        }
        assert_eq!(store.head().await.unwrap().number, 8);
        assert_eq!(store.user_by_name("alice").await.unwrap(), None);
    }

    async fn an_unknown_id_is_not_an_error(db: TestDatabase) {
        let store = db.store().await;
        let hash = PasswordHashText("new".into());
        assert_eq!(store.change_password(id(), new_hash(&hash, 12), NOW, &cause()).await.unwrap(), None);
        assert_eq!(store.revoke_user(id(), NOW, &cause()).await.unwrap(), None);
        assert_eq!(store.set_user_enabled(id(), true, NOW, &cause()).await.unwrap(), None);
        assert_eq!(store.delete_user(id(), NOW, &cause()).await.unwrap(), None);
        assert_eq!(store.set_user_rights(id(), &"a".parse().unwrap(), &[], NOW, &cause()).await.unwrap(), None);
    }

    async fn reduced_rights_end_the_sessions_that_exceed_them(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        let mut writing = login(&alice, &app);
        writing.session.scopes = "notes:read notes:write".parse().unwrap();
        let writing = inserted(store.insert_session(writing).await.unwrap());
        let reading = more_sessions(&store, &alice, &app, 1).await.remove(0);
        let before = store.head().await.unwrap().changes;
        let (scopes, roles) = ("notes:read mail".parse().unwrap(), ["editor".to_owned(), "owner".to_owned()]);
        let revoked = store.set_user_rights(alice.id, &scopes, &roles, NOW, &cause()).await.unwrap().unwrap();
        assert_eq!(revoked.sessions, 1);
        assert!(store.head().await.unwrap().changes > before);
        let stored = store.session(writing.id).await.unwrap().unwrap();
        assert_eq!(stored.revoked, Some((NOW, RevokeReason::RightsChanged)));
        let stored = store.session(reading.id).await.unwrap().unwrap();
        assert_eq!((stored.revoked, stored.roles.as_slice()), (None, &roles[..]));
        // A role was removed: sessions that have it end.
        let revoked = store.set_user_rights(alice.id, &scopes, &roles[..1], NOW, &cause()).await.unwrap().unwrap();
        assert_eq!(revoked.sessions, 1);
        let alice = store.user_by_id(alice.id).await.unwrap().unwrap();
        assert_eq!((alice.auth_version, alice.roles.len(), &alice.scopes), (3, 1, &scopes));
    }

    /// The check and the change are one transaction, so it does not matter how shortly before it was.
    async fn who_has_been_signed_out_changes_nothing(db: TestDatabase) {
        let store = db.store().await;
        let (alice, app) = alice_and_app(&store).await;
        let mut sessions = more_sessions(&store, &alice, &app, 3).await;
        let (of_admin, first, second) = (sessions.remove(0), sessions.remove(0), sessions.remove(0));
        let by_admin = Cause { session: Some(of_admin.id), at: NOW * 1_000, ..cause() };
        let change = async || store.change_password(alice.id, new_hash(&alice.password_hash, 5), NOW, &by_admin).await;
        let by_admin_revoked = |session: Uuid| {
            let event = NewEvent::new(EventKind::SessionRevoked, &by_admin);
            Revocation { target: Target::Session(session, RevokeReason::Admin), event }
        };
        let applied = store.revoke_batch(&[by_admin_revoked(first.id)], NOW).await.unwrap();
        assert_eq!((applied.newly, applied.refused), (vec![true], vec![false]));
        revoke(&store, of_admin.id, RevokeReason::Logout, NOW).await.unwrap();
        let before = store.user_by_id(alice.id).await.unwrap();
        let events = store.all_events().await.len();
        assert_eq!(change().await, Err(StoreError::ActorEnded));
        assert_eq!(store.set_user_email(alice.id, Some("x@example.com"), &by_admin).await, Err(StoreError::ActorEnded));
        assert_eq!(store.user_by_id(alice.id).await.unwrap(), before);
        // In a batch, only what is theirs is refused.
        let batch = [by_admin_revoked(second.id), revocation(first.id, RevokeReason::Admin)];
        let applied = store.revoke_batch(&batch, NOW).await.unwrap();
        assert_eq!((applied.newly, applied.refused), (vec![false, false], vec![true, false]));
        assert_eq!(store.session(second.id).await.unwrap().unwrap().revoked, None);
        assert_eq!(store.all_events().await.len(), events);
    }
}
