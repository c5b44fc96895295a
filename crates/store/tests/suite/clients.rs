use ficha_store::testing::TestDatabase;
use ficha_store::{ClientScopes, StoreError, on_both_databases};
use ficha_token::Grant;

use crate::support::{NOW, cause, client};

on_both_databases! {
    async fn a_client_is_read_back_as_it_was_stored(db: TestDatabase) {
        let store = db.store().await;
        let mut other = client("other");
        other.secret_hash = None;
        other.scopes = ClientScopes::Any;
        other.audience = Some("https://notes.example.com".into());
        other.serves = Vec::new();
        other.grants = vec![Grant::Password];
        for one in [client("app"), other] {
            assert!(store.add_client(one.clone(), &cause()).await.unwrap());
            assert_eq!(store.client(&one.id).await.unwrap(), Some(one));
        }
        assert!(!store.add_client(client("app"), &cause()).await.unwrap());
        assert_eq!(store.client("App").await.unwrap(), None);
    }

    async fn a_scope_named_star_is_not_any_scope(db: TestDatabase) {
        let store = db.store().await;
        let mut star = client("star");
        star.scopes = ClientScopes::Only("*".parse().unwrap());
        store.add_client(star.clone(), &cause()).await.unwrap();
        assert_eq!(store.client("star").await.unwrap(), Some(star));
    }

    async fn clients_are_listed_in_pages(db: TestDatabase) {
        let store = db.store().await;
        for id in ["c", "a", "b"] {
            store.add_client(client(id), &cause()).await.unwrap();
        }
        let ids = |page: Vec<ficha_store::ClientRecord>| page.into_iter().map(|one| one.id).collect::<Vec<_>>();
        assert_eq!(ids(store.list_clients(None, 2).await.unwrap()), ["a", "b"]);
        assert_eq!(ids(store.list_clients(Some("b"), 2).await.unwrap()), ["c"]);
    }

    async fn an_update_is_written_once_and_raises_the_version(db: TestDatabase) {
        let store = db.store().await;
        let app = client("app");
        store.add_client(app.clone(), &cause()).await.unwrap();
        let before = store.head().await.unwrap().changes;
        let mut changed = app.clone();
        changed.secret_hash = Some([8; 32]);
        changed.serves = vec!["notes".into(), "mail".into()];
        changed.scopes = ClientScopes::Any;
        changed.grants = vec![Grant::RefreshToken];
        changed.audience = Some("mail".into());
        changed.forwards_address = true;
        assert!(store.update_client(changed.clone(), &cause()).await.unwrap());
        // This version was read before the update.
        assert!(!store.update_client(app, &cause()).await.unwrap());
        changed.auth_version = 2;
        assert_eq!(store.client("app").await.unwrap(), Some(changed));
        assert!(store.head().await.unwrap().changes > before);
    }

    async fn disabling_raises_the_version(db: TestDatabase) {
        let store = db.store().await;
        store.add_client(client("app"), &cause()).await.unwrap();
        assert!(store.disable_client("app", NOW, &cause()).await.unwrap().is_some());
        let app = store.client("app").await.unwrap().unwrap();
        assert!(!app.enabled && app.revoking && app.auth_version == 2);
        assert!(store.enable_client("app", &cause()).await.unwrap());
        let app = store.client("app").await.unwrap().unwrap();
        assert!(app.enabled && app.revoking && app.auth_version == 3, "its sessions still end");
        assert!(store.narrow_client(client("app"), NOW, &cause()).await.unwrap().is_none(), "it was changed meanwhile");
        assert!(!store.enable_client("none", &cause()).await.unwrap());
        assert_eq!(store.disable_client("none", NOW, &cause()).await.unwrap(), None);
        assert_eq!(store.begin_revoking_client("none", NOW, &cause()).await.unwrap(), None);
    }

    async fn a_name_that_would_be_read_back_as_two_is_refused(db: TestDatabase) {
        let store = db.store().await;
        let mut app = client("app");
        app.serves = vec!["notes mail".into()];
        assert!(matches!(store.add_client(app, &cause()).await, Err(StoreError::Conflict(_))));
        assert_eq!(store.client("app").await.unwrap(), None);
    }

    async fn a_scopes_description_is_kept_unless_another_is_given(db: TestDatabase) {
        let store = db.store().await;
        let declared = async || store.list_scopes().await.unwrap();
        store.declare_scope("notes:read", "", &cause()).await.unwrap();
        store.declare_scope("notes:read", "Read", &cause()).await.unwrap();
        store.declare_scope("notes:read", "", &cause()).await.unwrap();
        assert_eq!(declared().await, [("notes:read".into(), "Read".into())]);
        store.declare_scope("notes:read", "Read your notes", &cause()).await.unwrap();
        store.declare_scope("a", "", &cause()).await.unwrap();
        assert_eq!(declared().await, [("a".into(), String::new()), ("notes:read".into(), "Read your notes".into())]);
        assert!(store.remove_scope("a", &cause()).await.unwrap());
        assert!(!store.remove_scope("a", &cause()).await.unwrap());
    }
}
