//! The admin API over HTTP.

mod events;
mod problems;
mod receipts;
mod sessions;
mod support;
mod table;
mod users;
