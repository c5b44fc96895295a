//! A pooler in transaction mode gives each transaction another connection of its own. What a connection sets is then lost
//! or set for others: isolation, time limits and durability, on which the numbers of the denylist rest.

use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, ConnectOptions, Connection, Row};

/// Why such a pooler is refused.
pub(crate) const REFUSED: &str = "it is behind a pooler in transaction mode, which loses the settings of each connection; \
                                  use session mode (pool_mode = session), or connect directly";

/// True if connections to `target` are seen to share the database's connections. Any other failure is left to whoever
/// connects next, and reports it.
pub(crate) async fn shares_connections(target: &PgConnectOptions, within: Duration) -> bool {
    matches!(tokio::time::timeout(within, seen_to_share(target)).await, Ok(Ok(true)))
}

async fn seen_to_share(target: &PgConnectOptions) -> Result<bool, sqlx::Error> {
    let (mut one, mut other) = (target.connect().await?, target.connect().await?);
    let first = backend(&mut one).await?;
    // Between two transactions, its own connection would be idle.
    let of_other = backend(&mut other).await?;
    let again = backend(&mut one).await?;
    let _ = tokio::join!(one.close(), other.close());
    Ok(first == of_other || first != again)
}

/// The process that serves a connection. Without a prepared statement, which such a pooler would mix up.
async fn backend(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(connection).await?.try_get(0)
}
