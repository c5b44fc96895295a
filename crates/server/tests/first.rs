//! One pass from end to end: a first start, a login, and use of the token.

use ficha_authority::{Authority, StartError, first_start};
use ficha_store::DatabaseKind;
use ficha_store::testing::TestDatabase;
use ficha_testing::{App, error};

ficha_store::on_both_databases! {
    async fn the_first_start_creates_an_admin_who_can_log_in(database: TestDatabase) {
        let app = App::start(&database).await;
        let form = [("grant_type", "password"), ("username", "admin"), ("password", &app.admin_password)];
        let tokens = ficha_testing::Tokens::of(app.post("/token", &form).await).await;
        assert_eq!(app.me(&tokens.access).await, 200);
        let renewed = ficha_testing::Tokens::of(app.refresh(&tokens.refresh).await).await;
        assert_ne!(renewed.refresh, tokens.refresh);
        assert_eq!(app.post("/revoke", &[("token", &renewed.refresh)]).await.status(), 200);
        assert_eq!(app.me(&tokens.access).await, 401);
        assert_eq!(app.me(&renewed.access).await, 401);
        error(app.refresh(&renewed.refresh).await, 400, "invalid_grant").await;
    }

    // Two machines with separate disks and one database.
    async fn concurrent_first_starts_leave_no_master_key_that_does_not_match(database: TestDatabase) {
        for _ in 0..3 {
            let empty = database.another_empty().await;
            empty.store().await.migrate().await.expect("an empty database can be migrated");
            let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
            let bases = [ficha_testing::foundation(&empty, folders[0].path()).await, ficha_testing::foundation(&empty, folders[1].path()).await];
            let (one, two) = tokio::join!(first_start(&bases[0]), first_start(&bases[1]));
            let done = [one, two].map(|first| match first {
                Ok(first) => first.is_some(),
                // It found the other's keys, and created nothing.
                Err(StartError::MasterKeyMissing(_)) => false,
                Err(error) => panic!("{error}"),
            });
            assert_eq!(done.iter().filter(|done| **done).count(), 1);
            for (done, (base, folder)) in done.into_iter().zip(bases.into_iter().zip(&folders)) {
                assert_eq!(folder.path().join("master.key").exists(), done);
                match Authority::open(base).await {
                    Ok(_) => assert!(done),
                    Err(error) => assert!(!done && matches!(error, StartError::MasterKeyMissing(_)), "{error}"),
                }
            }
        }
    }

    async fn concurrent_first_starts_in_one_folder_share_its_master_key(database: TestDatabase) {
        for _ in 0..3 {
            let empty = database.another_empty().await;
            empty.store().await.migrate().await.expect("an empty database can be migrated");
            let folder = tempfile::tempdir().expect("a folder");
            let bases = [ficha_testing::foundation(&empty, folder.path()).await, ficha_testing::foundation(&empty, folder.path()).await];
            let (one, two) = tokio::join!(first_start(&bases[0]), first_start(&bases[1]));
            assert!(one.expect("a first start").is_some() != two.expect("a first start").is_some());
            for base in bases {
                Authority::open(base).await.expect("the key matches");
            }
        }
    }

    /// The password is shown only once: what comes after its commit must not lose it.
    async fn a_first_start_that_is_not_complete_still_tells_the_password(database: TestDatabase) {
        let empty = database.another_empty().await;
        let store = empty.store().await;
        store.migrate().await.expect("an empty database can be migrated");
        let folder = tempfile::tempdir().expect("a folder");
        let base = ficha_testing::foundation(&empty, folder.path()).await;
        let (spoil, repair) = match empty.kind() {
            DatabaseKind::Sqlite => (
                "CREATE TRIGGER spoil BEFORE UPDATE ON globals WHEN NEW.own_clients_at IS NOT NULL \
                 BEGIN SELECT RAISE(ABORT, 'spoiled'); END",
                "DROP TRIGGER spoil",
            ),
            DatabaseKind::Postgres => (
                "ALTER TABLE globals ADD CONSTRAINT spoil CHECK (own_clients_at IS NULL)",
                "ALTER TABLE globals DROP CONSTRAINT spoil",
            ),
        };
        store.run_sql(spoil).await.expect("it can be spoiled");
        let first = first_start(&base).await.expect("a first start").expect("it was the first");
        assert!(first.admin_password.is_some());
        assert!(store.client("ficha-cli").await.expect("an answer").is_none());
        // Not a success for a server that finds it so: it would run without them for ever.
        assert!(first_start(&base).await.is_err());
        store.run_sql(repair).await.expect("it can be repaired");
        assert!(first_start(&base).await.expect("a start").is_none());
        assert!(store.client("ficha-cli").await.expect("an answer").is_some());
        let admin = store.user_by_name("admin").await.expect("an answer").expect("the first user");
        assert_eq!(admin.scopes.to_string(), "ficha:account ficha:admin");
    }
}
