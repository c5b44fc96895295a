//! One shard: a table sorted by hash.

use super::Mixer;

/// Tables below this many places grow by half, the others by a twelfth.
const SMALL: usize = 512;

/// An id and when it expires. `until` 0 is an empty slot.
#[derive(Clone, Copy)]
struct Slot {
    id: [u8; 16],
    until: u32,
}

const EMPTY: Slot = Slot { id: [0; 16], until: 0 };

/// A table with open addressing. An id's *home* is its hash scaled to the number of homes, so homes rise with hashes.
/// Ids are in the order of their hashes, each at its home or after it, with no gap in between. The array extends a
/// little past the last home, so nothing wraps around, and growing or purging is one pass from the front.
pub(super) struct Shard {
    slots: Vec<Slot>,
    homes: usize,
    len: usize,
    due: u32,
}

impl Shard {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), homes: 0, len: 0, due: u32::MAX }
    }

    /// How many bytes the table takes.
    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }

    /// No entry expires before this second.
    pub(super) fn due(&self) -> u32 {
        self.due
    }

    /// All ids in it, and when they expire.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&[u8; 16], u32)> {
        self.slots.iter().filter(|slot| slot.until != 0).map(|slot| (&slot.id, slot.until))
    }

    /// All ids in it.
    pub(super) fn ids(&self) -> impl Iterator<Item = &[u8; 16]> {
        self.entries().map(|(id, _)| id)
    }

    /// When the id expires, if it is there.
    #[inline]
    pub(super) fn until(&self, mixer: Mixer, hash: u64, id: &[u8; 16]) -> Option<u32> {
        self.find(mixer, hash, id).ok().map(|place| self.slots[place].until)
    }

    /// Adds the id, or extends it. True if it was not there.
    pub(super) fn insert(&mut self, mixer: Mixer, hash: u64, id: &[u8; 16], until: u32) -> bool {
        self.due = self.due.min(until);
        let place = match self.find(mixer, hash, id) {
            Ok(place) => {
                let known = &mut self.slots[place].until;
                *known = until.max(*known);
                return false;
            }
            Err(place) => place,
        };
        // Full at 92 %. A look-up then passes about six slots, which are two cache lines.
        let room = (self.len + 1) * 100 <= self.homes * 92;
        let gap = self.slots.iter().skip(place).position(|slot| slot.until == 0);
        match gap {
            Some(gap) if room => {
                let end = place + gap;
                self.slots.copy_within(place..end, place + 1);
                self.slots[place] = Slot { id: *id, until };
                self.len += 1;
            }
            _ => {
                self.rebuild(mixer, grown(self.homes), 0);
                self.insert(mixer, hash, id, until);
            }
        }
        true
    }

    /// Removes what expires by `now`, and returns how many entries that were.
    pub(super) fn purge(&mut self, mixer: Mixer, now: u32) -> usize {
        let before = self.len;
        let live = self.slots.iter().filter(|slot| slot.until > now).count();
        if live == 0 {
            *self = Self::new();
        } else if live * 2 < self.homes {
            // Much was removed: a smaller table, with room for a third more.
            self.rebuild(mixer, live * 3 / 2 + 4, now);
        } else {
            self.compact(mixer, now);
        }
        before - self.len
    }

    /// Where the id is, or else where it belongs.
    #[inline]
    fn find(&self, mixer: Mixer, hash: u64, id: &[u8; 16]) -> Result<usize, usize> {
        let home = home(hash, self.homes);
        for (offset, slot) in self.slots.iter().skip(home).enumerate() {
            if slot.until == 0 {
                return Err(home + offset);
            }
            if slot.id == *id {
                return Ok(home + offset);
            }
            if order(mixer.hash(&slot.id)) > order(hash) {
                return Err(home + offset);
            }
        }
        Err(self.slots.len())
    }

    /// Moves everything that lives past `now` into a table with that many homes.
    fn rebuild(&mut self, mixer: Mixer, homes: usize, now: u32) {
        let size = homes + 4 + homes / 64;
        let old = std::mem::take(&mut self.slots);
        self.slots = Vec::with_capacity(size);
        self.slots.resize(size, EMPTY);
        (self.homes, self.len, self.due) = (homes, 0, u32::MAX);
        let mut next = 0;
        for slot in old.into_iter().filter(|slot| slot.until > now) {
            next = self.put(mixer, next, slot);
        }
    }

    /// The same in place. Removing only ever moves an entry towards its home, so none is overwritten before it is read.
    fn compact(&mut self, mixer: Mixer, now: u32) {
        (self.len, self.due) = (0, u32::MAX);
        let mut next = 0;
        for place in 0..self.slots.len() {
            let slot = std::mem::replace(&mut self.slots[place], EMPTY);
            if slot.until > now {
                next = self.put(mixer, next, slot);
            }
        }
    }

    /// Puts an entry at its home or, if that is taken, at `next`. Returns the place after it.
    fn put(&mut self, mixer: Mixer, next: usize, slot: Slot) -> usize {
        let place = next.max(home(mixer.hash(&slot.id), self.homes));
        match self.slots.get_mut(place) {
            Some(empty) => *empty = slot,
            // The end of the array is full, which is rare: the table becomes a little longer.
            None => self.slots.push(slot),
        }
        self.len += 1;
        self.due = self.due.min(slot.until);
        place + 1
    }
}

/// The part of the hash that orders ids in a table; the upper part chose the shard.
#[inline]
fn order(hash: u64) -> u32 {
    hash as u32
}

#[inline]
fn home(hash: u64, homes: usize) -> usize {
    ((u64::from(order(hash)) * homes as u64) >> 32) as usize
}

fn grown(homes: usize) -> usize {
    if homes < SMALL { homes + homes / 2 + 4 } else { homes + homes / 12 }
}
