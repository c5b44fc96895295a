//! Opening what the configuration names: the database, its clock, and the administrator's rules over them.

use std::path::Path;
use std::sync::Arc;

use ficha_authority::{Admin, AdminError, DatabaseClock, Foundation, IssuerClock, Store, StoreOptions};
use ficha_token::{SystemClock, SystemEntropy};

use crate::config::Configuration;
use crate::error::CliError;

/// Who did it, in the audit log.
pub const ACTOR: &str = "cli";

/// `keys.master_key_file` unless it is set: the first start makes that file.
const MASTER_KEY_FILE: &str = "data/master.key";

/// How many rows a list reads at a time.
const PAGE: u64 = 500;

/// What a command does about a database that holds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Empty {
    /// It adds something, so it makes the tables: that may come before the first start.
    Make,
    /// It can only find nothing: most likely it looks in the wrong place.
    Refuse,
}

/// A command's rules, and what it shows times and states by.
pub struct AdminContext {
    /// The rules.
    pub admin: Admin,
    /// What they stand on.
    pub base: Foundation,
}

impl AdminContext {
    /// The database's time, in seconds.
    pub fn now(&self) -> i64 {
        self.base.clock.unix_now()
    }
}

/// Opens the database that the configuration names. It is made if it is not there.
pub async fn connect(configuration: &Configuration) -> Result<Store, CliError> {
    connect_for(configuration, false).await
}

/// The same; `first_start` says that an empty database is to be begun anew, whatever lies beside it.
pub async fn connect_for(configuration: &Configuration, first_start: bool) -> Result<Store, CliError> {
    let url = configuration.store_url.expose();
    if let Some(path) = sqlite_path(url).filter(|_| !first_start) {
        // Before anything is made there.
        let is_empty = |path: &str| std::fs::metadata(path).map_or(true, |file| file.len() == 0);
        // Of a log that lies there alone the store has more to say.
        if is_empty(&path) && is_empty(&format!("{path}-wal")) && has_usual_master_key(configuration) {
            return Err(lost_database(&path, configuration));
        }
    }
    let options = StoreOptions { first_start, ..StoreOptions::default() };
    Store::connect_with(url, options).await.map_err(CliError::CantOpen)
}

/// A SQLite database that has had no first start, beside the master key that one made there, has most likely been lost,
/// moved or damaged: another would make a new administrator, and forget every revocation.
pub async fn refuse_a_lost_database(configuration: &Configuration, store: &Store) -> Result<(), CliError> {
    let Some(path) = sqlite_path(configuration.store_url.expose()) else { return Ok(()) };
    // Before the first start there may be users, but no keys.
    if has_usual_master_key(configuration) && store.sealed_keys().await?.is_empty() && !store.is_bootstrapped().await? {
        return Err(lost_database(&path, configuration));
    }
    Ok(())
}

/// True if the master key is where a first start makes it. Elsewhere somebody has put it there, perhaps for a first start.
fn has_usual_master_key(configuration: &Configuration) -> bool {
    let source = &configuration.master_key;
    source.key.is_none() && source.file == Path::new(MASTER_KEY_FILE) && source.file.exists()
}

fn lost_database(path: &str, configuration: &Configuration) -> CliError {
    CliError::LostDatabase { database: path.to_owned(), key: configuration.master_key.file.clone() }
}

/// What the rules stand on. The clock is apart, for whoever keeps it right.
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

/// Opens the rules for a command that works beside a running server, or before the first start.
pub async fn open(configuration: &Configuration, empty: Empty) -> Result<AdminContext, CliError> {
    crate::logging::warnings_only(&configuration.log);
    let url = configuration.store_url.expose();
    if empty == Empty::Refuse
        && let Some(path) = sqlite_path(url)
        && !Path::new(&path).exists()
    {
        // Opening would make the file.
        return Err(CliError::NothingThere(path));
    }
    let store = connect(configuration).await?;
    if store.is_empty_database().await? {
        match empty {
            Empty::Make => drop(store.migrate().await?),
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
    // A clock that is ahead of what the server has written down would take live tokens for expired, and revoke nothing.
    let clock = Arc::new(IssuerClock::start(clock, &base.store).await);
    let base = Foundation { clock: clock.clone(), ..base };
    Ok(AdminContext { admin: Admin::open(base.clone())?.doubting(&clock), base })
}

/// Reads a list page by page to its end. `page` is told the last item so far, and how many to read.
pub async fn all_pages<T>(
    page: impl AsyncFn(Option<&T>, u64) -> Result<Vec<T>, AdminError>,
) -> Result<Vec<T>, AdminError> {
    let mut all = Vec::new();
    loop {
        let next = page(all.last(), PAGE).await?;
        let is_last = (next.len() as u64) < PAGE;
        all.extend(next);
        if is_last {
            return Ok(all);
        }
    }
}

fn sqlite_path(url: &str) -> Option<String> {
    Store::sqlite_file(url).map(|path| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_list_is_read_to_its_end() {
        for length in [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE] {
            let read = all_pages(async |last: Option<&u64>, limit| {
                let from = last.map_or(0, |last| last + 1);
                Ok((from..length.min(from + limit)).collect())
            });
            assert_eq!(read.await.unwrap(), (0..length).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_sqlite_url_names_a_file() {
        assert_eq!(sqlite_path("sqlite://data/ficha.db?mode=rwc"), Some("data/ficha.db".to_owned()));
        assert_eq!(sqlite_path("sqlite:///var/lib/ficha.db"), Some("/var/lib/ficha.db".to_owned()));
        assert_eq!(sqlite_path("sqlite://my%20data/ficha.db"), Some("my data/ficha.db".to_owned()));
        assert_eq!(sqlite_path("postgres://db/ficha"), None);
    }
}
