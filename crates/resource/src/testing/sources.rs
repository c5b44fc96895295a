//! The keys and the denylist of a [`TestIssuer`](super::TestIssuer).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use ficha_token::{DenyEntry, DenyId, DenySet, VerifyingKey};

use crate::source::{DenySource, DenyVerdict, KeyLookup, KeySource};

/// The `Retry-After` while the list is stale.
const STALE_RETRY: Duration = Duration::from_secs(1);

pub(super) struct Keys {
    by_kid: RwLock<HashMap<String, VerifyingKey>>,
    generation: AtomicU64,
}

impl Keys {
    pub(super) fn new(key: VerifyingKey) -> Self {
        let by_kid = RwLock::new(HashMap::from([(key.kid().to_owned(), key)]));
        Self { by_kid, generation: AtomicU64::new(0) }
    }

    pub(super) fn add(&self, key: VerifyingKey) {
        self.change(|by_kid| drop(by_kid.insert(key.kid().to_owned(), key)));
    }

    pub(super) fn keep_only(&self, kid: &str) {
        self.change(|by_kid| by_kid.retain(|other, _| other == kid));
    }

    pub(super) fn of(&self, kid: &str) -> Option<VerifyingKey> {
        self.by_kid.read().unwrap_or_else(PoisonError::into_inner).get(kid).cloned()
    }

    fn change(&self, change: impl FnOnce(&mut HashMap<String, VerifyingKey>)) {
        change(&mut self.by_kid.write().unwrap_or_else(PoisonError::into_inner));
        self.generation.fetch_add(1, Ordering::SeqCst);
    }
}

impl KeySource for Keys {
    fn find(&self, kid: &str) -> KeyLookup {
        self.of(kid).map_or(KeyLookup::Unknown, KeyLookup::Found)
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }
}

#[derive(Default)]
pub(super) struct Denied {
    entries: DenySet,
    stale: AtomicBool,
}

impl Denied {
    pub(super) fn add(&self, entry: DenyEntry) {
        self.entries.insert(entry);
    }

    pub(super) fn set_stale(&self, stale: bool) {
        self.stale.store(stale, Ordering::SeqCst);
    }
}

impl DenySource for Denied {
    fn look_up(&self, ids: &[DenyId], now: i64) -> DenyVerdict {
        // First, so that a service which accepts a stale list still refuses known revocations.
        if self.entries.contains_any(ids, now) {
            DenyVerdict::Denied
        } else if self.stale.load(Ordering::SeqCst) {
            DenyVerdict::Stale { retry_after: STALE_RETRY }
        } else {
            DenyVerdict::Clear
        }
    }
}
