//! What is asked of the disk and of the model, and compared.

use std::sync::Arc;

use pinstripe::object::{BlockIndex, BlockSpan, ByteRange};
use pinstripe::tier::store::{BlockStore, Known, Miss, Tail};
use proptest::sample::Index;

use super::objects::{assert_prefix, content, revision};
use super::ops::Which;
use super::state::Model;

impl Model {
    pub(crate) async fn tail_read(&self, n: usize, at: &Index, length: u64) {
        let fill = &self.fills[n];
        if fill.offered == 0 {
            return;
        }
        let first = fill.range.first() + u64::try_from(at.index(usize::try_from(fill.offered).unwrap())).unwrap();
        let range = ByteRange::at(first, length).unwrap();
        let tail: Arc<dyn Tail> = fill.disk.tail();
        match tail.read(range).await {
            Ok(bytes) => assert_prefix(&bytes, &content(fill.which, fill.generation, range)),
            Err(why) => assert!(self.may_miss(), "{why}"),
        }
    }

    /// A block, and a range within it.
    fn place(&self, which: Which, at: &Index, length: u64) -> (BlockIndex, ByteRange) {
        let size = self.size(which).bytes();
        let first = u64::try_from(at.index(usize::try_from(size).unwrap())).unwrap();
        let index = self.memory.block_size().index_of(first);
        let block = self.memory.block_size().range_of(index, self.size(which)).unwrap();
        (index, ByteRange::at(first, length).unwrap().intersect(block).unwrap())
    }

    pub(crate) async fn read(&self, which: Which, at: &Index, length: u64) {
        let revision = revision(which);
        let (index, range) = self.place(which, at, length);
        let expected = self.memory.read(&revision, index, range).await;
        match (self.disk().read(&revision, index, range).await, expected) {
            (Ok(bytes), Ok(expected)) => assert_prefix(&bytes, &expected),
            (Ok(_), Err(_)) => panic!("{range:?} of {which:?} is not in the model"),
            (Err(Miss::Absent), Err(_)) => {}
            (Err(why), _) => assert!(self.may_miss(), "{range:?} of {which:?} is missing: {why}"),
        }
    }

    /// What is at hand is all of what is asked for, and the same that the long way brings.
    pub(crate) async fn at_hand(&self, which: Which, at: &Index, length: u64) {
        let revision = revision(which);
        let (index, range) = self.place(which, at, length);
        let Some(found) = self.disk().at_hand(&revision, index, range) else {
            return;
        };
        assert_eq!(found.bytes, content(which, self.generation(which), range));
        assert_eq!(found.head, self.memory.head(&revision).await.unwrap());
        self.is_known(which.0, &found.known).await;
        let read = self.disk().read(&revision, index, range).await;
        assert!(self.may_miss() || read.is_ok());
        if let Ok(read) = read {
            assert_prefix(&read, &found.bytes);
        }
    }

    pub(crate) async fn holds(&self, which: Which) {
        let last = BlockIndex::new(self.memory.block_size().count(self.size(which)));
        let span = BlockSpan::new(BlockIndex::new(0), last).unwrap();
        let held = self.disk().holds(&revision(which), span).await;
        let expected = self.memory.holds(&revision(which), span).await;
        if self.may_miss() {
            assert_eq!(held.len(), expected.len());
        } else {
            assert_eq!(held, expected);
        }
    }

    pub(crate) async fn check_head(&self, which: Which) {
        let revision = revision(which);
        match (self.disk().head(&revision).await, self.memory.head(&revision).await) {
            (Ok(head), Ok(expected)) => assert_eq!(head, expected),
            (Ok(_), Err(_)) => panic!("the head of {which:?} is not in the model"),
            (Err(Miss::Absent), Err(_)) => {}
            (Err(why), _) => assert!(self.may_miss(), "the head of {which:?} is missing: {why}"),
        }
    }

    pub(crate) async fn check_known(&self, key: u8) {
        let known = self.disk().known(&revision((key, 0)).key).await;
        self.is_known(key, &known).await;
    }

    async fn is_known(&self, key: u8, known: &Known) {
        let expected = self.memory.known(&revision((key, 0)).key).await;
        let missed = self.may_miss() && *known == Known::UNKNOWN;
        assert!(*known == expected || missed, "{known:?} instead of {expected:?}");
    }
}
