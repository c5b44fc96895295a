//! Refreshing, revoking and introspecting at full speed.

use std::collections::VecDeque;
use std::time::Duration;

use super::Bench;
use super::callers::{Introspect, Refresh, Revoke};
use super::raw::RawCommits;
use crate::Outcome;
use crate::child::ServerProcess;
use crate::drive::{Connection, drive};
use crate::limits;
use crate::result::{Figure, Rounds, Row, show};
use crate::setup::Setup;

const CALLERS: usize = 64;

/// All three and raw commits, round by round, so that each ratio is of two loads that ran one after the other.
pub async fn run(bench: &Bench) -> Outcome<Vec<Row>> {
    bench.setup.set_cost(4).await?;
    let signing = limits::es256(Duration::from_secs(1))?;
    let mut rows = vec![show(Row::number("ES256 signatures, one core", signing, "/s"))];
    let raw = RawCommits::prepare(bench).await?;
    let server = ServerProcess::start(&bench.setup.serve(4, 256)).await?;
    let mut seen = Seen::default();
    for _ in 0..bench.options.rounds {
        seen.raw.push(raw.per_second().await?);
        let (refresh, access) = refresh(&bench.setup, &server, bench.options.length()).await?;
        seen.refresh.push(refresh);
        seen.introspect.push(introspect(&bench.setup, &server, &access, bench.options.length()).await?);
        seen.revoke.push(revoke(bench, &server, access).await?);
    }
    server.stop().await?;
    rows.extend(seen.rows(bench));
    Ok(rows)
}

/// The figures of all rounds.
#[derive(Default)]
struct Seen {
    raw: Vec<f64>,
    refresh: Vec<Figure>,
    introspect: Vec<Figure>,
    revoke: Vec<Figure>,
}

impl Seen {
    fn rows(&self, bench: &Bench) -> Vec<Row> {
        let of_raw = Rounds::of(self.refresh.iter().zip(&self.raw).map(|(one, raw)| one.per_second / raw).collect());
        let of_refresh = Figure::ratio(&self.revoke, &self.refresh, |figure| figure.per_second);
        let raw = Rounds::of(self.raw.clone()).median;
        let refresh = Row::loads("Refresh, 64 callers", &self.refresh)
            .with("raw one-row commits", raw, "/s")
            .ratio("of raw commits", &of_raw);
        let refresh = match bench.options.postgres {
            None => {
                let processor = Figure::typical(&self.refresh).cpu_us;
                let reached = of_raw.median >= 1.3 && processor <= 150.0;
                refresh.asked("at least 1.3 × raw; server CPU at most 150 µs", reached)
            }
            Some(_) => refresh.asked("at least 0.7 × raw at its best number of connections", of_raw.median >= 0.7),
        };
        let introspect = Row::loads("Introspection of tokens seen before, 64 callers", &self.introspect);
        let reached = Figure::typical(&self.introspect).per_second >= 10_000.0;
        let introspect = introspect.asked("at least 10,000/s", reached);
        let revoke = Row::loads("Revocation, 64 callers", &self.revoke)
            .ratio("of the refresh rate", &of_refresh)
            .asked("at least 0.5 × the refresh rate", of_refresh.median >= 0.5);
        vec![show(refresh), show(introspect), show(revoke)]
    }
}

/// Each caller repeatedly refreshes its own session. Also returns the new access tokens.
pub async fn refresh(setup: &Setup, server: &ServerProcess, length: Duration) -> Outcome<(Figure, Vec<String>)> {
    let mut callers = Vec::new();
    for (access, token) in setup.log_in(server, CALLERS).await? {
        let connection = Connection::open(server.address).await?;
        callers.push(Refresh { connection, token, access: vec![access] });
    }
    let (figure, callers) = drive(server, callers, length).await?;
    Ok((figure, callers.into_iter().flat_map(|caller| caller.access).collect()))
}

/// Each caller introspects a thousand tokens in turn, all of which have been introspected before.
pub async fn introspect(setup: &Setup, server: &ServerProcess, access: &[String], length: Duration) -> Outcome<Figure> {
    let tokens: Vec<String> = access.iter().rev().take(1_000).cloned().collect();
    let callers = async || {
        let mut callers = Vec::new();
        for index in 0..CALLERS {
            callers.push(Introspect {
                connection: Connection::open(server.address).await?,
                authorization: setup.introspector.clone(),
                tokens: tokens.clone(),
                next: index * 17,
            });
        }
        Outcome::Ok(callers)
    };
    drive(server, callers().await?, Duration::from_millis(500)).await?;
    Ok(drive(server, callers().await?, length).await?.0)
}

/// Each caller revokes different access tokens.
async fn revoke(bench: &Bench, server: &ServerProcess, access: Vec<String>) -> Outcome<Figure> {
    let share = access.len() / CALLERS;
    let mut callers = Vec::new();
    for tokens in access.chunks(share.max(1)).take(CALLERS) {
        let connection = Connection::open(server.address).await?;
        callers.push(Revoke { connection, tokens: VecDeque::from(tokens.to_vec()) });
    }
    Ok(drive(server, callers, bench.options.length()).await?.0)
}
