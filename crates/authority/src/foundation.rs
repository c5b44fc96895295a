//! What an authority and the administrator's commands are built on.

use std::sync::Arc;

use ficha_password::{Hashing, HashingSettings};
use ficha_store::Store;
use ficha_token::{Clock, Entropy};

use crate::error::StartError;
use crate::keys::master_key::MasterKeySource;
use crate::settings::Settings;

/// What an authority is built on.
#[derive(Clone)]
pub struct Foundation {
    /// The settings, checked.
    pub settings: Arc<Settings>,
    /// The database, migrated.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
    /// Where the master key is.
    pub master_key: MasterKeySource,
}

/// Starts the threads that hash passwords.
pub(crate) fn start_hashing(settings: &Settings) -> Result<Hashing, StartError> {
    let password = &settings.password;
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    Hashing::start(HashingSettings {
        threads: password.threads.map_or(cores, |threads| threads.get()),
        lanes: 4,
        max_queue: password.max_queue,
        max_per_source: password.max_queue_per_source,
        max_stored_cost: password.max_stored_cost,
    })
    .map_err(StartError::Threads)
}
