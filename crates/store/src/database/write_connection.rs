//! A connection for writing, which goes back to its pool only if its work has ended properly. Otherwise it is closed,
//! which ends whatever is open on it.
//!
//! sqlx counts how deep in transactions a connection is, and lowers the count when COMMIT or ROLLBACK succeeds. SQLite
//! rolls back by itself when a COMMIT fails, so the count stays up, and the next "transaction" is a savepoint in a dead
//! one. Therefore we run BEGIN, COMMIT and ROLLBACK as plain statements, and the count stays at zero. A connection that
//! may still be inside a transaction is never used again.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use sea_orm::sqlx::postgres::Postgres;
use sea_orm::sqlx::sqlite::Sqlite;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement, Values, sqlx};
use sea_orm_migration::async_trait::async_trait;
use sea_query_sqlx::SqlxValues;
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Executor};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio_util::context::TokioContext;

use crate::DatabaseKind;

/// The pool from which connections for writing are taken.
#[derive(Clone)]
pub(crate) enum WritePool {
    Sqlite(sqlx::SqlitePool),
    /// With the runtime to which its connections belong, whichever worker opens them.
    Postgres(sqlx::PgPool, Handle),
}

enum Pooled {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

/// A connection taken for writing. Dropping it closes it; [`WriteConnection::give_back`] does not.
pub(crate) struct WriteConnection {
    /// `None` once it was returned to its pool.
    pooled: Mutex<Option<Pooled>>,
    backend: DbBackend,
    /// True once a statement has failed: its transaction must not be committed.
    failed: AtomicBool,
    /// The newest denylist number taken on this connection; 0 if none was.
    denied_up_to: AtomicI64,
    /// The tag of that row.
    tag: AtomicI64,
    #[cfg(feature = "testing")]
    recorder: crate::testing::Recorder,
}

/// Runs sqlx's `$method` for a statement on either kind of connection.
macro_rules! run {
    ($self:ident, $statement:ident, $method:ident, $error:path, |$done:ident| $answer:expr) => {{
        #[cfg(feature = "testing")]
        $self.recorder.note(&$statement);
        let values = SqlxValues($statement.values.unwrap_or(Values(Vec::new())));
        let query = AssertSqlSafe($statement.sql);
        let mut pooled = $self.pooled.lock().await;
        let done = match pooled.as_mut() {
            Some(Pooled::Sqlite(connection)) => {
                sqlx::query_with(query, values).$method(&mut **connection).await.map(|$done| $answer)
            }
            Some(Pooled::Postgres(connection)) => {
                sqlx::query_with(query, values).$method(&mut **connection).await.map(|$done| $answer)
            }
            None => return Err(given_back()),
        };
        done.map_err(|error| {
            $self.failed.store(true, Ordering::Release);
            $error(RuntimeErr::SqlxError(error.into()))
        })
    }};
}

impl WritePool {
    /// Takes a connection out of the pool, or opens one.
    pub(crate) async fn take(
        &self,
        #[cfg(feature = "testing")] recorder: &crate::testing::Recorder,
    ) -> Result<WriteConnection, DbErr> {
        let acquired = match self {
            Self::Sqlite(pool) => pool.acquire().await.map(Pooled::Sqlite),
            Self::Postgres(pool, runtime) => {
                TokioContext::new(pool.acquire(), runtime.clone()).await.map(Pooled::Postgres)
            }
        };
        let pooled = acquired.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))?;
        Ok(WriteConnection {
            pooled: Mutex::new(Some(pooled)),
            backend: match self {
                Self::Sqlite(_) => DbBackend::Sqlite,
                Self::Postgres(..) => DbBackend::Postgres,
            },
            failed: AtomicBool::new(false),
            denied_up_to: AtomicI64::new(0),
            tag: AtomicI64::new(0),
            #[cfg(feature = "testing")]
            recorder: recorder.clone(),
        })
    }

    /// Closes every connection once its work is done.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool, _) => pool.close().await,
        }
    }

    pub(crate) fn kind(&self) -> DatabaseKind {
        match self {
            Self::Sqlite(_) => DatabaseKind::Sqlite,
            Self::Postgres(..) => DatabaseKind::Postgres,
        }
    }
}

impl WriteConnection {
    /// Runs one of BEGIN, COMMIT, ROLLBACK.
    pub(crate) async fn control(&self, sql: &'static str) -> Result<(), DbErr> {
        let mut pooled = self.pooled.lock().await;
        let done = match pooled.as_mut() {
            Some(Pooled::Sqlite(connection)) => connection.execute(sql).await.map(drop),
            Some(Pooled::Postgres(connection)) => connection.execute(sql).await.map(drop),
            None => return Err(given_back()),
        };
        done.map_err(|error| DbErr::Exec(RuntimeErr::SqlxError(error.into())))
    }

    /// True if a statement has failed on this connection.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Records that this transaction took denylist numbers up to this one, whose row has this tag.
    pub(crate) fn took_number(&self, number: i64, tag: i64) {
        // A transaction has one task, and later numbers are larger.
        self.tag.store(tag, Ordering::Release);
        self.denied_up_to.store(number, Ordering::Release);
    }

    /// The newest denylist number that this transaction took, if any, and its tag.
    pub(crate) fn number_taken(&self) -> Option<(i64, i64)> {
        let number = self.denied_up_to.load(Ordering::Acquire);
        (number > 0).then(|| (number, self.tag.load(Ordering::Acquire)))
    }

    /// Returns it to its pool. The caller must know that it is outside any transaction.
    pub(crate) fn give_back(mut self) {
        drop(self.pooled.get_mut().take());
    }
}

impl Drop for WriteConnection {
    fn drop(&mut self) {
        // Closing it ends whatever is open on it. Its place in the pool is free only after that, so SQLite never has
        // two writers.
        match self.pooled.get_mut() {
            Some(Pooled::Sqlite(connection)) => connection.close_on_drop(),
            Some(Pooled::Postgres(connection)) => connection.close_on_drop(),
            None => {}
        }
    }
}

fn given_back() -> DbErr {
    DbErr::Custom("the connection was returned to its pool".into())
}

#[async_trait]
impl ConnectionTrait for WriteConnection {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        run!(self, statement, execute, DbErr::Exec, |done| done.into())
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let sql = AssertSqlSafe(sql.to_owned());
        let mut pooled = self.pooled.lock().await;
        let done = match pooled.as_mut() {
            Some(Pooled::Sqlite(connection)) => connection.execute(sql).await.map(ExecResult::from),
            Some(Pooled::Postgres(connection)) => connection.execute(sql).await.map(ExecResult::from),
            None => return Err(given_back()),
        };
        done.map_err(|error| {
            self.failed.store(true, Ordering::Release);
            DbErr::Exec(RuntimeErr::SqlxError(error.into()))
        })
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        run!(self, statement, fetch_optional, DbErr::Query, |row| row.map(QueryResult::from))
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        run!(self, statement, fetch_all, DbErr::Query, |rows| rows.into_iter().map(QueryResult::from).collect())
    }
}
