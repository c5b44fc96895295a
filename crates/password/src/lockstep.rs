//! Several independent bcrypt hashes on one thread, round by round.
//!
//! A Blowfish round needs the result of the previous one, so a single bcrypt mostly waits for its own memory reads. Up
//! to four independent hashes fill those gaps: [`Lanes`] runs one round of each in turn. A single hash runs the same
//! code with one lane.
//!
//! The work is cut into slices, so that lanes may start and end at different times and have different costs.

use zeroize::Zeroize;

use crate::tables;

/// More lanes than this gain nothing: their tables would no longer fit the first-level cache.
pub const MAX_LANES: usize = 4;

/// "OrpheanBeholderScryDoubt", which bcrypt encrypts.
const MAGIC: [u32; 6] = [0x4f72_7068, 0x6561_6e42, 0x6568_6f6c, 0x6465_7253, 0x6372_7944, 0x6f75_6274];

/// A hash in progress. All lanes are in one block of memory, so that the inner loop reaches them from one address with
/// constant offsets; pointers to each would not fit into the registers.
struct State {
    s: [[u32; 256]; 4],
    p: [u32; 18],
    /// Password and salt as the words that are mixed into `p`, repeated to its length.
    key: [u32; 18],
    salt: [u32; 18],
}

/// Data of a lane in addition to its state.
struct Lane<T> {
    tag: T,
    turns_left: u64,
}

/// Up to [`MAX_LANES`] bcrypt hashes in lockstep, each with a tag that identifies it to its owner.
pub struct Lanes<T> {
    states: Box<[State; MAX_LANES]>,
    /// Lane `i` uses `states[i]`: there are no gaps, so that a slice runs the first `lanes.len()` states.
    lanes: Vec<Lane<T>>,
}

impl<T> Lanes<T> {
    /// Creates lanes of which none is busy.
    pub fn new() -> Self {
        Self { states: Box::new([const { State::zero() }; MAX_LANES]), lanes: Vec::with_capacity(MAX_LANES) }
    }

    /// How many lanes are busy.
    pub fn len(&self) -> usize {
        self.lanes.len()
    }

    /// True if no lane is busy.
    pub fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// The tags of the busy lanes.
    pub fn tags_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.lanes.iter_mut().map(|lane| &mut lane.tag)
    }

    /// Starts a hash of `turns` turns (2^cost) in a free lane. `key` is 1 to 72 bytes, with bcrypt's terminating NUL if
    /// there is room for it. Returns the tag as the error if every lane is busy.
    pub fn join(&mut self, key: &[u8], salt: &[u8; 16], turns: u64, tag: T) -> Result<(), T> {
        match self.states.get_mut(self.lanes.len()) {
            None => Err(tag),
            Some(state) => {
                state.start(key, salt);
                self.lanes.push(Lane { tag, turns_left: turns });
                Ok(())
            }
        }
    }

    /// Runs every busy lane for the same number of turns: `most`, or fewer if a lane ends earlier. Returns that number.
    pub fn run(&mut self, most: u64) -> u64 {
        let Some(shortest) = self.lanes.iter().map(|lane| lane.turns_left).min() else { return 0 };
        let turns = shortest.min(most);
        match self.lanes.len() {
            1 => run::<1>(&mut self.states, turns),
            2 => run::<2>(&mut self.states, turns),
            3 => run::<3>(&mut self.states, turns),
            _ => run::<4>(&mut self.states, turns),
        }
        for lane in &mut self.lanes {
            lane.turns_left -= turns;
        }
        turns
    }

    /// Removes a finished hash from its lane. Returns its tag and bcrypt's 23 bytes.
    pub fn take_finished(&mut self) -> Option<(T, [u8; 23])> {
        let index = self.lanes.iter().position(|lane| lane.turns_left == 0)?;
        let digest = self.states[index].digest();
        Some((self.leave(index), digest))
    }

    /// Removes a hash that is no longer wanted, unfinished or not. Returns its tag.
    pub fn take_where(&mut self, unwanted: impl Fn(&T) -> bool) -> Option<T> {
        let index = self.lanes.iter().position(|lane| unwanted(&lane.tag))?;
        Some(self.leave(index))
    }

    /// Frees a lane; the last one moves into the gap.
    fn leave(&mut self, index: usize) -> T {
        let lane = self.lanes.swap_remove(index);
        self.states.swap(index, self.lanes.len());
        self.states[self.lanes.len()].wipe();
        lane.tag
    }
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for Lanes<T> {
    fn drop(&mut self) {
        self.states.iter_mut().for_each(State::wipe);
    }
}

impl State {
    const fn zero() -> Self {
        Self { s: [[0; 256]; 4], p: [0; 18], key: [0; 18], salt: [0; 18] }
    }

    fn wipe(&mut self) {
        self.s.as_flattened_mut().zeroize();
        self.p.zeroize();
        self.key.zeroize();
        self.salt.zeroize();
    }

    /// bcrypt's first, salted key expansion. It is only one of thousands, so it runs on its own.
    fn start(&mut self, key: &[u8], salt: &[u8; 16]) {
        self.s = tables::S;
        self.p = tables::P;
        self.key = words(key);
        self.salt = words(salt);
        for (p, key) in self.p.iter_mut().zip(self.key) {
            *p ^= key;
        }
        let mut salt = self.salt.into_iter().take(4).cycle();
        let mut block = [0; 2];
        let mut next = |state: &Self| {
            block[0] ^= salt.next().unwrap_or_default();
            block[1] ^= salt.next().unwrap_or_default();
            block = state.encrypt(block);
            block
        };
        for i in (0..18).step_by(2) {
            [self.p[i], self.p[i + 1]] = next(self);
        }
        for table in 0..4 {
            for i in (0..256).step_by(2) {
                [self.s[table][i], self.s[table][i + 1]] = next(self);
            }
        }
    }

    /// bcrypt's last step. The 24th byte is never stored.
    fn digest(&self) -> [u8; 23] {
        let mut digest = [0; 24];
        for (out, block) in digest.chunks_exact_mut(8).zip(MAGIC.chunks_exact(2)) {
            let mut block = [block[0], block[1]];
            for _ in 0..64 {
                block = self.encrypt(block);
            }
            out[..4].copy_from_slice(&block[0].to_be_bytes());
            out[4..].copy_from_slice(&block[1].to_be_bytes());
        }
        let mut most = [0; 23];
        most.copy_from_slice(&digest[..23]);
        most
    }

    fn encrypt(&self, [mut left, mut right]: [u32; 2]) -> [u32; 2] {
        for i in (0..16).step_by(2) {
            left ^= self.p[i];
            right ^= self.mix(left) ^ self.p[i + 1];
            left ^= self.mix(right);
        }
        [right ^ self.p[17], left ^ self.p[16]]
    }

    /// Blowfish's F. The index types guarantee that every look-up is inside its table.
    #[inline(always)]
    fn mix(&self, x: u32) -> u32 {
        let a = self.s[0][usize::from((x >> 24) as u8)];
        let b = self.s[1][usize::from((x >> 16) as u8)];
        let c = self.s[2][usize::from((x >> 8) as u8)];
        let d = self.s[3][usize::from(x as u8)];
        (a.wrapping_add(b) ^ c).wrapping_add(d)
    }
}

/// `bytes`, repeated as often as needed, as big-endian words.
fn words(bytes: &[u8]) -> [u32; 18] {
    let mut bytes = bytes.iter().cycle();
    let mut next = || u32::from(bytes.next().copied().unwrap_or_default());
    std::array::from_fn(|_| (next() << 24) | (next() << 16) | (next() << 8) | next())
}

/// `turns` turns of the first `N` lanes: each mixes in the key, then the salt.
///
/// Not inlined: a separate function leaves all registers to the loop, which made four lanes 10 % faster when measured.
#[inline(never)]
fn run<const N: usize>(states: &mut [State; MAX_LANES], turns: u64) {
    for _ in 0..turns {
        expand::<N>(states, |state| &state.key);
        expand::<N>(states, |state| &state.salt);
    }
}

/// Blowfish's key expansion of `N` lanes.
#[inline(always)]
fn expand<const N: usize>(states: &mut [State; MAX_LANES], words: impl Fn(&State) -> &[u32; 18]) {
    for state in &mut states[..N] {
        let words = *words(state);
        for (p, word) in state.p.iter_mut().zip(words) {
            *p ^= word;
        }
    }
    let mut blocks = [[0; 2]; N];
    for i in (0..18).step_by(2) {
        encrypt(states, &mut blocks);
        for n in 0..N {
            [states[n].p[i], states[n].p[i + 1]] = blocks[n];
        }
    }
    for table in 0..4 {
        for i in (0..256).step_by(2) {
            encrypt(states, &mut blocks);
            for n in 0..N {
                [states[n].s[table][i], states[n].s[table][i + 1]] = blocks[n];
            }
        }
    }
}

/// One block of each of `N` lanes, round by round.
#[inline(always)]
fn encrypt<const N: usize>(states: &[State; MAX_LANES], blocks: &mut [[u32; 2]; N]) {
    for i in (0..16).step_by(2) {
        for n in 0..N {
            blocks[n][0] ^= states[n].p[i];
            blocks[n][1] ^= states[n].p[i + 1] ^ states[n].mix(blocks[n][0]);
        }
        for n in 0..N {
            blocks[n][0] ^= states[n].mix(blocks[n][1]);
        }
    }
    for n in 0..N {
        blocks[n] = [blocks[n][1] ^ states[n].p[17], blocks[n][0] ^ states[n].p[16]];
    }
}
