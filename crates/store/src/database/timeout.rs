//! Time limits: a database that does not answer must not block its callers.
//!
//! PostgreSQL itself cancels a statement that takes too long and reports it (`statement_timeout`). If there is no
//! answer even later, the connection was lost without being closed, and nothing would report that. SQLite needs no
//! limit, since it is a local file.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use sea_orm_migration::async_trait::async_trait;
use tokio::runtime::Handle;
use tokio_util::context::TokioContext;

use crate::database::health::Health;
use crate::database::postgres::primary::LastRefusal;
use crate::error::is_missing_table;
use crate::{DatabaseKind, Result, StoreError};

/// A single query without an answer by then never gets one: this is above PostgreSQL's own limit, which is 8 s.
const QUERY: Duration = Duration::from_secs(10);

/// The same for a transaction: several statements, perhaps retried.
const TRANSACTION: Duration = Duration::from_secs(30);

/// A pool whose queries have a time limit.
pub(crate) struct TimeoutPool {
    pool: DatabaseConnection,
    limit: Option<Duration>,
    health: Arc<Health>,
    refusal: LastRefusal,
    /// Connections belong to it, and not to the worker that opens them: a worker that stops would take them along.
    runtime: Handle,
}

impl TimeoutPool {
    pub(crate) fn new(pool: DatabaseConnection, kind: DatabaseKind, health: Arc<Health>, refusal: LastRefusal) -> Self {
        let limit = (kind == DatabaseKind::Postgres).then_some(QUERY);
        Self { pool, limit, health, refusal, runtime: Handle::current() }
    }

    pub(crate) fn pool(&self) -> &DatabaseConnection {
        &self.pool
    }

    /// Says why no connection could be opened, if the error does not.
    pub(crate) fn explain(&self, error: DbErr) -> DbErr {
        self.refusal.explain(error)
    }

    async fn in_time<T>(&self, query: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        let silent = || Err(DbErr::Conn(RuntimeErr::Internal("the database did not answer in time".into())));
        let outcome = match self.limit {
            None => query.await,
            Some(limit) => {
                let query = TokioContext::new(query, self.runtime.clone());
                tokio::time::timeout(limit, query).await.unwrap_or_else(|_| silent())
            }
        };
        let outcome = outcome.map_err(|error| self.refusal.explain(error));
        if outcome.as_ref().is_err_and(|error| !is_missing_table(error)) {
            self.health.count_failure();
        }
        outcome
    }
}

#[async_trait]
impl ConnectionTrait for TimeoutPool {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.in_time(self.pool.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.in_time(self.pool.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.in_time(self.pool.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.in_time(self.pool.query_all_raw(statement)).await
    }
}

/// Applies the time limit to a change. After a timeout it is unknown whether the change was committed.
pub(crate) async fn in_time<T>(kind: DatabaseKind, work: impl Future<Output = Result<T>>) -> Result<T> {
    match kind {
        DatabaseKind::Sqlite => work.await,
        DatabaseKind::Postgres => {
            let silent = || Err(StoreError::OutcomeUnknown("the database did not answer in time".into()));
            tokio::time::timeout(TRANSACTION, work).await.unwrap_or_else(|_| silent())
        }
    }
}
