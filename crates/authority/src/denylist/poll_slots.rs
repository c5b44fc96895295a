//! Limits on held polls, in total and per source.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::request_source::{RequestSource, network_of};
use crate::settings::DenylistSettings;

/// The slots for held polls.
#[derive(Debug)]
pub(crate) struct PollSlots {
    most: usize,
    most_per_source: usize,
    taken: Mutex<Taken>,
    /// Sources are identified by a keyed hash of eight bytes.
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_source: HashMap<u64, usize>,
}

/// The slot of one held poll. Dropping it frees the slot, also when the peer disconnects.
#[derive(Debug)]
pub(crate) struct PollSlot {
    slots: Arc<PollSlots>,
    source: u64,
}

impl PollSlots {
    pub(crate) fn new(settings: &DenylistSettings) -> Arc<Self> {
        Arc::new(Self {
            most: settings.max_waiting,
            most_per_source: settings.max_waiting_per_source,
            taken: Mutex::default(),
            hasher: RandomState::new(),
        })
    }

    /// Takes a slot for `client` (`None`: anonymous) at its address; `None` if there is none left for it.
    pub(crate) fn take(self: &Arc<Self>, client: Option<&str>, source: &RequestSource) -> Option<PollSlot> {
        let source = self.hasher.hash_one((client, network_of(source.address)));
        let mut taken = self.lock();
        if taken.all >= self.most || taken.by_source.get(&source).is_some_and(|taken| *taken >= self.most_per_source) {
            return None;
        }
        taken.all += 1;
        *taken.by_source.entry(source).or_default() += 1;
        Some(PollSlot { slots: Arc::clone(self), source })
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PollSlot {
    fn drop(&mut self) {
        let mut taken = self.slots.lock();
        taken.all -= 1;
        if let Some(count) = taken.by_source.get_mut(&self.source) {
            *count -= 1;
            if *count == 0 {
                taken.by_source.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(address: &str) -> RequestSource {
        RequestSource { address: Some(address.parse().unwrap()), ..RequestSource::default() }
    }

    #[test]
    fn a_source_is_a_client_at_an_address_and_gets_its_slots_back() {
        let settings = DenylistSettings { max_waiting: 4, max_waiting_per_source: 2, ..Default::default() };
        let slots = PollSlots::new(&settings);
        let take = |client, address| slots.take(client, &source(address));
        let first = take(Some("a"), "2001:db8::1").unwrap();
        let _second = take(Some("a"), "2001:db8::2").unwrap();
        assert!(take(Some("a"), "2001:db8::3").is_none(), "the same /64");
        let _third = take(Some("a"), "2001:db8:0:1::1").unwrap();
        let fourth = take(None, "2001:db8::1").unwrap();
        assert!(take(Some("b"), "192.0.2.1").is_none(), "all are taken");
        assert_eq!(slots.taken(), 4);
        drop(fourth);
        drop(first);
        let again = take(Some("a"), "2001:db8::9");
        assert!(again.is_some() && take(Some("a"), "2001:db8::9").is_none());
        drop((again, _second, _third));
        assert_eq!(slots.taken(), 0);
        assert!(slots.lock().by_source.is_empty());
    }
}
