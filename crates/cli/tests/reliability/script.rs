//! The script that runs during a fault, and the check after it: recovery, a kill, and a restart without faults.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use crate::facts::Facts;
use crate::report::Point;
use crate::server::{PASSWORD, Place, Server, is_ready, now};

/// After the end of the fault, a login and a revocation must succeed within this time.
const RECOVERY_LIMIT: Duration = Duration::from_secs(10);
/// How long another process may then take to write.
const OTHER_PROCESS_LIMIT: Duration = Duration::from_secs(5);
/// Longer than the interval of the server's housekeeping, which is a second.
const HOUSEKEEPING: Duration = Duration::from_millis(1_100);
const TRY_EVERY: Duration = Duration::from_millis(10);

const NEW_PASSWORD: &str = "another quay before dawn";

/// The users and the client of one point. Their names are unique, because points may share a database.
pub struct Actors {
    alice: String,
    /// Gets disabled.
    bob: String,
    /// Gets another password.
    carol: String,
    /// Enters a wrong password.
    dave: String,
    /// Is added at the end.
    erin: String,
    /// A client that is added.
    app: String,
}

impl Actors {
    pub fn of(point: u64) -> Self {
        let name = |name: &str| format!("{name}-{point}");
        Self {
            alice: name("alice"),
            bob: name("bob"),
            carol: name("carol"),
            dave: name("dave"),
            erin: name("erin"),
            app: name("app"),
        }
    }

    /// Adds the users that exist from the beginning.
    pub fn prepare(&self, place: &Place) {
        for user in [&self.alice, &self.bob, &self.carol, &self.dave] {
            place.must_run(&["user", "add", user, "--password-stdin"], PASSWORD);
        }
    }
}

/// Does everything that can be acknowledged. With `purge`, ends every session afterwards.
pub fn play(place: &Place, at: SocketAddr, actors: &Actors, purge: bool) -> Facts {
    let begin = now();
    let mut facts = Facts::default();
    let alice = |facts: &mut Facts| facts.log_in(at, &actors.alice, PASSWORD);
    let kept = alice(&mut facts);

    facts.fail_to_log_in(at, &actors.dave);
    if let Some(session) = kept {
        facts.refresh(at, session);
    }
    if let Some(session) = alice(&mut facts) {
        facts.refresh(at, session);
        facts.replay(at, session);
    }
    if let Some(session) = alice(&mut facts) {
        facts.revoke_access(at, session);
    }
    if let Some(session) = alice(&mut facts) {
        facts.use_access(at, session);
        facts.revoke_refresh(at, session);
    }
    if let Some(session) = alice(&mut facts) {
        facts.log_out(at, session);
    }

    facts.log_in(at, &actors.bob, PASSWORD);
    let is_done = place.run(&["user", "disable", &actors.bob], "").is_done;
    facts.end_user(&actors.bob, is_done, "user disable");
    if is_done {
        facts.note_account(&actors.bob, PASSWORD, None, false);
    }

    facts.log_in(at, &actors.carol, PASSWORD);
    let is_done = place.run(&["user", "set-password", &actors.carol, "--password-stdin"], NEW_PASSWORD).is_done;
    facts.end_user(&actors.carol, is_done, "user set-password");
    if is_done {
        facts.note_account(&actors.carol, PASSWORD, None, false);
        facts.note_account(&actors.carol, NEW_PASSWORD, None, true);
    }

    if place.run(&["client", "add", &actors.app, "--public"], "").is_done {
        facts.note_account(&actors.alice, PASSWORD, Some(&actors.app), true);
    }

    while begin.elapsed() < HOUSEKEEPING {
        if let Some(session) = kept {
            facts.use_access(at, session);
        }
        thread::sleep(5 * TRY_EVERY);
    }
    if let Some(session) = alice(&mut facts) {
        facts.refresh(at, session);
    }
    if purge {
        let is_done = place.run(&["session", "revoke", "--all", "--yes"], "").is_done;
        facts.end_all(is_done);
        if let Some(session) = alice(&mut facts) {
            facts.refresh(at, session);
        }
    }
    facts
}

/// After the fault: waits for the recovery, goes on working, kills the server, restarts it and compares all facts.
pub fn check(place: &Place, mut server: Server, actors: &Actors, mut facts: Facts) -> Point {
    let at = server.address;
    let begin = now();
    let recovery = loop {
        if is_ready(at)
            && let Some(session) = facts.log_in(at, &actors.alice, PASSWORD)
            && facts.revoke_access(at, session)
        {
            break Some(begin.elapsed());
        }
        if server.has_exited() {
            facts.wrong.push("the server exited by itself".to_owned());
            break None;
        }
        if begin.elapsed() > RECOVERY_LIMIT {
            facts.wrong.push(format!("it did not recover within {RECOVERY_LIMIT:?}"));
            break None;
        }
        thread::sleep(TRY_EVERY);
    };
    if recovery.is_some_and(|time| time > RECOVERY_LIMIT) {
        facts.wrong.push(format!("the recovery took {recovery:?}"));
    }
    if recovery.is_some() {
        for number in 1..=20 {
            let session = facts.log_in(at, &actors.alice, PASSWORD);
            let is_done = session.is_some_and(|session| facts.revoke_access(at, session));
            if !is_done {
                facts.wrong.push(format!("the revocation {number} after the fault was not acknowledged"));
            }
        }
    }

    let begin = now();
    let ran = place.run(&["user", "add", &actors.erin, "--password-stdin"], PASSWORD);
    let other_process = begin.elapsed();
    if ran.is_done {
        facts.note_account(&actors.erin, PASSWORD, None, true);
    } else {
        facts.wrong.push(format!("another process could not write after the fault: {}", ran.errors.trim_end()));
    }
    if other_process > OTHER_PROCESS_LIMIT {
        facts.wrong.push(format!("another process took {other_process:?} to write after the fault"));
    }

    let log = server.end_of_log();
    server.kill();
    let server = place.serve(&[]);
    let compared = facts.compare(server.address);
    Point { hits: 0, compared, wrong: facts.wrong, recovery, other_process, log }
}
