//! What was acknowledged outlasts whatever happens under the database.
//!
//! A script logs in, refreshes, revokes and administers, by HTTP and by the command line, and notes what was answered
//! with success. Meanwhile a disk is full, a write fails, a wire breaks, the process is killed. Then the server is
//! killed for good, started again on a sound footing, and asked for every fact that was noted.
//!
//! A short form runs with the other tests. `FICHA_RELIABILITY=full` tries every place at which a fault can come;
//! `FICHA_RELIABILITY_EVERY=N` only each N-th of them, and `FICHA_RELIABILITY_ONLY=WORDS` only the faults whose name
//! holds these words. `FICHA_RELIABILITY_KILLS=N` kills so many times.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

#[cfg(target_os = "linux")]
mod clock;
mod cluster;
mod facts;
mod kills;
mod postgres;
mod report;
mod script;
mod server;
#[cfg(target_os = "linux")]
mod shim;
#[cfg(target_os = "linux")]
mod sqlite;
mod wire;

// Here and not in their modules: tests below a module `sqlite` or `postgres` are counted as running on both databases.

#[cfg(target_os = "linux")]
#[test]
fn a_fault_under_sqlite_loses_nothing_that_was_acknowledged() {
    sqlite::sweep();
}

#[test]
fn a_wire_that_breaks_loses_nothing_that_was_acknowledged() {
    postgres::sweep();
}

#[test]
fn a_killed_server_loses_nothing_that_was_acknowledged() {
    kills::sweep();
}

#[cfg(target_os = "linux")]
#[test]
fn a_clock_that_is_set_logs_nobody_out() {
    clock::sweep();
}

#[cfg(target_os = "linux")]
#[test]
fn failures_from_the_future_lock_nobody_out() {
    clock::failures_from_the_future();
}
