//! The admin API over HTTP.

mod problems;
mod sessions;
mod support;
mod table;
