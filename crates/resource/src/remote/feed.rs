//! The denylist as it is known here, and for how long that can be relied on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ficha_token::{Clock, DenyId, DenyPage, DenySet};
use tokio::sync::{Notify, watch};

use super::lease::{Freshness, Jumped, Lease, Moment};
use crate::source::{DenySource, DenyVerdict};

/// What a caller is told to wait where the list is stale.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The list, written by one follower and read by every request.
pub(crate) struct Feed {
    issuer: String,
    clock: Arc<dyn Clock>,
    list: DenySet,
    lease: Lease,
    /// True once the whole list has been read, and from then on.
    complete: watch::Sender<bool>,
    is_complete: AtomicBool,
    told_stale: AtomicBool,
    /// Wakes the follower when a request finds the list stale: it may hang on a connection that died in a suspend.
    pub(super) doubted: Notify,
    pub(crate) counts: Counts,
}

/// What has happened so far.
#[derive(Default)]
pub(crate) struct Counts {
    pub polls_ok: AtomicU64,
    pub polls_failed: AtomicU64,
    pub resets: AtomicU64,
}

/// A page without its entries, which are in the list by now.
pub(super) struct PageHead {
    pub cursor: String,
    pub nonce: Option<String>,
    pub reset: bool,
    pub more: bool,
    pub entries: usize,
}

impl Feed {
    pub(crate) fn new(issuer: String, clock: Arc<dyn Clock>, lease: Duration) -> Self {
        Self {
            issuer,
            lease: Lease::new(lease, &*clock),
            clock,
            list: DenySet::new(),
            complete: watch::Sender::new(false),
            is_complete: AtomicBool::new(false),
            told_stale: AtomicBool::new(false),
            doubted: Notify::new(),
            counts: Counts::default(),
        }
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

    /// Waits until the whole list has been read once.
    pub(crate) async fn completed(&self) {
        // The sender is ours, so it can't be gone.
        let _ = self.complete.subscribe().wait_for(|complete| *complete).await;
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
            "the server does not know our place in the denylist, and sends all of it; what is known here stays"
        );
    }

    pub(super) fn now(&self) -> Moment {
        Moment::now(&*self.clock)
    }

    pub(super) fn has_jumped(&self) -> bool {
        self.lease.has_jumped(self.now())
    }

    /// Reads a page, and adds what it denies: whoever sent it, no entry can make a bad token good.
    pub(super) fn add(&self, body: &[u8]) -> Result<PageHead, serde_json::Error> {
        let page: DenyPage = serde_json::from_slice(body)?;
        let entries = page.entries.len();
        for entry in page.entries {
            self.list.insert(entry);
        }
        Ok(PageHead { cursor: page.cursor, nonce: page.nonce, reset: page.reset, more: page.more, entries })
    }

    /// The whole list is known as it was at some time after `sent`.
    pub(super) fn renew(&self, sent: Moment) -> Result<(), Jumped> {
        self.lease.renew(sent, self.now())?;
        self.is_complete.store(true, Ordering::Release);
        if !self.complete.send_replace(true) {
            tracing::info!(issuer = self.issuer, entries = self.list.len(), "the denylist is complete");
        } else if self.told_stale.swap(false, Ordering::AcqRel) && self.is_fresh() {
            tracing::info!(issuer = self.issuer, entries = self.list.len(), "the denylist is current again");
        }
        Ok(())
    }

    /// The wall clock was set: nothing is vouched for until the whole list has been read anew, because entries may have
    /// been dropped at a time that was wrong.
    pub(super) fn end_lease(&self) {
        self.lease.end(self.now());
        tracing::warn!(issuer = self.issuer, "the wall clock was set, so the denylist is read anew");
    }

    /// Says once that the list has become stale.
    pub(super) fn notice_staleness(&self) {
        if !self.is_complete.load(Ordering::Acquire) || self.is_fresh() {
            return;
        }
        if !self.told_stale.swap(true, Ordering::AcqRel) {
            let age = self.age().unwrap_or_default().as_secs();
            tracing::error!(
                issuer = self.issuer,
                age,
                "the denylist is stale: tokens are not accepted until the authorization server answers again, unless \
                 this service has chosen otherwise"
            );
        }
    }

    /// The longest that the follower may pause after a failure.
    pub(super) fn longest_pause(&self) -> Duration {
        self.lease.longest_pause(&*self.clock)
    }

    /// Gives back the memory of entries whose time has come. It may take a tenth of a second.
    pub(super) fn purge(&self) {
        // What is dropped is gone until the list is read anew, so nothing is by a time that nobody has vouched for: not
        // the wall clock's, which may be set at any moment, and not while the server is away.
        if !self.is_fresh() {
            return;
        }
        let removed = self.list.purge(self.lease.reached(&*self.clock));
        if removed > 0 {
            tracing::debug!(issuer = self.issuer, removed, left = self.list.len(), "expired entries left the denylist");
        }
    }
}

impl DenySource for Feed {
    fn check(&self, ids: &[DenyId], now: i64) -> DenyVerdict {
        // Taken before the look-up and compared with the clock after it: however long this thread stands still in
        // between, what is accepted was looked up under a lease that still runs.
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

    fn feed() -> (Feed, Arc<ManualClock>, [DenyId; 3]) {
        let clock = Arc::new(ManualClock::new(OffsetDateTime::from_unix_timestamp(START).unwrap()));
        let feed = Feed::new("issuer".to_owned(), Arc::clone(&clock) as Arc<dyn Clock>, Duration::from_secs(30));
        let id = Uuid::from_u128(7);
        let page = format!(r#"{{"cursor":"c","entries":[["{id}",{}]]}}"#, START + 600);
        feed.add(page.as_bytes()).unwrap();
        feed.renew(feed.now()).unwrap();
        (feed, clock, [id.into(); 3])
    }

    #[test]
    fn what_has_expired_is_dropped() {
        let (feed, clock, ids) = feed();
        assert_eq!(feed.check(&ids, START), DenyVerdict::Denied);
        feed.purge();
        assert_eq!(feed.list().len(), 1);
        clock.advance(Duration::from_secs(602));
        feed.renew(feed.now()).unwrap();
        feed.purge();
        assert_eq!(feed.list().len(), 0);
    }

    #[test]
    fn nothing_is_dropped_at_a_time_that_may_be_wrong() {
        let (feed, clock, ids) = feed();
        clock.set_wall(clock.now() + time::Duration::days(1));
        feed.purge();
        clock.set_wall(clock.now() - time::Duration::days(1));
        assert_eq!(feed.check(&ids, START), DenyVerdict::Denied);
    }

    #[test]
    fn nothing_is_dropped_before_the_list_has_been_read_under_a_new_time() {
        let (feed, clock, ids) = feed();
        let right = clock.now();
        clock.set_wall(right + time::Duration::days(1));
        feed.end_lease();
        feed.purge();
        clock.set_wall(right);
        feed.purge();
        assert_eq!(feed.check(&ids, START), DenyVerdict::Denied);
        assert_eq!(feed.list().len(), 1);
    }

    #[test]
    fn nothing_is_dropped_once_the_lease_is_over() {
        let (feed, clock, _) = feed();
        clock.advance(Duration::from_secs(600));
        feed.purge();
        assert_eq!(feed.list().len(), 1, "nobody has said since that this is the time");
        feed.renew(feed.now()).unwrap();
        feed.purge();
        assert_eq!(feed.list().len(), 1, "the clocks may disagree by two seconds");
        clock.advance(Duration::from_secs(2));
        feed.purge();
        assert_eq!(feed.list().len(), 0);
    }
}
