//! The denylist as a running server holds it, and the task that keeps it current.
//!
//! The server's own bearer endpoints and introspection ask this set, never the database. It only ever adds: entries
//! leave by their `until` alone, so nothing that the database does can un-revoke a token.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ficha_store::{Head, Store, StoreError};
use ficha_token::denylist::DenySet;
use ficha_token::{Clock, DenyEntry, DenyId};
use tokio::sync::{Mutex, Notify, watch};

/// Without a read of the database for this long, nobody knows what has been revoked: the server refuses with 503.
pub const VOUCH_LIMIT: Duration = Duration::from_secs(2);

/// How many rows one read takes up.
const PAGE: u64 = 5_000;

/// The denied ids in memory, and how fresh they are.
pub struct Denylist {
    set: DenySet,
    /// When the last successful read of the head *began*, in milliseconds of [`Clock::elapsed`], plus one; 0 is never.
    vouched: AtomicU64,
    /// How far the database has been read. One reader at a time: rows are taken up in order of number.
    reading: Mutex<Reading>,
    /// How many reads have begun.
    begun: AtomicU64,
    /// Wakes the tail when this process has just written a row.
    nudge: Notify,
    head: watch::Sender<Option<Head>>,
}

#[derive(Default)]
struct Reading {
    /// The newest row taken up.
    position: Option<Position>,
    /// The last read that succeeded: its number among all that have begun, and what it saw.
    last: Option<(u64, Head)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    number: i64,
    tag: i64,
}

/// What a look at the denylist says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// None of the ids is denied.
    Clear,
    /// One is.
    Denied,
    /// Nobody knows: the database has not been read for [`VOUCH_LIMIT`].
    Stale,
}

impl Default for Denylist {
    fn default() -> Self {
        Self {
            set: DenySet::new(),
            vouched: AtomicU64::new(0),
            reading: Mutex::default(),
            begun: AtomicU64::new(0),
            nudge: Notify::new(),
            head: watch::Sender::new(None),
        }
    }
}

impl Denylist {
    /// Looks up the ids of a token.
    pub fn check(&self, ids: &[DenyId], clock: &dyn Clock) -> Verdict {
        if self.set.contains_any(ids, clock.unix_now()) {
            Verdict::Denied
        } else if self.is_fresh(clock) {
            Verdict::Clear
        } else {
            Verdict::Stale
        }
    }

    /// True if the database has been read within [`VOUCH_LIMIT`].
    pub fn is_fresh(&self, clock: &dyn Clock) -> bool {
        match self.vouched.load(Ordering::Acquire) {
            0 => false,
            at => clock.elapsed() <= Duration::from_millis(at - 1) + VOUCH_LIMIT,
        }
    }

    /// Takes up what this process has just committed, before the caller is told: from then on it is refused here.
    pub fn add(&self, entries: &[DenyEntry]) {
        for entry in entries {
            self.set.insert(*entry);
        }
        self.nudge.notify_one();
    }

    /// True if `id` is denied at `now`.
    pub fn contains(&self, id: &DenyId, now: i64) -> bool {
        self.set.contains(id, now)
    }

    /// How many ids are denied.
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// True if none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops what has run out.
    pub fn purge(&self, now: i64) {
        self.set.purge(now);
    }

    /// The newest head that was read, and a way to wait for the next.
    pub fn heads(&self) -> watch::Receiver<Option<Head>> {
        self.head.subscribe()
    }

    /// Reads the head, and whatever rows came after the last that was taken up. The answer is the head; from then on
    /// the server vouches for what it says for [`VOUCH_LIMIT`] from when the read began. Those who come while a read
    /// is under way share the next one.
    pub async fn follow(&self, store: &Store, clock: &dyn Clock) -> Result<Head, StoreError> {
        let begun_before = self.begun.load(Ordering::Acquire);
        let mut reading = self.reading.lock().await;
        if let Some((number, head)) = reading.last
            && number > begun_before
        {
            return Ok(head);
        }
        let number = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let began = clock.elapsed();
        let head = limited(store.head()).await?;
        let newest = Position { number: head.number, tag: head.tag };
        if reading.position != Some(newest) {
            self.catch_up(&mut reading.position, newest, store, clock).await?;
        }
        reading.last = Some((number, head));
        self.vouched.store(began.as_millis() as u64 + 1, Ordering::Release);
        drop(reading);
        self.head.send_if_modified(|seen| seen.replace(head) != Some(head));
        Ok(head)
    }

    async fn catch_up(
        &self,
        position: &mut Option<Position>,
        newest: Position,
        store: &Store,
        clock: &dyn Clock,
    ) -> Result<(), StoreError> {
        // A position that the database does not know is of another history: the database was put back. Read all of it.
        let known = match position {
            Some(at) => at.number <= newest.number && limited(store.deny_row_exists(at.number, at.tag)).await?,
            None => false,
        };
        if position.is_some() && !known {
            tracing::warn!(
                "the denylist is read anew: this server was away for long, or the database was put back; after that, run \
                 `ficha recover`"
            );
        }
        let mut after = if known { position.map_or(0, |at| at.number) } else { 0 };
        loop {
            let rows = if known {
                limited(store.deny_rows_after(after, PAGE)).await?
            } else {
                limited(store.live_deny_rows(clock.unix_now(), after, PAGE)).await?
            };
            for row in &rows {
                self.set.insert(row.entry);
            }
            match rows.last() {
                Some(last) if rows.len() as u64 == PAGE => after = last.number,
                // Rows that came after the head was read are taken up too; the position may not run behind them only.
                Some(last) if last.number > newest.number => {
                    *position = Some(Position { number: last.number, tag: last.tag });
                    return Ok(());
                }
                _ => break,
            }
        }
        *position = Some(newest);
        Ok(())
    }

    /// Returns when this process has written a row, or after `at_most`.
    pub async fn nudged(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.nudge.notified()).await;
    }
}

/// A read that takes longer has met a database that does not answer. Each read has its own limit, so taking up a long
/// list may take as long as it needs.
const READ_LIMIT: Duration = Duration::from_secs(2);

async fn limited<T>(read: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let silent = || Err(StoreError::Unavailable("the database did not answer within 2 s".into()));
    tokio::time::timeout(READ_LIMIT, read).await.unwrap_or_else(|_| silent())
}
