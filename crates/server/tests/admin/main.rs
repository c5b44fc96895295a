//! The admin API over HTTP.

mod clients;
mod events;
mod jobs;
mod keys;
mod overview;
mod problems;
mod random;
mod receipts;
mod repeated;
mod searching;
mod sessions;
mod support;
mod table;
mod users;
