use std::time::Duration;

use ficha_store::testing::TestDatabase;
use ficha_store::{DatabaseKind, Store, StoreError, StoreOptions, on_both_databases};

use crate::support::cause;

on_both_databases! {
    async fn the_url_decides_the_kind_of_database(db: TestDatabase) {
        assert_eq!(db.store().await.kind(), db.kind());
    }

    async fn the_databases_time_is_in_milliseconds(db: TestDatabase) {
        let store = db.store().await;
        let began = tokio::time::Instant::now();
        let first = store.database_time().await.unwrap();
        let mut later = first;
        while later < first + 20 {
            later = store.database_time().await.unwrap();
        }
        // The first reading is taken after `began`, and the last one before this.
        let took = began.elapsed().as_millis();
        assert!(took >= 19 && i128::from(later - first) <= took as i128 + 1, "{} in {took} ms", later - first);
        assert!(first > 1_700_000_000_000, "{first}");
    }

    async fn a_connection_tells_what_it_is_like(db: TestDatabase) {
        let facts = db.store().await.postgres_facts().await.unwrap();
        match db.kind() {
            DatabaseKind::Sqlite => assert_eq!(facts, None),
            DatabaseKind::Postgres => {
                let facts = facts.unwrap();
                assert!(!facts.is_remote && !facts.is_encrypted && facts.usable_connections > 10, "{facts:?}");
            }
        }
    }

    async fn a_scope_is_added_once_of_two_that_add_it_at_once(db: TestDatabase) {
        let store = db.store().await;
        let cause = cause();
        let add = |text: &'static str| store.add_scope("notes:read", text, &cause);
        let (one, other) = tokio::join!(add("one"), add("other"));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert!(one != other, "{one} {other}");
        let kept = if one { "one" } else { "other" };
        assert_eq!(store.list_scopes().await.unwrap(), [("notes:read".to_owned(), kept.to_owned())]);
        assert!(store.describe_scope("notes:read", "x", &cause).await.unwrap());
        assert!(!store.describe_scope("notes:write", "x", &cause).await.unwrap());
    }

    async fn a_closed_store_is_unavailable(db: TestDatabase) {
        let store = db.store().await;
        store.close().await;
        assert!(matches!(store.head().await, Err(StoreError::Unavailable(_))));
        assert!(matches!(store.declare_scope("a", "", &cause()).await, Err(StoreError::Unavailable(_))));
    }

    async fn work_on_a_store_can_be_spawned(db: TestDatabase) {
        let store = db.store().await;
        let made = tokio::spawn(async move { crate::support::sessions(&store, 1).await }).await.unwrap();
        assert_eq!(made.len(), 1);
    }

    async fn a_password_is_not_shown_in_an_error(db: TestDatabase) {
        if db.kind() == DatabaseKind::Postgres {
            for url in ["postgres://me:hunter2@127.0.0.1:1/db", "postgres://me:hunter2@127.0.0.1:port/db"] {
                let error = Store::connect(url).await.unwrap_err();
                assert!(matches!(error, StoreError::CantOpen { .. }), "{error:?}");
                assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_url_of_neither_kind_is_not_shown_in_an_error() {
    let error = Store::connect("mysql://me:hunter2@host/db").await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn an_in_memory_database_is_refused() {
    for url in ["sqlite::memory:", "sqlite://:memory:", "sqlite://x.db?mode=memory", "sqlite://", "sqlite:?mode=memory"]
    {
        assert!(matches!(Store::connect(url).await, Err(StoreError::CantOpen { .. })), "{url}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn file_and_folder_are_created_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a/b/ficha.db");
    let store = Store::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    store.migrate().await.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(&file.with_extension("db-wal")), 0o600);
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    assert_eq!(mode(file.parent().unwrap().parent().unwrap()), 0o700);
}

#[tokio::test]
async fn sqlite_uses_a_write_ahead_log_and_waits_for_the_disk() {
    let db = TestDatabase::sqlite().await;
    let store = db.store().await;
    let pragma = async |name: &str| store.pragma(name).await.unwrap();
    assert_eq!(pragma("journal_mode").await, "wal");
    assert_eq!(pragma("synchronous").await, "2");
    assert_eq!(pragma("foreign_keys").await, "1");
    assert_eq!(pragma("busy_timeout").await, "5000");
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_says_why() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let raw = database.raw().await;
    let (server, name) = database.url().rsplit_once('/').unwrap();
    let host = server.rsplit_once('@').unwrap().1;
    let role = format!("crowd_of_{}", name.split('?').next().unwrap());
    raw.execute(&format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 0")).await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let cases = [
        (format!("postgres://{role}@{host}/{name}"), "too many connections for role"),
        (format!("postgres://nosuch@{host}/{name}"), "\"nosuch\" does not exist"),
        (format!("postgres://ficha@{nobody}/ficha?sslmode=disable"), "can't be reached: Connection refused"),
    ];
    for (url, why) in cases {
        let options = StoreOptions { acquire_timeout: Duration::from_millis(500), ..StoreOptions::default() };
        let error = Store::connect_with(&url, options).await.unwrap_err().to_string();
        assert!(error.contains(why) && !error.contains("timed out"), "{error}");
    }
    raw.execute(&format!("DROP ROLE {role}")).await;
}
