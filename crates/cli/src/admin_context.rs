//! Opens the configured database, its clock, and the administrator's operations on them.

use std::path::Path;
use std::sync::Arc;

use ficha_authority::{Actor, Admin, DatabaseClock, Foundation, IssuerClock, Store, StoreOptions};
use ficha_token::{SystemClock, SystemEntropy};

use crate::config::Configuration;
use crate::error::CliError;

/// Who runs this command: the account of the operating system, for the event log.
pub fn actor() -> Actor {
    Actor::command_line(&whoami::username().unwrap_or_else(|_| "unknown".into()))
}

/// The default of `keys.master_key_file`; the first start creates that file.
const MASTER_KEY_FILE: &str = "data/master.key";

/// What a command does about an empty database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Empty {
    /// Create the tables: the command adds something, which is allowed before the first start.
    Create,
    /// Refuse: the command would find nothing, and most likely the configuration names the wrong database.
    Refuse,
}

/// What a command works with.
pub struct AdminContext {
    /// The administrator's operations.
    pub admin: Admin,
    /// Settings, database and clock below them.
    pub base: Foundation,
}

impl AdminContext {
    /// The database's time, in seconds.
    pub fn now(&self) -> i64 {
        self.base.clock.unix_now()
    }
}

/// How many connections to PostgreSQL a command opens.
const CONNECTIONS: u32 = 2;

/// Opens the configured database for a command, and creates it if it does not exist.
pub async fn connect(configuration: &Configuration) -> Result<Store, CliError> {
    connect_with(configuration, StoreOptions { connections: CONNECTIONS, ..StoreOptions::default() }).await
}

/// Opens the configured database, which must be there: opening a SQLite file that is not would create it.
pub async fn connect_to_existing(configuration: &Configuration) -> Result<Store, CliError> {
    match sqlite_path(configuration.store_url.expose()).filter(|path| is_missing(path)) {
        Some(missing) => Err(CliError::NothingThere(missing)),
        None => connect(configuration).await,
    }
}

/// False as well if nobody may look whether it is there: opening it then says so.
fn is_missing(path: &str) -> bool {
    Path::new(path).try_exists().is_ok_and(|is_there| !is_there)
}

/// Opens it for the server. With `first_start`, an empty database is used even if the files of another one are next to
/// it.
pub async fn connect_for_server(configuration: &Configuration, first_start: bool) -> Result<Store, CliError> {
    let connections = configuration.store_connections;
    connect_with(configuration, StoreOptions { connections, first_start, ..StoreOptions::default() }).await
}

async fn connect_with(configuration: &Configuration, options: StoreOptions) -> Result<Store, CliError> {
    let url = configuration.store_url.expose();
    if let Some(path) = sqlite_path(url).filter(|_| !options.first_start) {
        // This must come before connecting, which creates the file.
        let is_empty = |path: &str| std::fs::metadata(path).map_or(true, |file| file.len() == 0);
        // If only a write-ahead log is there, the store's own error says more.
        if is_empty(&path) && is_empty(&format!("{path}-wal")) && has_usual_master_key(configuration) {
            return Err(lost_database(&path, configuration));
        }
    }
    Store::connect_with(url, options).await.map_err(CliError::CantOpen)
}

/// Refuses a SQLite database without a first start next to a master key that a first start created.
///
/// Most likely the database was lost, moved or damaged. Another first start would create a new administrator, and no
/// revocation would be known any more.
pub async fn refuse_a_lost_database(configuration: &Configuration, store: &Store) -> Result<(), CliError> {
    let Some(path) = sqlite_path(configuration.store_url.expose()) else { return Ok(()) };
    // Before the first start there may be users, but no keys.
    if has_usual_master_key(configuration) && store.sealed_keys().await?.is_empty() && !store.is_bootstrapped().await? {
        return Err(lost_database(&path, configuration));
    }
    Ok(())
}

/// True if the master key is where a first start creates it. A key elsewhere may have been provided for a first start.
fn has_usual_master_key(configuration: &Configuration) -> bool {
    let source = &configuration.master_key;
    source.key.is_none() && source.file == Path::new(MASTER_KEY_FILE) && source.file.exists()
}

fn lost_database(path: &str, configuration: &Configuration) -> CliError {
    CliError::LostDatabase { database: path.to_owned(), key: configuration.master_key.file.clone() }
}

/// Settings, database and clock. The clock is also returned by itself, for the task that keeps measuring it.
pub async fn foundation(
    configuration: &Configuration,
    store: Store,
) -> Result<(Foundation, Arc<DatabaseClock>), CliError> {
    let clock = Arc::new(DatabaseClock::measure(Arc::new(SystemClock), &store).await?);
    let base = Foundation {
        settings: Arc::new(configuration.settings.clone()),
        store,
        clock: clock.clone(),
        entropy: Arc::new(SystemEntropy),
        master_key: configuration.master_key.clone(),
    };
    Ok((base, clock))
}

/// Opens the database for a command that runs while a server is running, or before the first start.
pub async fn open(configuration: &Configuration, empty: Empty) -> Result<AdminContext, CliError> {
    crate::logging::warnings_only(&configuration.log);
    let url = configuration.store_url.expose();
    let store = match empty {
        Empty::Create => connect(configuration).await?,
        Empty::Refuse => connect_to_existing(configuration).await?,
    };
    if store.is_empty_database().await? {
        match empty {
            Empty::Create => {
                drop(store.migrate().await?);
                let name = sqlite_path(url).unwrap_or_else(|| "that store.url names".into());
                crate::output::note(&format!("the database {name} was empty, and is a new one now"));
            }
            Empty::Refuse => {
                let name = sqlite_path(url).unwrap_or_else(|| "that store.url names".into());
                return Err(CliError::NothingThere(name));
            }
        }
    }
    match store.pending_migrations().await?.len() {
        0 => {}
        steps => return Err(CliError::Behind(steps)),
    }
    let (base, clock) = foundation(configuration, store).await?;
    // If the clock were ahead of the time that the server has recorded, live tokens would look expired and would not be
    // revoked.
    let clock = Arc::new(IssuerClock::start(clock, &base.store).await);
    let base = Foundation { clock: clock.clone(), ..base };
    Ok(AdminContext { admin: Admin::open(base.clone())?.doubting(&clock), base })
}

fn sqlite_path(url: &str) -> Option<String> {
    Store::sqlite_file(url).map(|path| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sqlite_url_names_a_file() {
        assert_eq!(sqlite_path("sqlite://data/ficha.db?mode=rwc"), Some("data/ficha.db".to_owned()));
        assert_eq!(sqlite_path("sqlite:///var/lib/ficha.db"), Some("/var/lib/ficha.db".to_owned()));
        assert_eq!(sqlite_path("sqlite://my%20data/ficha.db"), Some("my data/ficha.db".to_owned()));
        assert_eq!(sqlite_path("postgres://db/ficha"), None);
    }
}
