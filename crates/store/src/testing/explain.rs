//! The query plans of the statements that a call runs.

use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};

use crate::{DatabaseKind, Result, Store};

/// A statement that ran, and the database's plan for it.
#[derive(Debug, Clone)]
pub struct Explained {
    /// The statement, with its placeholders.
    pub sql: String,
    /// `EXPLAIN`, or SQLite's `EXPLAIN QUERY PLAN`.
    pub plan: String,
}

/// Records every statement on a store's connections while a test asks for it.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Option<Vec<Statement>>>>);

impl Recorder {
    pub(crate) fn attach(&self, connection: &mut DatabaseConnection) {
        let recorder = self.clone();
        connection.set_metric_callback(move |info| recorder.note(info.statement));
    }

    pub(crate) fn note(&self, statement: &Statement) {
        if let Some(recorded) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            recorded.push(statement.clone());
        }
    }

    fn start(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
    }

    fn stop(&self) -> Vec<Statement> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
    }
}

impl Store {
    /// Runs `work` on this store and explains each statement that it ran.
    #[doc(hidden)]
    pub async fn explain(&self, work: impl AsyncFnOnce(&Self)) -> Result<Vec<Explained>> {
        self.recorder().start();
        work(self).await;
        let mut explained = Vec::new();
        for statement in self.recorder().stop() {
            explained.push(self.plan(statement).await?);
        }
        Ok(explained)
    }

    async fn plan(&self, mut statement: Statement) -> Result<Explained> {
        let sql = statement.sql.clone();
        let (explain, column) = match self.kind() {
            DatabaseKind::Sqlite => ("EXPLAIN QUERY PLAN", "detail"),
            DatabaseKind::Postgres => ("EXPLAIN", "QUERY PLAN"),
        };
        statement.sql = format!("{explain} {sql}");
        let mut plan = String::new();
        let connection = self.take_any_writer().await?;
        for row in connection.query_all_raw(statement).await? {
            plan.push_str(&row.try_get_by::<String, _>(column)?);
            plan.push('\n');
        }
        connection.give_back();
        Ok(Explained { sql, plan })
    }

    /// The value of a SQLite pragma on the writing connection.
    #[doc(hidden)]
    pub async fn pragma(&self, name: &str) -> Result<String> {
        let sql = format!("SELECT CAST({name} AS TEXT) AS value FROM pragma_{name}");
        let name = if name == "busy_timeout" { sql.replacen("busy_timeout", "timeout", 1) } else { sql };
        let connection = self.take_any_writer().await?;
        let statement = Statement::from_string(connection.get_database_backend(), name);
        let row = connection.query_one_raw(statement).await?;
        connection.give_back();
        Ok(row.map(|row| row.try_get_by("value")).transpose()?.unwrap_or_default())
    }

    /// The value of a PostgreSQL setting on a writing connection.
    #[doc(hidden)]
    pub async fn show(&self, name: &str) -> Result<String> {
        let connection = self.take_any_writer().await?;
        let statement = Statement::from_string(connection.get_database_backend(), format!("SHOW {name}"));
        let row = connection.query_one_raw(statement).await?;
        connection.give_back();
        Ok(row.map(|row| row.try_get_by(name)).transpose()?.unwrap_or_default())
    }

    /// Runs SQL unchanged, to prepare a database for a test.
    #[doc(hidden)]
    pub async fn run_sql(&self, sql: &str) -> Result<u64> {
        let connection = self.take_any_writer().await?;
        let done = connection.execute_unprepared(sql).await?;
        connection.give_back();
        Ok(done.rows_affected())
    }
}
