//! Errors of the store.

use sea_orm::{DbErr, RuntimeErr, sqlx};

/// Why a call to the store failed.
///
/// No message contains a secret: neither the database's URL nor a bound value is ever part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database did not answer, or refused the call. Nothing was changed.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The change conflicts with what is stored. Nothing was changed.
    #[error("{0}")]
    Conflict(String),
    /// The last enabled user who may administer everything would lose that. Nothing was changed.
    #[error("{0}")]
    LastAdministrator(String),
    /// The session of who does it has ended meanwhile. Nothing was changed.
    #[error("the session of who does this has ended")]
    ActorEnded,
    /// A commit failed, or its answer was lost: the change may or may not have been made.
    #[error("it is unknown whether the change was committed: {0}")]
    OutcomeUnknown(String),
    /// Another connection could not see a change that the database had acknowledged.
    #[error("the database lost a change that it had acknowledged: {0}")]
    Lost(String),
    /// SQLite's file is not the one that was opened: anything written to it would never be read again.
    #[error("{0}")]
    Replaced(String),
    /// PostgreSQL is not the primary, or read-only: what it says may be out of date.
    #[error("the database is not the primary: {0}")]
    NotPrimary(String),
    /// The database has another history than before: a failover or a restore, which may have lost commits.
    #[error("the database has another history than before: a failover or a restore from a backup")]
    AnotherHistory,
    /// Some or all of the tables are missing.
    #[error("the database is not migrated")]
    NotMigrated,
    /// A newer version of Ficha has changed the tables, so this version can't interpret them.
    #[error("the database was migrated by a newer version of ficha (migration {0})")]
    Newer(String),
    /// A stored value can't be parsed.
    #[error("the database contains a value that can't be read: {0}")]
    Corrupt(String),
    /// The database can't be opened: an invalid URL, a folder that can't be created, a rejected login.
    #[error("can't open the database {what}: {why}")]
    CantOpen {
        /// The database, without its password.
        what: String,
        /// The reason.
        why: String,
    },
}

impl StoreError {
    /// True if the database failed, rather than the call being at fault. An outage is reported once, when it begins.
    pub fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::Unavailable(_)
                | Self::OutcomeUnknown(_)
                | Self::Lost(_)
                | Self::Replaced(_)
                | Self::NotPrimary(_)
                | Self::AnotherHistory
        )
    }
}

/// PostgreSQL's codes for a serialisation failure and a deadlock: the transaction may simply be retried.
const RETRYABLE: [&str; 2] = ["40001", "40P01"];

/// Why a transaction failed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// An error from the database.
    Db(DbErr),
    /// An error of our own.
    Store(StoreError),
    /// The commit failed, as far as we know.
    Commit(DbErr),
}

impl From<DbErr> for Fault {
    fn from(error: DbErr) -> Self {
        Self::Db(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Db(error) => error.into(),
            Fault::Store(error) => error,
            Fault::Commit(error) => Self::OutcomeUnknown(error.to_string()),
        }
    }
}

impl Fault {
    /// True if the database rolled everything back because of another transaction.
    pub(crate) fn is_worth_retrying(&self) -> bool {
        match self {
            Self::Db(error) | Self::Commit(error) => code(error).is_some_and(|code| RETRYABLE.contains(&code.as_str())),
            Self::Store(_) => false,
        }
    }

    /// Classifies the error of a statement that commits by itself. If the database rejected the statement, nothing was
    /// changed; any other error may have come after the commit.
    pub(crate) fn of_single_statement(error: DbErr) -> Self {
        let refused = match &error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
            _ => code(&error).is_some_and(|code| !may_follow_a_commit(&code)),
        };
        if refused { Self::Db(error) } else { Self::Commit(error) }
    }
}

/// True for PostgreSQL's codes for shutdown (57P), system errors (58) and internal errors (XX), and for SQLITE_IOERR.
fn may_follow_a_commit(code: &str) -> bool {
    let sqlite_io_error = code.parse::<u32>().is_ok_and(|number| code.len() != 5 && number & 0xff == 10);
    sqlite_io_error || ["57P", "58", "XX"].iter().any(|class| code.len() == 5 && code.starts_with(class))
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        if is_missing_table(&error) {
            return Self::NotMigrated;
        }
        if error.sql_err().is_some() {
            return Self::Conflict(error.to_string());
        }
        match &error {
            DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => Self::Corrupt(error.to_string()),
            DbErr::Query(RuntimeErr::SqlxError(inner)) => match inner.as_ref() {
                sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Corrupt(error.to_string()),
                _ => Self::Unavailable(error.to_string()),
            },
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// True if the database itself reported the error, rather than the connection to it.
pub(crate) fn is_reported_by_database(error: &DbErr) -> bool {
    code(error).is_some()
}

/// The database's own code: five characters on PostgreSQL, a number on SQLite.
fn code(error: &DbErr) -> Option<String> {
    let (DbErr::Exec(RuntimeErr::SqlxError(inner)) | DbErr::Query(RuntimeErr::SqlxError(inner))) = error else {
        return None;
    };
    inner.as_database_error()?.code().map(|code| code.into_owned())
}

pub(crate) fn is_missing_table(error: &DbErr) -> bool {
    match code(error).as_deref() {
        Some("42P01") => true,
        // SQLite has no separate code for this.
        Some("1") => error.to_string().contains("no such table"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failures_that_may_follow_a_commit_leave_the_outcome_unknown() {
        for code in ["57P01", "58030", "XX000", "10", "266", "1034"] {
            assert!(may_follow_a_commit(code), "{code}");
        }
        for code in ["23505", "40P01", "55P03", "5", "19", "2067", "1555", "13"] {
            assert!(!may_follow_a_commit(code), "{code}");
        }
    }

    #[test]
    fn a_lost_connection_leaves_the_outcome_of_a_single_statement_unknown() {
        let cut = sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
        let fault = Fault::of_single_statement(DbErr::Query(RuntimeErr::SqlxError(cut.into())));
        assert!(matches!(StoreError::from(fault), StoreError::OutcomeUnknown(_)));
    }
}
