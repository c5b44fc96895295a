//! Numbering events: one server does it, and another takes over if it stops.
//!
//! The database says who the sequencer is. There is no lease to renew: whoever sees that an event without a number waits and
//! that the newest number does not move for [`STOPPED_AFTER`] replaces the sequencer by compare-and-set. This goes by
//! the observer's own time, so no clocks are compared. The old one, if it still runs, changes nothing any more: each of
//! its steps compares its name under the lock of the row.

use std::time::Duration;

use ficha_store::{ChainEnd, EventChain, EventFilter, EventRecord, Store, StoreError};
use ficha_token::random_uuid;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use crate::Authority;
use crate::events::chain::{ChainKey, Sealed};
use crate::events::output::EventOutput;
use crate::events::view::hex;
use crate::metrics::Metrics;

/// How often events without a number are looked for. Those of a quarter of a second share a commit: on SQLite each
/// commit delays others.
const EVERY: Duration = Duration::from_millis(250);
/// How many events one transaction numbers.
const BATCH: u64 = 500;
/// If an event has waited this long and no number was given, the sequencer is taken to have stopped.
const STOPPED_AFTER: Duration = Duration::from_secs(1);
/// How often the newest number and its hash are logged.
const SAY_END: Duration = Duration::from_secs(60);

/// A process that may number events.
pub(crate) struct Sequencer<'a> {
    store: &'a Store,
    key: &'a ChainKey,
    me: Uuid,
    /// What is expected to move: the oldest event without a number, and the chain as it was then.
    waiting: Option<(Waiting, Instant)>,
}

/// The oldest event without a number, the newest number, and the sequencer.
type Waiting = (Uuid, i64, Option<Uuid>);

/// What one step has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// There is nothing to number.
    Idle,
    /// Another process numbers events.
    NotMine,
    /// These events were numbered, and this is the chain's end now; there may be more.
    Numbered(Vec<EventRecord>, ChainEnd),
}

impl<'a> Sequencer<'a> {
    pub(crate) fn new(store: &'a Store, key: &'a ChainKey, me: Uuid) -> Self {
        Self { store, key, me, waiting: None }
    }

    /// Numbers the events that wait, if this process is the sequencer, or becomes it because there is none or it has
    /// stopped.
    pub(crate) async fn step(&mut self, chain: &EventChain) -> Result<Step, StoreError> {
        // After the chain was read: if another numbers them in between, the compare-and-set fails.
        let mut pending = self.store.pending_events(BATCH).await?;
        let Some(first) = pending.first().map(|event| event.id) else {
            self.waiting = None;
            return Ok(Step::Idle);
        };
        let mut chain = chain.clone();
        if chain.sequencer != Some(self.me) {
            if chain.sequencer.is_some() && !self.has_stopped(first, &chain) {
                return Ok(Step::NotMine);
            }
            if !self.store.replace_sequencer(chain.sequencer, Some(self.me)).await? {
                return Ok(Step::NotMine);
            }
            tracing::debug!(after = chain.newest.number, "this process numbers the events from now on");
            chain.sequencer = Some(self.me);
        }
        let (numbered, end) = self.key.extend(chain.newest, &pending);
        let done = self.store.number_events(&numbered, &chain, end).await?;
        if !done {
            return Ok(Step::NotMine);
        }
        for (event, numbered) in pending.iter_mut().zip(numbered) {
            (event.number, event.hash) = (Some(numbered.number), Some(numbered.hash));
        }
        Ok(Step::Numbered(pending, end))
    }

    /// Lets another process take over at once.
    pub(crate) async fn release(&self) -> Result<(), StoreError> {
        self.store.replace_sequencer(Some(self.me), None).await.map(drop)
    }

    fn has_stopped(&mut self, first: Uuid, chain: &EventChain) -> bool {
        let (now, waiting) = (Instant::now(), (first, chain.newest.number, chain.sequencer));
        match &self.waiting {
            Some((seen, since)) if *seen == waiting => now - *since >= STOPPED_AFTER,
            _ => {
                self.waiting = Some((waiting, now));
                false
            }
        }
    }
}

/// Numbers events until `stopped` is set; then the waiting ones, and lets another process take over. Sets `done`.
pub(crate) async fn sequence(authority: Authority, mut stopped: watch::Receiver<bool>, done: watch::Sender<bool>) {
    let me = random_uuid(&*authority.inner.base.entropy);
    let key = authority.inner.master.chain_key();
    let mut sequencer = Sequencer::new(authority.store(), &key, me);
    let mut watched = Watched::default();
    let mut failing = false;
    loop {
        let stopping = tokio::time::timeout(EVERY, stopped.wait_for(|stopped| *stopped)).await.is_ok();
        match authority.number_waiting(&mut sequencer, &mut watched, stopping).await {
            // An outage has its own log lines.
            Err(error) if error.is_outage() => tracing::debug!(%error, "events could not be numbered"),
            Err(error) if !failing => {
                failing = true;
                tracing::error!(%error, "events could not be numbered; trying again");
            }
            Err(_) => {}
            Ok(()) => failing = false,
        }
        if stopping {
            let _ = sequencer.release().await;
            watched.say_end();
            done.send_replace(true);
            // It ends together with the other tasks.
            return std::future::pending().await;
        }
    }
}

impl Authority {
    /// Numbers the events that wait if this server is the sequencer, and passes on what has numbers. Events that come
    /// while it does are left for the next time, unless these are the `last`: a transaction for few of them takes the
    /// database's writer as long as one for many.
    async fn number_waiting(
        &self,
        sequencer: &mut Sequencer<'_>,
        watched: &mut Watched,
        last: bool,
    ) -> Result<(), StoreError> {
        loop {
            let chain = self.store().event_chain().await?;
            watched.look(chain.newest, sequencer.key, &self.inner.metrics);
            if chain.sequencer != Some(sequencer.me) || watched.passed_on.is_some_and(|last| last > chain.newest.number)
            {
                // Another numbers events, or the database has lost some.
                watched.passed_on = None;
            }
            if chain.sequencer == Some(sequencer.me) {
                // What an earlier step numbered and could not confirm is passed on as well.
                let from = *watched.passed_on.get_or_insert(chain.newest.number);
                watched.passed_on = Some(pass_on(self.store(), &self.inner.events, from, chain.newest.number).await?);
            }
            match sequencer.step(&chain).await? {
                Step::Idle => return Ok(()),
                Step::NotMine => return Ok(()),
                Step::Numbered(events, end) => {
                    watched.look(end, sequencer.key, &self.inner.metrics);
                    let is_full = events.len() as u64 == BATCH;
                    watched.passed_on = events.last().and_then(|event| event.number);
                    events.into_iter().for_each(|event| self.inner.events.put(event));
                    if !is_full && !last {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// Passes on the events after `from`, up to `to`. Returns the number of the last one.
async fn pass_on(store: &Store, output: &EventOutput, from: i64, to: i64) -> Result<i64, StoreError> {
    let mut last = from;
    while last < to {
        let events = store.events_after(&EventFilter::default(), last, BATCH).await?;
        if events.is_empty() {
            break;
        }
        for event in events {
            last = event.number.unwrap_or(last);
            output.put(event);
        }
    }
    Ok(last.max(to))
}

/// The end of the chain as this server has seen it. It only ever grows.
#[derive(Default)]
struct Watched {
    newest: ChainEnd,
    said: ChainEnd,
    said_at: Option<Instant>,
    /// The number up to which events were passed on, while this server is the sequencer.
    passed_on: Option<i64>,
}

impl Watched {
    fn look(&mut self, now: ChainEnd, key: &ChainKey, metrics: &Metrics) {
        let before = self.newest;
        if now == before {
            return;
        }
        if now.number <= before.number || !key.is_sealed(Sealed::Newest, &now) {
            tracing::error!(
                number = now.number,
                hash = hex(&now.hash),
                number_before = before.number,
                hash_before = hex(&before.hash),
                "the end of the event log is not the one that this server has seen, and no event leads there: events \
                 were removed or changed, or the database is a copy from before; `ficha audit verify` shows more"
            );
        }
        self.newest = now;
        metrics.events_number.set(u64::try_from(now.number).unwrap_or_default());
        // 48 bits: a metric is a floating-point number, and holds them exactly.
        let first = now.hash[..6].iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        metrics.events_hash.set(first);
        if self.said_at.is_none_or(|said| said.elapsed() >= SAY_END) {
            self.say_end();
        }
    }

    fn say_end(&mut self) {
        if self.newest != self.said {
            tracing::info!(number = self.newest.number, hash = hex(&self.newest.hash), "newest event");
            (self.said, self.said_at) = (self.newest, Some(Instant::now()));
        }
    }
}
