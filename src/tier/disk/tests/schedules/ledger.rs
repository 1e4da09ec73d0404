//! Who wrote and forgot what, and when: every fill writes bytes of its own, which tell what was read.

use super::super::*;

/// The revisions of the one object.
pub(super) const TAGS: u64 = 2;
/// The first block is a whole one, the last is short.
pub(super) const BLOCKS: u64 = 2;
pub(super) const SIZE: u64 = BLOCK + 20_000;

/// A block of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) tag: u64,
    pub(super) index: u64,
}

/// All that happened. Its times are counts of events.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    now: u64,
    fills: Vec<Begun>,
    forgets: Vec<Forgotten>,
}

#[derive(Clone, Copy, Debug)]
struct Begun {
    spot: Spot,
    at: u64,
}

#[derive(Clone, Copy, Debug)]
struct Forgotten {
    tag: u64,
    from: u64,
    to: u64,
}

impl Spot {
    pub(super) fn chosen() -> Self {
        let (tag, index) = (super::chosen(TAGS), super::chosen(BLOCKS));
        Self { tag, index }
    }

    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..TAGS).flat_map(|tag| (0..BLOCKS).map(move |index| Self { tag, index }))
    }

    pub(super) fn revision(self) -> Revision {
        revision("/a", &self.tag.to_string())
    }

    pub(super) fn index(self) -> BlockIndex {
        BlockIndex::new(self.index)
    }

    pub(super) fn range(self) -> ByteRange {
        let block_size = BlockSize::new(BLOCK).unwrap();
        block_size.range_of(self.index(), ObjectSize::new(SIZE)).unwrap()
    }

    pub(super) fn name(self) -> Name {
        let hash = RevisionHash::of(&self.revision(), BlockSize::new(BLOCK).unwrap());
        Name::block(hash, self.index()).unwrap()
    }
}

/// What a fill writes: its number and the position, over and over.
pub(super) fn content(fill: u64, spot: Spot) -> Bytes {
    let words = (0..spot.range().len() / 8).map(|n| fill << 32 | n);
    words.flat_map(u64::to_le_bytes).collect()
}

impl Ledger {
    /// The next moment.
    pub(super) fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    /// The number of the next fill. It counts as begun at any time until told otherwise.
    pub(super) fn begins(&mut self, spot: Spot) -> u64 {
        self.fills.push(Begun { spot, at: u64::MAX });
        u64::try_from(self.fills.len() - 1).unwrap()
    }

    pub(super) fn begun(&mut self, fill: u64) {
        let at = self.tick();
        self.fills[usize::try_from(fill).unwrap()].at = at;
    }

    /// Begins to forget a revision, by number.
    pub(super) fn forgets(&mut self, tag: u64) -> usize {
        let (from, to) = (self.tick(), u64::MAX);
        self.forgets.push(Forgotten { tag, from, to });
        self.forgets.len() - 1
    }

    pub(super) fn forgot(&mut self, forget: usize) {
        self.forgets[forget].to = self.tick();
    }

    /// The fill whose bytes these are: one of that block, and not one that had been forgotten when they were asked for.
    #[track_caller]
    pub(super) fn check(&self, spot: Spot, at: u64, bytes: &[u8], asked: u64) -> u64 {
        let (words, rest) = bytes.as_chunks();
        assert!(rest.is_empty() && !words.is_empty());
        let fill = u64::from_le_bytes(words[0]) >> 32;
        for (n, word) in (at / 8..).zip(words) {
            assert_eq!(
                u64::from_le_bytes(*word),
                fill << 32 | n,
                "bytes of two fills in {spot:?}"
            );
        }
        let begun = self.fills[usize::try_from(fill).unwrap()];
        assert_eq!(begun.spot, spot, "bytes of another block");
        let of_this = self.forgets.iter().filter(|forget| forget.tag == spot.tag);
        let void = of_this
            .clone()
            .find(|forget| begun.at < forget.from && forget.to < asked);
        assert!(
            void.is_none(),
            "fill {fill} of {spot:?}, {begun:?}, was forgotten: {void:?}"
        );
        fill
    }
}
