//! The pages over HTTP, and in a real browser.

mod account;
mod admin_site;
mod browser;
mod clients;
mod clock;
mod forms;
mod gallery;
mod headers;
mod outage;
mod receipts;
mod sessions;
mod sign_in;
mod support;
mod things;
mod users;
