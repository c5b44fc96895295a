//! The denylist in memory, in which every request's token is looked up.
//!
//! **Shape.** 1024 shards, each a lock around a small table. The shard of an id and its place there come from a
//! multiplication that is seeded randomly in each process: UUIDv7 ids share their first bytes, and no one outside can
//! target one shard. A table is one array of 20-byte slots (16 of id, 4 of expiry), sorted by hash with some gaps, so a
//! look-up starts at the right place, reads one or two cache lines, and stops at the first larger hash. Nothing else is
//! kept for an id. In front of the shards there is a filter of 1 MB that answers for most ids that are not denied: one
//! cache line is read and no lock taken, and a lock alone costs as much as everything else.
//!
//! **Cost.** Adding an id moves a few slots; when a table is full, only that table is copied, a 1024th of the list.
//! Large tables grow by a twelfth and are 85 to 92 % full, so 10,000,000 ids need about 23 bytes each, 240 MB at most.
//! `cargo run --release -p ficha-token --example token_rate` measures all of it.
//!
//! **Expiry.** An entry past its `until` counts as absent at once. Its memory is freed by [`DenySet::purge`], which
//! goes shard by shard and holds one lock at a time. The set and each shard know when the next entry expires, so if
//! nothing has expired nothing is touched. Lists by expiry next to the table would have cost 16 more bytes per id.

mod filter;
mod shard;

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::crypto::entropy::{Entropy, SystemEntropy};
use crate::denylist::deny_id::{DenyEntry, DenyId};
use filter::Filter;
use shard::Shard;

/// How many shards there are: 2 to the power of [`SHARD_BITS`].
const SHARDS: usize = 1 << SHARD_BITS;
const SHARD_BITS: u32 = 10;

/// A set of denied ids, each with its own expiry. It is shared between threads by reference, and an id leaves it only
/// when its `until` has passed.
pub struct DenySet {
    filter: Filter,
    shards: Box<[Line]>,
    mixer: Mixer,
    len: AtomicUsize,
    /// Bytes in tables.
    bytes: AtomicUsize,
    /// No entry expires before this second.
    due: AtomicU32,
}

/// One shard per cache line, so that threads in different shards do not disturb each other.
#[repr(align(64))]
struct Line(RwLock<Shard>);

/// A keyed hash of ids. It only has to be unknown outside; its results are never shown.
#[derive(Clone, Copy)]
struct Mixer(u64, u64);

impl Mixer {
    fn new(entropy: &dyn Entropy) -> Self {
        let mut seed = [0; 16];
        entropy.fill(&mut seed);
        let (first, second) = halves(&seed);
        Self(first, second)
    }

    #[inline]
    fn hash(self, id: &[u8; 16]) -> u64 {
        let (first, second) = halves(id);
        let product = u128::from(first ^ self.0) * u128::from(second ^ self.1);
        (product as u64) ^ ((product >> 64) as u64)
    }
}

#[inline]
fn halves(bytes: &[u8; 16]) -> (u64, u64) {
    let both = u128::from_le_bytes(*bytes);
    (both as u64, (both >> 64) as u64)
}

impl DenySet {
    /// An empty set.
    pub fn new() -> Self {
        Self {
            filter: Filter::new(),
            shards: (0..SHARDS).map(|_| Line(RwLock::new(Shard::new()))).collect(),
            mixer: Mixer::new(&SystemEntropy),
            len: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            due: AtomicU32::new(u32::MAX),
        }
    }

    /// Denies an id until `entry.until` (Unix seconds, exclusive). True if it was not in the set. An id that is in it
    /// keeps the larger of both times: nothing that is added ever shortens a denial.
    pub fn insert(&self, entry: DenyEntry) -> bool {
        let until = seconds(entry.until);
        if until == 0 {
            return false;
        }
        let hash = self.mixer.hash(entry.id.as_bytes());
        let added = {
            let mut shard = self.shard(hash).0.write().unwrap_or_else(PoisonError::into_inner);
            let before = shard.bytes();
            let added = shard.insert(self.mixer, hash, entry.id.as_bytes(), until);
            self.filter.add(hash);
            self.count(usize::from(added), 0, shard.bytes(), before);
            added
        };
        // After the insertion: a concurrent purge either sees the entry or leaves this minimum alone.
        self.due.fetch_min(until, Ordering::AcqRel);
        added
    }

    /// True if the id is denied at `now` (Unix seconds).
    #[inline]
    pub fn contains(&self, id: &DenyId, now: i64) -> bool {
        let hash = self.mixer.hash(id.as_bytes());
        if !self.filter.may_contain(hash) {
            return false;
        }
        let shard = self.shard(hash).0.read().unwrap_or_else(PoisonError::into_inner);
        shard.until(self.mixer, hash, id.as_bytes()).is_some_and(|until| i64::from(until) > now)
    }

    /// True if any of the ids is denied at `now` (Unix seconds).
    pub fn contains_any(&self, ids: &[DenyId], now: i64) -> bool {
        ids.iter().any(|id| self.contains(id, now))
    }

    /// Frees the memory of entries whose `until` has passed, and returns how many there were. It locks one shard at a
    /// time, for a fraction of a millisecond at most; with millions of entries the whole takes a tenth of a second, so
    /// an async program should call it where it may block.
    pub fn purge(&self, now: i64) -> usize {
        let now = seconds(now);
        if self.due.load(Ordering::Acquire) > now {
            return 0;
        }
        self.due.store(u32::MAX, Ordering::Release);
        (0..SHARDS).map(|index| self.purge_shard(index, now)).sum()
    }

    fn purge_shard(&self, index: usize, now: u32) -> usize {
        let line = &self.shards[index];
        let due = line.0.read().unwrap_or_else(PoisonError::into_inner).due();
        if due > now {
            self.due.fetch_min(due, Ordering::AcqRel);
            return 0;
        }
        let mut shard = line.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = shard.bytes();
        let removed = shard.purge(self.mixer, now);
        self.filter.rebuild(index, shard.ids().map(|id| self.mixer.hash(id)));
        self.count(0, removed, shard.bytes(), before);
        self.due.fetch_min(shard.due(), Ordering::AcqRel);
        removed
    }

    /// Calls `each` with every entry whose `until` has not passed. It locks one shard at a time, so entries that are
    /// added meanwhile may be left out.
    pub fn for_each(&self, now: i64, mut each: impl FnMut(DenyEntry)) {
        for line in &self.shards {
            let shard = line.0.read().unwrap_or_else(PoisonError::into_inner);
            for (id, until) in shard.entries() {
                if i64::from(until) > now {
                    each(DenyEntry { id: DenyId::from(*id), until: i64::from(until) });
                }
            }
        }
    }

    /// How many ids it contains, including those past their `until` that are not purged yet.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// True if it contains none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes it takes, without what the allocator adds.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.filter.bytes() + SHARDS * size_of::<Line>() + self.bytes.load(Ordering::Relaxed)
    }

    /// The upper bits of the hash choose the shard, the lower ones the place in it.
    #[inline]
    fn shard(&self, hash: u64) -> &Line {
        &self.shards[(hash >> (64 - SHARD_BITS)) as usize]
    }

    /// Called with the shard locked, so that the sums never fall below zero.
    fn count(&self, added: usize, removed: usize, bytes_now: usize, bytes_before: usize) {
        if added > 0 {
            self.len.fetch_add(added, Ordering::AcqRel);
        }
        if removed > 0 {
            self.len.fetch_sub(removed, Ordering::AcqRel);
        }
        if bytes_now != bytes_before {
            self.bytes.fetch_add(bytes_now, Ordering::Relaxed);
            self.bytes.fetch_sub(bytes_before, Ordering::Relaxed);
        }
    }
}

impl Default for DenySet {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for DenySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DenySet").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Unix seconds in 32 bits: enough until 2106, and later times are kept as that.
fn seconds(time: i64) -> u32 {
    u32::try_from(time.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
