//! The time from the answer of `/revoke` until the last follower has applied it, and until the last service refuses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ficha_token::DenyId;
use tokio::time::{Interval, interval_at};

use super::Options;
use super::follower::Crowd;
use super::services::Services;
use crate::Outcome;
use crate::child::ServerProcess;
use crate::drive::{Caller, Connection, drive, drive_until};
use crate::issue::callers::Refresh;
use crate::result::{Figure, Row, Times, show};
use crate::setup::Setup;

const CALLERS: usize = 64;

/// On an idle server, and on one that serves refreshes at half its capacity.
pub async fn run(options: &Options, setup: &Setup) -> Outcome<Vec<Row>> {
    let server = ServerProcess::start(&setup.serve(4, 256)).await?;
    let crowd = Crowd::gather(server.address, &setup.introspector, options.followers, true).await?;
    let services = Services::start(&server, setup, options.services).await?;
    let mut observers = Observers { options, setup, server: &server, crowd, services };
    let mut rows = observers.revocations().await?.rows(options, "the server idle");

    let capacity = refreshes(setup, &server).await?;
    let (capacity, callers) = drive(&server, capacity, Duration::from_secs(options.seconds)).await?;
    rows.push(show(Row::load("Refresh, 64 callers, followers waiting", capacity)));
    let pause = Duration::from_secs_f64(CALLERS as f64 / (capacity.per_second / 2.0));
    // The callers start one after another.
    let first = |index: usize| tokio::time::Instant::now() + pause.mul_f64(index as f64 / CALLERS as f64);
    let steady = callers.into_iter().enumerate();
    let steady = steady.map(|(index, caller)| Steady { caller, ticks: interval_at(first(index), pause) }).collect();
    let (busy, load) = under_load(steady, &server, observers.revocations()).await?;
    rows.extend(busy.rows(options, "refreshes at half the capacity"));
    rows.push(show(Row::load("Refresh meanwhile, paced", load)));
    drop(observers);
    server.stop().await?;
    Ok(rows)
}

/// Runs the callers for as long as `measurement` takes.
async fn under_load<C: Caller>(
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

/// A caller with a fixed rate, however long the answers take.
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

/// How long each revocation took: to its answer, the first follower, the last follower and the last service.
#[derive(Default)]
struct Seen {
    answered: Vec<Duration>,
    first: Vec<Duration>,
    last: Vec<Duration>,
    refused: Vec<Duration>,
}

/// A server, and the followers and services that observe its revocations.
struct Observers<'a> {
    options: &'a Options,
    setup: &'a Setup,
    server: &'a ServerProcess,
    crowd: Crowd,
    services: Services,
}

impl Observers<'_> {
    /// Revokes tokens one after another.
    async fn revocations(&mut self) -> Outcome<Seen> {
        let tokens = self.setup.log_in(self.server, self.options.revocations).await?;
        let mut connection = Connection::open(self.server.address).await?;
        let mut seen = Seen::default();
        for (index, (access, _)) in tokens.into_iter().enumerate() {
            self.services.accept(&access).await?;
            // Otherwise polls would be in step with revocations; this varies the moment between polls.
            tokio::time::sleep(Duration::from_millis(5 + index as u64 * 7 % 20)).await;
            let (answered, took) = revoke(&mut connection, &access).await?;
            let (applied, refused) =
                tokio::try_join!(self.crowd.applied(token_id(&access)?), self.services.refuse(&access))?;
            // A follower may receive it before the caller gets its answer.
            let since = |at: &Instant| at.saturating_duration_since(answered);
            seen.answered.push(took);
            seen.first.extend(applied.first().map(since));
            seen.last.extend(applied.last().map(since));
            seen.refused.push(since(&refused));
        }
        Ok(seen)
    }
}

impl Seen {
    fn rows(mut self, options: &Options, load: &str) -> Vec<Row> {
        let (first, answered) = (Times::of(&mut self.first), Times::of(&mut self.answered));
        let name = format!("From /revoke answered to the last of {} followers, {load}", options.followers);
        let followers = asked(Row::times(&name, &mut self.last))
            .with("to the first, p50", first.p50_ms, "ms")
            .with("/revoke itself, p50", answered.p50_ms, "ms")
            .with("its p99", answered.p99_ms, "ms");
        let name = format!("From /revoke answered to the last of {} services refusing, {load}", options.services);
        let services = asked(Row::times(&name, &mut self.refused));
        vec![show(followers), show(services)]
    }
}

fn asked(row: Row) -> Row {
    let p99 = row.times.map_or(f64::INFINITY, |times| times.p99_ms);
    row.asked("p99 at most 250 ms (aim: 20 ms)", p99 <= 250.0)
}

/// Revokes a token. Returns when the answer came, and how long it took.
pub async fn revoke(connection: &mut Connection, token: &str) -> Outcome<(Instant, Duration)> {
    let sent = Instant::now();
    let answer = connection.post("/revoke", None, &format!("token={token}")).await?;
    let answered = Instant::now();
    match answer.status {
        200 => Ok((answered, answered - sent)),
        status => Err(format!("a revocation got {status}").into()),
    }
}

/// The `jti` of a token.
pub fn token_id(token: &str) -> Outcome<DenyId> {
    let claims = token.split('.').nth(1).ok_or("a token has three parts")?;
    let claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims)?)?;
    let id: uuid::Uuid = claims["jti"].as_str().ok_or("a token has a jti")?.parse()?;
    Ok(id.into())
}
