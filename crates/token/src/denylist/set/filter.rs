//! A filter in front of the shards: most ids that are looked up are not denied, and it says so without a lock.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::{SHARD_BITS, SHARDS};

/// Blocks of one shard: 2 to the power of this.
const BLOCK_BITS: u32 = 4;
const BLOCKS: usize = 1 << BLOCK_BITS;
/// Words of bits in a block. With the version they fill a cache line.
const WORDS: usize = 7;

/// Bits in cache-line blocks, two for each id, both in one block (a blocked Bloom filter). A cleared bit proves that
/// the id is not there; set bits prove nothing. It takes 1 MB. With a million ids one look-up in seventeen passes it in
/// vain, with ten million most do.
pub(super) struct Filter {
    blocks: Box<[Block]>,
}

/// The version is odd while the bits are being rebuilt. Bits are only ever cleared then, so a reader that finds a
/// cleared bit looks at the version before and after: if it has not changed, the bit is clear because the id is not in
/// the set, and not because of a rebuild.
#[repr(align(64))]
struct Block {
    version: AtomicU64,
    words: [AtomicU64; WORDS],
}

impl Filter {
    pub(super) fn new() -> Self {
        let block = |_| Block { version: AtomicU64::new(0), words: [const { AtomicU64::new(0) }; WORDS] };
        Self { blocks: (0..SHARDS * BLOCKS).map(block).collect() }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.blocks)
    }

    /// False if the id with this hash is certainly not in the set.
    #[inline]
    pub(super) fn may_contain(&self, hash: u64) -> bool {
        let block = self.block(hash);
        let before = block.version.load(Ordering::Acquire);
        if before % 2 == 1 || bits(hash).into_iter().all(|bit| block.has(bit)) {
            return true;
        }
        // Pairs with the fence in `rebuild`: a reader of a bit that it cleared sees its version too.
        fence(Ordering::Acquire);
        block.version.load(Ordering::Relaxed) != before
    }

    /// Sets the bits of one id. Call it with the id's shard locked for writing.
    pub(super) fn add(&self, hash: u64) {
        let block = self.block(hash);
        for bit in bits(hash) {
            block.words[bit / 64].fetch_or(1 << (bit % 64), Ordering::Relaxed);
        }
    }

    /// Rebuilds the bits of one shard from the hashes that are left in it. Call it with the shard locked for writing: a
    /// reader that meets a rebuild goes to the shard and waits there.
    pub(super) fn rebuild(&self, shard: usize, hashes: impl Iterator<Item = u64>) {
        let blocks = &self.blocks[shard * BLOCKS..(shard + 1) * BLOCKS];
        blocks.iter().for_each(|block| _ = block.version.fetch_add(1, Ordering::Relaxed));
        fence(Ordering::Release);
        blocks.iter().flat_map(|block| &block.words).for_each(|word| word.store(0, Ordering::Relaxed));
        hashes.for_each(|hash| self.add(hash));
        blocks.iter().for_each(|block| _ = block.version.fetch_add(1, Ordering::Release));
    }

    /// The uppermost bits of the hash choose the shard, as in the set itself, and those below them the block.
    #[inline]
    fn block(&self, hash: u64) -> &Block {
        &self.blocks[(hash >> (64 - SHARD_BITS - BLOCK_BITS)) as usize]
    }
}

impl Block {
    #[inline]
    fn has(&self, bit: usize) -> bool {
        self.words[bit / 64].load(Ordering::Relaxed) & (1 << (bit % 64)) != 0
    }
}

/// The two bits of a hash, each from 9 bits that choose neither the block nor the place in the shard's table.
#[inline]
fn bits(hash: u64) -> [usize; 2] {
    let scaled = |nine: u64| ((nine & 0x1FF) as usize * WORDS * 64) >> 9;
    [scaled(hash >> 32), scaled(hash >> 41)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(count: u64) -> impl Iterator<Item = u64> {
        (1..=count).map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    #[test]
    fn added_ids_always_pass_and_most_others_do_not() {
        let filter = Filter::new();
        hashes(100_000).for_each(|hash| filter.add(hash));
        assert!(hashes(100_000).all(|hash| filter.may_contain(hash)));
        let vain = hashes(200_000).skip(100_000).filter(|hash| filter.may_contain(*hash)).count();
        assert!(vain < 1_000, "{vain}");
    }

    #[test]
    fn a_rebuilt_shard_keeps_its_remaining_ids_and_leaves_the_others_alone() {
        let filter = Filter::new();
        let shard = |hash: u64| (hash >> (64 - SHARD_BITS)) as usize;
        hashes(100_000).for_each(|hash| filter.add(hash));
        filter.rebuild(5, hashes(100_000).filter(|hash| shard(*hash) == 5).take(10));
        let kept = hashes(100_000).filter(|hash| shard(*hash) == 5 && filter.may_contain(*hash)).count();
        assert!((10..20).contains(&kept), "{kept}");
        assert!(hashes(100_000).filter(|hash| shard(*hash) != 5).all(|hash| filter.may_contain(hash)));
    }
}
