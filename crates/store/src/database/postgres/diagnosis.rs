//! Why PostgreSQL can't be reached. The pool tries again while the server refuses connections or has too many of them,
//! and then says only that it took too long.

use std::time::Duration;

use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::{self, ConnectOptions, Connection};

/// A server that has not answered by then does not answer.
const LIMIT: Duration = Duration::from_secs(2);

/// Opens a connection outside of the pool and says what happened.
pub(crate) async fn diagnose(target: &PgConnectOptions) -> String {
    let at = format!("{}:{}", target.get_host(), target.get_port());
    match tokio::time::timeout(LIMIT, target.connect()).await {
        Err(_) => format!("{at} does not answer"),
        Ok(Err(sqlx::Error::Io(error))) => format!("{at} can't be reached: {error}"),
        Ok(Err(sqlx::Error::Database(error))) => format!("{at} refuses the connection: {}", error.message()),
        Ok(Err(error)) => format!("{at}: {error}"),
        Ok(Ok(connection)) => {
            let _ = tokio::time::timeout(LIMIT, connection.close()).await;
            format!("{at} can be reached, but no connection of the pool was free in time")
        }
    }
}
