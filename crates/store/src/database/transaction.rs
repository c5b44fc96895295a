//! How several statements change the database together: in a transaction that is retried if it lost against another.
//! A single statement needs none.
//!
//! **Lock order**, everywhere: `globals`, clients, users, `bulk_revocations`, sessions by id, `denylist_head` last. On SQLite there is one
//! lock: `BEGIN IMMEDIATE` takes it, so what a transaction reads does not change until it commits.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbErr};

use crate::database::write_connection::WriteConnection;
use crate::error::Fault;
use crate::{DatabaseKind, Result, Store, StoreError};

/// How many times a transaction is tried that keeps losing against others.
const ATTEMPTS: u32 = 8;

/// Runs a body in a transaction and commits: `transaction!(self, |transaction| { … })`. An error rolls it back. A
/// deadlock (40P01) or a serialisation failure (40001) runs it again, so the body must only use the database.
///
/// On PostgreSQL it has a time limit, whatever happens to the connection.
///
/// A macro and not a function: the future of a closure that borrows can't be known to be `Send`, and callers spawn.
macro_rules! transaction {
    ($store:expr, |$transaction:ident| $body:expr) => {{
        let outcome = $crate::database::timeout::in_time($store.kind(), async {
            let mut attempts = $crate::database::transaction::Attempts::default();
            loop {
                // No `?` in here: it would return from the calling function, which may want to inspect the error.
                let open = match $store.begin().await {
                    Ok(open) => open,
                    Err(error) => break Err::<_, $crate::StoreError>(error),
                };
                let outcome = {
                    let $transaction = &open;
                    $crate::database::transaction::transaction_body(async { $body }).await
                };
                if let Some(result) = attempts.conclude($store, open, outcome).await.transpose() {
                    break result;
                }
            }
        })
        .await;
        $store.health().note(&outcome);
        outcome
    }};
}

/// Runs one statement that changes rows and commits by itself. It is retried if it lost against others.
macro_rules! statement {
    ($store:expr, |$database:ident| $body:expr) => {{
        let outcome = $crate::database::timeout::in_time($store.kind(), async {
            let mut attempts = $crate::database::transaction::Attempts::default();
            loop {
                let open = match $store.take_writer().await {
                    Ok(open) => open,
                    Err(error) => break Err::<_, $crate::StoreError>(error),
                };
                let outcome = {
                    let $database = &open;
                    $crate::database::transaction::statement_body(async { $body }).await
                };
                if let Some(result) = attempts.conclude_statement($store, open, outcome).await.transpose() {
                    break result;
                }
            }
        })
        .await;
        $store.health().note(&outcome);
        outcome
    }};
}

pub(crate) use {statement, transaction};

impl Store {
    /// A connection for writing, unless it is known that changes would not be kept.
    pub(crate) async fn take_writer(&self) -> Result<WriteConnection> {
        self.health().check()?;
        self.check_file()?;
        self.take_any_writer().await
    }

    /// Opens a transaction. On SQLite it holds the lock from the beginning.
    pub(crate) async fn begin(&self) -> Result<WriteConnection> {
        let connection = self.take_writer().await?;
        connection.control(self.begin_statement()).await?;
        Ok(connection)
    }

    pub(crate) fn begin_statement(&self) -> &'static str {
        match self.kind() {
            DatabaseKind::Sqlite => "BEGIN IMMEDIATE",
            DatabaseKind::Postgres => "BEGIN",
        }
    }

    /// Checks over another connection that the denylist rows that were just committed are there. Only then may success
    /// be reported.
    ///
    /// The row itself, and not only its number: another history may have reached that number already.
    async fn confirm(&self, (number, tag): (i64, i64)) -> Result<()> {
        let head = self.head().await.map_err(unconfirmed)?;
        let is_there = (head.number, head.tag) == (number, tag)
            || (head.number > number && self.deny_row_exists(number, tag).await.map_err(unconfirmed)?);
        if head.has_own_beat && is_there {
            return Ok(());
        }
        if head.number >= number {
            return Err(StoreError::OutcomeUnknown(StoreError::AnotherHistory.to_string()));
        }
        let newest = head.number;
        Err(self.lost(format!("denylist row {number} was committed, but another connection sees only up to {newest}")))
    }

    /// Records that an acknowledged change is missing: the database is not trusted until a change is kept again, and no
    /// connection that is open now is used again.
    pub(crate) fn lost(&self, what: String) -> StoreError {
        self.condemned().condemn_open();
        let error = StoreError::Lost(what);
        self.health().note_lost(&error);
        error
    }
}

/// The commit succeeded, but it is unknown whether it was kept.
fn unconfirmed(error: StoreError) -> StoreError {
    match error {
        StoreError::Lost(_) => error,
        error => StoreError::OutcomeUnknown(error.to_string()),
    }
}

/// Fixes the type of a transaction's body.
pub(crate) fn transaction_body<T, F: Future<Output = Result<T, Fault>>>(body: F) -> F {
    body
}

/// Fixes the type of a statement's body.
pub(crate) fn statement_body<T, F: Future<Output = Result<T, DbErr>>>(body: F) -> F {
    body
}

/// Counts retries.
#[derive(Default)]
pub(crate) struct Attempts(u32);

impl Attempts {
    /// Commits or rolls back. `None`: it lost against another and must be retried.
    ///
    /// The connection goes back to its pool only if COMMIT or ROLLBACK succeeded. If SQLite or PostgreSQL has ended the
    /// transaction by itself, ROLLBACK fails or is not needed, and the connection is closed anyway.
    pub(crate) async fn conclude<T>(
        &mut self,
        store: &Store,
        transaction: WriteConnection,
        outcome: Result<T, Fault>,
    ) -> Result<Option<T>> {
        let outcome = match outcome {
            // If a statement has failed, PostgreSQL answers COMMIT by rolling back, and reports success.
            Ok(_) if transaction.has_failed() => Err(Fault::Store(statement_failed())),
            outcome => outcome,
        };
        let outcome = match outcome {
            Ok(value) => commit(store, transaction).await.map(|()| value),
            Err(fault) => {
                if transaction.control("ROLLBACK").await.is_ok() {
                    transaction.give_back();
                }
                Err(fault)
            }
        };
        self.retry_or_return(outcome).await
    }

    /// Concludes a statement that commits by itself. After an error the connection is closed, unless the database
    /// itself reported the error, which means that the statement is over.
    pub(crate) async fn conclude_statement<T>(
        &mut self,
        store: &Store,
        connection: WriteConnection,
        outcome: Result<T, DbErr>,
    ) -> Result<Option<T>> {
        let outcome = match outcome {
            Ok(value) => {
                connection.give_back();
                store.check_file().map_err(|error| Fault::Store(unconfirmed(error))).map(|()| value)
            }
            Err(error) => {
                if store.kind() == DatabaseKind::Postgres && crate::error::is_reported_by_database(&error) {
                    connection.give_back();
                }
                Err(Fault::of_single_statement(error))
            }
        };
        self.retry_or_return(outcome).await
    }

    /// `None`, after a pause: it lost against another and must be retried.
    async fn retry_or_return<T>(&mut self, outcome: Result<T, Fault>) -> Result<Option<T>> {
        match outcome {
            Ok(value) => Ok(Some(value)),
            Err(fault) if self.0 + 1 < ATTEMPTS && fault.is_worth_retrying() => {
                self.0 += 1;
                back_off(self.0).await;
                Ok(None)
            }
            Err(fault) => Err(fault.into()),
        }
    }
}

/// Commits. The connection goes back to its pool before the next query: it may be the only one.
async fn commit(store: &Store, transaction: WriteConnection) -> Result<(), Fault> {
    let row = transaction.number_taken();
    transaction.control("COMMIT").await.map_err(Fault::Commit)?;
    transaction.give_back();
    store.check_file().map_err(|error| Fault::Store(unconfirmed(error)))?;
    match row {
        Some(row) => store.confirm(row).await.map_err(Fault::Store),
        None => Ok(()),
    }
}

fn statement_failed() -> StoreError {
    StoreError::Unavailable("a statement of the transaction failed, so nothing was committed".into())
}

/// 2, 4, 8 … milliseconds. PostgreSQL lets the other transaction continue before it reports the conflict.
async fn back_off(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(1 << attempt)).await;
}

/// Notifies the other servers, once this transaction commits, that something they keep in memory has changed.
pub(crate) async fn announce(transaction: &WriteConnection) -> Result<(), DbErr> {
    if transaction.get_database_backend() == sea_orm::DbBackend::Postgres {
        transaction.execute_unprepared(crate::database::postgres::notify::NOTIFY).await?;
    }
    Ok(())
}
