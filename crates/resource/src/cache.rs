//! Tokens whose signature has been verified, so that a warm check costs no cryptography.
//!
//! What is remembered is only what cannot change: that this very text was signed by a key of generation *n* and what it
//! says. Time, denylist and freshness are looked at on every use, by the verifier. Failures are not remembered.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::iter::Sum;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ficha_token::MAX_LEEWAY_SECONDS;
use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;

use crate::verified::Verified;

/// A power of two. More than enough that two cores seldom want the same one.
const MAX_SHARDS: usize = 64;
/// A smaller shard would hold a handful of tokens, and evict at random.
const MIN_SHARD_BYTES: usize = 64 * 1024;
/// What an entry weighs beside its texts: the table, the queue, the claims' fixed part, the allocator. By measurement.
const ENTRY_BYTES: usize = 1024;

/// How the cache has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Checks that found their token.
    pub hits: u64,
    /// Checks that did not, bad tokens among them.
    pub misses: u64,
    /// Tokens that had to make room before they expired.
    pub evictions: u64,
    /// Tokens in it now.
    pub entries: usize,
    /// Bytes that they take, by estimate.
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

// Its own cache lines: the lock words and counters of neighbours are written by other cores.
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
    // Keyed by the seeded hash of the whole text. Two texts with one hash displace each other; `find` compares the
    // whole text, so neither is ever taken for the other (GHSA-rp9m-7r4c-75qg).
    entries: HashMap<u64, Entry, BuildHasherDefault<AlreadyHashed>>,
    // Each key of the table once, oldest first.
    queue: VecDeque<u64>,
    bytes: usize,
}

struct Entry {
    token: Box<str>,
    verified: Arc<Verified>,
    generation: u64,
    touched: AtomicBool,
    weight: usize,
}

impl TokenCache {
    /// A cache that holds at most `bytes`; with 0 it holds nothing.
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

    /// What this very text was verified to say, unless the keys have changed since.
    pub(crate) fn find(&self, token: &str, generation: u64) -> Option<Arc<Verified>> {
        let (hash, shard) = self.place(token);
        let found = shard.read().find(hash, token, generation);
        let counter = if found.is_some() { &shard.hits } else { &shard.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// Remembers that `token` was verified by a key of `generation`. `now` (Unix seconds) tells what has expired.
    pub(crate) fn insert(&self, token: &str, verified: &Arc<Verified>, generation: u64, now: i64) {
        // The claims hold about what the text held, as strings of their own.
        let weight = ENTRY_BYTES + 2 * token.len();
        if weight > self.shard_budget {
            return;
        }
        let (hash, shard) = self.place(token);
        let touched = AtomicBool::new(false);
        let entry = Entry { token: token.into(), verified: Arc::clone(verified), generation, touched, weight };
        let evicted = shard.write().insert(hash, entry, self.shard_budget, now);
        shard.evictions.fetch_add(evicted, Ordering::Relaxed);
    }

    /// Adds the shards up.
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
        // From the middle: the table takes its own bits from both ends.
        (hash, &self.shards[(hash >> 32) as usize & (self.shards.len() - 1)])
    }
}

impl Shard {
    // No code of others runs under the lock, so a poisoned one is still whole.
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
        if *entry.token != *token || entry.generation != generation {
            return None;
        }
        // Read before writing: the line stays shared between cores while nothing changes.
        if !entry.touched.load(Ordering::Relaxed) {
            entry.touched.store(true, Ordering::Relaxed);
        }
        Some(Arc::clone(&entry.verified))
    }

    /// Returns how many had to go that were still good.
    fn insert(&mut self, hash: u64, entry: Entry, budget: usize, now: i64) -> u64 {
        let generation = entry.generation;
        self.bytes += entry.weight;
        match self.entries.insert(hash, entry) {
            Some(old) => self.bytes -= old.weight,
            None => self.queue.push_back(hash),
        }
        // Two looks an insert keep what has expired from piling up where the budget is never reached.
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

    /// Drops the entry at the head of the queue if `condition` holds for it.
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
    /// True once it can't be a hit again, however long its leeway: it has expired, or the keys have changed since.
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
        // Only u64 keys are used; this keeps any other key right, if slow.
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

    /// Every text has the same hash.
    struct OneForAll;

    impl BuildHasher for OneForAll {
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

    fn verified(client: &str) -> Arc<Verified> {
        let claims = AccessClaims {
            iss: "https://auth.example.com".to_owned(),
            sub: uuid::Uuid::nil(),
            aud: vec!["notes".to_owned()],
            exp: 1_000,
            iat: 0,
            nbf: None,
            jti: uuid::Uuid::nil(),
            client_id: client.to_owned(),
            scope: ficha_token::Scope::empty(),
            sid: uuid::Uuid::nil(),
            auth_time: 0,
            roles: Vec::new(),
            extra: serde_json::Map::new(),
        };
        Arc::new(Verified::new(claims, &VerifyingKey::from_secret(&[1; 32], "k".to_owned()).unwrap()))
    }

    fn client<S: BuildHasher>(cache: &TokenCache<S>, token: &str) -> Option<String> {
        cache.find(token, 1).map(|verified| verified.claims.client_id.clone())
    }

    #[test]
    fn two_tokens_with_one_hash_are_never_taken_for_each_other() {
        let cache = TokenCache::with_seed(1024 * 1024, OneForAll);
        cache.insert("a", &verified("a"), 1, 0);
        assert_eq!(client(&cache, "b"), None);
        cache.insert("b", &verified("b"), 1, 0);
        assert_eq!(client(&cache, "a"), None, "displaced");
        assert_eq!(client(&cache, "b").as_deref(), Some("b"));
        let stats = cache.stats();
        assert_eq!((stats.entries, stats.bytes), (1, ENTRY_BYTES + 2));
    }

    #[test]
    fn what_is_used_outlives_what_is_not() {
        let room_for_four = 4 * (ENTRY_BYTES + 2 * 6);
        let cache = TokenCache::new(room_for_four);
        cache.insert("wanted", &verified("wanted"), 1, 0);
        for number in 0..100 {
            assert!(client(&cache, "wanted").is_some(), "after {number}");
            cache.insert(&format!("scan{number:02}"), &verified("scan"), 1, 0);
        }
        let stats = cache.stats();
        assert_eq!((stats.entries, stats.evictions), (4, 97));
    }

    #[test]
    fn what_an_old_generation_verified_is_not_found_and_makes_room_first() {
        let cache = TokenCache::new(2 * (ENTRY_BYTES + 2));
        cache.insert("a", &verified("a"), 1, 0);
        assert!(cache.find("a", 1).is_some());
        assert!(cache.find("a", 2).is_none());
        cache.insert("b", &verified("b"), 2, 0);
        let stats = cache.stats();
        assert_eq!((stats.entries, stats.evictions), (1, 0));
        assert!(cache.find("b", 2).is_some());
    }

    #[test]
    fn a_token_that_is_verified_again_takes_its_own_place() {
        let cache = TokenCache::new(1024 * 1024);
        for generation in 1..4 {
            cache.insert("a", &verified("a"), generation, 0);
        }
        let stats = cache.stats();
        assert_eq!((stats.entries, stats.bytes), (1, ENTRY_BYTES + 2));
    }
}
