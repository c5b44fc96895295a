//! Refreshing, revoking and introspecting at full speed.

use std::collections::VecDeque;
use std::time::Duration;

use super::Bench;
use super::callers::{Introspect, Refresh, Revoke};
use crate::Outcome;
use crate::child::ServerProcess;
use crate::drive::{Connection, drive};
use crate::limits;
use crate::result::{Figure, Row, show};

const CALLERS: usize = 64;

/// All three, each compared with a limit.
pub async fn run(bench: &Bench) -> Outcome<Vec<Row>> {
    bench.setup.set_cost(4).await?;
    let signing = limits::es256(Duration::from_secs(1))?;
    let mut rows = vec![show(Row::number("ES256 signatures, one core", signing, "/s"))];
    let raw_before = raw(bench).await?;
    let server = ServerProcess::start(&bench.setup.serve(4, 256)).await?;
    let (refresh, access) = refresh(bench, &server).await?;
    let raw = (raw_before + raw(bench).await?) / 2.0;
    rows.push(show(refresh_row(bench, refresh, raw)));
    let introspect = introspect(bench, &server, &access).await?;
    rows.push(show(
        Row::load("Introspection of tokens seen before, 64 callers", introspect)
            .asked("at least 10,000/s", introspect.per_second >= 10_000.0),
    ));
    let revoke = revoke(bench, &server, access).await?;
    let share = revoke.per_second / refresh.per_second;
    rows.push(show(
        Row::load("Revocation, 64 callers", revoke)
            .with("of the refresh rate", share, "×")
            .asked("at least 0.5 × the refresh rate", share >= 0.5),
    ));
    server.stop().await?;
    Ok(rows)
}

fn refresh_row(bench: &Bench, figure: Figure, raw: f64) -> Row {
    let share = figure.per_second / raw;
    let row = Row::load("Refresh, 64 callers", figure).with("raw one-row commits", raw, "/s").with("ratio", share, "×");
    match bench.options.postgres {
        None => row.asked("at least 1.3 × raw; server CPU at most 150 µs", share >= 1.3 && figure.cpu_us <= 150.0),
        Some(_) => row.asked("at least 0.7 × raw at its best number of connections", share >= 0.7),
    }
}

/// Durable one-row commits of a refresh's own update, without Ficha.
async fn raw(bench: &Bench) -> Outcome<f64> {
    let store = bench.setup.store().await?;
    let page = store.list_sessions(&Default::default(), None, 256).await?;
    let mut ids: Vec<_> = page.into_iter().map(|session| session.id).collect();
    if ids.is_empty() {
        let server = ServerProcess::start(&bench.setup.serve(4, 256)).await?;
        bench.setup.log_in(&server, 64).await?;
        server.stop().await?;
        ids = store.list_sessions(&Default::default(), None, 256).await?.into_iter().map(|row| row.id).collect();
    }
    store.close().await;
    let length = bench.options.length() / 2;
    match &bench.options.postgres {
        None => {
            let copy = bench.setup.folder.path().join("raw.db");
            std::fs::copy(bench.setup.folder.path().join("ficha.db"), &copy)?;
            let rate = limits::sqlite_commits(&copy, &ids, length)?;
            std::fs::remove_file(&copy)?;
            Ok(rate)
        }
        Some(url) => {
            let mut best: f64 = 0.0;
            for connections in [4, 8, 16, 32] {
                best = best.max(limits::postgres_commits(url, &ids, connections, length / 2).await?);
            }
            Ok(best)
        }
    }
}

/// Each caller repeatedly refreshes its own session. Also returns the new access tokens.
pub async fn refresh(bench: &Bench, server: &ServerProcess) -> Outcome<(Figure, Vec<String>)> {
    let mut callers = Vec::new();
    for (access, token) in bench.setup.log_in(server, CALLERS).await? {
        let connection = Connection::open(server.address).await?;
        callers.push(Refresh { connection, token, access: vec![access] });
    }
    let (figure, callers) = drive(server, callers, bench.options.length()).await?;
    Ok((figure, callers.into_iter().flat_map(|caller| caller.access).collect()))
}

/// Each caller introspects a thousand tokens in turn, all of which have been introspected before.
pub async fn introspect(bench: &Bench, server: &ServerProcess, access: &[String]) -> Outcome<Figure> {
    let tokens: Vec<String> = access.iter().rev().take(1_000).cloned().collect();
    for length in [Duration::from_secs(1), bench.options.length()] {
        let mut callers = Vec::new();
        for index in 0..CALLERS {
            callers.push(Introspect {
                connection: Connection::open(server.address).await?,
                authorization: bench.setup.introspector.clone(),
                tokens: tokens.clone(),
                next: index * 17,
            });
        }
        let (figure, _) = drive(server, callers, length).await?;
        if length == bench.options.length() {
            return Ok(figure);
        }
    }
    Err("the length of the load is zero".into())
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
