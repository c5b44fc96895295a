//! Thousands of waiting followers: their cost when idle, and the time to wake them all.

use std::time::{Duration, Instant};

use super::Options;
use super::follower::{Crowd, WAIT};
use super::latency::{revoke, token_id};
use crate::Outcome;
use crate::child::ServerProcess;
use crate::drive::Connection;
use crate::measure::{cpu_time, resident};
use crate::result::{Row, Times, show};
use crate::setup::Setup;

/// How often they are woken.
const WAKES: usize = 10;
/// How long the idle server is observed: two polls of each follower.
const IDLE_TIME: Duration = Duration::from_secs(2 * WAIT);

/// Memory and processor time when idle, then waking.
pub async fn run(options: &Options, setup: &Setup) -> Outcome<Vec<Row>> {
    let count = options.waiting;
    let server = ServerProcess::start(&setup.serve(4, 256)).await?;
    let tokens = setup.log_in(&server, WAKES).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = resident(server.id()?)?;
    let mut crowd = Crowd::gather(server.address, &setup.introspector, count, false).await?;
    let cpu = cpu_time(server.id()?)?;
    let began = Instant::now();
    tokio::time::sleep(IDLE_TIME).await;
    let cpu = (cpu_time(server.id()?)? - cpu).as_secs_f64() / began.elapsed().as_secs_f64();
    let after = resident(server.id()?)?;
    let memory = Row::number(&format!("Server memory, {count} followers waiting"), after as f64 / 1e6, "MB")
        .with("with none", before as f64 / 1e6, "MB")
        .with("each", after.saturating_sub(before) as f64 / 1e3 / count as f64, "kB");
    let processor = Row::number(&format!("Server CPU, {count} followers waiting, wait={WAIT}"), cpu * 1e3, "ms/s")
        .with("a poll", cpu * 1e6 * WAIT as f64 / count as f64, "µs");
    let mut rows = vec![show(memory), show(processor)];

    let mut connection = Connection::open(server.address).await?;
    let (mut half, mut last) = (Vec::new(), Vec::new());
    for (access, _) in tokens {
        let (answered, _) = revoke(&mut connection, &access).await?;
        let times = crowd.applied(token_id(&access)?).await?;
        let since = |at: Option<&Instant>| at.map_or(Duration::ZERO, |at| at.saturating_duration_since(answered));
        half.push(since(times.get(times.len() / 2)));
        last.push(since(times.last()));
        // By then, all next polls have arrived.
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    let row = Row::times(&format!("From /revoke answered to the last of {count} woken"), &mut last);
    rows.push(show(row.with("to half of them, p50", Times::of(&mut half).p50_ms, "ms")));
    drop(crowd);
    server.stop().await?;
    Ok(rows)
}
