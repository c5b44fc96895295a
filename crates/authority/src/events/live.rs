//! Events as they get their numbers, for those who watch.
//!
//! While somebody watches, one task reads the log's end and keeps the newest events in memory; all who watch share that.
//! Who has fallen behind reads the database.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ficha_store::{EventFilter, EventKind, EventRecord, StoreError};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use crate::Authority;
use crate::admin::Sight;

/// How often the log's end is read while somebody watches.
const EVERY: Duration = Duration::from_millis(100);
/// After an error.
const PAUSE: Duration = Duration::from_secs(1);
/// How many events are kept in memory, and read at once.
const MOST: usize = 2_000;
/// How far back who sees events only by their names may go on.
const KEPT_FOR_NAMES: Duration = Duration::from_secs(3_600);
/// How soon who has fallen behind reads again.
const PACE: Duration = Duration::from_millis(20);
const BATCH: u64 = 500;

/// The newest events.
#[derive(Default)]
pub(crate) struct LiveEvents {
    recent: RwLock<Recent>,
    watchers: AtomicUsize,
    began: Notify,
    newest: watch::Sender<i64>,
}

#[derive(Default)]
struct Recent {
    /// All events after this number are here.
    after: i64,
    events: VecDeque<Arc<EventRecord>>,
}

/// Where somebody who watches has come to.
pub struct EventWatch {
    authority: Authority,
    sight: Sight,
    at: i64,
    newest: watch::Receiver<i64>,
}

/// Events that can't be shown: they are not there any more, or belong to another history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// After this number.
    pub after: i64,
    /// Up to this one.
    pub until: i64,
}

impl LiveEvents {
    fn after(&self, number: i64) -> Option<Vec<Arc<EventRecord>>> {
        let recent = self.recent.read().unwrap_or_else(PoisonError::into_inner);
        let newest = recent.events.back().and_then(|event| event.number).unwrap_or(recent.after);
        if number < recent.after || number > newest {
            return None;
        }
        let from = recent.events.partition_point(|event| event.number.is_none_or(|at| at <= number));
        Some(recent.events.range(from..).take(BATCH as usize).cloned().collect())
    }

    fn extend(&self, events: Vec<EventRecord>) {
        let Some(newest) = events.last().and_then(|event| event.number) else { return };
        let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
        // A round that has failed half-way is repeated.
        let known = recent.events.back().and_then(|event| event.number).unwrap_or(recent.after);
        let is_new = |event: &EventRecord| event.number.is_some_and(|number| number > known);
        recent.events.extend(events.into_iter().filter(is_new).map(Arc::new));
        let over = recent.events.len().saturating_sub(MOST);
        let last = recent.events.drain(..over).next_back().and_then(|event| event.number);
        recent.after = last.unwrap_or(recent.after);
        drop(recent);
        self.newest.send_replace(newest);
    }

    fn restart(&self, after: i64) {
        *self.recent.write().unwrap_or_else(PoisonError::into_inner) = Recent { after, events: VecDeque::new() };
        self.newest.send_replace(after);
    }
}

/// Reads the log's end while somebody watches.
pub(crate) async fn follow_log(authority: Authority) {
    let live = &authority.inner.live_events;
    let mut at = None;
    loop {
        if live.watchers.load(Ordering::Acquire) == 0 {
            at = None;
            // Nobody keeps it current: what is erased or pruned meanwhile must not come from here.
            live.restart(i64::MAX);
            live.began.notified().await;
            continue;
        }
        match authority.read_log_end(at).await {
            Ok(number) => {
                at = Some(number);
                sleep(EVERY).await;
            }
            Err(error) => {
                // An outage has its own log line.
                tracing::debug!(%error, "the end of the event log could not be read");
                sleep(PAUSE).await;
            }
        }
    }
}

impl Authority {
    async fn read_log_end(&self, at: Option<i64>) -> Result<i64, StoreError> {
        let live = &self.inner.live_events;
        let newest = self.store().event_chain().await?.newest.number;
        // If the log is shorter than it was, the database has another history.
        let mut at = match at.filter(|at| *at <= newest) {
            Some(at) => at,
            None => {
                live.restart(newest);
                newest
            }
        };
        loop {
            let events = self.store().events_after(&EventFilter::default(), at, BATCH).await?;
            let is_last = (events.len() as u64) < BATCH;
            let has_erased = events.iter().any(|event| event.event == EventKind::UserErased.as_str());
            at = events.last().and_then(|event| event.number).unwrap_or(at);
            live.extend(events);
            if has_erased {
                // What is in memory still has what was erased.
                live.restart(at);
            }
            if is_last {
                return Ok(at);
            }
        }
    }

    /// Watches the events that get their numbers from now on; or all after the number `after`, on whatever server that
    /// was seen.
    pub async fn watch_events(
        &self,
        sight: Sight,
        after: Option<i64>,
    ) -> Result<(EventWatch, Option<Gap>), StoreError> {
        let chain = self.store().event_chain().await?;
        let (pruned, newest) = (chain.pruned.number, chain.newest.number);
        let (at, gap) = match after {
            None => (newest, None),
            Some(after) if after < pruned => (pruned, Some(Gap { after, until: pruned })),
            // The database was put back.
            Some(after) if after > newest => (newest, Some(Gap { after: newest, until: after })),
            Some(after) => match self.kept_for(&sight, newest).await? {
                // What is shown as it happens is not all of what is kept.
                Some(oldest) if after < oldest => (oldest, Some(Gap { after, until: oldest })),
                _ => (after, None),
            },
        };
        let live = &self.inner.live_events;
        live.watchers.fetch_add(1, Ordering::AcqRel);
        live.began.notify_one();
        Ok((EventWatch { authority: self.clone(), sight, at, newest: live.newest.subscribe() }, gap))
    }
}

impl Authority {
    /// Who sees events only by their names goes on after a short time away, and gets no history beyond.
    async fn kept_for(&self, sight: &Sight, newest: i64) -> Result<Option<i64>, StoreError> {
        if !matches!(sight, Sight::Named(..)) {
            return Ok(None);
        }
        let since = self.clock().unix_millis() - KEPT_FOR_NAMES.as_millis() as i64;
        let first = self.store().event_number_at(since).await?;
        Ok(Some(first.map_or(newest, |number| number - 1)))
    }
}

impl EventWatch {
    /// The number up to which everything was seen.
    pub fn at(&self) -> i64 {
        self.at
    }

    /// The next events that may be seen: perhaps none, at once. Then [`EventWatch::news`] waits for more. If some can't be
    /// shown any more, it says so first. It can be dropped at any time: nothing is lost.
    pub async fn next(&mut self) -> Result<(Option<Gap>, Vec<EventRecord>), StoreError> {
        self.newest.borrow_and_update();
        if let Some(events) = self.authority.inner.live_events.after(self.at) {
            let at = events.last().and_then(|event| event.number).unwrap_or(self.at);
            return Ok((None, self.seen(at, events.iter().map(|event| &**event))));
        }
        let store = self.authority.store();
        // Before the events: what gets its number in between is read the next time.
        let chain = store.event_chain().await?;
        let (pruned, newest) = (chain.pruned.number, chain.newest.number);
        if self.at < pruned || self.at > newest {
            let gap = Gap { after: self.at.min(newest), until: self.at.max(pruned) };
            self.at = if self.at < pruned { pruned } else { newest };
            return Ok((Some(gap), Vec::new()));
        }
        let read = store.events_after(&self.sight.filter(), self.at, BATCH).await?;
        let last = read.last().and_then(|event| event.number).unwrap_or(self.at);
        let at = if (read.len() as u64) < BATCH { last.max(newest) } else { last };
        Ok((None, self.seen(at, read.iter())))
    }

    fn seen<'a>(&mut self, at: i64, events: impl Iterator<Item = &'a EventRecord>) -> Vec<EventRecord> {
        self.at = at;
        let seen = events.filter(|event| self.sight.includes(event));
        seen.map(|event| self.sight.shown(event.clone())).collect()
    }

    /// Returns once there may be more.
    pub async fn news(&mut self) {
        // Lower after another history.
        if *self.newest.borrow_and_update() != self.at {
            sleep(PACE).await;
            return;
        }
        // The sender belongs to the authority.
        let _ = self.newest.changed().await;
    }
}

impl Drop for EventWatch {
    fn drop(&mut self) {
        self.authority.inner.live_events.watchers.fetch_sub(1, Ordering::AcqRel);
    }
}
