//! Only the primary may answer: a standby that took its place behind the same name lags, and what it does not know yet
//! has been revoked all the same.
//!
//! A connection is refused when it is opened ([`require`]). A server that is in recovery at one time can't have been the
//! primary before, but a database can become read-only at any time, so each head says both again.

use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{self, Row};
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr};

/// What a connection is not good enough for.
const ABOUT: &str = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on', \
                     current_setting('server_encoding')";

/// In recovery, the functions of the write-ahead log raise an error, so its timeline is read only on a primary.
pub(crate) const HISTORY: &str = "pg_is_in_recovery() AS standby, \
                                  current_setting('transaction_read_only') = 'on' AS read_only, \
                                  (SELECT system_identifier FROM pg_control_system()) AS system, \
                                  CASE WHEN pg_is_in_recovery() THEN NULL \
                                  ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END AS timeline";

/// Why a server is not the primary; `None` if it is.
pub(crate) fn refusal(standby: bool, read_only: bool) -> Option<&'static str> {
    if standby {
        Some("it is a standby (in recovery), which may lag behind the primary")
    } else if read_only {
        Some("it is read-only (default_transaction_read_only)")
    } else {
        None
    }
}

/// An error unless a new connection is to a primary whose text is UTF-8.
pub(crate) async fn require(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let about = sqlx::query(ABOUT).fetch_one(connection).await?;
    let encoding: String = about.try_get(2)?;
    if encoding != "UTF8" {
        let why = format!("its encoding is {encoding}; create the database with ENCODING 'UTF8'");
        return Err(sqlx::Error::Configuration(why.into()));
    }
    match refusal(about.try_get(0)?, about.try_get(1)?) {
        Some(why) => Err(sqlx::Error::Configuration(why.into())),
        None => Ok(()),
    }
}

/// Why the last connection could not be opened. sqlx tries again until its time limit and then says only that.
#[derive(Clone, Default)]
pub(crate) struct LastRefusal(Arc<Mutex<Option<String>>>);

impl LastRefusal {
    pub(crate) fn note(&self, outcome: &Result<(), sqlx::Error>) {
        let why = outcome.as_ref().err().map(|error| match error {
            // Without sqlx's words before it.
            sqlx::Error::Configuration(why) => why.to_string(),
            error => error.to_string(),
        });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Says why no connection could be opened, if the error says only that it took too long.
    pub(crate) fn explain(&self, error: DbErr) -> DbErr {
        match (&error, self.get()) {
            (DbErr::ConnectionAcquire(ConnAcquireErr::Timeout), Some(why)) => DbErr::Conn(RuntimeErr::Internal(why)),
            (DbErr::Conn(RuntimeErr::SqlxError(inner)), Some(why))
                if matches!(inner.as_ref(), sqlx::Error::PoolTimedOut) =>
            {
                DbErr::Conn(RuntimeErr::Internal(why))
            }
            _ => error,
        }
    }

    pub(crate) fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
