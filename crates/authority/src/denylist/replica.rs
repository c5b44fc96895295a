//! The denylist as a running server keeps it in memory.
//!
//! The server's own bearer endpoints and introspection use this set, never the database. Entries are only ever added,
//! and leave only when their `until` has passed, so nothing that happens to the database can un-revoke a token.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use ficha_store::{Head, History, Store, StoreError};
use ficha_token::DenySet;
use ficha_token::{Clock, DenyEntry, DenyId};
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::Instant;

use crate::clock::expiry::ExpiryClock;
use crate::denylist::cursor::Cursor;
use crate::denylist::recent::Recent;

/// Without a read of the database for this long, it is unknown what has been revoked, and the server answers 503.
pub const VOUCH_LIMIT: Duration = Duration::from_secs(2);

/// Followers cause reads of the database no more often than this, however many there are.
const ASK_PACE: Duration = Duration::from_millis(10);

/// How many rows one read loads.
const ROWS_A_READ: u64 = 20_000;

/// How long after their `until` entries are kept, in seconds: a server that starts with a clock ahead of the others
/// must neither miss nor remove any. They no longer deny anything.
pub(crate) const KEPT_LONGER: i64 = 3_600;

/// The denied ids in memory, and how fresh they are.
pub struct Denylist {
    set: DenySet,
    expiry: ExpiryClock,
    /// When the last successful read of the head *began*, in milliseconds of [`Clock::elapsed`], plus one; 0 is never.
    vouched: AtomicU64,
    /// How far the database has been read.
    recent: RwLock<Recent>,
    /// One reader at a time: rows are loaded in the order of their numbers.
    reading: Mutex<()>,
    /// The last read: its number among all started reads, and its result.
    last: watch::Sender<Option<(u64, Result<Head, StoreError>)>>,
    /// How many reads have started.
    started: AtomicU64,
    /// When the last one did.
    last_start: RwLock<Option<Instant>>,
    /// Wakes the tail when this process has just written a row, or heard that another one has.
    nudge: Notify,
    /// Tells the tail that a follower waits for its next read.
    asked: Notify,
    head: watch::Sender<Option<Head>>,
    /// The history that the rows in memory belong to, once it is known.
    history: RwLock<Option<History>>,
    /// True from when another history was noticed until what is in memory was written into it.
    has_left: AtomicBool,
}

/// The result of a look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// None of the ids is denied.
    Clear,
    /// One is.
    Denied,
    /// Unknown: the database has not been read for [`VOUCH_LIMIT`].
    Stale,
}

impl Default for Denylist {
    fn default() -> Self {
        Self {
            set: DenySet::new(),
            expiry: ExpiryClock::default(),
            vouched: AtomicU64::new(0),
            recent: RwLock::default(),
            reading: Mutex::default(),
            last: watch::Sender::new(None),
            started: AtomicU64::new(0),
            last_start: RwLock::new(None),
            nudge: Notify::new(),
            asked: Notify::new(),
            head: watch::Sender::new(None),
            history: RwLock::new(None),
            has_left: AtomicBool::new(false),
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

    /// Adds what this process has just committed, before the caller gets its answer: from then on it is refused here.
    pub fn add(&self, entries: &[DenyEntry]) {
        for entry in entries {
            self.set.insert(*entry);
        }
        self.nudge();
    }

    /// Makes the tail read the database now.
    pub fn nudge(&self) {
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

    /// Drops what expired before `now`. It may take a tenth of a second.
    pub fn purge(&self, now: i64) {
        self.set.purge(now);
    }

    /// The time by which expired entries may be removed, in Unix seconds: a wall clock that was just set forward is not
    /// believed yet.
    pub(crate) fn expiry_now(&self, clock: &dyn Clock) -> i64 {
        self.expiry.unix_now(clock)
    }

    /// Starts with this offset of [`IssuerClock`](crate::IssuerClock), if the clock is ahead of it.
    pub(crate) fn begin_expiry_clock(&self, offset: i64, clock: &dyn Clock) {
        self.expiry.begin(offset, clock);
    }

    /// The newest head that was read, and a way to wait for the next.
    pub fn heads(&self) -> watch::Receiver<Option<Head>> {
        self.head.subscribe()
    }

    /// The newest rows.
    pub(crate) fn recent(&self) -> RwLockReadGuard<'_, Recent> {
        self.recent.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn recent_mut(&self) -> RwLockWriteGuard<'_, Recent> {
        self.recent.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if this process follows the database: it is a server.
    pub(crate) fn is_followed(&self) -> bool {
        self.recent().newest().is_some()
    }

    /// How many reads of the head have started.
    pub fn reads(&self) -> u64 {
        self.started.load(Ordering::Acquire)
    }

    /// Reads the head, and the rows after the last loaded one. It returns the head; from then on the set counts as
    /// fresh for [`VOUCH_LIMIT`] from when the read began. Callers that arrive during a read share the next one, and
    /// its failure too: a database that is gone is not asked once for each of them.
    pub async fn follow(&self, store: &Store, clock: &dyn Clock) -> Result<Head, StoreError> {
        let started_before = self.started.load(Ordering::Acquire);
        let _reading = self.reading.lock().await;
        if let Some((number, read)) = &*self.last.borrow()
            && *number > started_before
        {
            return read.clone();
        }
        let number = self.started.fetch_add(1, Ordering::AcqRel) + 1;
        let began = clock.elapsed();
        *self.last_start.write().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let read = self.read(store, clock).await;
        if let Err(StoreError::Lost(_) | StoreError::Replaced(_) | StoreError::AnotherHistory) = read {
            // Worse than a database that can't be read: what was read before can't be relied on.
            self.vouched.store(0, Ordering::Release);
        }
        if let Ok(head) = read {
            self.vouched.store(began.as_millis() as u64 + 1, Ordering::Release);
            // Before the next read begins, so that no one sees an older head after a newer one.
            self.head.send_if_modified(|seen| seen.replace(head) != Some(head));
        }
        self.last.send_replace(Some((number, read.clone())));
        read
    }

    /// Returns once [`ASK_PACE`] has passed since the last read began.
    pub(crate) async fn pace(&self) {
        let last = *self.last_start.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last {
            tokio::time::sleep_until(last + ASK_PACE).await;
        }
    }

    /// The result of the tail's next read that begins after this call. All callers share it, and it begins no sooner
    /// than [`ASK_PACE`] after the previous one.
    pub(crate) async fn next_read(&self) -> Result<Head, StoreError> {
        let started_before = self.started.load(Ordering::Acquire);
        let mut reads = self.last.subscribe();
        self.asked.notify_one();
        // A read that finds another history is soon followed by one of that history.
        let is_next = |(number, read): &(u64, Result<Head, StoreError>)| {
            *number > started_before && !matches!(read, Err(StoreError::AnotherHistory))
        };
        let read = reads.wait_for(|read| read.as_ref().is_some_and(is_next));
        match tokio::time::timeout(VOUCH_LIMIT, read).await {
            Ok(Ok(read)) => read.as_ref().map_or(Err(StoreError::AnotherHistory), |(_, read)| read.clone()),
            Ok(Err(_)) => Err(StoreError::Unavailable("the server is shutting down".into())),
            Err(_) => Err(StoreError::Unavailable("the database did not answer within 2 s".into())),
        }
    }

    async fn read(&self, store: &Store, clock: &dyn Clock) -> Result<Head, StoreError> {
        let head = read_in_time(store.head()).await?;
        self.stays_in(&head)?;
        let newest = Cursor::from(head);
        let at = self.recent().newest();
        if at == Some(newest) {
            return Ok(head);
        }
        if let Some(at) = at {
            if at.number <= newest.number && self.load_new(at, newest, store).await? {
                return Ok(head);
            }
            // A cursor that the database does not know belongs to another history, or its row was pruned while this
            // server was disconnected.
            self.leave();
            return Err(StoreError::AnotherHistory);
        }
        self.load_all(newest, store, clock).await?;
        Ok(head)
    }

    /// An error if this head is of another history than the rows in memory.
    fn stays_in(&self, head: &Head) -> Result<(), StoreError> {
        let known = *self.history.read().unwrap_or_else(PoisonError::into_inner);
        if self.has_left() || !head.has_own_beat || known.is_some_and(|known| known != head.history) {
            self.leave();
            return Err(StoreError::AnotherHistory);
        }
        if known.is_none() {
            *self.history.write().unwrap_or_else(PoisonError::into_inner) = Some(head.history);
        }
        Ok(())
    }

    /// From now on nothing is vouched for, until [`Denylist::join`].
    fn leave(&self) {
        self.has_left.store(true, Ordering::Release);
        self.vouched.store(0, Ordering::Release);
    }

    /// True while the database has a history into which this server has not yet written what it denies.
    pub(crate) fn has_left(&self) -> bool {
        self.has_left.load(Ordering::Acquire)
    }

    /// Goes on in this history, into which everything denied was written. The next read loads all of it.
    pub(crate) fn join(&self, history: History) {
        *self.history.write().unwrap_or_else(PoisonError::into_inner) = Some(history);
        self.recent_mut().forget();
        self.has_left.store(false, Ordering::Release);
    }

    /// What is denied at `now` and not in the database, or not for as long, in parts of at most `size`. The rows are
    /// read without changing what is in memory.
    pub(crate) async fn missing_in(
        &self,
        store: &Store,
        now: i64,
        size: usize,
    ) -> Result<Vec<Vec<DenyEntry>>, StoreError> {
        let (there, mut after) = (DenySet::new(), 0);
        loop {
            let rows = read_in_time(store.live_deny_rows(now, after, ROWS_A_READ)).await?;
            for row in &rows {
                there.insert(row.entry);
            }
            after = rows.last().map_or(after, |row| row.number);
            if (rows.len() as u64) < ROWS_A_READ {
                break;
            }
        }
        let mut parts: Vec<Vec<DenyEntry>> = Vec::new();
        self.set.for_each(now, |entry| {
            if there.contains(&entry.id, entry.until - 1) {
                return;
            }
            match parts.last_mut() {
                Some(part) if part.len() < size => part.push(entry),
                _ => parts.push(vec![entry]),
            }
        });
        Ok(parts)
    }

    /// Loads the rows after `at`. False if the database does not know that cursor.
    async fn load_new(&self, mut at: Cursor, newest: Cursor, store: &Store) -> Result<bool, StoreError> {
        loop {
            let Some(rows) = read_in_time(store.deny_rows_behind((at.number, at.tag), ROWS_A_READ)).await? else {
                return Ok(false);
            };
            for row in &rows {
                self.set.insert(row.entry);
            }
            self.recent_mut().extend(&rows);
            at = rows.last().map_or(at, Cursor::from);
            if (rows.len() as u64) < ROWS_A_READ {
                break;
            }
        }
        // The head was read before the rows.
        let reached = at.number > newest.number || at == newest;
        if reached { Ok(true) } else { Err(inconsistent_history()) }
    }

    async fn load_all(&self, newest: Cursor, store: &Store, clock: &dyn Clock) -> Result<(), StoreError> {
        let mut end = newest;
        let mut after = 0;
        let since = self.expiry_now(clock) - KEPT_LONGER;
        loop {
            let rows = read_in_time(store.live_deny_rows(since, after, ROWS_A_READ)).await?;
            for row in &rows {
                self.set.insert(row.entry);
            }
            // Rows newer than the head are loaded too; the cursor must not fall behind them.
            if let Some(last) = rows.last() {
                after = last.number;
                end = if last.number > newest.number { Cursor::from(last) } else { end };
            }
            if (rows.len() as u64) < ROWS_A_READ {
                break;
            }
        }
        // The row of the head still exists after the last row was read, so it existed before each of them.
        if !read_in_time(store.deny_row_exists(newest.number, newest.tag)).await? {
            return Err(inconsistent_history());
        }
        self.recent_mut().restart(end);
        Ok(())
    }

    /// Returns when the database should be read again: when this process has written a row, when a follower asks (but
    /// not too soon after `before`, the last read), or after `at_most`.
    pub async fn nudged(&self, before: Instant, at_most: Duration) {
        let asked = async {
            self.asked.notified().await;
            tokio::time::sleep_until(before + ASK_PACE).await;
        };
        tokio::select! {
            () = self.nudge.notified() => {}
            () = asked => {}
            () = tokio::time::sleep(at_most) => {}
        }
    }
}

/// The head and the rows do not match: the database was restored between two reads, or one of them came from a standby
/// that lags. Such a read proves nothing.
fn inconsistent_history() -> StoreError {
    StoreError::Unavailable("the denylist rows do not match its head".into())
}

/// If a read takes longer, the database does not answer. Each read has its own limit, so loading a long list may take
/// as long as it needs.
const READ_LIMIT: Duration = Duration::from_secs(2);

pub(crate) async fn read_in_time<T>(read: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let silent = || Err(StoreError::Unavailable("the database did not answer within 2 s".into()));
    tokio::time::timeout(READ_LIMIT, read).await.unwrap_or_else(|_| silent())
}
