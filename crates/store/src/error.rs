//! What can go wrong between Ficha and its database.

use sea_orm::{DbErr, RuntimeErr, sqlx};

/// Why the store could not do what it was asked.
///
/// No message holds a secret: neither a database's URL nor a bound value is ever part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The database did not answer, or refused. Nothing was changed.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The change conflicts with what is stored. Nothing was changed.
    #[error("{0}")]
    Conflict(String),
    /// A commit failed, or its answer was lost: the change may be there or not.
    #[error("the database did not say whether the change was committed: {0}")]
    OutcomeUnknown(String),
    /// A change that the database had acknowledged was not there when another connection looked.
    #[error("the database lost a change that it had acknowledged: {0}")]
    Lost(String),
    /// SQLite's file is not the one that was opened: what is written would never be read again.
    #[error("{0}")]
    Replaced(String),
    /// The tables are not there, or not all of them.
    #[error("the database is not migrated: run `ficha migrate`")]
    NotMigrated,
    /// A newer version of Ficha has changed the tables: this one does not know what they mean now.
    #[error(
        "the database was migrated by a newer version of ficha (migration {0}): run that version, or restore a backup from \
         before it"
    )]
    Newer(String),
    /// A stored row can't be read as what it should be.
    #[error("the database contains a value that can't be read: {0}")]
    Corrupt(String),
    /// The database can't be opened at all: a wrong URL, a folder that can't be made, a refused login.
    #[error("can't open the database {what}: {why}")]
    CantOpen {
        /// The database, without its password.
        what: String,
        /// The reason.
        why: String,
    },
}

impl StoreError {
    /// True if the database failed, and not what it was asked: it says so once for all who ask, when an outage begins.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::OutcomeUnknown(_) | Self::Lost(_) | Self::Replaced(_))
    }
}

/// PostgreSQL's codes for a transaction that lost against another and may simply be tried again.
const LOST_AGAINST_ANOTHER: [&str; 2] = ["40001", "40P01"];

/// What ends the body of a transaction early.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The database said so.
    Db(DbErr),
    /// We did.
    Store(StoreError),
    /// The commit did not succeed, as far as we know.
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
    /// True if the database rolled everything back because of another transaction: trying again is right.
    pub(crate) fn is_worth_retrying(&self) -> bool {
        match self {
            Self::Db(error) | Self::Commit(error) => {
                code(error).is_some_and(|code| LOST_AGAINST_ANOTHER.contains(&code.as_str()))
            }
            Self::Store(_) => false,
        }
    }

    /// What a failed statement that commits by itself left behind: a refusal by the database is one, and nothing was
    /// changed; anything else may have come after the commit.
    pub(crate) fn of_single_statement(error: DbErr) -> Self {
        let refused = match &error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
            _ => code(&error).is_some_and(|code| !may_follow_a_commit(&code)),
        };
        if refused { Self::Db(error) } else { Self::Commit(error) }
    }
}

/// PostgreSQL's classes of shutting down (57P), system errors (58) and internal ones (XX); SQLite's SQLITE_IOERR.
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

/// True if the database itself says what went wrong, rather than the way to it.
pub(crate) fn is_of_the_database(error: &DbErr) -> bool {
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
        // SQLite has no code of its own for it.
        Some("1") => error.to_string().contains("no such table"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failures_that_may_follow_a_commit_leave_the_outcome_open() {
        for code in ["57P01", "58030", "XX000", "10", "266", "1034"] {
            assert!(may_follow_a_commit(code), "{code}");
        }
        for code in ["23505", "40P01", "55P03", "5", "19", "2067", "1555", "13"] {
            assert!(!may_follow_a_commit(code), "{code}");
        }
    }

    #[test]
    fn a_lost_connection_leaves_the_outcome_of_a_single_statement_open() {
        let cut = sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
        let fault = Fault::of_single_statement(DbErr::Query(RuntimeErr::SqlxError(cut.into())));
        assert!(matches!(StoreError::from(fault), StoreError::OutcomeUnknown(_)));
    }
}
