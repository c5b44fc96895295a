//! The only crate that knows sea-orm and SQL.
//!
//! [`Store`] is one concrete type for both databases; the URL decides which one is used. It takes and returns plain
//! [records](UserRecord), never rows. Callers pass in the time, in Unix seconds. `transaction.rs` has the lock order.
#![forbid(unsafe_code)]

mod bootstrap;
mod clients;
mod database;
mod denylist;
mod error;
mod events;
mod followers;
mod idempotency;
mod jobs;
mod keys;
mod overview;
mod own_clients;
mod records;
mod rows;
mod sessions;
#[cfg(feature = "testing")]
pub mod testing;
mod users;

pub use bootstrap::{Bootstrap, BootstrapOutcome};
pub use clients::secrets::SecretUse;
pub use database::health::Writes;
pub use database::heartbeat::{BeatTime, Beating, Heartbeat, LastBeat, Neighbour};
pub use database::postgres::notify::Listener;
pub use database::{DatabaseKind, PostgresFacts, Store, StoreOptions};
pub use denylist::carry_over::CarriedOver;
pub use error::StoreError;
pub use events::ended_by::EndedBy;
pub use events::read::EventFilter;
pub use followers::{Answer, FollowerRecord, Question};
pub use idempotency::{BoundTo, IdempotencyKey};
pub use keys::purge::NewKeys;
pub use overview::Activity;
pub use own_clients::OwnClients;
pub use records::*;
pub use sessions::SessionFilter;
pub use sessions::live::SessionState;
pub use sessions::revoke::{Revocation, RevokedBatch, Target};
pub use sessions::scan::{Candidate, Direction, FitState, SessionFit, SessionRange};
pub use users::update::NewHash;

type Result<T, E = StoreError> = std::result::Result<T, E>;
