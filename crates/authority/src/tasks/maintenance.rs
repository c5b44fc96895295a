//! Housekeeping: removing what has expired, rotating keys that are due.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ficha_store::{ChainEnd, EventFilter, StoreError};
use uuid::Uuid;

use crate::Authority;
use crate::bootstrap::add_normal_names;
use crate::denylist::replica::KEPT_LONGER;
use crate::events::chain::Sealed;
use crate::settings::SigningSettings;

/// How often expired rows are looked for, and how many a batch removes.
const PRUNE_EVERY: Duration = Duration::from_secs(1);
const PRUNE_BATCH: u64 = 500;
const PRUNE_ROUNDS: u32 = 20;
/// Login failures and finished revocations of many sessions are removed after a day, events after a year.
const FORGET_REVOCATIONS: i64 = 86_400;
const FORGET_FAILURES: i64 = 86_400;
/// What happened in a minute is kept by the minute for a week, and by the hour for a month.
const THIN_ACTIVITY: i64 = 7 * 86_400;
const FORGET_ACTIVITY: i64 = 31 * 86_400;
/// A request can be repeated with its key for a day.
const FORGET_REQUESTS: i64 = 86_400;
/// How often what grows slowly is pruned, in seconds.
const PRUNE_SLOW_EVERY: i64 = 60;
/// Jobs are removed after 30 days, and those that were never accepted after an hour.
const FORGET_JOBS: i64 = 30 * 86_400;
const FORGET_UNACCEPTED: i64 = 3_600;
/// Followers are removed after a day without a poll, and so are questions about them whose server has died.
const FORGET_FOLLOWERS: i64 = 86_400;
const FORGET_QUESTIONS: i64 = 120;
/// How far back users are looked at whom a server of the release before has added, in seconds.
const NAMED_WITHIN: i64 = 3_600;
const FORGET_EVENTS: i64 = 365 * 86_400;

/// Removes what has expired, in small batches, and rotates keys.
pub(crate) async fn maintain(authority: Authority) {
    let mut cursor = None;
    let mut failing = false;
    loop {
        tokio::time::sleep(PRUNE_EVERY).await;
        match authority.maintain_once(&mut cursor).await {
            // An outage has its own log line.
            Err(crate::AdminError::Store(error)) if error.is_outage() => tracing::debug!(%error, "housekeeping failed"),
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(%error, "expired rows could not be removed; trying again");
            }
            Err(_) => {}
            Ok(()) => failing = false,
        }
    }
}

impl Authority {
    /// One round of housekeeping. `cursor` is where the last one left off in the sessions.
    pub async fn maintain_once(&self, cursor: &mut Option<Uuid>) -> Result<(), crate::AdminError> {
        // Not simply the wall clock's: what only a wrong clock calls expired would be missing once the clock is
        // corrected.
        let (store, now) = (self.store(), self.denylist().expiry_now(&**self.clock()));
        let keep = self.settings().sessions.keep_ended.as_secs() as i64;
        let (next, sessions) = store.prune_sessions(*cursor, PRUNE_BATCH, now, keep).await?;
        *cursor = next;
        let mut rows = 0;
        // Small transactions, so that others don't wait long; enough of them to keep up with revocations.
        for _ in 0..PRUNE_ROUNDS {
            let pruned = store.prune_denylist(now - KEPT_LONGER, PRUNE_BATCH).await?;
            rows += pruned;
            if pruned < PRUNE_BATCH {
                break;
            }
        }
        let denylist = Arc::clone(self.denylist());
        // With millions of entries this takes a tenth of a second.
        let purged = tokio::task::spawn_blocking(move || denylist.purge(now - KEPT_LONGER)).await;
        if purged.is_err() {
            tracing::error!("expired entries could not be removed from the denylist in memory");
        }
        if sessions > 0 || rows > 0 {
            tracing::debug!(sessions, denylist_rows = rows, "removed expired rows");
        }
        store.prune_login_failures(now - FORGET_FAILURES, PRUNE_BATCH).await?;
        store.adopt_audit(PRUNE_BATCH).await?;
        store.report_failures(self.clock().unix_millis(), PRUNE_BATCH).await?;
        self.prune_events(now - FORGET_EVENTS).await?;
        store.prune_bulk_revocations(now - FORGET_REVOCATIONS).await?;
        store.prune_keys(now).await?;
        self.prune_slow(now).await?;
        self.write_secret_uses().await?;
        self.write_activity(self.now()).await?;
        store.prune_followers(1_000 * (now - FORGET_FOLLOWERS), now - FORGET_QUESTIONS).await?;
        let admin = self.admin();
        if let SigningSettings::KeyPair { rotate_after: Some(after), .. } = &self.settings().signing {
            admin.rotate_key_if_older_than(after.as_secs() as i64).await?;
        }
        Ok(())
    }

    /// What grows slowly, once a minute.
    async fn prune_slow(&self, now: i64) -> Result<(), StoreError> {
        let passed = self.seconds_passed();
        if passed < self.inner.prune_slow_at.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.inner.prune_slow_at.store(passed + PRUNE_SLOW_EVERY, Ordering::Relaxed);
        let store = self.store();
        store.prune_jobs(now - FORGET_JOBS, now - FORGET_UNACCEPTED).await?;
        store.prune_keys_of_requests(now - FORGET_REQUESTS).await?;
        store.thin_activity((now - THIN_ACTIVITY).div_euclid(60)).await?;
        store.prune_activity((now - FORGET_ACTIVITY).div_euclid(60)).await?;
        // A server of the release before may go on for a while after this one has started. Last, so that a failure here
        // leaves no expired row behind.
        add_normal_names(&self.inner.base, NAMED_WITHIN).await
    }

    /// Deletes the oldest events, up to the first that happened at `older_than` or later.
    async fn prune_events(&self, older_than: i64) -> Result<(), StoreError> {
        let store = self.store();
        let chain = store.event_chain().await?;
        let oldest = store.events_after(&EventFilter::default(), chain.pruned.number, PRUNE_BATCH).await?;
        let (key, mut end) = (self.inner.master.chain_key(), chain.pruned);
        if !key.is_sealed(Sealed::Pruned, &end) {
            return Ok(());
        }
        // Only what fits: a seal over what somebody else has changed would hide the change for ever.
        for event in oldest.iter().take_while(|event| event.at / 1_000 < older_than) {
            let (Some(number), Some(hash), true) = (event.number, event.hash, key.fits(&end, event)) else { break };
            end = ChainEnd { number, hash, seal: None };
        }
        if end.number == chain.pruned.number {
            return Ok(());
        }
        let (number, end) = (end.number, key.sealed(Sealed::Pruned, end));
        let pruned = store.prune_events(chain.pruned, end).await?;
        tracing::debug!(events = pruned, up_to = number, "removed old events");
        Ok(())
    }
}
