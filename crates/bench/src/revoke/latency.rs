//! From `/revoke` answered to the last follower having applied it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ficha_token::DenyId;
use tokio::time::{Interval, interval_at};

use super::Options;
use super::follower::Crowd;
use crate::Outcome;
use crate::child::ServerProcess;
use crate::drive::{Caller, Connection, drive, drive_until};
use crate::issue::callers::Refresh;
use crate::result::{Figure, Row, Times, show};
use crate::setup::Setup;

const CALLERS: usize = 64;

/// On a server that does nothing else, and on one that serves refreshes at half of what it can.
pub async fn run(options: &Options, setup: &Setup) -> Outcome<Vec<Row>> {
    let server = ServerProcess::start(&setup.serve(4, 256)).await?;
    let mut crowd = Crowd::gather(server.address, &setup.introspector, options.followers, true).await?;
    let idle = revocations(options, setup, &server, &mut crowd).await?;
    let mut rows = vec![idle.row(options, "the server idle")];

    let capacity = refreshes(setup, &server).await?;
    let (capacity, callers) = drive(&server, capacity, Duration::from_secs(options.seconds)).await?;
    rows.push(show(Row::load("Refresh, 64 callers, followers waiting", capacity)));
    let pause = Duration::from_secs_f64(CALLERS as f64 / (capacity.per_second / 2.0));
    // One after another, not all at once.
    let first = |index: usize| tokio::time::Instant::now() + pause.mul_f64(index as f64 / CALLERS as f64);
    let steady = callers.into_iter().enumerate();
    let steady = steady.map(|(index, caller)| Steady { caller, ticks: interval_at(first(index), pause) }).collect();
    let (busy, load) = beside(steady, &server, revocations(options, setup, &server, &mut crowd)).await?;
    let row = busy.row(options, "refreshes at half the capacity");
    rows.push(row.with("refreshes meanwhile", load.per_second, "/s").with("server CPU each", load.cpu_us, "µs"));
    drop(crowd);
    server.stop().await?;
    Ok(rows)
}

/// Lets the callers go on for as long as `measurement` takes.
async fn beside<C: Caller>(
    callers: Vec<C>,
    server: &ServerProcess,
    measurement: impl Future<Output = Outcome<Seen>>,
) -> Outcome<(Seen, Figure)> {
    let stop = Arc::new(AtomicBool::new(false));
    let measured = async {
        let seen = measurement.await;
        stop.store(true, Ordering::Relaxed);
        seen
    };
    let (seen, (load, _)) = tokio::try_join!(measured, drive_until(server, callers, Arc::clone(&stop)))?;
    Ok((seen, load))
}

async fn refreshes(setup: &Setup, server: &ServerProcess) -> Outcome<Vec<Refresh>> {
    let mut callers = Vec::new();
    for (_, token) in setup.log_in(server, CALLERS).await? {
        callers.push(Refresh { connection: Connection::open(server.address).await?, token, access: Vec::new() });
    }
    Ok(callers)
}

/// A caller that keeps to a rate, whatever its answers take.
struct Steady<C> {
    caller: C,
    ticks: Interval,
}

impl<C: Caller> Caller for Steady<C> {
    async fn call(&mut self) -> Outcome<bool> {
        self.ticks.tick().await;
        self.caller.call().await
    }
}

/// What was seen of the revocations: how long each was on its way, to the first follower, and to the last.
#[derive(Default)]
struct Seen {
    answered: Vec<Duration>,
    first: Vec<Duration>,
    last: Vec<Duration>,
}

/// Revokes tokens one after another.
async fn revocations(options: &Options, setup: &Setup, server: &ServerProcess, crowd: &mut Crowd) -> Outcome<Seen> {
    let tokens = setup.log_in(server, options.revocations).await?;
    let mut connection = Connection::open(server.address).await?;
    let mut seen = Seen::default();
    for (index, (access, _)) in tokens.into_iter().enumerate() {
        // Polls come in step with revocations otherwise; so each comes at another moment of theirs.
        tokio::time::sleep(Duration::from_millis(5 + index as u64 * 7 % 20)).await;
        let (answered, took) = revoke(&mut connection, &access).await?;
        let times = crowd.applied(token_id(&access)?).await?;
        seen.answered.push(took);
        // A follower may learn of it before the caller does.
        let since = |at: Option<&Instant>| at.map_or(Duration::ZERO, |at| at.saturating_duration_since(answered));
        seen.first.push(since(times.first()));
        seen.last.push(since(times.last()));
    }
    Ok(seen)
}

impl Seen {
    fn row(mut self, options: &Options, load: &str) -> Row {
        let name = format!("From /revoke answered to the last of {} followers, {load}", options.followers);
        let row = Row::times(&name, &mut self.last);
        let p99 = row.times.map_or(f64::INFINITY, |times| times.p99_ms);
        let (first, answered) = (Times::of(&mut self.first), Times::of(&mut self.answered));
        let row = row.with("to the first, p50", first.p50_ms, "ms").with("/revoke itself, p50", answered.p50_ms, "ms");
        show(row.with("its p99", answered.p99_ms, "ms").asked("p99 at most 250 ms (aim: 20 ms)", p99 <= 250.0))
    }
}

/// Revokes a token. When the answer had come, and what it took.
pub async fn revoke(connection: &mut Connection, token: &str) -> Outcome<(Instant, Duration)> {
    let sent = Instant::now();
    let answer = connection.post("/revoke", None, &format!("token={token}")).await?;
    let answered = Instant::now();
    match answer.status {
        200 => Ok((answered, answered - sent)),
        status => Err(format!("a revocation was answered {status}").into()),
    }
}

/// The `jti` of a token.
pub fn token_id(token: &str) -> Outcome<DenyId> {
    let claims = token.split('.').nth(1).ok_or("a token has three parts")?;
    let claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims)?)?;
    let id: uuid::Uuid = claims["jti"].as_str().ok_or("a token has a jti")?.parse()?;
    Ok(id.into())
}
