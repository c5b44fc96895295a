//! Many rows from one.

use ficha_store::DatabaseKind;
use ficha_store::testing::TestDatabase;
use uuid::Uuid;

/// So many copies of a session, each with an id of its own.
pub async fn copy_session(database: &TestDatabase, id: Uuid, count: usize) {
    let columns = "user_id, subject, client_id, scopes, roles, audience, generation, rotated_at, access_exp, epoch, \
        created_at, expires_at, idle_expires_at";
    let sql = match database.kind() {
        DatabaseKind::Sqlite => format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
             INSERT INTO sessions (id, {columns}) SELECT randomblob(16), {columns} FROM sessions, n WHERE id = x'{}'",
            id.simple()
        ),
        DatabaseKind::Postgres => format!(
            "INSERT INTO sessions (id, {columns}) SELECT gen_random_uuid(), {columns} FROM sessions, \
             generate_series(1, {count}) WHERE id = '{id}'"
        ),
    };
    assert_eq!(database.raw().await.execute(&sql).await, count as u64);
}
