//! A follower's first read of a list of a million denied ids.

use std::time::{Duration, Instant};

use ficha_token::{Clock, DenySet, SystemClock};
use sea_orm::{ConnectionTrait, Database};

use super::Options;
use super::follower::Follower;
use crate::Outcome;
use crate::child::ServerProcess;
use crate::measure::cpu_time;
use crate::result::{Rounds, Row, show};
use crate::setup::Setup;

/// How many ids are denied.
const DENIED: usize = 1_000_000;
/// How often the list is read.
const READS: usize = 3;

/// Reads the list over one connection into a denylist in memory.
pub async fn run(options: &Options, setup: &Setup) -> Outcome<Vec<Row>> {
    fill(options, setup).await?;
    let began = Instant::now();
    let server = ServerProcess::start(&setup.serve(4, 256)).await?;
    let mut follower = ready(&server, setup).await?;
    let started = began.elapsed().as_secs_f64();
    let cpu = cpu_time(server.id()?)?;
    let mut seen = Vec::new();
    for _ in 0..READS {
        let began = Instant::now();
        let set = DenySet::new();
        let apply = |entry| {
            set.insert(entry);
        };
        follower.catch_up(apply).await?;
        seen.push(began.elapsed().as_secs_f64());
        if set.len() < DENIED {
            return Err(format!("the first list had {} entries of {DENIED}", set.len()).into());
        }
        follower = Follower::open(server.address, &setup.introspector).await?;
    }
    let cpu = (cpu_time(server.id()?)? - cpu).as_secs_f64() / READS as f64;
    server.stop().await?;
    let seen = Rounds::of(seen);
    let row = Row::rounds("A first list of 1,000,000 over HTTP, into memory", &seen, "s")
        .with("server CPU", cpu, "s")
        .with("from the server's start to its first answer", started, "s");
    Ok(vec![show(row.asked("within 2 s", seen.median <= 2.0))])
}

/// A follower that has read nothing, once the server is ready. Until then it answers 503, which is not an error here.
async fn ready(server: &ServerProcess, setup: &Setup) -> Outcome<Follower> {
    let began = Instant::now();
    loop {
        let mut follower = Follower::open(server.address, &setup.introspector).await?;
        match follower.poll(0).await {
            Ok(_) => return Follower::open(server.address, &setup.introspector).await,
            Err(error) if began.elapsed() > Duration::from_secs(30) => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Writes rows as after a million revocations: numbers without gaps, and the head at the last one.
async fn fill(options: &Options, setup: &Setup) -> Outcome<()> {
    let until = SystemClock.unix_now() + 3_600;
    let (id, tag, numbers) = match options.postgres {
        None => (
            "randomblob(16)",
            "random()",
            format!(
                "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {DENIED}) SELECT i FROM n)"
            ),
        ),
        Some(_) => (
            "gen_random_uuid()",
            "(random() * 9e18)::bigint",
            format!("(SELECT i FROM generate_series(1, {DENIED}) AS series(i))"),
        ),
    };
    let insert = format!(
        "INSERT INTO denylist (number, id, until, tag) SELECT head.number + n.i, {id}, {until}, {tag} \
         FROM denylist_head AS head, {numbers} AS n"
    );
    let move_head = "UPDATE denylist_head SET number = newest.number, tag = newest.tag \
                     FROM (SELECT number, tag FROM denylist ORDER BY number DESC LIMIT 1) AS newest";
    let database = Database::connect(&setup.url).await?;
    database.execute_unprepared(&insert).await?;
    database.execute_unprepared(move_head).await?;
    database.execute_unprepared("ANALYZE").await?;
    database.close().await?;
    Ok(())
}
