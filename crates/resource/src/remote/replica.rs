//! This service's replica of the denylist, and how long it can be relied on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ficha_token::{Clock, DenyId, DenyPage, DenySet};
use tokio::sync::{Notify, watch};

use super::failure_log::LastError;
use super::lease::{Freshness, Jumped, Lease, Moment};
use crate::source::{DenySource, DenyVerdict};

/// The `Retry-After` while the list is stale.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The replica of the list, written by one follower and read by every request.
pub(crate) struct Replica {
    issuer: String,
    clock: Arc<dyn Clock>,
    list: DenySet,
    lease: Lease,
    /// True once the whole list has been read, and from then on.
    complete: watch::Sender<bool>,
    is_complete: AtomicBool,
    /// Changes whenever entries were added.
    added: watch::Sender<u64>,
    /// The status of the last poll, if the server refused this client (401 or 403).
    refused: watch::Sender<Option<u16>>,
    staleness_logged: AtomicBool,
    /// True if some part of the service goes on accepting tokens while the list is stale.
    accepts_stale: AtomicBool,
    /// Wakes the follower when a request finds the list stale: its connection may have died while the machine was
    /// suspended.
    pub(super) doubted: Notify,
    pub(crate) last_error: Arc<LastError>,
    pub(crate) counts: Counts,
}

/// Counters for the statistics.
#[derive(Default)]
pub(crate) struct Counts {
    pub polls_ok: AtomicU64,
    pub polls_failed: AtomicU64,
    pub resets: AtomicU64,
}

/// A page without its entries, which have been added to the list.
pub(super) struct PageHead {
    pub cursor: String,
    pub nonce: Option<String>,
    pub reset: bool,
    pub more: bool,
    pub entries: usize,
}

impl Replica {
    pub(crate) fn new(issuer: String, clock: Arc<dyn Clock>, lease: Duration) -> Self {
        Self {
            issuer,
            lease: Lease::new(lease, &*clock),
            clock,
            list: DenySet::new(),
            complete: watch::Sender::new(false),
            is_complete: AtomicBool::new(false),
            added: watch::Sender::new(0),
            refused: watch::Sender::new(None),
            staleness_logged: AtomicBool::new(false),
            accepts_stale: AtomicBool::new(false),
            doubted: Notify::new(),
            last_error: Arc::default(),
            counts: Counts::default(),
        }
    }

    /// True if some part of the service goes on accepting tokens while the list is stale.
    pub(super) fn accepts_stale(&self) -> bool {
        self.accepts_stale.load(Ordering::Acquire)
    }

    /// The list itself.
    pub(crate) fn list(&self) -> &DenySet {
        &self.list
    }

    /// True once the whole list has been read.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_complete.load(Ordering::Acquire)
    }

    pub(crate) fn is_fresh(&self) -> bool {
        self.lease.read().look(&*self.clock) == Freshness::Fresh
    }

    /// How long ago the last poll was sent that made the list current.
    pub(crate) fn age(&self) -> Option<Duration> {
        self.lease.age(&*self.clock)
    }

    /// Waits until the whole list has been read once. An error is the status (401 or 403) of a server that refuses this
    /// client.
    pub(crate) async fn completed(&self) -> Result<(), u16> {
        let (mut complete, mut refused) = (self.complete.subscribe(), self.refused.subscribe());
        // Neither wait can fail, because the senders belong to `self`.
        tokio::select! {
            _ = complete.wait_for(|complete| *complete) => Ok(()),
            refused = refused.wait_for(Option::is_some) => match refused.ok().and_then(|status| *status) {
                Some(status) => Err(status),
                None => Ok(()),
            },
        }
    }

    /// Notes that the server refuses this client.
    pub(super) fn refuse(&self, status: u16) {
        self.refused.send_replace(Some(status));
    }

    pub(super) fn count_poll(&self, ok: bool) {
        let counter = if ok { &self.counts.polls_ok } else { &self.counts.polls_failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_reset(&self, entries: usize) {
        self.counts.resets.fetch_add(1, Ordering::Relaxed);
        tracing::info!(
            issuer = self.issuer,
            entries,
            "the server does not know the cursor and sends the whole denylist; the entries known here are kept"
        );
    }

    pub(super) fn now(&self) -> Moment {
        Moment::now(&*self.clock)
    }

    pub(super) fn has_jumped(&self) -> bool {
        self.lease.has_jumped(self.now())
    }

    /// Parses a page, and adds its entries. That is safe from any sender: no entry can make an invalid token valid.
    pub(super) fn add(&self, body: &[u8]) -> Result<PageHead, serde_json::Error> {
        let page: DenyPage = serde_json::from_slice(body)?;
        let entries = page.entries.len();
        for entry in page.entries {
            self.list.insert(entry);
        }
        if entries > 0 {
            self.added.send_modify(|pages| *pages += 1);
        }
        Ok(PageHead { cursor: page.cursor, nonce: page.nonce, reset: page.reset, more: page.more, entries })
    }

    /// Changes whenever entries were added.
    pub(super) fn added(&self) -> watch::Receiver<u64> {
        self.added.subscribe()
    }

    /// True if the signing key with this `kid` is denied.
    pub(super) fn denies_key(&self, kid: &str) -> bool {
        self.list.contains(&DenyId::of_key(kid), self.clock.unix_now())
    }

    /// Renews the lease: the whole list is known as it was at some time after `sent`.
    pub(super) fn renew(&self, sent: Moment) -> Result<(), Jumped> {
        self.lease.renew(sent, self.now())?;
        self.is_complete.store(true, Ordering::Release);
        if !self.complete.send_replace(true) {
            tracing::info!(issuer = self.issuer, entries = self.list.len(), "the whole denylist has been loaded");
        } else if self.staleness_logged.swap(false, Ordering::AcqRel) && self.is_fresh() {
            tracing::info!(issuer = self.issuer, entries = self.list.len(), "the denylist is current again");
        }
        Ok(())
    }

    /// Ends the lease because the wall clock was set: entries may have been dropped at a wrong time, so the list can't
    /// be relied on until all of it has been read again.
    pub(super) fn end_lease(&self) {
        self.lease.end(self.now());
        tracing::warn!(issuer = self.issuer, "the wall clock was set, so the whole denylist is read again");
    }

    /// Logs once that the list has become stale.
    pub(super) fn notice_staleness(&self) {
        if !self.is_complete.load(Ordering::Acquire) || self.is_fresh() {
            return;
        }
        if !self.staleness_logged.swap(true, Ordering::AcqRel) {
            let age = self.age().unwrap_or_default().as_secs();
            tracing::error!(
                issuer = self.issuer,
                age,
                "the denylist is stale: until the authorization server answers again, tokens are refused except where \
                 OnStale::Accept is set"
            );
        }
    }

    /// The longest that the follower may pause after a failure.
    pub(super) fn longest_pause(&self) -> Duration {
        self.lease.longest_pause(&*self.clock)
    }

    /// Frees the memory of expired entries. This may take a tenth of a second.
    pub(super) fn purge(&self) {
        // A dropped entry is gone until the list is read again, so none is dropped at an unconfirmed time: not by the
        // wall clock, which may be set at any moment, and not while the server can't be reached.
        if !self.is_fresh() {
            return;
        }
        let removed = self.list.purge(self.lease.reached(&*self.clock));
        if removed > 0 {
            tracing::debug!(
                issuer = self.issuer,
                removed,
                left = self.list.len(),
                "expired entries were removed from the denylist"
            );
        }
    }
}

impl DenySource for Replica {
    fn look_up(&self, ids: &[DenyId], now: i64) -> DenyVerdict {
        // Read before the look-up and compared with the clock after it: even if this thread is suspended in between, a
        // token is only accepted if it was looked up under a lease that is still valid.
        let lease = self.lease.read();
        if self.list.contains_any(ids, now) {
            return DenyVerdict::Denied;
        }
        if lease.look(&*self.clock) == Freshness::Fresh {
            return DenyVerdict::Clear;
        }
        self.notice_staleness();
        self.doubted.notify_one();
        DenyVerdict::Stale { retry_after: RETRY_AFTER }
    }

    fn note_accepts_stale(&self) {
        // Read first: it is called with each request.
        if !self.accepts_stale() {
            self.accepts_stale.store(true, Ordering::Release);
        }
    }

    fn is_complete(&self) -> bool {
        self.is_complete.load(Ordering::Acquire)
    }

    fn reached(&self) -> Option<i64> {
        Some(self.lease.reached(&*self.clock))
    }

    fn doubts_clock(&self) -> Option<Duration> {
        let doubted = self.lease.is_clock_doubted(self.now());
        if doubted {
            self.doubted.notify_one();
        }
        doubted.then_some(RETRY_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use ficha_token::ManualClock;
    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::*;

    const START: i64 = 1_800_000_000;

    fn replica() -> (Replica, Arc<ManualClock>, [DenyId; 3]) {
        let clock = Arc::new(ManualClock::new(OffsetDateTime::from_unix_timestamp(START).unwrap()));
        let replica = Replica::new("issuer".to_owned(), Arc::clone(&clock) as Arc<dyn Clock>, Duration::from_secs(30));
        let id = Uuid::from_u128(7);
        let page = format!(r#"{{"cursor":"c","entries":[["{id}",{}]]}}"#, START + 600);
        replica.add(page.as_bytes()).unwrap();
        replica.renew(replica.now()).unwrap();
        (replica, clock, [id.into(); 3])
    }

    #[test]
    fn expired_entries_are_dropped() {
        let (replica, clock, ids) = replica();
        assert_eq!(replica.look_up(&ids, START), DenyVerdict::Denied);
        replica.purge();
        assert_eq!(replica.list().len(), 1);
        clock.advance(Duration::from_secs(602));
        replica.renew(replica.now()).unwrap();
        replica.purge();
        assert_eq!(replica.list().len(), 0);
    }

    #[test]
    fn nothing_is_dropped_at_a_time_that_may_be_wrong() {
        let (replica, clock, ids) = replica();
        clock.set_wall(clock.now() + time::Duration::days(1));
        replica.purge();
        clock.set_wall(clock.now() - time::Duration::days(1));
        assert_eq!(replica.look_up(&ids, START), DenyVerdict::Denied);
    }

    #[test]
    fn nothing_is_dropped_before_the_list_has_been_read_under_a_new_time() {
        let (replica, clock, ids) = replica();
        let right = clock.now();
        clock.set_wall(right + time::Duration::days(1));
        replica.end_lease();
        replica.purge();
        clock.set_wall(right);
        replica.purge();
        assert_eq!(replica.look_up(&ids, START), DenyVerdict::Denied);
        assert_eq!(replica.list().len(), 1);
    }

    #[test]
    fn nothing_is_dropped_once_the_lease_is_over() {
        let (replica, clock, _) = replica();
        clock.advance(Duration::from_secs(600));
        replica.purge();
        assert_eq!(replica.list().len(), 1, "the server has not confirmed this time");
        replica.renew(replica.now()).unwrap();
        replica.purge();
        assert_eq!(replica.list().len(), 1, "the clocks may disagree by two seconds");
        clock.advance(Duration::from_secs(2));
        replica.purge();
        assert_eq!(replica.list().len(), 0);
    }
}
