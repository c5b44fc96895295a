//! A server that is killed while many write, again and again; on PostgreSQL its database server is killed, too.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::cluster::Cluster;
use crate::facts::{Compared, Facts};
use crate::report::number;
use crate::server::{PASSWORD, Place, Server, is_ready, now, say, skip};

const THREADS: u64 = 4;
/// How long they write until the kill: some more each time, so that it comes at another moment.
const LOAD: Duration = Duration::from_millis(400);
const LONGER: Duration = Duration::from_millis(37);
const CYCLES: u64 = 3;
/// How long the server runs without its database.
const OUTAGE: Duration = Duration::from_millis(300);
/// Once its database takes connections again, it must be ready, and a login and a revocation succeed, within this.
const HEAL_LIMIT: Duration = Duration::from_secs(10);
const TRY_EVERY: Duration = Duration::from_millis(10);

/// Who is killed in a cycle on PostgreSQL.
#[derive(Debug, Clone, Copy)]
enum Victims {
    ServerThenDatabase,
    DatabaseThenServer,
    /// The database alone; the same server goes on.
    Database,
}

/// In turn.
const VICTIMS: [Victims; 3] = [Victims::ServerThenDatabase, Victims::DatabaseThenServer, Victims::Database];

/// Kills it on both databases.
pub fn sweep() {
    let kills = number("FICHA_RELIABILITY_KILLS", CYCLES);
    kill_again_and_again("SQLite", &Place::new(), kills, None);
    match Cluster::new() {
        Ok(mut cluster) => {
            let place = Place::new().with("FICHA__STORE__URL", &cluster.url());
            // Each takes longer: but all three ways come up.
            let fewer = if kills == 0 { 0 } else { (kills / 5).max(3) };
            kill_again_and_again("PostgreSQL", &place, fewer, Some(&mut cluster));
        }
        Err(missing) => skip(missing),
    }
}

fn kill_again_and_again(kind: &str, place: &Place, cycles: u64, mut cluster: Option<&mut Cluster>) {
    let users: Vec<String> = (0..THREADS).map(|thread| format!("user-{thread}")).collect();
    for user in &users {
        place.must_run(&["user", "add", user, "--password-stdin"], PASSWORD);
    }
    let (mut all, mut compared, mut healed) = (Facts::default(), Compared::default(), Vec::new());
    let mut server = place.serve(&[]);
    for (cycle, victims) in (0..cycles).zip(VICTIMS.into_iter().cycle()) {
        let (at, is_over) = (server.address, AtomicBool::new(false));
        let longer = LONGER * u32::try_from(cycle % 16).unwrap_or(0);
        let (mut facts, survivor) = thread::scope(|scope| {
            let is_over = &is_over;
            let ending = Ending(is_over);
            let workers: Vec<_> = users.iter().map(|user| scope.spawn(move || work(at, user, is_over))).collect();
            thread::sleep(LOAD + longer);
            let mut facts = Facts::default();
            let survivor = match cluster.as_deref_mut() {
                Some(cluster) => kill(victims, server, cluster, &users[0], &mut facts, &mut healed),
                None => {
                    server.kill();
                    None
                }
            };
            drop(ending);
            workers.into_iter().for_each(|worker| facts.add(worker.join().unwrap()));
            (facts, survivor)
        });
        if let Some(cluster) = cluster.as_deref_mut() {
            cluster.start();
        }
        if let Some(survivor) = survivor {
            // It might know by heart what its database has lost: a new one is asked besides.
            compared.add(facts.compare(survivor.address));
            survivor.kill();
        }
        server = place.serve(&[]);
        compared.add(facts.compare(server.address));
        all.add(facts);
    }
    // What was noted in the first cycle has outlasted all kills.
    compared.add(all.compare(server.address));
    let (count, lost) = (compared.facts, compared.lost.len());
    let wells = if cluster.is_some() { format!(", well again {}", spread(healed)) } else { String::new() };
    say(&format!("killed {cycles} times on {kind}: {count} facts compared, {lost} lost{wells}"));
    assert!(cycles == 0 || count > 0, "nothing was acknowledged on {kind}");
    assert!(compared.lost.is_empty(), "on {kind}: {:#?}", compared.lost);
    assert!(all.wrong.is_empty(), "on {kind}: {:#?}", all.wrong);
}

/// Kills while others write. The server, if it has outlived that and its database is up again.
fn kill(
    victims: Victims,
    mut server: Server,
    cluster: &mut Cluster,
    user: &str,
    facts: &mut Facts,
    healed: &mut Vec<Duration>,
) -> Option<Server> {
    if let Victims::ServerThenDatabase = victims {
        server.kill();
        cluster.kill();
        return None;
    }
    cluster.kill();
    thread::sleep(OUTAGE);
    if server.has_ended() {
        facts.wrong.push(format!("{victims:?}: the server ended with its database: {}", server.last_words()));
        return None;
    }
    if let Victims::DatabaseThenServer = victims {
        server.kill();
        return None;
    }
    cluster.start();
    match heal(&mut server, user, facts) {
        Some(time) if time <= HEAL_LIMIT => healed.push(time),
        Some(time) => facts.wrong.push(format!("it took {time:?} until the server was well again")),
        None => {
            let log = server.last_words();
            facts.wrong.push(format!("the server was not well again within {HEAL_LIMIT:?}: {log}"));
            return None;
        }
    }
    // They write for a while as before.
    thread::sleep(LOAD);
    Some(server)
}

/// How long it takes until the server says that it is ready, and a login and a revocation are acknowledged.
fn heal(server: &mut Server, user: &str, facts: &mut Facts) -> Option<Duration> {
    let (at, begin) = (server.address, now());
    loop {
        if is_ready(at)
            && let Some(session) = facts.log_in(at, user, PASSWORD)
            && facts.revoke_access(at, session)
        {
            return Some(begin.elapsed());
        }
        if server.has_ended() || begin.elapsed() > HEAL_LIMIT {
            return None;
        }
        thread::sleep(TRY_EVERY);
    }
}

/// The median and the most.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    match times.last() {
        Some(most) => {
            format!("{} times, p50 / max {} / {} ms", times.len(), times[times.len() / 2].as_millis(), most.as_millis())
        }
        None => "never".to_owned(),
    }
}

/// Says that it is over when it goes: a scope waits for its threads even if it ends by a panic.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Does one thing after another until it is over, and notes what was acknowledged.
fn work(at: SocketAddr, user: &str, is_over: &AtomicBool) -> Facts {
    let mut facts = Facts::default();
    for turn in 0.. {
        if is_over.load(Ordering::Acquire) {
            break;
        }
        let Some(session) = facts.log_in(at, user, PASSWORD) else {
            thread::sleep(TRY_EVERY);
            continue;
        };
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
