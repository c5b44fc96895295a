use ficha_store::testing::TestDatabase;
use ficha_store::{ClientRecord, ClientScopes, ClientSecret, SecretUse, StoreError, on_both_databases};
use ficha_token::Grant;

use crate::support::{NOW, cause, client, id, secret};

on_both_databases! {
    async fn a_client_is_read_back_as_it_was_stored(db: TestDatabase) {
        let store = db.store().await;
        let mut other = client("other");
        other.secrets = Vec::new();
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
        let ids = |page: Vec<ClientRecord>| page.into_iter().map(|one| one.id).collect::<Vec<_>>();
        assert_eq!(ids(store.list_clients(None, 2).await.unwrap()), ["a", "b"]);
        assert_eq!(ids(store.list_clients(Some("b"), 2).await.unwrap()), ["c"]);
    }

    async fn an_update_is_written_once_and_raises_the_version(db: TestDatabase) {
        let store = db.store().await;
        let app = client("app");
        store.add_client(app.clone(), &cause()).await.unwrap();
        let before = store.head().await.unwrap().changes;
        let mut changed = app.clone();
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

    async fn secrets_are_set_once_and_keep_what_is_known_of_their_use(db: TestDatabase) {
        let store = db.store().await;
        let app = client("app");
        store.add_client(app.clone(), &cause()).await.unwrap();
        let (first, second) = (app.secrets[0].clone(), secret(8));
        let changes = store.head().await.unwrap().changes;
        let until = ClientSecret { expires_at: Some(NOW + 60), ..first.clone() };
        let both = [until.clone(), second.clone()];
        assert!(store.set_client_secrets((&app).into(), &both, &cause()).await.unwrap());
        assert!(store.head().await.unwrap().changes > changes);
        // This version was read before.
        let late = store.set_client_secrets((&app).into(), &[secret(9)], &cause()).await;
        assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
        let used = |id, at| SecretUse { client_id: "app".into(), secret: id, at };
        store.note_secret_uses(&[used(first.id, NOW + 5), used(second.id, NOW + 6)]).await.unwrap();
        store.note_secret_uses(&[used(first.id, NOW + 4), used(id(), NOW)]).await.unwrap();
        let now = store.client("app").await.unwrap().unwrap();
        let used_at = |now: &ClientRecord| now.secrets.iter().map(|one| (one.id, one.last_used_at)).collect::<Vec<_>>();
        assert_eq!(used_at(&now), [(first.id, Some(NOW + 5)), (second.id, Some(NOW + 6))]);
        assert_eq!((now.secrets[0].expires_at, now.auth_version), (Some(NOW + 60), 2));
        assert!(store.set_client_secrets((&now).into(), &[until, second.clone()], &cause()).await.unwrap());
        let now = store.client("app").await.unwrap().unwrap();
        assert_eq!(used_at(&now), [(first.id, Some(NOW + 5)), (second.id, Some(NOW + 6))], "it was not written over");
        assert!(store.set_client_secrets("app".into(), std::slice::from_ref(&second), &cause()).await.unwrap());
        assert_eq!(store.client("app").await.unwrap().unwrap().secrets.len(), 1);
        assert!(!store.set_client_secrets("none".into(), &[second], &cause()).await.unwrap());
    }

    async fn a_client_becomes_public_and_confidential_with_its_other_changes(db: TestDatabase) {
        let store = db.store().await;
        let app = client("app");
        store.add_client(app.clone(), &cause()).await.unwrap();
        let read = async || store.client("app").await.unwrap().unwrap();
        // Otherwise its secrets are not written with the rest.
        assert!(store.update_client(ClientRecord { secrets: vec![secret(9)], ..app.clone() }, &cause()).await.unwrap());
        let app = ClientRecord { auth_version: 2, ..app };
        assert_eq!(read().await, app);
        let public = ClientRecord { secrets: Vec::new(), serves: Vec::new(), ..app.clone() };
        assert!(store.narrow_client(public.clone(), NOW, &cause()).await.unwrap().is_some());
        assert_eq!(read().await, ClientRecord { auth_version: 3, revoking: true, ..public.clone() });
        // This version was read before: neither is written.
        let late = ClientRecord { secrets: vec![secret(8)], serves: vec!["mail".into()], ..public.clone() };
        assert!(store.narrow_client(late.clone(), NOW, &cause()).await.unwrap().is_none());
        assert!(!store.update_client(late.clone(), &cause()).await.unwrap());
        assert!(read().await.is_public());
        let confidential = ClientRecord { auth_version: 3, ..late };
        assert!(store.update_client(confidential.clone(), &cause()).await.unwrap());
        assert_eq!(read().await, ClientRecord { auth_version: 4, revoking: true, ..confidential });
    }

    /// While a release is rolled out, a server of the one before replaces the secret that it knows.
    async fn what_an_older_server_has_replaced_does_not_count(db: TestDatabase) {
        let store = db.store().await;
        let app = client("app");
        store.add_client(app.clone(), &cause()).await.unwrap();
        let until = ClientSecret { expires_at: Some(NOW + 60), ..app.secrets[0].clone() };
        let second = secret(8);
        store.set_client_secrets((&app).into(), &[until, second.clone()], &cause()).await.unwrap();
        // It accepts the one that lasts.
        let hash = |byte: &str| byte.repeat(32);
        let blob = |hex: &str| match store.kind() {
            ficha_store::DatabaseKind::Sqlite => format!("x'{hex}'"),
            ficha_store::DatabaseKind::Postgres => format!("decode('{hex}', 'hex')"),
        };
        let lasting = format!("UPDATE clients SET revoking = revoking WHERE secret_hash = {}", blob(&hash("08")));
        assert_eq!(store.run_sql(&lasting).await.unwrap(), 1);
        let replaced = format!("UPDATE clients SET secret_hash = {}, auth_version = auth_version + 1", blob(&hash("09")));
        store.run_sql(&replaced).await.unwrap();
        let now = store.client("app").await.unwrap().unwrap();
        assert_eq!(now.secrets.iter().map(|one| one.hash).collect::<Vec<_>>(), [[9; 32]]);
        // Its rows go with the next change.
        let third = secret(10);
        let kept = [now.secrets[0].clone(), third];
        assert!(store.set_client_secrets((&now).into(), &kept, &cause()).await.unwrap());
        let now = store.client("app").await.unwrap().unwrap();
        assert_eq!(now.secrets.iter().map(|one| one.hash).collect::<Vec<_>>(), [[9; 32], [10; 32]]);
        // And with the client, also if such a server has deleted it.
        store.run_sql("DELETE FROM clients").await.unwrap();
        let again = client("app");
        assert!(store.add_client(again.clone(), &cause()).await.unwrap());
        assert_eq!(store.client("app").await.unwrap().unwrap().secrets, again.secrets);
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
