//! The one way to change more than one row: a transaction that is tried again when it lost against another.
//!
//! **Lock order**, everywhere: `globals`, clients, users, sessions by id, `denylist_head` last. On SQLite there is one
//! lock: `BEGIN IMMEDIATE` takes it, so what a transaction reads stays so until it commits.

use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};

use crate::error::Fault;
use crate::{DatabaseKind, Result, Store};

/// How often a transaction is tried that loses against others each time.
const ATTEMPTS: u32 = 8;

/// Runs a body in a transaction and commits: `transaction!(self, |transaction| { … })`. An error rolls it back. A deadlock
/// (40P01) or a serialisation failure (40001) runs it again, so the body must do nothing but talk to the database.
///
/// On PostgreSQL it ends in time, whatever becomes of the connection; `transaction!(unlimited self, …)` does not, for a
/// migration may take as long as it needs.
///
/// A macro and not a function: the future of a closure that borrows can't be known to be `Send`, and callers spawn.
macro_rules! transaction {
    ($store:expr, |$transaction:ident| $body:expr) => {
        $crate::limited::in_time($store.kind(), async {
            $crate::transaction::transaction!(unlimited $store, |$transaction| $body)
        })
        .await
    };
    (unlimited $store:expr, |$transaction:ident| $body:expr) => {{
        let mut attempts = $crate::transaction::Attempts::default();
        loop {
            // No `?` in here: it would leave the caller, who may want to look at the error.
            let open = match $store.begin().await {
                Ok(open) => open,
                Err(error) => break Err::<_, $crate::StoreError>(error),
            };
            let outcome = {
                let $transaction = &open;
                $crate::transaction::faulty(async { $body }).await
            };
            if let Some(result) = attempts.conclude(open, outcome).await.transpose() {
                break result;
            }
        }
    }};
}

/// Runs one statement that changes rows and commits by itself, again if it lost against others.
macro_rules! statement {
    ($store:expr, |$database:ident| $body:expr) => {
        $crate::limited::in_time($store.kind(), async {
            $crate::transaction::statement!(unlimited $store, |$database| $body)
        })
        .await
    };
    (unlimited $store:expr, |$database:ident| $body:expr) => {{
        let mut attempts = $crate::transaction::Attempts::default();
        loop {
            let outcome = {
                let $database = $store.writer();
                $crate::transaction::failing(async { $body }).await
            };
            let outcome = outcome.map_err($crate::error::Fault::of_single_statement);
            if let Some(result) = attempts.judge(outcome).await.transpose() {
                break result;
            }
        }
    }};
}

pub(crate) use {statement, transaction};

impl Store {
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction> {
        let options = TransactionOptions {
            sqlite_transaction_mode: (self.kind() == DatabaseKind::Sqlite).then_some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(self.writer().begin_with_options(options).await?)
    }
}

/// Says what type a transaction's body has.
pub(crate) fn faulty<T, F: Future<Output = Result<T, Fault>>>(body: F) -> F {
    body
}

/// Says what type a statement's body has.
pub(crate) fn failing<T, F: Future<Output = Result<T, DbErr>>>(body: F) -> F {
    body
}

/// Counts how often something was tried.
#[derive(Default)]
pub(crate) struct Attempts(u32);

impl Attempts {
    /// Commits, or rolls back. `None`: it lost against another and is to be tried again.
    pub(crate) async fn conclude<T>(
        &mut self,
        transaction: DatabaseTransaction,
        outcome: Result<T, Fault>,
    ) -> Result<Option<T>> {
        let outcome = match outcome {
            Ok(value) => transaction.commit().await.map(|()| value).map_err(Fault::Commit),
            Err(fault) => {
                // If even that fails, the connection is gone and the transaction with it.
                let _ = transaction.rollback().await;
                Err(fault)
            }
        };
        self.judge(outcome).await
    }

    /// `None`: it lost against another and is to be tried again, after a moment.
    pub(crate) async fn judge<T>(&mut self, outcome: Result<T, Fault>) -> Result<Option<T>> {
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

/// 2, 4, 8 … milliseconds. PostgreSQL has let the others go on before it told us.
async fn back_off(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(1 << attempt)).await;
}

/// Tells the other servers that something they keep in memory has changed, once this transaction commits.
pub(crate) async fn announce(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    if transaction.get_database_backend() == sea_orm::DbBackend::Postgres {
        transaction.execute_unprepared(crate::notify::NOTIFY).await?;
    }
    Ok(())
}
