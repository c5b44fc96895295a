//! A copy of a database at one moment.

use ficha_store::DatabaseKind;
use ficha_store::testing::TestDatabase;

use crate::support::eventually;

/// Copies the database. No server may be connected: PostgreSQL only copies a database that is not in use.
pub async fn copy_of(database: &TestDatabase) -> TestDatabase {
    let copy = database.another_empty().await;
    let raw = database.raw().await;
    match database.kind() {
        DatabaseKind::Sqlite => {
            let path = copy.url().strip_prefix("sqlite://").expect("a file's URL");
            raw.execute(&format!("VACUUM INTO '{path}'")).await;
        }
        DatabaseKind::Postgres => {
            let others = "SELECT count(*) FROM pg_stat_activity \
                          WHERE datname = current_database() AND pid <> pg_backend_pid()";
            eventually("all connections are closed", async || raw.number(others).await == 0).await;
            raw.execute(&format!("DROP DATABASE {}", name(copy.url()))).await;
            raw.execute(&format!("CREATE DATABASE {} TEMPLATE {}", name(copy.url()), name(database.url()))).await;
        }
    }
    copy
}

fn name(url: &str) -> &str {
    let path = url.split_once('?').map_or(url, |(path, _)| path);
    path.rsplit('/').next().expect("a URL has slashes")
}
