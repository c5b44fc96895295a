//! The heartbeat tests whether the database accepts changes and keeps them, once a second and right after a failed
//! call.
//!
//! Reading does not show that. A full disk can still be read, and a connection in a dead transaction accepts every
//! change, acknowledges it, and keeps none.

use std::time::Duration;

use ficha_store::{BeatTime, Heartbeat, Writes};
use ficha_token::{Clock, random_uuid};
use tokio::time::{Instant, sleep};

use crate::Authority;
use crate::clock::boot_id;
use crate::tasks::neighbours::in_common;
use crate::tasks::outage::Part;

/// The interval while all is well.
const EVERY: Duration = Duration::from_secs(1);
/// The interval while it is not, so that a recovery is noticed within a second.
const EVERY_WHILE_REFUSED: Duration = Duration::from_millis(250);
/// Even after failed calls, two tests are at least this far apart.
const SHORTEST: Duration = Duration::from_millis(100);
/// How often calls that fail while changes are accepted are logged.
const SAY_AGAIN: Duration = Duration::from_secs(10);

impl Authority {
    /// True if the database accepts changes and keeps them, as far as this process knows.
    pub fn takes_changes(&self) -> bool {
        *self.inner.writes.borrow() == Writes::Kept
    }

    /// Compares the issuer's clock with the wall clock, as the heartbeat does every second.
    pub fn look_at_clock(&self) {
        self.inner.time.look();
    }

    /// True if the server can do its work: it has read its database within two seconds, and changes are accepted.
    pub fn is_ready(&self) -> bool {
        self.is_fresh() && self.takes_changes()
    }
}

/// Writes heartbeats for ever.
pub(crate) async fn beat(authority: Authority) {
    let store = authority.store();
    let process = random_uuid(&*authority.inner.base.entropy);
    let boot = boot_id();
    let settings = in_common(authority.settings());
    let mut reported = ReportedFailures::default();
    let mut number = 0;
    let (mut pause, mut doubted) = (Duration::ZERO, false);
    loop {
        let suspected = tokio::select! {
            () = sleep(pause) => false,
            () = failed(&authority) => true,
        };
        number += 1;
        let clock = &authority.inner.time;
        authority.look_at_clock();
        let elapsed = i64::try_from(clock.elapsed().as_millis()).unwrap_or(i64::MAX);
        let expiry = authority.denylist().expiry_now(&**clock);
        let time = BeatTime { at: clock.unix_now(), earliest: clock.earliest(), expiry };
        let beat = Heartbeat { process, number, time, boot: boot.clone(), elapsed, settings: settings.clone() };
        let outcome = store.beat(&beat, suspected || doubted).await;
        if doubted && outcome.is_ok() {
            // The failed write may be behind the end of SQLite's log. After a checkpoint the log starts over.
            let _ = store.checkpoint().await;
        }
        doubted = outcome.is_err();
        let _ = authority.inner.outage.note(Part::Writing, outcome.as_ref().map(drop), store.failures());
        reported.report(&authority);
        pause = if doubted { EVERY_WHILE_REFUSED } else { EVERY };
    }
}

async fn failed(authority: &Authority) {
    sleep(SHORTEST).await;
    authority.store().failed().await;
}

/// Calls may fail although changes are accepted: that is logged now and then.
#[derive(Default)]
struct ReportedFailures {
    failures: u64,
    said: Option<Instant>,
}

impl ReportedFailures {
    fn report(&mut self, authority: &Authority) {
        let failures = authority.store().failures();
        self.failures = self.failures.max(authority.inner.outage.logged());
        let failed_calls = failures.saturating_sub(self.failures);
        if authority.inner.outage.lasts() {
            // An outage has its own log lines, with counts.
            self.failures = failures;
        } else if failed_calls > 0 && self.said.is_none_or(|said| said.elapsed() >= SAY_AGAIN) {
            tracing::warn!(failed_calls, "some calls to the database failed; it works now");
            (self.failures, self.said) = (failures, Some(Instant::now()));
        }
    }
}
