//! Blocks: aligned pieces of one revision, the unit of storage and of single flight.

use super::range::{ByteRange, ObjectSize};

/// The size of a block in bytes: a power of two within 64 KiB..64 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockSize(u64);

/// The number of a block within its revision, from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockIndex(u64);

/// A run of neighbouring blocks, by first and last index, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSpan {
    first: BlockIndex,
    last: BlockIndex,
}

impl BlockSize {
    /// The smallest block.
    pub const MIN: u64 = 64 << 10;
    /// The largest block.
    pub const MAX: u64 = 64 << 20;
    /// 4 MiB: half of what AWS's clients ask for in one range.
    pub const DEFAULT: Self = Self(4 << 20);
    /// The most blocks of an object that is kept: 8 TiB in blocks of the default size. Reads of a whole object look at
    /// every block of it, and its length is what a server says.
    pub const MOST_BLOCKS: u64 = 1 << 21;

    /// `None` unless a power of two within the bounds.
    pub const fn new(bytes: u64) -> Option<Self> {
        if bytes.is_power_of_two() && bytes >= Self::MIN && bytes <= Self::MAX {
            Some(Self(bytes))
        } else {
            None
        }
    }

    /// The size in bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The block that holds a position.
    pub const fn index_of(self, position: u64) -> BlockIndex {
        BlockIndex(position / self.0)
    }

    /// The position of a block's first byte; saturates far outside of any object.
    pub const fn start_of(self, index: BlockIndex) -> u64 {
        index.0.saturating_mul(self.0)
    }

    /// The bytes of a block in an object of that size; the last block may be short. `None` if it lies outside.
    pub fn range_of(self, index: BlockIndex, size: ObjectSize) -> Option<ByteRange> {
        ByteRange::at(index.0.checked_mul(self.0)?, self.0)?.intersect(size.whole()?)
    }

    /// The blocks that a range touches.
    pub const fn span_of(self, range: ByteRange) -> BlockSpan {
        BlockSpan {
            first: self.index_of(range.first()),
            last: self.index_of(range.last()),
        }
    }

    /// The range widened to whole blocks, not beyond what a u64 addresses.
    pub fn align(self, range: ByteRange) -> ByteRange {
        let first = range.first() - range.first() % self.0;
        let last = (range.last() | (self.0 - 1)).min(u64::MAX - 1);
        ByteRange::new(first, last).unwrap_or(range)
    }

    /// A position moved down to the start of its block.
    pub const fn align_down(self, position: u64) -> u64 {
        position - position % self.0
    }

    /// Whether an object of that size may be kept.
    pub const fn keeps(self, size: ObjectSize) -> bool {
        self.count(size) <= Self::MOST_BLOCKS
    }

    /// How many blocks an object of that size has.
    pub const fn count(self, size: ObjectSize) -> u64 {
        size.bytes().div_ceil(self.0)
    }
}

impl BlockIndex {
    /// The n-th block, from zero.
    pub const fn new(index: u64) -> Self {
        Self(index)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The block after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl BlockSpan {
    /// From `first` to `last` inclusive; `None` if that is empty.
    pub fn new(first: BlockIndex, last: BlockIndex) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// The first block.
    pub const fn first(self) -> BlockIndex {
        self.first
    }

    /// The last block.
    pub const fn last(self) -> BlockIndex {
        self.last
    }

    /// The blocks in order.
    pub fn iter(self) -> impl Iterator<Item = BlockIndex> {
        (self.first.0..=self.last.0).map(BlockIndex)
    }

    /// How many blocks; at least one.
    #[expect(clippy::len_without_is_empty, reason = "a BlockSpan is never empty")]
    pub const fn len(self) -> u64 {
        self.last.0 - self.first.0 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_powers_of_two_within_bounds() {
        for bytes in [64 << 10, 4 << 20, 64 << 20] {
            assert!(BlockSize::new(bytes).is_some(), "{bytes}");
        }
        for bytes in [0, 1, 32 << 10, 3 << 20, 128 << 20] {
            assert!(BlockSize::new(bytes).is_none(), "{bytes}");
        }
    }

    proptest! {
        #[test]
        fn blocks_tile_every_object(shift in 16u32..=26, size in 1u64..1 << 40, position in 0u64..1 << 40) {
            let block_size = BlockSize::new(1 << shift).unwrap();
            let size = ObjectSize::new(size);
            let position = position % size.bytes();
            let index = block_size.index_of(position);
            let range = block_size.range_of(index, size).unwrap();
            prop_assert!(range.first() <= position && position <= range.last());
            prop_assert!(range.len() <= block_size.bytes());
            prop_assert_eq!(range.first() % block_size.bytes(), 0);
            prop_assert!(block_size.range_of(BlockIndex::new(block_size.count(size)), size).is_none());
        }

        #[test]
        fn aligning_covers_and_never_overflows(shift in 16u32..=26, first: u64, length in 1u64..) {
            let block_size = BlockSize::new(1 << shift).unwrap();
            if let Some(range) = ByteRange::at(first, length) {
                prop_assert!(block_size.align(range).covers(range));
            }
        }
    }
}
