//! The password grant, and other requests while the server hashes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Bench;
use super::callers::{Introspect, Login, Paced, Refresh, Revoke};
use crate::Outcome;
use crate::child::ServerProcess;
use crate::drive::{Connection, drive};
use crate::limits;
use crate::result::{Figure, Rounds, Row, show};
use crate::setup::USERS;

/// Cost 10 and cost 12, with one caller and sixteen, each compared with the rate of the bcrypt crate.
pub async fn run(bench: &Bench) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    for cost in [10, 12] {
        bench.setup.set_cost(cost).await?;
        let server = ServerProcess::start(&bench.setup.serve(cost, 256)).await?;
        let (row, share) = beside_the_crate(bench, &server, cost, 1, 1).await?;
        rows.push(show(row.asked("at least 0.95 × the crate", share >= 0.95)));

        let before = lanes(&server).await?;
        let (mut row, share) = beside_the_crate(bench, &server, cost, 16, cores).await?;
        let after = lanes(&server).await?;
        for lane in 0..4 {
            row = row.with(&format!("hashed with {} lanes", lane + 1), after[lane] - before[lane], "");
        }
        rows.push(show(row.asked("at least 1.8 × the crate", share >= 1.8)));
        server.stop().await?;
    }
    rows.extend(during_logins(bench).await?);
    Ok(rows)
}

/// Logins of `callers` and the crate on `threads` threads, round by round. Also returns the median of their ratios.
async fn beside_the_crate(
    bench: &Bench,
    server: &ServerProcess,
    cost: u32,
    callers: usize,
    threads: usize,
) -> Outcome<(Row, f64)> {
    let (mut crates, mut seen) = (Vec::new(), Vec::new());
    for _ in 0..bench.options.rounds {
        crates.push(limits::bcrypt(cost, threads, bench.options.length() / 2)?);
        seen.push(logins(bench, server, callers).await?);
    }
    let shares = Rounds::of(seen.iter().zip(&crates).map(|(seen, one)| seen.per_second / one).collect());
    let plural = if callers == 1 { "caller" } else { "callers" };
    let row = Row::loads(&format!("Password grant, cost {cost}, {callers} {plural}"), &seen)
        .with(&format!("bcrypt crate on as many threads ({threads})"), Rounds::of(crates).median, "/s")
        .ratio("of the crate", &shares);
    Ok((row, shares.median))
}

async fn logins(bench: &Bench, server: &ServerProcess, callers: usize) -> Outcome<Figure> {
    let refused = Arc::new(Mutex::new(Vec::new()));
    let mut all = Vec::new();
    for user in 0..callers {
        let connection = Connection::open(server.address).await?;
        all.push(Login { connection, user: user % USERS, refused: refused.clone(), pause: Duration::ZERO });
    }
    Ok(drive(server, all, bench.options.length()).await?.0)
}

/// How many hashes ran with each number of lanes, from the server's own metrics.
async fn lanes(server: &ServerProcess) -> Outcome<[f64; 4]> {
    let answer = Connection::open(server.address).await?.get("/metrics", None).await?;
    let text = String::from_utf8(answer.body)?;
    let mut lanes = [0.0; 4];
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("ficha_hashes_by_lanes_total{lanes=\"") {
            let (lane, value) = rest.split_once("\"} ").ok_or("a labelled sample")?;
            lanes[lane.parse::<usize>()? - 1] = value.parse()?;
        }
    }
    Ok(lanes)
}

/// Refreshing, introspecting and revoking while logins keep every hashing thread busy and the queue full.
async fn during_logins(bench: &Bench) -> Outcome<Vec<Row>> {
    let server = ServerProcess::start(&bench.setup.serve(10, 16)).await?;
    bench.setup.set_cost(4).await?;
    let tokens = bench.setup.log_in(&server, 400).await?;
    bench.setup.set_cost(10).await?;
    let tokens_now = {
        // The passwords changed, which ended those sessions: log in again with the expensive hashes.
        drop(tokens);
        bench.setup.log_in(&server, 48).await?
    };
    let refused = Arc::new(Mutex::new(Vec::new()));
    let mut crowd = Vec::new();
    for user in 0..32 {
        let connection = Connection::open(server.address).await?;
        let pause = Duration::from_millis(50);
        crowd.push(Login { connection, user: user % USERS, refused: refused.clone(), pause });
    }
    let pause = Duration::from_millis(20);
    let calls = Arc::default();
    let (mut refreshing, mut introspecting, mut revoking) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (access, refresh)) in tokens_now.into_iter().enumerate() {
        let connection = Connection::open(server.address).await?;
        match index % 3 {
            0 => refreshing.push(Paced {
                caller: Refresh { connection, token: refresh, access: Vec::new() },
                pause,
                times: Vec::new(),
                calls: Arc::clone(&calls),
            }),
            1 => introspecting.push(Paced {
                caller: Introspect {
                    connection,
                    authorization: bench.setup.introspector.clone(),
                    tokens: vec![access],
                    next: 0,
                },
                pause,
                times: Vec::new(),
                calls: Arc::clone(&calls),
            }),
            _ => revoking.push(Paced {
                // The same token each time: it is looked up and answered as the first time.
                caller: Revoke { connection, tokens: VecDeque::from(vec![access; 4_000]) },
                pause,
                times: Vec::new(),
                calls: Arc::clone(&calls),
            }),
        }
    }
    let length = bench.options.length();
    let (crowd, refreshing, introspecting, revoking) = tokio::try_join!(
        drive(&server, crowd, length),
        drive(&server, refreshing, length),
        drive(&server, introspecting, length),
        drive(&server, revoking, length),
    )?;
    server.stop().await?;
    let mut rows = vec![show(Row::load("Logins that fill the queue, cost 10, 32 callers", crowd.0))];
    rows.push(paced("Refresh beside them", crowd.0, refreshing.1.into_iter().flat_map(|one| one.times).collect()));
    rows.push(paced(
        "Introspection beside them",
        crowd.0,
        introspecting.1.into_iter().flat_map(|one| one.times).collect(),
    ));
    rows.push(paced("Revocation beside them", crowd.0, revoking.1.into_iter().flat_map(|one| one.times).collect()));
    let mut refused = refused.lock().unwrap_or_else(PoisonError::into_inner).clone();
    refused.sort_unstable();
    let p99 = percentile(&refused, 0.99);
    let row = Row::number("Logins refused for a full queue, p99", p99, "ms").with("refused", refused.len() as f64, "");
    rows.push(show(row.asked("within 20 ms", p99 <= 20.0 && !refused.is_empty())));
    Ok(rows)
}

fn paced(name: &str, _crowd: Figure, mut times: Vec<Duration>) -> Row {
    times.sort_unstable();
    let p99 = percentile(&times, 0.99);
    let row = Row::number(&format!("{name}, p99"), p99, "ms").with("p50", percentile(&times, 0.5), "ms");
    show(row.with("answers", times.len() as f64, "").asked("under 50 ms", p99 < 50.0 && !times.is_empty()))
}

/// A percentile of sorted times, in milliseconds.
fn percentile(sorted: &[Duration], share: f64) -> f64 {
    let index = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}
