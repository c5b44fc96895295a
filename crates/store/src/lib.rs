//! The only crate that knows sea-orm and SQL.
//!
//! [`Store`] is one concrete type for both databases: the URL chooses. Plain [records](UserRecord) cross out of it; rows
//! don't. Time is handed in, in Unix seconds. `transaction.rs` says in which order locks are taken.
#![forbid(unsafe_code)]

mod audit;
mod bootstrap;
mod client_revocation;
mod client_sessions;
mod clients;
mod connect;
mod database_file;
mod denylist;
mod ending;
mod error;
mod globals;
mod head;
mod health;
mod heartbeat;
mod insertion;
mod keys;
mod limited;
mod migrate;
mod notify;
mod postgres;
mod postgres_url;
mod purge;
mod records;
mod revocation;
mod rotation;
mod rows;
mod scopes;
mod sessions;
mod sqlite;
#[cfg(feature = "testing")]
pub mod testing;
mod throttle;
mod transaction;
mod user_changes;
mod users;
mod write_ahead_log;
mod write_connection;

pub use bootstrap::{Bootstrap, BootstrapOutcome};
pub use connect::{DatabaseKind, Store, StoreOptions};
pub use error::StoreError;
pub use health::Writes;
pub use heartbeat::{BeatTime, Heartbeat, LastBeat};
pub use notify::Listener;
pub use records::*;
pub use revocation::{Applied, Revocation};
pub use sessions::SessionFilter;

type Result<T, E = StoreError> = std::result::Result<T, E>;
