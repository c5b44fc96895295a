//! `/console`: what administrators see and change.

pub mod audit;
pub mod clients;
pub mod happened;
pub mod jobs;
pub mod keys;
pub mod overview;
mod plot;
pub mod receipt;
pub mod receipt_stream;
pub mod revoke_many;
pub mod row;
pub mod scopes;
pub mod services;
pub mod session;
pub mod sessions;
mod steps;
pub mod users;
