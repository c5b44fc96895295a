//! A PostgreSQL database for one test.

use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, ConnectOptions, Connection, Executor};
use tokio::sync::OnceCell;

use super::cluster;
use crate::Store;

/// A database with a random name. It is dropped with this.
#[derive(Debug)]
pub(super) struct Database {
    server: String,
    name: String,
}

impl Database {
    /// A database with the whole schema. On our own cluster it is a copy of one that was migrated once in this process.
    pub(super) async fn migrated() -> Option<Self> {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let server = server()?;
        if is_external() {
            // That server outlives this process, and nothing would remove a template from it.
            let database = Self::empty().await?;
            migrate(&database.url()).await;
            return Some(database);
        }
        let template = TEMPLATE.get_or_init(|| make_template(server)).await;
        Some(Self::create(server, &format!("TEMPLATE {template}")).await)
    }

    /// A migrated database on a cluster of the test's own.
    pub(super) async fn on(cluster: &cluster::Cluster) -> Self {
        let database = Self::create(&cluster.url, "TEMPLATE template0").await;
        migrate(&database.url()).await;
        database
    }

    /// An empty database.
    pub(super) async fn empty() -> Option<Self> {
        Some(Self::create(server()?, "TEMPLATE template0").await)
    }

    async fn create(server: &str, from: &str) -> Self {
        let name = unused_name("test");
        run(server, format!("CREATE DATABASE {name} {from}")).await;
        Self { server: server.to_owned(), name }
    }

    pub(super) fn url(&self) -> String {
        url(&self.server, &self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // On a separate thread: the test's runtime is busy running this, and may be shutting down.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let dropped = run(&server, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
            runtime.block_on(dropped);
        });
        // If the cluster is gone, so is the database.
        let _ = dropping.join();
    }
}

/// The URL of a server to use instead of a cluster of our own.
const EXTERNAL: &str = "FICHA_TEST_POSTGRES_URL";

fn is_external() -> bool {
    std::env::var_os(EXTERNAL).is_some()
}

/// The server's URL; `None`, with a message the first time, if there is none.
fn server() -> Option<&'static str> {
    static SERVER: OnceLock<Result<String, String>> = OnceLock::new();
    let server = SERVER.get_or_init(|| match std::env::var(EXTERNAL) {
        Ok(url) => Ok(url),
        Err(_) => cluster::shared().inspect_err(|why| {
            // Directly to the stream: the test harness captures what passing tests print.
            let _ = writeln!(std::io::stderr(), "PostgreSQL is not available ({why}): tests on PostgreSQL are skipped");
        }),
    });
    match server {
        Ok(url) => Some(url),
        Err(why) if std::env::var("FICHA_TEST_REQUIRE").is_ok_and(|what| what == "all") => {
            panic!("FICHA_TEST_REQUIRE=all, but PostgreSQL is not available: {why}")
        }
        Err(_) => None,
    }
}

async fn make_template(server: &str) -> String {
    let name = unused_name("template");
    run(server, format!("CREATE DATABASE {name} TEMPLATE template0")).await;
    migrate(&url(server, &name)).await;
    name
}

async fn migrate(url: &str) {
    let store = Store::connect(url).await.expect("a new database can be opened");
    store.migrate().await.expect("a new database can be migrated");
    // A template can only be copied while it has no connections.
    store.close().await;
}

/// Unused, since it contains the process id, a count and a random number: databases of killed processes remain on an
/// external server.
fn unused_name(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mut random = [0; 4];
    ficha_token::Entropy::fill(&ficha_token::SystemEntropy, &mut random);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("ficha_{what}_{}_{count}_{:08x}", std::process::id(), u32::from_le_bytes(random))
}

async fn run(server: &str, sql: String) {
    let options: PgConnectOptions = server.parse().expect("FICHA_TEST_POSTGRES_URL is a URL");
    let mut connection: PgConnection =
        options.disable_statement_logging().connect().await.expect("the test server answers");
    // PostgreSQL sometimes refuses to copy a template while another copy is being made. A later attempt succeeds.
    for attempt in 0.. {
        match connection.execute(sqlx::AssertSqlSafe(sql.clone())).await {
            Ok(_) => break,
            Err(error) if attempt < 50 && error.to_string().contains("being accessed by other users") => {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{sql}: {error}"),
        }
    }
    let _ = connection.close().await;
}

/// `server` with another database.
fn url(server: &str, database: &str) -> String {
    let (before, parameters) = server.split_once('?').map_or((server, ""), |(before, after)| (before, after));
    let authority = before.find("://").map_or(0, |at| at + 3);
    let host_end = before[authority..].find('/').map_or(before.len(), |at| authority + at);
    let parameters = if parameters.is_empty() { String::new() } else { format!("?{parameters}") };
    format!("{}/{database}{parameters}", &before[..host_end])
}

#[cfg(test)]
mod tests {
    use super::url;

    #[test]
    fn another_database_keeps_host_and_parameters() {
        assert_eq!(url("postgres://u:p@h:1/db?sslmode=disable", "x"), "postgres://u:p@h:1/x?sslmode=disable");
        assert_eq!(url("postgres://u@h", "x"), "postgres://u@h/x");
    }
}
