//! The store, tested on both databases. One module per topic; each test runs as `sqlite::…` and as `postgres::…`.
#![expect(clippy::unwrap_used, reason = "a test that can't go on panics")]

mod activity;
mod bootstrap;
mod client_revocation;
mod client_sessions;
mod clients;
mod connect;
mod denylist;
mod events;
mod heap_only;
mod insertion;
mod jobs;
mod kept;
mod keys;
mod migrations;
mod notify;
mod plans;
mod purge;
mod revocation;
mod rotation;
mod sessions;
mod support;
mod throttle;
mod user_revocation;
mod users;

use ficha_store::{Bootstrap, BootstrapOutcome, KeyPurpose, Store};

/// A first start that creates only the keys `sign-0` and `refresh-0`.
async fn bootstrap_with_keys(store: &Store) {
    let keys = vec![support::key(KeyPurpose::Sign, "sign-0"), support::key(KeyPurpose::Refresh, "refresh-0")];
    let outcome = store.bootstrap(Bootstrap { keys, now: support::NOW, ..Bootstrap::default() }).await.unwrap();
    assert_eq!(outcome, BootstrapOutcome::Done { client_added: false, user_added: false });
}
