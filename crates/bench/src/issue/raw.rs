//! Durable one-row commits of a refresh's own update, without Ficha.

use std::path::PathBuf;

use uuid::Uuid;

use super::Bench;
use crate::Outcome;
use crate::child::ServerProcess;
use crate::limits;

/// The numbers of PostgreSQL connections that are tried.
const CONNECTIONS: [u32; 4] = [4, 8, 16, 32];

/// The database, and the rows to update.
pub struct RawCommits<'a> {
    bench: &'a Bench,
    database: Database,
    ids: Vec<Uuid>,
}

enum Database {
    /// A copy of the store's file.
    Sqlite(PathBuf),
    /// The store's own database, with the number of connections that gave the highest rate.
    Postgres { url: String, connections: u32 },
}

impl<'a> RawCommits<'a> {
    /// Stores some sessions, and on PostgreSQL finds the best number of connections. No server may be running.
    pub async fn prepare(bench: &'a Bench) -> Outcome<Self> {
        let server = ServerProcess::start(&bench.setup.serve(4, 256)).await?;
        bench.setup.log_in(&server, 256).await?;
        server.stop().await?;
        let store = bench.setup.store().await?;
        let ids: Vec<_> =
            store.list_sessions(&Default::default(), None, 256).await?.into_iter().map(|session| session.id).collect();
        store.close().await;
        let database = match &bench.options.postgres {
            None => {
                let copy = bench.setup.folder.path().join("raw.db");
                std::fs::copy(bench.setup.folder.path().join("ficha.db"), &copy)?;
                Database::Sqlite(copy)
            }
            Some(url) => {
                let (mut best, mut connections) = (0.0, 0);
                for tried in CONNECTIONS {
                    let rate = limits::postgres_commits(url, &ids, tried, bench.options.length() / 2).await?;
                    if rate > best {
                        (best, connections) = (rate, tried);
                    }
                }
                Database::Postgres { url: url.clone(), connections }
            }
        };
        Ok(Self { bench, database, ids })
    }

    /// Commits for half the length of a load.
    pub async fn per_second(&self) -> Outcome<f64> {
        let length = self.bench.options.length() / 2;
        match &self.database {
            Database::Sqlite(copy) => limits::sqlite_commits(copy, &self.ids, length),
            Database::Postgres { url, connections } => {
                limits::postgres_commits(url, &self.ids, *connections, length).await
            }
        }
    }
}
