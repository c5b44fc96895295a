//! Faults below the database must not lose anything that was acknowledged.
//!
//! A script logs in, refreshes, revokes and administers, over HTTP and on the command line, and records every success.
//! Meanwhile a disk is full, a write fails, a connection breaks, or the process is killed. Then the server is killed,
//! restarted without faults, and asked for every recorded fact.
//!
//! A short form runs with the other tests. `FICHA_RELIABILITY=full` tries every point at which a fault can occur,
//! `FICHA_RELIABILITY_EVERY=N` only every N-th point, and `FICHA_RELIABILITY_ONLY=WORDS` only the faults whose name
//! contains these words. `FICHA_RELIABILITY_KILLS=N` sets the number of kills.
#![expect(clippy::unwrap_used, reason = "a panic fails the test, as it should")]

#[cfg(target_os = "linux")]
mod clock;
mod cluster;
mod events;
mod facts;
mod jobs;
mod kills;
mod postgres;
mod previous;
mod proxy;
mod report;
mod script;
mod server;
#[cfg(target_os = "linux")]
mod shim;
#[cfg(target_os = "linux")]
mod sqlite;
mod stopped;

// Not in their modules, because tests below a module `sqlite` or `postgres` are counted as running on both databases.

#[cfg(target_os = "linux")]
#[test]
fn a_fault_under_sqlite_loses_nothing_that_was_acknowledged() {
    sqlite::sweep();
}

#[test]
fn a_broken_connection_loses_nothing_that_was_acknowledged() {
    postgres::sweep();
}

#[test]
fn a_stopped_server_delays_no_revocation_at_another() {
    stopped::sweep();
}

#[test]
fn a_receipt_says_that_a_stopped_server_does_not_answer() {
    stopped::receipts();
}

#[test]
fn servers_of_two_releases_run_beside_each_other() {
    previous::beside();
}

#[test]
fn a_job_is_completed_once_although_its_server_is_killed() {
    jobs::sweep();
}

#[test]
fn a_killed_server_loses_nothing_that_was_acknowledged() {
    kills::sweep();
}

#[cfg(target_os = "linux")]
#[test]
fn a_clock_that_is_set_logs_no_user_out() {
    clock::sweep();
}

#[cfg(target_os = "linux")]
#[test]
fn failures_in_the_future_lock_no_user_out() {
    clock::failures_in_the_future();
}
