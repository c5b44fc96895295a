//! Servers of the previous release and of this one on one database, as while a new release is rolled out.
//!
//! `FICHA_TEST_PREVIOUS` names the previous release's binary; `.ci/previous-release` builds it and runs this.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, thread};

use serde_json::Value;

use crate::cluster::Cluster;
use crate::server::{self, PASSWORD, Place, now, say, skip};

/// How long a server may take to notice what another one has revoked.
const NOTICED: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(10);
const ROUNDS: usize = 5;

/// On both databases.
pub fn beside() {
    let Some(previous) = env::var_os("FICHA_TEST_PREVIOUS").map(PathBuf::from) else {
        return say("FICHA_TEST_PREVIOUS is not set: the test with the previous release is skipped");
    };
    run_both("SQLite", Place::new(), &previous);
    match Cluster::new() {
        Ok(cluster) => run_both("PostgreSQL", Place::new().with("FICHA__STORE__URL", &cluster.url()), &previous),
        Err(missing) => skip(missing),
    }
}

fn run_both(kind: &str, mut place: Place, previous: &Path) {
    // Refreshes of one token by both servers are retries.
    place = place.with("FICHA__TOKEN__REFRESH_GRACE", "30s");
    place.use_program(Some(previous.to_owned()));
    place.must_run(&["user", "add", "alice", "--password-stdin"], PASSWORD);
    let old = place.serve(&[]);
    let before = log_in(old.address);
    place.use_program(None);
    // It migrates the database while the other one runs.
    let new = place.serve(&[]);
    let both = [(old.address, new.address), (new.address, old.address)];
    for (one, other) in both {
        assert_eq!(status(server::who_am_i(one, &before.0)), 200, "on {kind}");
        for _ in 0..ROUNDS {
            round(kind, one, other);
        }
    }
    let (access, _) = refresh(new.address, &refresh(old.address, &before.1).1);
    assert_eq!(status(server::who_am_i(old.address, &access)), 200, "on {kind}");
    // An administrator's change by the new release.
    place.must_run(&["user", "disable", "alice"], "");
    for at in [old.address, new.address] {
        refused_soon(kind, at, &access);
        assert_eq!(status(server::log_in(at, "alice", PASSWORD, "")), 400, "on {kind}");
    }
    // What the previous release recorded is in the log too, in the same chain.
    let ended = 2 * ROUNDS;
    let began = now();
    while count(&place, "session.revoked") < ended && began.elapsed() < 10 * NOTICED {
        thread::sleep(10 * LOOK);
    }
    assert_eq!(count(&place, "session.revoked"), ended, "on {kind}");
    place.must_run(&["audit", "verify"], "");
    old.stop();
    new.stop();
    say(&format!("the previous release beside this one on {kind}: {} sessions, all as expected", 1 + 4 * ROUNDS));
}

/// What one server issues the other accepts and refreshes, and what one revokes the other refuses.
fn round(kind: &str, one: SocketAddr, other: SocketAddr) {
    let (access, token) = log_in(one);
    assert_eq!(status(server::who_am_i(other, &access)), 200, "on {kind}");
    let (next, token) = refresh(other, &token);
    assert_eq!(status(server::who_am_i(one, &next)), 200, "on {kind}");
    assert_eq!(status(server::log_in(one, "alice", "not the password", "")), 400, "on {kind}");
    assert_eq!(status(server::revoke(one, &token)), 200, "on {kind}");
    refused_soon(kind, other, &next);
    assert_eq!(status(server::refresh(other, &token)), 400, "on {kind}");
    let (access, _) = log_in(other);
    assert_eq!(status(server::log_out(other, &access)), 204, "on {kind}");
    refused_soon(kind, one, &access);
}

fn refused_soon(kind: &str, at: SocketAddr, token: &str) {
    let began = now();
    while status(server::who_am_i(at, token)) != 401 {
        assert!(began.elapsed() < NOTICED, "on {kind}: a revoked token is accepted");
        thread::sleep(LOOK);
    }
}

fn log_in(at: SocketAddr) -> (String, String) {
    tokens(server::log_in(at, "alice", PASSWORD, ""))
}

fn refresh(at: SocketAddr, token: &str) -> (String, String) {
    tokens(server::refresh(at, token))
}

fn tokens(answer: server::Answer) -> (String, String) {
    let (status, body) = answer.unwrap();
    assert_eq!(status, 200, "{body}");
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

fn status(answer: server::Answer) -> u16 {
    answer.unwrap().0
}

fn count(place: &Place, event: &str) -> usize {
    let exported = place.output(&["audit", "export", "--event", event]);
    exported.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count()
}
