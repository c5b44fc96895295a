//! The chain: each event's hash covers the event, its number and the hash before it.
//!
//! It is an HMAC under a key derived from the master key, so who can write to the database but has no master key can't
//! make a hash that fits. Personal values are covered by salted commitments, so they can be deleted.

use std::fmt;

use aws_lc_rs::hmac;
use ficha_store::{ChainEnd, EventRecord, Numbered};
use uuid::Uuid;

/// Makes the hashes of events.
#[derive(Clone)]
pub struct ChainKey(hmac::Key);

/// Which end of the chain a seal is for: one can't stand for the other.
#[derive(Debug, Clone, Copy)]
pub enum Sealed {
    /// The newest event.
    Newest,
    /// The newest event that was pruned.
    Pruned,
}

impl ChainKey {
    pub(crate) fn new(key: hmac::Key) -> Self {
        Self(key)
    }

    /// The hash of an event with this number, behind the event with the hash `previous`. It covers every column but
    /// number and hash themselves as they are stored.
    pub fn hash(&self, previous: &[u8; 32], number: i64, event: &EventRecord) -> [u8; 32] {
        let mut parts = Parts::new(&self.0, b"event");
        parts.add(previous);
        parts.add(&number.to_be_bytes());
        parts.add(event.id.as_bytes());
        parts.add(&event.at.to_be_bytes());
        parts.add(event.event.as_bytes());
        parts.add(event.actor_kind.as_bytes());
        parts.maybe(event.actor_id.as_ref().map(Uuid::as_bytes));
        parts.maybe(event.user_id.as_ref().map(Uuid::as_bytes));
        parts.maybe(event.client_id.as_ref());
        parts.maybe(event.session_id.as_ref().map(Uuid::as_bytes));
        parts.maybe(event.request_id.as_ref());
        parts.maybe(event.origin_digest());
        parts.maybe(event.detail_digest());
        parts.finish()
    }

    /// True if the event has this number and follows from `previous`, and nothing in it is uncovered.
    pub fn fits(&self, previous: &ChainEnd, event: &EventRecord) -> bool {
        let number = previous.number + 1;
        event.number == Some(number)
            && event.hash == Some(self.hash(&previous.hash, number, event))
            && !event.has_uncovered_values()
    }

    /// Numbers events that come after `end`, in their order. Returns them and the new end.
    ///
    /// An end without a right seal was changed by somebody else. The log goes on, but never fits what is before: the
    /// damage can't be healed by waiting for the next event.
    pub fn extend(&self, end: ChainEnd, events: &[EventRecord]) -> (Vec<Numbered>, ChainEnd) {
        let mut end = end;
        if !self.is_sealed(Sealed::Newest, &end) {
            let mut parts = Parts::new(&self.0, b"broken");
            parts.add(&end.hash);
            end.hash = parts.finish();
        }
        let mut numbered = Vec::with_capacity(events.len());
        for event in events {
            end.number += 1;
            end.hash = self.hash(&end.hash, end.number, event);
            numbered.push(Numbered { id: event.id, number: end.number, hash: end.hash });
        }
        (numbered, self.sealed(Sealed::Newest, end))
    }

    /// An end with its seal.
    pub fn sealed(&self, which: Sealed, end: ChainEnd) -> ChainEnd {
        ChainEnd { seal: Some(self.seal(which, end)), ..end }
    }

    /// True if the seal is right. Number 0, before the first event, has none.
    pub fn is_sealed(&self, which: Sealed, end: &ChainEnd) -> bool {
        if end.number == 0 {
            return end.hash == [0; 32];
        }
        end.seal == Some(self.seal(which, *end))
    }

    fn seal(&self, which: Sealed, end: ChainEnd) -> [u8; 32] {
        let label: &[u8] = match which {
            Sealed::Newest => b"newest",
            Sealed::Pruned => b"pruned",
        };
        let mut parts = Parts::new(&self.0, label);
        parts.add(&end.number.to_be_bytes());
        parts.add(&end.hash);
        parts.finish()
    }
}

impl fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChainKey(…)")
    }
}

/// An HMAC over parts, each preceded by its length: none can be moved into the next.
struct Parts(hmac::Context);

impl Parts {
    fn new(key: &hmac::Key, label: &[u8]) -> Self {
        let mut parts = Self(hmac::Context::with_key(key));
        parts.add(label);
        parts
    }

    fn add(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    /// A part that may be missing. A missing part and an empty one differ.
    fn maybe(&mut self, part: Option<impl AsRef<[u8]>>) {
        match part {
            Some(part) => self.add(part.as_ref()),
            None => self.0.update(&u64::MAX.to_be_bytes()),
        }
    }

    fn finish(self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(self.0.sign().as_ref());
        out
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ficha_store::Commitment;

    pub(crate) fn key() -> ChainKey {
        ChainKey::new(hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]))
    }

    pub(crate) fn event() -> EventRecord {
        EventRecord {
            id: Uuid::from_u128(1),
            number: None,
            at: 1_800_000_000_000,
            event: "login.succeeded".into(),
            actor_kind: "user".into(),
            actor_id: Some(Uuid::from_u128(2)),
            user_id: Some(Uuid::from_u128(2)),
            client_id: Some("app".into()),
            session_id: Some(Uuid::from_u128(3)),
            request_id: Some("r1".into()),
            actor_name: Some("alice".into()),
            address: Some("192.0.2.1".into()),
            origin: Commitment::Salted([1; 16]),
            detail: Some("{}".into()),
            detail_commitment: Commitment::Salted([2; 16]),
            hash: None,
        }
    }

    type Change = fn(&mut EventRecord);

    #[test]
    fn the_hash_covers_every_column() {
        let changes: [Change; 15] = [
            |event| event.id = Uuid::from_u128(9),
            |event| event.at += 1,
            |event| event.event = "login.failed".into(),
            |event| event.actor_kind = "client".into(),
            |event| event.actor_id = None,
            |event| event.user_id = None,
            |event| event.client_id = Some("other".into()),
            |event| event.session_id = None,
            |event| event.request_id = None,
            |event| event.actor_name = Some("bob".into()),
            |event| event.address = None,
            |event| event.origin = Commitment::Salted([9; 16]),
            |event| event.detail = Some("{ }".into()),
            |event| event.detail_commitment = Commitment::Nothing,
            |event| (event.client_id, event.request_id) = (None, Some("app".into())),
        ];
        let key = key();
        let right = key.hash(&[0; 32], 1, &event());
        for (position, change) in changes.iter().enumerate() {
            let mut changed = event();
            change(&mut changed);
            assert_ne!(key.hash(&[0; 32], 1, &changed), right, "change {position}");
        }
        assert_ne!(key.hash(&[1; 32], 1, &event()), right);
        assert_ne!(key.hash(&[0; 32], 2, &event()), right);
        assert_eq!(key.hash(&[0; 32], 1, &event()), right);
    }

    #[test]
    fn erasing_what_is_personal_leaves_the_hash_as_it_was() {
        let (key, before) = (key(), event());
        let mut after = before.clone();
        after.origin = Commitment::Erased(before.origin_digest().unwrap());
        after.detail_commitment = Commitment::Erased(before.detail_digest().unwrap());
        (after.actor_name, after.address, after.detail) = (None, None, None);
        assert_eq!(key.hash(&[0; 32], 1, &after), key.hash(&[0; 32], 1, &before));
    }

    #[test]
    fn a_seal_is_for_one_end_only() {
        let key = key();
        let end = ChainEnd { number: 3, hash: [5; 32], seal: None };
        let newest = key.sealed(Sealed::Newest, end);
        assert!(key.is_sealed(Sealed::Newest, &newest));
        assert!(!key.is_sealed(Sealed::Pruned, &newest));
        assert!(!key.is_sealed(Sealed::Newest, &ChainEnd { number: 2, ..newest }));
        assert!(key.is_sealed(Sealed::Pruned, &ChainEnd::default()));
        assert!(!key.is_sealed(Sealed::Pruned, &end));
    }
}
