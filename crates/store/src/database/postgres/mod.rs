//! PostgreSQL: one pool for everything, and a separate connection for LISTEN.

mod diagnosis;
pub(crate) mod notify;
mod pooler;
pub(crate) mod primary;
pub(crate) mod url;

pub(crate) use diagnosis::diagnose;

use std::time::Duration;

use sea_orm::sqlx::pool::PoolConnectionMetadata;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sea_orm::sqlx::{self, ConnectOptions, Connection, Executor};

use crate::database::health::Condemned;
use crate::database::postgres::primary::LastRefusal;
use crate::{Result, StoreError, StoreOptions};

/// Settings of every connection.
///
/// Numbering the denylist relies on each statement seeing what was committed before it, so the isolation level is set.
/// A server that is paused in a transaction holds the lock on the denylist's counter: the database ends such a
/// transaction after 10 s.
const SETUP: &str = "SET default_transaction_isolation = 'read committed'; SET lock_timeout = '5s'; \
                     SET statement_timeout = '8s'; \
                     SET idle_in_transaction_session_timeout = '10s'; \
                     SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') \
                     WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)";

/// A connection that was idle for longer is pinged before it is used.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// For how long a connection may be idle, and how old it may get.
const LONGEST_IDLE: Duration = Duration::from_secs(600);
const LONGEST_LIFE: Duration = Duration::from_secs(1_800);

/// Reads a `postgres://` URL. Its `sslmode` says whether TLS is used and how the server is verified.
pub(crate) fn parse(url: &str) -> Result<PgConnectOptions> {
    let target = url::read(url)?;
    Ok(target.application_name("ficha").disable_statement_logging())
}

/// Opens a pool and checks that the database answers.
pub(crate) async fn open(
    target: &PgConnectOptions,
    options: &StoreOptions,
    condemned: &Condemned,
    last: &LastRefusal,
) -> Result<PgPool> {
    if pooler::shares_connections(target, options.acquire_timeout).await {
        return Err(StoreError::CantOpen { what: name(target), why: pooler::REFUSED.into() });
    }
    let opened = pool(options.connections, options, condemned, last).connect_with(target.clone()).await;
    match opened {
        Ok(pool) => Ok(pool),
        Err(error) => Err(StoreError::CantOpen { what: name(target), why: cause(target, last, error).await }),
    }
}

/// A pool of one connection for a listener: it does not count against the others, and is never closed for being idle.
pub(crate) async fn open_listener(target: &PgConnectOptions, options: &StoreOptions) -> Result<PgPool> {
    let last = LastRefusal::default();
    let pool = pool(1, options, &Condemned::default(), &last);
    match pool.connect_with(target.clone()).await {
        Ok(pool) => Ok(pool),
        Err(error) => Err(StoreError::Unavailable(cause(target, &last, error).await)),
    }
}

/// A separate connection for what sea-orm must do itself. Close it afterwards.
pub(crate) async fn open_separate(target: &PgConnectOptions, options: &StoreOptions) -> Result<PgPool> {
    let last = LastRefusal::default();
    let pool = pool(1, options, &Condemned::default(), &last);
    match pool.connect_with(target.clone()).await {
        Ok(pool) => Ok(pool),
        Err(error) => Err(StoreError::Unavailable(cause(target, &last, error).await)),
    }
}

/// What is wrong with the database, if sqlx says only that it took too long.
async fn cause(target: &PgConnectOptions, last: &LastRefusal, error: sqlx::Error) -> String {
    match (error, last.get()) {
        (sqlx::Error::PoolTimedOut, Some(why)) => why,
        (sqlx::Error::PoolTimedOut, None) => diagnose(target).await,
        (sqlx::Error::Database(error), _) => error.message().to_owned(),
        (error, _) => error.to_string(),
    }
}

fn pool(connections: u32, options: &StoreOptions, condemned: &Condemned, last: &LastRefusal) -> PgPoolOptions {
    let (condemned, last) = (condemned.clone(), last.clone());
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(options.acquire_timeout)
        // Without these two, sqlx starts no maintenance task. That task trusts a count that may be below zero for a moment
        // while a connection is returned, and then runs for ever without a pause: on the one thread that the database's
        // connections belong to, it would stop the server. `is_old` has the limits instead.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let last = last.clone();
            Box::pin(async move {
                connection.execute(SETUP).await?;
                let outcome = primary::require(connection).await;
                last.note(&outcome);
                outcome
            })
        })
        .before_acquire(move |connection, metadata| {
            let usable = !condemned.contains(&metadata) && !is_old(&metadata) && !connection.is_in_transaction();
            Box::pin(async move {
                if !usable {
                    return Ok(false);
                }
                if metadata.idle_for >= TRUSTED_FOR {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
}

/// True if a connection is closed instead of being used again. A firewall may have dropped one that was idle for long,
/// and a process of PostgreSQL keeps what it has cached.
fn is_old(connection: &PoolConnectionMetadata) -> bool {
    connection.idle_for >= LONGEST_IDLE || connection.age >= LONGEST_LIFE
}

/// The database as shown in error messages.
fn name(target: &PgConnectOptions) -> String {
    let database = target.get_database().unwrap_or(target.get_username());
    format!("postgres://{}:{}/{database}", target.get_host(), target.get_port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pool_starts_a_maintenance_task() {
        let pool = pool(16, &StoreOptions::default(), &Condemned::default(), &LastRefusal::default());
        assert_eq!((pool.get_idle_timeout(), pool.get_max_lifetime(), pool.get_min_connections()), (None, None, 0));
    }
}
