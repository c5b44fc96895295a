//! PostgreSQL's LISTEN and NOTIFY.

use sea_orm::sqlx::postgres::PgListener;
use sea_orm::{ConnectionTrait, sqlx};

use crate::database::Target;
use crate::database::postgres;
use crate::{DatabaseKind, Result, Store, StoreError};

/// The channel of every Ficha server on one database.
const CHANNEL: &str = "ficha";

/// Tells all of them. Inside a transaction it is sent when that commits.
pub(crate) const NOTIFY: &str = "NOTIFY ficha";

/// Hears of commits that a running server must look at. It holds a connection of its own.
#[derive(Debug)]
pub struct Listener {
    inner: PgListener,
}

impl Listener {
    /// Returns after the next notification, or after the connection was lost and made again: look at the head either way.
    ///
    /// After an error, call it again: it reconnects. Wait a little first.
    pub async fn next(&mut self) -> Result<()> {
        self.inner.try_recv().await.map(drop).map_err(unavailable)
    }
}

impl Store {
    /// Starts to listen, on a connection of its own. `None` on SQLite, which has nothing to listen to.
    ///
    /// A pooler between here and the database may swallow notifications: send one with [`Store::notify_self`], and see
    /// whether it comes.
    pub async fn listen(&self) -> Result<Option<Listener>> {
        let Target::Postgres(target) = self.target() else {
            return Ok(None);
        };
        let pool = postgres::open_listener(target, self.options()).await?;
        let mut inner = PgListener::connect_with(&pool).await.map_err(unavailable)?;
        inner.listen(CHANNEL).await.map_err(unavailable)?;
        Ok(Some(Listener { inner }))
    }

    /// Sends a notification to every listener, this server's own among them. Does nothing on SQLite.
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
