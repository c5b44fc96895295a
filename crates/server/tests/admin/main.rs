//! The admin API over HTTP.

mod clients;
mod events;
mod keys;
mod problems;
mod random;
mod receipts;
mod sessions;
mod support;
mod table;
mod users;
