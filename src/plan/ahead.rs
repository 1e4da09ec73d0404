//! What is fetched ahead of a reader who wants much of one revision: a plain GET becomes pinned ranges side by side.

use crate::object::{BlockIndex, BlockSize, BlockSpan, ByteRange};

/// What a reader has to take before a piece is fetched ahead of it, and then for twice as many. Many who ask for everything
/// close after the first bytes (containerd reads a header that way), and are not to cause more than that.
const EARNS: u64 = 1 << 20;
/// How much one question asks for: at 15 MB/s half a second, of which the way there and back is a small part.
const PIECE: u64 = 8 << 20;

/// How many times as far ahead of a reader as there are pieces at once one of them may be.
const FAR: u64 = 2;

/// How many pieces may be on their way to a reader who has taken so many bytes. A route that fetches one piece at a time
/// fetches none ahead.
pub fn earned(taken: u64, parallel: usize) -> usize {
    if parallel <= 1 || taken < EARNS {
        return 0;
    }
    let doubled = u32::try_from(taken / EARNS - 1).unwrap_or(u32::MAX);
    1usize.checked_shl(doubled).unwrap_or(parallel).min(parallel)
}

/// How many pieces may be fetched in all ahead of those who read ranges of one revision, and have asked for so many bytes
/// together: never more than that. `last` is the last byte that they asked for. Who reads a directory at the end of an archive
/// causes nothing by it, and neither does who asks here for half of the ranges: other replicas are asked for the others, and
/// will be.
pub fn earned_by_ranges(taken: u64, last: u64) -> usize {
    if taken / 3 < last / 4 {
        return 0;
    }
    usize::try_from(taken / PIECE).unwrap_or(usize::MAX)
}

/// How many pieces at once a disk of that capacity can do with, so that what is fetched ahead is still there when it is
/// read: all that may be ahead of one reader takes a quarter of it.
pub fn affordable(parallel: usize, capacity: u64, block_size: BlockSize) -> usize {
    let ahead = PIECE.max(block_size.bytes()).saturating_mul(FAR);
    let most = usize::try_from(capacity / 4 / ahead).unwrap_or(parallel);
    parallel.min(most).max(1)
}

/// The next piece to be fetched ahead of a reader who wants `rest`, if it is not too far from where it reads. `from` is the
/// first block that was not part of a piece yet. Pieces of all readers of a revision begin at the same places, so that
/// they share them.
pub fn next_piece(rest: ByteRange, from: BlockIndex, block_size: BlockSize, parallel: usize) -> Option<BlockSpan> {
    let blocks = (PIECE / block_size.bytes()).max(1);
    let here = block_size.index_of(rest.first()).get() / blocks;
    let piece = from.get().div_ceil(blocks).max(here.saturating_add(1));
    // One that is slower than the others must not hold them up at once.
    let far = u64::try_from(parallel).unwrap_or(u64::MAX).saturating_mul(FAR);
    if piece > here.saturating_add(far) {
        return None;
    }
    let first = BlockIndex::new(piece.saturating_mul(blocks));
    let end = block_size.index_of(rest.last());
    let last = BlockIndex::new(first.get().saturating_add(blocks - 1)).min(end);
    BlockSpan::new(first, last)
}

/// Where the piece ends that a position is in.
pub fn piece_end(position: u64, block_size: BlockSize) -> u64 {
    let piece = PIECE.max(block_size.bytes());
    (position - position % piece).saturating_add(piece)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn who_takes_little_gets_nothing_ahead() {
        let check = |taken, parallel, expected| assert_eq!(earned(taken, parallel), expected, "{taken} {parallel}");
        check(0, 8, 0);
        check(MIB - 1, 8, 0);
        check(MIB, 8, 1);
        check(2 * MIB, 8, 2);
        check(3 * MIB, 8, 4);
        check(4 * MIB, 8, 8);
        check(4 * MIB, 6, 6);
        check(900 * MIB, 8, 8);
        check(900 * MIB, 1, 0);
        check(u64::MAX, 8, 8);
    }

    #[test]
    fn ranges_earn_as_much_as_they_read() {
        let check = |taken, last, expected| assert_eq!(earned_by_ranges(taken, last), expected, "{taken} {last}");
        check(0, 0, 0);
        check(8 * MIB - 1, 8 * MIB - 2, 0);
        check(8 * MIB, 8 * MIB - 1, 1);
        check(63 * MIB, 63 * MIB - 1, 7);
        check(640 * MIB, 640 * MIB - 1, 80);
        // One of two replicas, and nearly all of what lies before.
        check(32 * MIB, 64 * MIB - 1, 0);
        check(56 * MIB, 64 * MIB - 1, 7);
        check(8 * MIB, 1000 * MIB - 1, 0);
        check(u64::MAX, u64::MAX, usize::MAX / usize::try_from(PIECE).unwrap());
    }

    #[test]
    fn a_small_disk_is_not_filled_with_what_is_ahead() {
        let check = |capacity, block, expected| {
            let block = BlockSize::new(block).unwrap();
            assert_eq!(affordable(8, capacity, block), expected, "{capacity} {block:?}");
        };
        check(0, 4 * MIB, 1);
        check(127 * MIB, 4 * MIB, 1);
        check(128 * MIB, 64 << 10, 2);
        check(512 * MIB, 4 * MIB, 8);
        check(50 << 30, 4 * MIB, 8);
        check(1 << 30, 64 * MIB, 2);
    }

    #[test]
    fn pieces_begin_where_those_of_others_do() {
        let block = BlockSize::DEFAULT;
        let check = |first: u64, last: u64, from: u64, expected: Option<(u64, u64)>| {
            let rest = ByteRange::new(first, last).unwrap();
            let piece = next_piece(rest, BlockIndex::new(from), block, 2);
            let piece = piece.map(|span| (span.first().get(), span.last().get()));
            assert_eq!(piece, expected, "{first}-{last} from {from}");
        };
        check(0, 100 * MIB - 1, 0, Some((2, 3)));
        check(5 * MIB, 100 * MIB - 1, 0, Some((2, 3)));
        check(9 * MIB, 100 * MIB - 1, 4, Some((4, 5)));
        check(0, 100 * MIB - 1, 4, Some((4, 5)));
        check(0, 100 * MIB - 1, 8, Some((8, 9)));
        check(0, 100 * MIB - 1, 10, None);
        check(0, 9 * MIB - 1, 0, Some((2, 2)));
        check(0, 8 * MIB - 1, 0, None);
        check(98 * MIB, 100 * MIB - 1, 0, None);
    }

    proptest! {
        #[test]
        fn pieces_lie_ahead_and_within(
            shift in 16u32..=26, first in 0u64..1 << 36, length in 1u64..1 << 36, from in 0u64..1 << 20, parallel in 2usize..64,
        ) {
            let block = BlockSize::new(1 << shift).unwrap();
            let rest = ByteRange::new(first, first + length - 1).unwrap();
            if let Some(piece) = next_piece(rest, BlockIndex::new(from), block, parallel) {
                prop_assert!(piece.first().get() >= from);
                prop_assert!(piece.first() > block.index_of(first));
                prop_assert!(piece.last() <= block.index_of(rest.last()));
                prop_assert!(piece.len() * block.bytes() <= PIECE.max(block.bytes()));
            }
        }
    }
}
