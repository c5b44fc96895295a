//! A cache of tokens whose signature has been verified, so that checking them again costs no cryptography.
//!
//! It keeps only what cannot change: that this exact text was signed by a key of generation *n*, and its claims. The
//! verifier checks time, denylist and freshness on every use. Failures are not cached.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::iter::Sum;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ficha_token::MAX_LEEWAY_SECONDS;
use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;

use crate::verified::Verified;

/// A power of two, large enough that two cores seldom need the same shard.
const MAX_SHARDS: usize = 64;
/// A smaller shard would hold only a handful of tokens, so chance would decide what is evicted.
const MIN_SHARD_BYTES: usize = 64 * 1024;
/// The size of an entry without its texts: table, queue, fixed part of the claims, allocator overhead. Measured.
const ENTRY_BYTES: usize = 1024;

/// Counters and size of the verified-token cache.
///
/// ```
/// use ficha_resource::TestIssuer;
///
/// let issuer = TestIssuer::new();
/// let (oauth2, token) = (issuer.oauth2(), issuer.token().sign());
/// for _ in 0..3 {
///     oauth2.verify_now(&token).unwrap();
/// }
/// let cache = oauth2.stats().cache;
/// assert_eq!((cache.misses, cache.hits, cache.entries), (1, 2, 1));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Checks that found their token in the cache.
    pub hits: u64,
    /// Checks that did not, including those of invalid tokens.
    pub misses: u64,
    /// Tokens that were evicted before they expired.
    pub evictions: u64,
    /// Tokens in the cache now.
    pub entries: usize,
    /// The estimated size of those tokens, in bytes.
    pub bytes: usize,
}

impl Sum for CacheStats {
    fn sum<I: Iterator<Item = Self>>(stats: I) -> Self {
        stats.fold(Self::default(), |sum, next| Self {
            hits: sum.hits + next.hits,
            misses: sum.misses + next.misses,
            evictions: sum.evictions + next.evictions,
            entries: sum.entries + next.entries,
            bytes: sum.bytes + next.bytes,
        })
    }
}

/// The cache: shards, each a table and a queue for second-chance (CLOCK) eviction.
pub(crate) struct TokenCache<S = SeedableRandomState> {
    shards: Box<[Shard]>,
    shard_budget: usize,
    seed: S,
}

// On its own cache lines, because other cores write the locks and counters of neighbouring shards.
#[repr(align(128))]
#[derive(Default)]
struct Shard {
    table: RwLock<Table>,
    hits: AtomicU64,
    misses: AtomicU64,
    evictions: AtomicU64,
}

#[derive(Default)]
struct Table {
    // Keyed by the seeded hash of the whole text. Two texts with the same hash displace each other; `find` compares the
    // whole text, so neither is ever taken for the other (GHSA-rp9m-7r4c-75qg).
    entries: HashMap<u64, Entry, BuildHasherDefault<AlreadyHashed>>,
    // The keys of the table, each once, oldest first.
    queue: VecDeque<u64>,
    bytes: usize,
}

struct Entry {
    verified: Arc<Verified>,
    generation: u64,
    touched: AtomicBool,
    weight: usize,
}

impl TokenCache {
    /// A cache of at most `bytes`; with 0 it stays empty.
    pub(crate) fn new(bytes: usize) -> Self {
        // foldhash takes its own seed from addresses; std's comes from the operating system.
        let seed = std::hash::RandomState::new().hash_one(());
        Self::with_seed(bytes, SeedableRandomState::with_seed(seed, SharedSeed::global_random()))
    }
}

impl<S: BuildHasher> TokenCache<S> {
    fn with_seed(bytes: usize, seed: S) -> Self {
        let mut count = MAX_SHARDS;
        while count > 1 && bytes / count < MIN_SHARD_BYTES {
            count /= 2;
        }
        let shards = (0..count).map(|_| Shard::default()).collect();
        Self { shards, shard_budget: bytes / count, seed }
    }

    /// The verified content of exactly this text, unless the keys have changed since.
    pub(crate) fn find(&self, token: &str, generation: u64) -> Option<Arc<Verified>> {
        let (hash, shard) = self.place(token);
        let found = shard.read().find(hash, token, generation);
        let counter = if found.is_some() { &shard.hits } else { &shard.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// Adds a token that was verified with a key of `generation`. `now` (Unix seconds) decides what has expired.
    pub(crate) fn insert(&self, verified: &Arc<Verified>, generation: u64, now: i64) {
        let token = verified.token();
        // The claims hold about as much as the text does, in strings of their own.
        let weight = ENTRY_BYTES + 2 * token.len();
        if weight > self.shard_budget {
            return;
        }
        let (hash, shard) = self.place(token);
        let touched = AtomicBool::new(false);
        let entry = Entry { verified: Arc::clone(verified), generation, touched, weight };
        let evicted = shard.write().insert(hash, entry, self.shard_budget, now);
        shard.evictions.fetch_add(evicted, Ordering::Relaxed);
    }

    /// The sum over all shards.
    pub(crate) fn stats(&self) -> CacheStats {
        let mut stats = CacheStats::default();
        for shard in &self.shards {
            stats.hits += shard.hits.load(Ordering::Relaxed);
            stats.misses += shard.misses.load(Ordering::Relaxed);
            stats.evictions += shard.evictions.load(Ordering::Relaxed);
            let table = shard.read();
            stats.entries += table.entries.len();
            stats.bytes += table.bytes;
        }
        stats
    }

    fn place(&self, token: &str) -> (u64, &Shard) {
        let hash = self.seed.hash_one(token);
        // Bits from the middle: the table itself uses those at both ends.
        (hash, &self.shards[(hash >> 32) as usize & (self.shards.len() - 1)])
    }
}

impl Shard {
    // No foreign code runs under the lock, so the table is consistent even if the lock is poisoned.
    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn find(&self, hash: u64, token: &str, generation: u64) -> Option<Arc<Verified>> {
        let entry = self.entries.get(&hash)?;
        if entry.verified.token() != token || entry.generation != generation {
            return None;
        }
        // Read before writing: the line stays shared between cores while nothing changes.
        if !entry.touched.load(Ordering::Relaxed) {
            entry.touched.store(true, Ordering::Relaxed);
        }
        Some(Arc::clone(&entry.verified))
    }

    /// Returns how many entries were evicted that were still valid.
    fn insert(&mut self, hash: u64, entry: Entry, budget: usize, now: i64) -> u64 {
        let generation = entry.generation;
        self.bytes += entry.weight;
        match self.entries.insert(hash, entry) {
            Some(old) => self.bytes -= old.weight,
            None => self.queue.push_back(hash),
        }
        // Two checks per insert keep expired entries from piling up if the budget is never reached.
        for _ in 0..2 {
            if !self.drop_oldest_if(|entry| entry.is_spent(generation, now)) {
                break;
            }
        }
        let mut evicted = 0;
        while self.bytes > budget {
            if self.drop_oldest_if(|entry| entry.is_spent(generation, now)) {
                continue;
            }
            if self.drop_oldest_if(|entry| !entry.touched.swap(false, Ordering::Relaxed)) {
                evicted += 1;
            } else {
                self.queue.rotate_left(1);
            }
        }
        evicted
    }

    /// Drops the entry at the head of the queue if `condition` is true for it.
    fn drop_oldest_if(&mut self, condition: impl Fn(&Entry) -> bool) -> bool {
        let Some(hash) = self.queue.front() else { return false };
        if !self.entries.get(hash).is_some_and(condition) {
            return false;
        }
        if let Some(old) = self.entries.remove(hash) {
            self.bytes -= old.weight;
        }
        self.queue.pop_front();
        true
    }
}

impl Entry {
    /// True once it can't be a hit again, whatever the leeway: it has expired, or the keys have changed since.
    fn is_spent(&self, generation: u64, now: i64) -> bool {
        self.generation < generation || self.verified.claims.exp.saturating_add(i64::from(MAX_LEEWAY_SECONDS)) <= now
    }
}

/// The key is a hash already.
#[derive(Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Only u64 keys are used; this is correct for any other key, but slow.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use ficha_token::{AccessClaims, VerifyingKey};

    use super::*;

    /// Gives every text the same hash.
    struct SameHash;

    impl BuildHasher for SameHash {
        type Hasher = AlwaysOne;

        fn build_hasher(&self) -> Self::Hasher {
            AlwaysOne
        }
    }

    struct AlwaysOne;

    impl Hasher for AlwaysOne {
        fn finish(&self) -> u64 {
            1
        }

        fn write(&mut self, _bytes: &[u8]) {}
    }

    /// A token whose text is the name of its client.
    fn verified(client: &str) -> Arc<Verified> {
        let mut claims = AccessClaims::new(
            "https://auth.example.com",
            uuid::Uuid::nil(),
            ["notes"],
            client,
            uuid::Uuid::nil(),
            uuid::Uuid::nil(),
            0..1_000,
        );
        claims.scope = ficha_token::Scope::empty();
        Arc::new(Verified::new(client, claims, &VerifyingKey::from_secret(&[1; 32], "k".to_owned()).unwrap()))
    }

    fn client<S: BuildHasher>(cache: &TokenCache<S>, token: &str) -> Option<String> {
        cache.find(token, 1).map(|verified| verified.claims.client_id.clone())
    }

    #[test]
    fn two_tokens_with_the_same_hash_are_never_taken_for_each_other() {
        let cache = TokenCache::with_seed(1024 * 1024, SameHash);
        cache.insert(&verified("a"), 1, 0);
        assert_eq!(client(&cache, "b"), None);
        cache.insert(&verified("b"), 1, 0);
        assert_eq!(client(&cache, "a"), None, "displaced");
        assert_eq!(client(&cache, "b").as_deref(), Some("b"));
        let stats = cache.stats();
        assert_eq!((stats.entries, stats.bytes), (1, ENTRY_BYTES + 2));
    }

    #[test]
    fn used_tokens_outlive_unused_ones() {
        let room_for_four = 4 * (ENTRY_BYTES + 2 * 6);
        let cache = TokenCache::new(room_for_four);
        cache.insert(&verified("wanted"), 1, 0);
        for number in 0..100 {
            assert!(client(&cache, "wanted").is_some(), "after {number}");
            cache.insert(&verified(&format!("scan{number:02}")), 1, 0);
        }
        let stats = cache.stats();
        assert_eq!((stats.entries, stats.evictions), (4, 97));
    }

    #[test]
    fn tokens_of_an_old_generation_are_not_found_and_are_dropped_first() {
        let cache = TokenCache::new(2 * (ENTRY_BYTES + 2));
        cache.insert(&verified("a"), 1, 0);
        assert!(cache.find("a", 1).is_some());
        assert!(cache.find("a", 2).is_none());
        cache.insert(&verified("b"), 2, 0);
        let stats = cache.stats();
        assert_eq!((stats.entries, stats.evictions), (1, 0));
        assert!(cache.find("b", 2).is_some());
    }

    #[test]
    fn a_token_that_is_verified_again_replaces_its_entry() {
        let cache = TokenCache::new(1024 * 1024);
        for generation in 1..4 {
            cache.insert(&verified("a"), generation, 0);
        }
        let stats = cache.stats();
        assert_eq!((stats.entries, stats.bytes), (1, ENTRY_BYTES + 2));
    }
}
