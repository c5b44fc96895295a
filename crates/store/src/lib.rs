//! The only crate that knows sea-orm and SQL.
//!
//! [`Store`] is one concrete type for both databases: the URL chooses. Plain [records](UserRecord) cross out of it; rows
//! don't. Time is handed in, in Unix seconds. `transaction.rs` says in which order locks are taken.
#![forbid(unsafe_code)]

mod bootstrap;
mod clients;
mod database;
mod denylist;
mod error;
mod events;
mod keys;
mod records;
mod rows;
mod sessions;
#[cfg(feature = "testing")]
pub mod testing;
mod users;

pub use bootstrap::{Bootstrap, BootstrapOutcome};
pub use database::health::Writes;
pub use database::heartbeat::{BeatTime, Heartbeat, LastBeat};
pub use database::postgres::notify::Listener;
pub use database::{DatabaseKind, Store, StoreOptions};
pub use error::StoreError;
pub use records::*;
pub use sessions::SessionFilter;
pub use sessions::revoke::{Revocation, RevokedBatch};

type Result<T, E = StoreError> = std::result::Result<T, E>;
