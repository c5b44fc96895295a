//! A server that is killed repeatedly while clients write; on PostgreSQL its database server is killed, too.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::cluster::Cluster;
use crate::events;
use crate::facts::{Compared, Facts};
use crate::report::number;
use crate::server::{PASSWORD, Place, Server, is_ready, now, say, skip};

const THREADS: u64 = 4;
/// How long clients write until the kill: longer in each cycle, so that the kill comes at a different moment.
const LOAD: Duration = Duration::from_millis(400);
const LONGER: Duration = Duration::from_millis(37);
const CYCLES: u64 = 3;
/// How long the server runs without its database.
const OUTAGE: Duration = Duration::from_millis(300);
/// Within this time after its database accepts connections again, the server must be ready, and a login and a
/// revocation must succeed.
const RECOVERY_LIMIT: Duration = Duration::from_secs(10);
const TRY_EVERY: Duration = Duration::from_millis(10);

/// What is killed in a cycle on PostgreSQL.
#[derive(Debug, Clone, Copy)]
enum Victims {
    ServerThenDatabase,
    DatabaseThenServer,
    /// Only the database; the same server goes on.
    Database,
}

/// The order of the cycles.
const VICTIMS: [Victims; 3] = [Victims::ServerThenDatabase, Victims::DatabaseThenServer, Victims::Database];

/// Kills the server on both databases.
pub fn sweep() {
    let kills = number("FICHA_RELIABILITY_KILLS", CYCLES);
    kill_repeatedly("SQLite", &Place::new(), kills, None);
    match Cluster::new() {
        Ok(mut cluster) => {
            let place = Place::new().with("FICHA__STORE__URL", &cluster.url());
            // These take longer, so there are fewer, but each kind at least once.
            let fewer = if kills == 0 { 0 } else { (kills / 5).max(3) };
            kill_repeatedly("PostgreSQL", &place, fewer, Some(&mut cluster));
        }
        Err(missing) => skip(missing),
    }
}

fn kill_repeatedly(kind: &str, place: &Place, cycles: u64, mut cluster: Option<&mut Cluster>) {
    let users: Vec<String> = (0..THREADS).map(|thread| format!("user-{thread}")).collect();
    for user in &users {
        place.must_run(&["user", "add", user, "--password-stdin"], PASSWORD);
    }
    let (mut all, mut compared, mut recoveries) = (Facts::default(), Compared::default(), Vec::new());
    let mut server = place.serve(&[]);
    for (cycle, victims) in (0..cycles).zip(VICTIMS.into_iter().cycle()) {
        let (at, is_over) = (server.address, AtomicBool::new(false));
        let longer = LONGER * u32::try_from(cycle % 16).unwrap_or(0);
        let (mut facts, survivor) = thread::scope(|scope| {
            let is_over = &is_over;
            let guard = OverGuard(is_over);
            let workers: Vec<_> = users.iter().map(|user| scope.spawn(move || work(at, user, is_over))).collect();
            thread::sleep(LOAD + longer);
            let mut facts = Facts::default();
            let survivor = match cluster.as_deref_mut() {
                Some(cluster) => kill(victims, server, cluster, &users[0], &mut facts, &mut recoveries),
                None => {
                    server.kill();
                    None
                }
            };
            drop(guard);
            workers.into_iter().for_each(|worker| facts.add(worker.join().unwrap()));
            (facts, survivor)
        });
        if let Some(cluster) = cluster.as_deref_mut() {
            cluster.start();
        }
        if let Some(survivor) = survivor {
            // It might still have in memory what its database has lost, so a new server is asked as well.
            compared.add(facts.compare(survivor.address));
            survivor.kill();
        }
        server = place.serve(&[]);
        compared.add(facts.compare(server.address));
        all.add(facts);
    }
    // Facts from the first cycle must have survived all kills.
    compared.add(all.compare(server.address));
    let (count, lost) = (compared.facts, compared.lost.len());
    let checked = events::check(place);
    let recovered = if cluster.is_some() { format!(", recovered {}", spread(recoveries)) } else { String::new() };
    say(&format!(
        "killed {cycles} times on {kind}: {count} facts compared, {lost} lost{recovered}; {} events, {} wrong",
        checked.events,
        checked.wrong.len()
    ));
    assert!(cycles == 0 || count > 0, "nothing was acknowledged on {kind}");
    assert!(compared.lost.is_empty(), "on {kind}: {:#?}", compared.lost);
    assert!(checked.wrong.is_empty(), "on {kind}: {:#?}", checked.wrong);
    assert!(all.wrong.is_empty(), "on {kind}: {:#?}", all.wrong);
}

/// Kills while clients write. Returns the server if it has survived and its database is running again.
fn kill(
    victims: Victims,
    mut server: Server,
    cluster: &mut Cluster,
    user: &str,
    facts: &mut Facts,
    recoveries: &mut Vec<Duration>,
) -> Option<Server> {
    if let Victims::ServerThenDatabase = victims {
        server.kill();
        cluster.kill();
        return None;
    }
    cluster.kill();
    thread::sleep(OUTAGE);
    if server.has_exited() {
        facts.wrong.push(format!("{victims:?}: the server exited with its database: {}", server.end_of_log()));
        return None;
    }
    if let Victims::DatabaseThenServer = victims {
        server.kill();
        return None;
    }
    cluster.start();
    match recover(&mut server, user, facts) {
        Some(time) if time <= RECOVERY_LIMIT => recoveries.push(time),
        Some(time) => facts.wrong.push(format!("the server took {time:?} to recover")),
        None => {
            let log = server.end_of_log();
            facts.wrong.push(format!("the server did not recover within {RECOVERY_LIMIT:?}: {log}"));
            return None;
        }
    }
    // The clients go on writing for a while.
    thread::sleep(LOAD);
    Some(server)
}

/// The time until the server is ready, and a login and a revocation are acknowledged.
fn recover(server: &mut Server, user: &str, facts: &mut Facts) -> Option<Duration> {
    let (at, begin) = (server.address, now());
    loop {
        if is_ready(at)
            && let Some(session) = facts.log_in(at, user, PASSWORD)
            && facts.revoke_access(at, session)
        {
            return Some(begin.elapsed());
        }
        if server.has_exited() || begin.elapsed() > RECOVERY_LIMIT {
            return None;
        }
        thread::sleep(TRY_EVERY);
    }
}

/// The median and the maximum.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    match times.last() {
        Some(most) => {
            format!("{} times, p50 / max {} / {} ms", times.len(), times[times.len() / 2].as_millis(), most.as_millis())
        }
        None => "never".to_owned(),
    }
}

/// Sets the flag when dropped: a scope waits for its threads even after a panic.
struct OverGuard<'a>(&'a AtomicBool);

impl Drop for OverGuard<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Sends requests until it is over, and records what was acknowledged.
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
