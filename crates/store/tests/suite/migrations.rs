use std::time::Duration;

use ficha_migrations::Migrator;
use ficha_store::testing::TestDatabase;
use ficha_store::{StoreError, on_both_databases};
use futures_util::future::join_all;
use sea_orm_migration::MigratorTrait;
use sea_orm_migration::sea_orm::{ConnectOptions, Database};

use crate::support::cause;

on_both_databases! {
    async fn migrating_names_each_step_once(db: TestDatabase) {
        let empty = db.another_empty().await;
        let store = empty.store().await;
        let missing = store.pending_migrations().await.unwrap();
        assert_eq!(missing.len(), Migrator::migrations().len());
        assert!(store.is_empty_database().await.unwrap());
        assert_eq!(store.migrate().await.unwrap(), missing);
        assert_eq!(store.migrate().await.unwrap(), Vec::<String>::new());
        assert_eq!(store.pending_migrations().await.unwrap(), Vec::<String>::new());
        assert!(!store.is_empty_database().await.unwrap());
    }

    async fn migrations_that_run_at_once_apply_each_step_once(db: TestDatabase) {
        let empty = db.another_empty().await;
        let stores = join_all((0..4).map(|_| empty.store())).await;
        let mut applied = Vec::new();
        for names in join_all(stores.iter().map(|store| store.migrate())).await {
            applied.extend(names.unwrap());
        }
        assert_eq!(applied.len(), Migrator::migrations().len());
        assert!(!stores[0].head().await.unwrap().bootstrapped);
    }

    async fn a_database_without_tables_says_that_it_is_not_migrated(db: TestDatabase) {
        let empty = db.another_empty().await;
        let store = empty.store().await;
        assert_eq!(store.head().await, Err(StoreError::NotMigrated));
        assert_eq!(store.session(crate::support::id()).await, Err(StoreError::NotMigrated));
        assert_eq!(store.declare_scope("a", "", &cause()).await, Err(StoreError::NotMigrated));
    }

    async fn names_from_before_they_had_a_normal_form_get_one_and_are_never_merged(db: TestDatabase) {
        let mut options = ConnectOptions::new(db.url());
        options.idle_timeout(None::<Duration>).max_lifetime(None::<Duration>);
        let connection = Database::connect(options).await.unwrap();
        let behind = Migrator::migrations().iter().rev().position(|step| step.name() == "m0023_normal_names").unwrap();
        Migrator::down(&connection, Some(behind as u32 + 1)).await.unwrap();
        let raw = db.raw().await;
        let blob = |n: u32| if db.url().starts_with("sqlite") { format!("x'{n:032x}'") } else { format!("'{n:032x}'") };
        // Zoë in two parts; Zoë as one and in fullwidth letters; two that have no normal form.
        let names = ["alice", "Zoe\u{308}", "Ren\u{e9}e", "Rene\u{301}e", "al\u{200b}ice", "\u{2605}"];
        for (name, n) in names.iter().zip(1..) {
            raw.execute(&format!(
                "INSERT INTO users (id, name, password_hash, password_cost, scopes, roles, enabled, revoking, auth_version, \
                 created_at) VALUES ({}, '{name}', 'hash', 4, '', '', true, false, 0, 0)",
                blob(n)
            ))
            .await;
        }
        connection.close().await.unwrap();
        let store = db.store().await;
        assert_eq!(store.migrate().await.unwrap().first().map(String::as_str), Some("m0023_normal_names"));
        let found = async |typed: &str, normal: &str| -> Vec<String> {
            let mut names: Vec<String> =
                store.users_by_name(typed, normal).await.unwrap().into_iter().map(|user| user.name).collect();
            names.sort();
            names
        };
        assert_eq!(found("Zo\u{eb}", "Zo\u{eb}").await, ["Zoe\u{308}"]);
        assert_eq!(found("Rene\u{301}e", "Ren\u{e9}e").await, ["Rene\u{301}e", "Ren\u{e9}e"]);
        assert_eq!(found("alice", "alice").await, ["alice"]);
        let colliding = store.colliding_names().await.unwrap();
        let names: Vec<Vec<&str>> =
            colliding.iter().map(|users| users.iter().map(|(_, name)| name.as_str()).collect()).collect();
        assert_eq!(names, [["Rene\u{301}e", "Ren\u{e9}e"]]);
        // Nobody gets a name that looks like one that is there.
        assert!(!store.add_user(crate::support::user("Zo\u{eb}"), 4, &cause()).await.unwrap());
        assert!(store.add_user(crate::support::user("Zo\u{eb}2"), 4, &cause()).await.unwrap());
    }

    async fn each_step_can_be_undone(db: TestDatabase) {
        // Without a maintenance task of sqlx's, which may run for ever when the runtime ends.
        let mut options = ConnectOptions::new(db.url());
        options.idle_timeout(None::<Duration>).max_lifetime(None::<Duration>);
        let connection = Database::connect(options).await.unwrap();
        Migrator::down(&connection, None).await.unwrap();
        connection.close().await.unwrap();
        let store = db.store().await;
        assert!(store.is_empty_database().await.unwrap());
        assert_eq!(store.migrate().await.unwrap().len(), Migrator::migrations().len());
    }

    async fn a_database_of_a_newer_version_is_left_alone_and_named(db: TestDatabase) {
        let store = db.store().await;
        let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m0999_tomorrow', 0)";
        let undone = "DELETE FROM seaql_migrations WHERE version = 'm0009_audit'";
        for sql in [newer, undone, "DROP TABLE audit"] {
            db.raw().await.execute(sql).await;
        }
        let expected = StoreError::Newer("m0999_tomorrow".into());
        assert_eq!(store.migrate().await, Err(expected.clone()));
        assert_eq!(store.pending_migrations().await, Err(expected.clone()));
        assert_eq!(store.is_empty_database().await, Err(expected.clone()));
        assert!(store.adopt_audit(1).await.is_err(), "the missing migration was applied");
        assert!(expected.to_string().contains("newer version of ficha"));
    }

    /// While a release is rolled out, a server of the one before it may have to restart.
    async fn a_database_of_a_newer_version_is_used_if_it_says_that_this_one_is_enough(db: TestDatabase) {
        let store = db.store().await;
        let raw = db.raw().await;
        raw.execute("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m0999_tomorrow', 0)").await;
        assert_eq!(store.pending_migrations().await.unwrap(), [""; 0]);
        assert_eq!(store.migrate().await.unwrap(), [""; 0]);
        assert!(!store.is_empty_database().await.unwrap());
        for needed in ["'m0999_tomorrow'", "NULL"] {
            raw.execute(&format!("UPDATE globals SET needed_migration = {needed}")).await;
            assert_eq!(store.pending_migrations().await, Err(StoreError::Newer("m0999_tomorrow".into())), "{needed}");
        }
    }
}
