//! The admin API over HTTP.

mod problems;
mod receipts;
mod sessions;
mod support;
mod table;
