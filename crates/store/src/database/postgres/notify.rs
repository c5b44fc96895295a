//! PostgreSQL's LISTEN and NOTIFY.

use sea_orm::sqlx::postgres::PgListener;
use sea_orm::{ConnectionTrait, sqlx};

use crate::database::postgres;
use crate::{DatabaseKind, Result, Store, StoreError};

/// The channel shared by all Ficha servers on one database.
const CHANNEL: &str = "ficha";

/// Notifies all of them. Inside a transaction it is sent on commit.
pub(crate) const NOTIFY: &str = "NOTIFY ficha";

/// Is notified of commits that a running server must look at. It holds a connection of its own.
#[derive(Debug)]
pub struct Listener {
    inner: PgListener,
}

impl Listener {
    /// Returns after the next notification, or after the connection was lost and restored: read the head in either
    /// case.
    ///
    /// After an error, wait a little and call it again: it reconnects.
    pub async fn next(&mut self) -> Result<()> {
        self.inner.try_recv().await.map(drop).map_err(unavailable)
    }
}

impl Store {
    /// Starts listening on a separate connection. `None` on SQLite, which has no notifications.
    ///
    /// A connection pooler in between may swallow notifications: send one with [`Store::notify_self`] and check whether
    /// it arrives.
    pub async fn listen(&self) -> Result<Option<Listener>> {
        let Some(target) = self.postgres_target() else {
            return Ok(None);
        };
        let pool = postgres::open_listener(&target, self.options()).await?;
        let mut inner = PgListener::connect_with(&pool).await.map_err(unavailable)?;
        inner.listen(CHANNEL).await.map_err(unavailable)?;
        Ok(Some(Listener { inner }))
    }

    /// Sends a notification to every listener, including this server's own. Does nothing on SQLite.
    pub async fn notify_self(&self) -> Result<()> {
        if self.kind() == DatabaseKind::Postgres {
            self.reader().execute_unprepared(NOTIFY).await?;
        }
        Ok(())
    }
}

fn unavailable(error: sqlx::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}
