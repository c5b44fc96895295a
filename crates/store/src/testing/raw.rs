//! Raw SQL, for tests that break, block or restore a database.

use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement};
use uuid::Uuid;

use super::{Cluster, TestDatabase};
use crate::DatabaseKind;

/// A separate connection. A transaction that `BEGIN` opens stays open until `COMMIT` or `ROLLBACK`.
#[derive(Debug)]
pub struct RawConnection {
    connection: DatabaseConnection,
    kind: DatabaseKind,
}

impl TestDatabase {
    /// A connection that does not belong to a store.
    pub async fn raw(&self) -> RawConnection {
        self.raw_at(self.url()).await
    }

    /// The same to the copy that a standby has.
    pub async fn raw_on(&self, standby: &Cluster) -> RawConnection {
        self.raw_at(&self.url_on(standby)).await
    }

    async fn raw_at(&self, url: &str) -> RawConnection {
        let mut options = ConnectOptions::new(url);
        options.min_connections(1).max_connections(1).idle_timeout(None::<Duration>).max_lifetime(None::<Duration>);
        options.sqlx_logging(false);
        let connection = Database::connect(options).await.expect("the test's database can be opened");
        RawConnection { connection, kind: self.kind() }
    }
}

impl RawConnection {
    /// Runs statements; returns how many rows the last one changed.
    pub async fn execute(&self, sql: &str) -> u64 {
        match self.connection.execute_unprepared(sql).await {
            Ok(done) => done.rows_affected(),
            Err(error) => panic!("{sql}: {error}"),
        }
    }

    /// The whole number that a query returns.
    pub async fn number(&self, sql: &str) -> i64 {
        let statement = Statement::from_string(self.connection.get_database_backend(), sql);
        let row = self.connection.query_one_raw(statement).await.expect("a query").expect("a row");
        row.try_get_by_index(0).expect("a whole number")
    }

    /// Renames a table, so that everything that needs it fails until [`RawConnection::give_back`].
    pub async fn take_away(&self, table: &str) {
        self.execute(&format!("ALTER TABLE {table} RENAME TO {table}_away")).await;
    }

    /// Undoes [`RawConnection::take_away`].
    pub async fn give_back(&self, table: &str) {
        self.execute(&format!("ALTER TABLE {table}_away RENAME TO {table}")).await;
    }

    /// Adds `count` rows to the denylist, in force until `until`, as if that many tokens had been revoked.
    pub async fn fill_denylist(&self, count: i64, until: i64) {
        // In a transaction that began with a read, SQLite refuses a write if another process has written since.
        let begin = match self.kind {
            DatabaseKind::Sqlite => "BEGIN IMMEDIATE",
            DatabaseKind::Postgres => "BEGIN",
        };
        self.execute(begin).await;
        self.fill_denylist_within(count, until).await;
        self.execute("COMMIT").await;
    }

    /// The same, within a transaction that the caller has started.
    pub async fn fill_denylist_within(&self, count: i64, until: i64) {
        let newest = self.number("SELECT number FROM denylist_head").await;
        let last = newest + count;
        let (new_id, numbers) = match self.kind {
            DatabaseKind::Sqlite => (
                "randomblob(16)",
                format!(
                    "(WITH RECURSIVE n(i) AS (SELECT {newest} + 1 UNION ALL SELECT i + 1 FROM n WHERE i < {last}) \
                     SELECT i FROM n)"
                ),
            ),
            DatabaseKind::Postgres => {
                ("gen_random_uuid()", format!("(SELECT generate_series({newest} + 1, {last}) AS i)"))
            }
        };
        let columns = format!("i, {new_id}, {until}, i * 7 + 1");
        self.execute(&format!(
            "INSERT INTO denylist (number, id, until, tag) SELECT {columns} FROM {numbers} AS numbers"
        ))
        .await;
        self.execute(&format!("UPDATE denylist_head SET number = {last}, tag = {last} * 7 + 1")).await;
    }

    /// Begins a transaction that prevents all others from changing this session, until `ROLLBACK`.
    pub async fn hold_session(&self, id: Uuid) {
        match self.kind {
            DatabaseKind::Sqlite => self.execute("BEGIN IMMEDIATE").await,
            DatabaseKind::Postgres => {
                let row = self.literal(id);
                self.execute(&format!("BEGIN; SELECT id FROM sessions WHERE id = {row} FOR UPDATE")).await
            }
        };
    }

    /// Makes `count` copies of a session, each with a new id.
    pub async fn copy_session(&self, id: Uuid, count: u32) -> u64 {
        let same = "user_id, subject, client_id, scopes, roles, audience, generation, rotated_at, access_exp, epoch, \
                    created_at, expires_at, idle_expires_at, address, user_agent, revoked_at, revoked_reason";
        let (new_id, numbers) = match self.kind {
            DatabaseKind::Sqlite => (
                "randomblob(16)",
                format!(
                    "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n)"
                ),
            ),
            DatabaseKind::Postgres => ("gen_random_uuid()", format!("generate_series(1, {count})")),
        };
        let row = self.literal(id);
        self.execute(&format!(
            "INSERT INTO sessions (id, {same}) SELECT {new_id}, {same} FROM sessions CROSS JOIN {numbers} AS numbers \
             WHERE id = {row}"
        ))
        .await
    }

    /// A UUID as a literal in this database's SQL.
    pub fn literal(&self, id: Uuid) -> String {
        match self.kind {
            DatabaseKind::Sqlite => format!("X'{}'", id.simple()),
            DatabaseKind::Postgres => format!("'{id}'"),
        }
    }
}
