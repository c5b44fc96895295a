//! A revocation of very many sessions, while others log in and refresh.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::fill::CLIENT;
use super::{Bench, job_over, post};
use crate::Outcome;
use crate::drive::{Connection, drive, drive_until};
use crate::issue::callers::{Login, Refresh};
use crate::result::{Figure, Row, show};
use crate::setup::USERS;

/// How many callers log in, and how many refresh.
const LOGINS: usize = 1;
const REFRESHES: usize = 4;
/// For how long they are measured without the revocation.
const ALONE: Duration = Duration::from_secs(8);
/// How long it may take, in seconds.
const ASKED: f64 = 10.0;

/// The revocation, with the answer times of logins and refreshes before it and beside it.
pub async fn run(bench: &Bench) -> Outcome<Vec<Row>> {
    let (login_alone, refresh_alone) = beside(bench, None).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let revoked = async {
        let done = revoke(bench).await;
        stop.store(true, Ordering::Relaxed);
        done
    };
    let (beside, revoked) = tokio::join!(beside(bench, Some(stop.clone())), revoked);
    let ((login, refresh), (counted, accepted, took, job)) = (beside?, revoked?);
    let name = format!("Revocation of {} sessions, {} of them live", bench.options.sessions, job);
    let row = Row::number(&name, took.as_secs_f64(), "s").with("dry run", counted.as_secs_f64(), "s").with(
        "accepted after",
        accepted.as_secs_f64(),
        "s",
    );
    let row = show(row.asked(&format!("under {ASKED} s"), took.as_secs_f64() < ASKED));
    let compare = |name: &str, beside: Figure, alone: Figure| {
        let ratio = beside.p99_ms / alone.p99_ms;
        let row = Row::load(name, beside).with("p99 alone", alone.p99_ms, "ms").with("ratio of the p99", ratio, "×");
        show(row.asked("p99 within 2 × its own", ratio <= 2.0))
    };
    Ok(vec![row, compare("Login beside it", login, login_alone), compare("Refresh beside it", refresh, refresh_alone)])
}

/// Logs in and refreshes for a while, or until `stop` is set.
async fn beside(bench: &Bench, stop: Option<Arc<AtomicBool>>) -> Outcome<(Figure, Figure)> {
    let (mut logins, mut refreshes) = (Vec::new(), Vec::new());
    for user in 0..LOGINS {
        let connection = Connection::open(bench.server.address).await?;
        logins.push(Login { connection, user, refused: Arc::new(Mutex::default()), pause: Duration::ZERO });
    }
    for (_, token) in bench.setup.log_in(&bench.server, USERS.min(REFRESHES)).await? {
        let connection = Connection::open(bench.server.address).await?;
        refreshes.push(Refresh { connection, token, access: Vec::new() });
    }
    let (login, refresh) = match stop {
        None => tokio::join!(drive(&bench.server, logins, ALONE), drive(&bench.server, refreshes, ALONE)),
        Some(stop) => tokio::join!(
            drive_until(&bench.server, logins, stop.clone()),
            drive_until(&bench.server, refreshes, stop.clone())
        ),
    };
    Ok((login?.0, refresh?.0))
}

/// How long the count, the request and all of it took, and how many sessions it has ended.
async fn revoke(bench: &Bench) -> Outcome<(Duration, Duration, Duration, u64)> {
    let (mut connection, authorization) = bench.sign_in().await?;
    let filter = format!("{{\"client\": \"{CLIENT}\"}}");
    let dry = format!("{{\"filter\": {filter}, \"dry_run\": true}}");
    let began = Instant::now();
    let matched = post(&mut connection, "/sessions/revoke", &authorization, "application/json", &dry).await?;
    let counted = began.elapsed();
    let expected = matched["matched"].as_u64().ok_or("a number")?;
    let body = format!("{{\"filter\": {filter}, \"dry_run\": false, \"expected\": {expected}}}");
    let began = Instant::now();
    let accepted = post(&mut connection, "/sessions/revoke", &authorization, "application/json", &body).await?;
    let accepted_after = began.elapsed();
    let id = accepted["job"].as_str().ok_or("a job")?;
    let (job, over) = job_over(&mut connection, id, &authorization).await?;
    let changed = job["done"].as_u64().unwrap_or(0) - job["unchanged"].as_u64().unwrap_or(0);
    Ok((counted, accepted_after, over - began, changed))
}
