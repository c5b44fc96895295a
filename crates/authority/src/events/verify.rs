//! Checking the chain.

use ficha_store::{ChainEnd, EventFilter, EventRecord, Store, StoreError};

use crate::events::chain::{ChainKey, Sealed};

/// How many events are read at a time.
const PAGE: u64 = 1_000;
/// After so many damages, checking ends: the rest would be more of the same.
const MOST_DAMAGES: usize = 20;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The first number that is there.
    pub first: i64,
    /// The newest event that was checked.
    pub newest: ChainEnd,
    /// How many events were checked.
    pub events: u64,
    /// How many events have no number yet. Nothing is known about them.
    pub pending: u64,
    /// What is wrong, in the order of the numbers.
    pub damages: Vec<Damage>,
}

/// What is wrong with the chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Events are missing.
    #[error("events {from} to {to} were removed")]
    Removed {
        /// The first of them.
        from: i64,
        /// The last of them.
        to: i64,
    },
    /// The hash does not fit: the event or the one before it was changed, or they were reordered.
    #[error("event {0} does not follow from what is before it: it was changed, or put in another place")]
    Changed(i64),
    /// A value has a type that it never has.
    #[error("event {0} can't be read: it was changed")]
    Unreadable(i64),
    /// The newest events are missing.
    #[error("the log ends at {last}, but events up to {newest} had numbers: they were cut off")]
    CutOff {
        /// The last event that is there.
        last: i64,
        /// The newest number that was given.
        newest: i64,
    },
    /// There are events behind the recorded end.
    #[error("the log's recorded end is {recorded}, but there are events up to {last}: the record was changed")]
    EndChanged {
        /// The end in `event_chain`.
        recorded: i64,
        /// The last event that is there.
        last: i64,
    },
    /// The seal of an end is wrong.
    #[error("the seal of the {0} is wrong: it was changed, or made with another master key")]
    Seal(&'static str),
    /// The event that was expected is not there.
    #[error("event {0} is not in the log, or has another hash than expected: the log was rewritten, or cut off")]
    NotAsExpected(i64),
}

/// How often the check starts over because old events were pruned meanwhile.
const ATTEMPTS: u32 = 5;

/// Checks every event, from the oldest to the newest. `expected` is the number and the beginning of the hash of an event
/// that was noted elsewhere.
pub(crate) async fn verify(
    store: &Store,
    key: &ChainKey,
    expected: Option<(i64, &str)>,
) -> Result<Verified, StoreError> {
    let mut attempt = 1;
    loop {
        let pruned = store.event_chain().await?.pruned;
        let found = verify_once(store, key, expected).await?;
        // What a server has pruned meanwhile looks removed.
        if found.damages.is_empty() || attempt == ATTEMPTS || store.event_chain().await?.pruned == pruned {
            return Ok(found);
        }
        attempt += 1;
    }
}

async fn verify_once(store: &Store, key: &ChainKey, expected: Option<(i64, &str)>) -> Result<Verified, StoreError> {
    let chain = store.event_chain().await?;
    let mut walk = Walk { key, last: chain.pruned, events: 0, first: None, damages: Vec::new(), expected, met: false };
    if !key.is_sealed(Sealed::Pruned, &chain.pruned) {
        walk.damages.push(Damage::Seal("end of the pruned events"));
    }
    if !key.is_sealed(Sealed::Newest, &chain.newest) {
        walk.damages.push(Damage::Seal("newest event"));
    }
    walk.note_expected(chain.pruned.number, &chain.pruned.hash);
    loop {
        let page = match store.events_after(&EventFilter::default(), walk.last.number, PAGE).await {
            Ok(page) => page,
            Err(StoreError::Corrupt(_)) => {
                walk.check_one_by_one(store).await?;
                continue;
            }
            Err(error) => return Err(error),
        };
        page.iter().for_each(|event| walk.check(event));
        if (page.len() as u64) < PAGE || walk.damages.len() >= MOST_DAMAGES {
            break;
        }
    }
    // Read again: events may have got numbers meanwhile, so only a later end proves that some are missing.
    let recorded = chain.newest.number;
    if walk.last.number < recorded {
        walk.damages.push(Damage::CutOff { last: walk.last.number, newest: recorded });
    } else if store.event_chain().await?.newest.number < walk.last.number {
        walk.damages.push(Damage::EndChanged { recorded, last: walk.last.number });
    }
    if let Some((number, _)) = expected.filter(|_| !walk.met) {
        walk.damages.push(Damage::NotAsExpected(number));
    }
    let pending = store.count_pending_events().await?;
    Ok(Verified {
        first: walk.first.unwrap_or(0),
        newest: walk.last,
        events: walk.events,
        pending,
        damages: walk.damages,
    })
}

struct Walk<'a> {
    key: &'a ChainKey,
    last: ChainEnd,
    events: u64,
    first: Option<i64>,
    damages: Vec<Damage>,
    expected: Option<(i64, &'a str)>,
    met: bool,
}

impl Walk<'_> {
    fn check(&mut self, event: &EventRecord) {
        let number = event.number.unwrap_or_default();
        let hash = event.hash.unwrap_or_default();
        // If what stood before this event is gone, its own hash can't be checked.
        if !self.find_gap(number) && !self.key.fits(&self.last, event) {
            self.damages.push(Damage::Changed(number));
        }
        self.note_expected(number, &hash);
        self.go_to(number, hash);
    }

    /// Checks events up to one that can't be read, and notes that.
    async fn check_one_by_one(&mut self, store: &Store) -> Result<(), StoreError> {
        loop {
            match store.events_after(&EventFilter::default(), self.last.number, 1).await {
                Ok(page) => match page.first() {
                    Some(event) => self.check(event),
                    None => return Ok(()),
                },
                Err(StoreError::Corrupt(_)) => {
                    let Some(number) = store.event_number_after(self.last.number).await? else { return Ok(()) };
                    self.find_gap(number);
                    self.damages.push(Damage::Unreadable(number));
                    self.go_to(number, [0; 32]);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// True, and noted, if events are missing before this number.
    fn find_gap(&mut self, number: i64) -> bool {
        let is_missing = number != self.last.number + 1;
        if is_missing {
            self.damages.push(Damage::Removed { from: self.last.number + 1, to: number - 1 });
        }
        is_missing
    }

    fn go_to(&mut self, number: i64, hash: [u8; 32]) {
        self.first.get_or_insert(number);
        self.events += 1;
        self.last = ChainEnd { number, hash, seal: None };
    }

    fn note_expected(&mut self, number: i64, hash: &[u8; 32]) {
        if let Some((expected, beginning)) = self.expected
            && expected == number
            && crate::events::view::hex(hash).starts_with(beginning)
        {
            self.met = true;
        }
    }
}
