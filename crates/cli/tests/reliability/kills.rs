//! A server that is killed while many write, again and again.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::facts::{Compared, Facts};
use crate::postgres;
use crate::report::number;
use crate::server::{PASSWORD, Place, say};

const THREADS: u64 = 4;
/// How long they write until the kill: some more each time, so that it comes at another moment.
const LOAD: Duration = Duration::from_millis(400);
const LONGER: Duration = Duration::from_millis(37);
const CYCLES: u64 = 3;

/// Kills it on both databases.
pub fn sweep() {
    kill_again_and_again("SQLite", &Place::new());
    if let Some(database) = postgres::database() {
        kill_again_and_again("PostgreSQL", &Place::new().with("FICHA__STORE__URL", database.url()));
    }
}

fn kill_again_and_again(kind: &str, place: &Place) {
    let users: Vec<String> = (0..THREADS).map(|thread| format!("user-{thread}")).collect();
    for user in &users {
        place.must_run(&["user", "add", user, "--password-stdin"], PASSWORD);
    }
    let cycles = number("FICHA_RELIABILITY_KILLS", CYCLES);
    let (mut all, mut compared) = (Facts::default(), Compared::default());
    let mut server = place.serve(&[]);
    for cycle in 0..cycles {
        let (at, is_over) = (server.address, AtomicBool::new(false));
        let longer = LONGER * u32::try_from(cycle % 16).unwrap_or(0);
        let mut facts = thread::scope(|scope| {
            let is_over = &is_over;
            let workers: Vec<_> = users.iter().map(|user| scope.spawn(move || work(at, user, is_over))).collect();
            thread::sleep(LOAD + longer);
            server.kill();
            is_over.store(true, Ordering::Release);
            let mut facts = Facts::default();
            workers.into_iter().for_each(|worker| facts.add(worker.join().unwrap()));
            facts
        });
        server = place.serve(&[]);
        compared.add(facts.compare(server.address));
        all.add(facts);
    }
    // What was noted in the first cycle has outlasted all kills.
    compared.add(all.compare(server.address));
    let (count, lost) = (compared.facts, compared.lost.len());
    say(&format!("killed {cycles} times on {kind}: {count} facts compared, {lost} lost"));
    assert!(cycles == 0 || count > 0, "nothing was acknowledged on {kind}");
    assert!(compared.lost.is_empty(), "on {kind}: {:#?}", compared.lost);
    assert!(all.wrong.is_empty(), "on {kind}: {:#?}", all.wrong);
}

/// Does one thing after another until it is over, and notes what was acknowledged.
fn work(at: SocketAddr, user: &str, is_over: &AtomicBool) -> Facts {
    let mut facts = Facts::default();
    for turn in 0.. {
        if is_over.load(Ordering::Acquire) {
            break;
        }
        let Some(session) = facts.log_in(at, user, PASSWORD) else { continue };
        match turn % 5 {
            0 => {
                facts.refresh(at, session);
            }
            1 => {
                facts.revoke_access(at, session);
            }
            2 => {
                facts.log_out(at, session);
            }
            3 => {
                facts.revoke_refresh(at, session);
            }
            _ => {
                facts.refresh(at, session);
                facts.use_access(at, session);
                facts.replay(at, session);
            }
        }
    }
    facts
}
