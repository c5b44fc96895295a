use ficha_store::testing::TestDatabase;
use ficha_store::{Bootstrap, BootstrapOutcome, KeyPurpose, on_both_databases};
use futures_util::future::join_all;

use crate::support::{NOW, cause, client, key, user};

fn first(n: usize) -> Bootstrap {
    Bootstrap {
        keys: vec![key(KeyPurpose::Sign, &format!("s{n}")), key(KeyPurpose::Refresh, &format!("r{n}"))],
        client: Some(client("first-party")),
        user: Some((user("admin"), 12)),
        scopes: vec![("ficha:admin".into(), "Administer Ficha".into())],
        now: NOW,
        at: NOW * 1_000,
    }
}

const ALL: BootstrapOutcome = BootstrapOutcome::Done { client_added: true, user_added: true };

on_both_databases! {
    async fn only_one_of_several_servers_starting_at_once_bootstraps(db: TestDatabase) {
        let stores = join_all((0..6).map(|_| db.store())).await;
        let outcomes = join_all(stores.iter().enumerate().map(|(n, store)| store.bootstrap(first(n)))).await;
        let outcomes: Vec<_> = outcomes.into_iter().map(|outcome| outcome.unwrap()).collect();
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == ALL).count(), 1, "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == BootstrapOutcome::AlreadyDone).count(), 5);
        let store = &stores[0];
        assert_eq!(store.keys().await.unwrap().len(), 2);
        assert_eq!(store.list_users(None, 10).await.unwrap().len(), 1);
        assert_eq!(store.list_clients(None, 10).await.unwrap().len(), 1);
        assert_eq!(store.list_scopes().await.unwrap(), [("ficha:admin".into(), "Administer Ficha".into())]);
        assert!(store.head().await.unwrap().bootstrapped);
    }

    async fn a_deleted_admin_does_not_come_back(db: TestDatabase) {
        let store = db.store().await;
        assert_eq!(store.bootstrap(first(0)).await.unwrap(), ALL);
        let admin = store.user_by_name("admin").await.unwrap().unwrap();
        store.delete_user(admin.id, NOW, &cause()).await.unwrap();
        assert_eq!(store.bootstrap(first(1)).await.unwrap(), BootstrapOutcome::AlreadyDone);
        assert_eq!(store.user_by_name("admin").await.unwrap(), None);
    }

    async fn an_existing_user_or_client_is_left_unchanged(db: TestDatabase) {
        let store = db.store().await;
        let admin = user("admin");
        store.add_user(admin.clone(), 10, &cause()).await.unwrap();
        store.add_client(client("first-party"), &cause()).await.unwrap();
        assert!(!store.head().await.unwrap().bootstrapped);
        let outcome = store.bootstrap(first(0)).await.unwrap();
        assert_eq!(outcome, BootstrapOutcome::Done { client_added: false, user_added: false });
        assert_eq!(store.user_by_name("admin").await.unwrap(), Some(admin));
        assert_eq!(store.keys().await.unwrap().len(), 2);
    }

    async fn the_servers_own_clients_and_scopes_are_added_once(db: TestDatabase) {
        let store = db.store().await;
        // No room for another one.
        let full = (0..204).map(|number| format!("s{number:08}")).collect::<Vec<_>>().join(" ");
        for (name, scopes) in [("alice", "notes:read"), ("bob", ""), ("carol", "ficha:account z"), ("dan", &full)] {
            let user = ficha_store::UserRecord { scopes: scopes.parse().unwrap(), ..user(name) };
            assert!(store.add_user(user, 10, &cause()).await.unwrap());
        }
        store.declare_scope("ficha:admin", "mine", &cause()).await.unwrap();
        let own = ficha_store::OwnClients {
            clients: vec![client("own")],
            scopes: vec![("ficha:admin".into(), "theirs".into()), ("ficha:account".into(), "account".into())],
            scope_of_users: "ficha:account".into(),
        };
        assert!(store.add_own_clients(&own, NOW, &cause()).await.unwrap());
        let scopes = async |name| store.user_by_name(name).await.unwrap().unwrap().scopes.to_string();
        assert_eq!(scopes("alice").await, "ficha:account notes:read");
        assert_eq!(scopes("dan").await.len(), full.len());
        assert_eq!((scopes("bob").await, scopes("carol").await), ("ficha:account".into(), "ficha:account z".into()));
        let declared = [("ficha:account".into(), "account".into()), ("ficha:admin".into(), "mine".into())];
        assert_eq!(store.list_scopes().await.unwrap(), declared);
        // What is removed later does not come back.
        assert!(store.delete_client("own", NOW, &cause()).await.unwrap());
        let bob = store.user_by_name("bob").await.unwrap().unwrap();
        store.set_user_rights(bob.id, &ficha_token::Scope::empty(), &[], NOW, &cause()).await.unwrap();
        assert!(!store.add_own_clients(&own, NOW, &cause()).await.unwrap());
        assert_eq!((store.client("own").await.unwrap(), scopes("bob").await), (None, String::new()));
    }
}
