//! The script that runs while something breaks, and what follows it: room again, a kill, a start on a sound footing.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use crate::facts::Facts;
use crate::report::Point;
use crate::server::{PASSWORD, Place, Server, is_ready, now};

/// Once there is room again, a login and a revocation must succeed within this.
const HEAL_LIMIT: Duration = Duration::from_secs(10);
/// How long another process may take to write then.
const SECOND_LIMIT: Duration = Duration::from_secs(5);
/// The server's housekeeping comes once a second.
const HOUSEKEEPING: Duration = Duration::from_millis(1_100);
const TRY_EVERY: Duration = Duration::from_millis(10);

const NEW_PASSWORD: &str = "another quay before dawn";

/// Who plays: names of their own for each point, since points may share a database.
pub struct Cast {
    alice: String,
    /// Is disabled.
    bob: String,
    /// Gets another password.
    carol: String,
    /// Mistypes.
    dave: String,
    /// Is added at the end.
    erin: String,
    /// A client that is added.
    app: String,
}

impl Cast {
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

    /// Adds those who are there from the beginning.
    pub fn prepare(&self, place: &Place) {
        for user in [&self.alice, &self.bob, &self.carol, &self.dave] {
            place.must_run(&["user", "add", user, "--password-stdin"], PASSWORD);
        }
    }
}

/// Does everything that can be acknowledged. With `purge`, everything ends after that.
pub fn play(place: &Place, at: SocketAddr, cast: &Cast, purge: bool) -> Facts {
    let begin = now();
    let mut facts = Facts::default();
    let alice = |facts: &mut Facts| facts.log_in(at, &cast.alice, PASSWORD);
    let kept = alice(&mut facts);

    facts.fail_to_log_in(at, &cast.dave);
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

    facts.log_in(at, &cast.bob, PASSWORD);
    let is_done = place.run(&["user", "disable", &cast.bob], "").is_done;
    facts.end_user(&cast.bob, is_done, "user disable");
    if is_done {
        facts.note_account(&cast.bob, PASSWORD, None, false);
    }

    facts.log_in(at, &cast.carol, PASSWORD);
    let is_done = place.run(&["user", "passwd", &cast.carol, "--password-stdin"], NEW_PASSWORD).is_done;
    facts.end_user(&cast.carol, is_done, "user passwd");
    if is_done {
        facts.note_account(&cast.carol, PASSWORD, None, false);
        facts.note_account(&cast.carol, NEW_PASSWORD, None, true);
    }

    if place.run(&["client", "add", &cast.app, "--public"], "").is_done {
        facts.note_account(&cast.alice, PASSWORD, Some(&cast.app), true);
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

/// What follows once there is room again: it heals, goes on, is killed, and starts without whatever could break it.
pub fn finish(place: &Place, mut server: Server, cast: &Cast, mut facts: Facts) -> Point {
    let at = server.address;
    let begin = now();
    let healed = loop {
        if is_ready(at)
            && let Some(session) = facts.log_in(at, &cast.alice, PASSWORD)
            && facts.revoke_access(at, session)
        {
            break Some(begin.elapsed());
        }
        if server.has_ended() {
            facts.wrong.push("the server ended by itself".to_owned());
            break None;
        }
        if begin.elapsed() > HEAL_LIMIT {
            facts.wrong.push(format!("it was not well again within {HEAL_LIMIT:?}"));
            break None;
        }
        thread::sleep(TRY_EVERY);
    };
    if healed.is_some_and(|time| time > HEAL_LIMIT) {
        facts.wrong.push(format!("it took {healed:?} until it was well again"));
    }
    if healed.is_some() {
        for number in 1..=20 {
            let session = facts.log_in(at, &cast.alice, PASSWORD);
            let is_done = session.is_some_and(|session| facts.revoke_access(at, session));
            if !is_done {
                facts.wrong.push(format!("the revocation {number} after the fault was not acknowledged"));
            }
        }
    }

    let begin = now();
    let ran = place.run(&["user", "add", &cast.erin, "--password-stdin"], PASSWORD);
    let second = begin.elapsed();
    if ran.is_done {
        facts.note_account(&cast.erin, PASSWORD, None, true);
    } else {
        facts.wrong.push(format!("another process could not write after the fault: {}", ran.errors.trim_end()));
    }
    if second > SECOND_LIMIT {
        facts.wrong.push(format!("another process took {second:?} to write after the fault"));
    }

    let log = server.last_words();
    server.kill();
    let server = place.serve(&[]);
    let compared = facts.compare(server.address);
    Point { hits: 0, compared, wrong: facts.wrong, healed, second, log }
}
