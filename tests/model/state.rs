//! The disk and the model side by side, and what happens to both.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use pinstripe::object::{BlockIndex, BlockSize, ByteRange, Current, Head, ObjectSize, TakenFrom};
use pinstripe::tier::disk::{Disk, DiskConfig, Fault, Policy};
use pinstripe::tier::memory::Memory;
use pinstripe::tier::store::{BlockStore, Claim, Fill, Known, Miss};
use proptest::sample::Index;
use tempfile::TempDir;

use super::objects::{content, revision, revision_tags};
use super::ops::{Op, Which};
use super::{AMPLE, BLOCK};

/// A block on its way into both stores.
pub(crate) struct Filling {
    pub(crate) which: Which,
    pub(crate) generation: u64,
    pub(crate) range: ByteRange,
    pub(crate) offered: u64,
    pub(crate) disk: Box<dyn Fill>,
    pub(crate) memory: Box<dyn Fill>,
}

pub(crate) struct Model {
    pub(crate) runs: u32,
    pub(crate) capacity: u64,
    pub(crate) fills: Vec<Filling>,
    pub(crate) disk: Option<Disk>,
    pub(crate) memory: Memory,
    /// How often a revision was forgotten. Bytes and length differ from one time to the next, so that nothing of
    /// before can pass for what came after.
    generations: HashMap<Which, u64>,
    /// What each object's record may say after a crash.
    pub(crate) learnt: HashMap<u8, Vec<Known>>,
    /// Whether a revision was forgotten in this run.
    pub(crate) forgotten: bool,
    /// Whether the disk may miss what the model has, however quick its device is.
    pub(crate) lossy: bool,
    /// Goes last.
    dir: TempDir,
}

impl Model {
    pub(crate) fn new(capacity: u64) -> Self {
        let mut model = Self {
            dir: TempDir::new().unwrap(),
            runs: 0,
            capacity,
            disk: None,
            memory: Memory::new(BlockSize::new(BLOCK).unwrap()),
            fills: Vec::new(),
            generations: HashMap::new(),
            learnt: HashMap::new(),
            forgotten: false,
            lossy: capacity != AMPLE,
        };
        model.open();
        model
    }

    /// Whether the disk may miss what the model has. A device that answers too late, on a machine that others use, is a miss
    /// by contract.
    pub(crate) fn may_miss(&self) -> bool {
        let faults = self.disk().stats().faults;
        self.lossy || faults.iter().any(|(fault, times)| *fault == Fault::Slow && *times > 0)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join(self.runs.to_string())
    }

    pub(crate) fn open(&mut self) {
        let config = DiskConfig {
            path: self.root(),
            capacity: self.capacity,
            block_size: self.memory.block_size(),
            fill_budget: 64 << 20,
            read_budget: 1 << 20,
            open_files: 1024,
            policy: Policy::default(),
        };
        self.disk = Some(Disk::open(&config, Arc::new(|| Duration::ZERO)).unwrap());
    }

    pub(crate) fn disk(&self) -> &Disk {
        self.disk.as_ref().unwrap()
    }

    pub(crate) fn generation(&self, which: Which) -> u64 {
        self.generations.get(&which).copied().unwrap_or_default()
    }

    pub(crate) fn size(&self, which: Which) -> ObjectSize {
        ObjectSize::new(2 * BLOCK + 777 + 40_000 * self.generation(which))
    }

    fn head(&self, which: Which) -> Arc<Head> {
        let mut fields = HeaderMap::new();
        fields.insert("x-generation", self.generation(which).into());
        let (tag, size) = (revision(which).tag, self.size(which));
        Arc::new(Head::new(tag, size, &fields, SystemTime::UNIX_EPOCH, TakenFrom::Whole))
    }

    pub(crate) async fn apply(&mut self, op: &Op) {
        match *op {
            Op::Begin { which, block, pinned } => self.begin(which, &block, pinned),
            Op::Offer { fill, length } => {
                if let Some(n) = self.pick(&fill) {
                    self.offer(n, length);
                }
            }
            Op::Complete { fill } => {
                if let Some(n) = self.pick(&fill) {
                    self.offer(n, BLOCK);
                    self.finish(n).await;
                }
            }
            Op::Finish { fill } => {
                if let Some(n) = self.pick(&fill) {
                    self.finish(n).await;
                }
            }
            Op::Drop { fill } => {
                if let Some(n) = self.pick(&fill) {
                    self.fills.swap_remove(n);
                }
            }
            Op::TailRead { fill, at, length } => {
                if let Some(n) = self.pick(&fill) {
                    self.tail_read(n, &at, length).await;
                }
            }
            Op::Read { which, at, length } => self.read(which, &at, length).await,
            Op::AtHand { which, at, length } => self.at_hand(which, &at, length).await,
            Op::Holds { which } => self.holds(which).await,
            Op::Head { which } => self.check_head(which).await,
            Op::Learn {
                which,
                current,
                seconds,
            } => self.learn(which, current, seconds),
            Op::Known { key } => self.check_known(key).await,
            Op::Forget { which } => self.forget(which).await,
            Op::Restart => self.restart(),
            Op::Crash => self.crash().await,
            Op::Damage { file, at } => self.damage(&file, &at),
        }
    }

    fn pick(&self, fill: &Index) -> Option<usize> {
        (!self.fills.is_empty()).then(|| fill.index(self.fills.len()))
    }

    fn begin(&mut self, which: Which, block: &Index, pinned: bool) {
        let (revision, head) = (revision(which), self.head(which));
        let block_size = self.memory.block_size();
        let count = usize::try_from(block_size.count(head.size())).unwrap();
        let index = BlockIndex::new(u64::try_from(block.index(count)).unwrap());
        let claim = if pinned { Claim::Pinned } else { Claim::Current };
        let memory = self.memory.fill(&revision, &head, index, claim).unwrap();
        match self.disk().fill(&revision, &head, index, claim) {
            Ok(disk) => self.fills.push(Filling {
                which,
                generation: self.generation(which),
                range: block_size.range_of(index, head.size()).unwrap(),
                offered: 0,
                disk,
                memory,
            }),
            Err(why) => assert!(self.may_miss(), "{why}"),
        }
    }

    /// Offers up to that many bytes, never too many.
    fn offer(&mut self, n: usize, length: u64) {
        let fill = &mut self.fills[n];
        let rest = fill.range.starting_at(fill.range.first() + fill.offered);
        let Some(range) = rest.and_then(|rest| rest.intersect(ByteRange::at(rest.first(), length)?)) else {
            return;
        };
        let bytes = content(fill.which, fill.generation, range);
        fill.offered += range.len();
        fill.memory.offer(&bytes).unwrap();
        fill.disk.offer(&bytes).unwrap();
    }

    async fn finish(&mut self, n: usize) {
        let fill = self.fills.swap_remove(n);
        let (disk, memory) = (fill.disk.finish().await, fill.memory.finish().await);
        assert_eq!(disk, memory);
    }

    fn learn(&mut self, which: Which, current: bool, seconds: u64) {
        let revision = revision(which);
        let confirmed = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let other = revision_tags().filter(|tag| *tag != revision.tag);
        let known = Known {
            current: if current {
                Current::Is(revision.tag.clone())
            } else {
                Current::None
            },
            confirmed,
            head: current.then(|| self.head(which)),
            former: other.map(|tag| (tag, confirmed)).collect(),
        };
        self.memory.learn(&revision.key, known.clone());
        self.disk().learn(&revision.key, known.clone());
        self.learnt.entry(which.0).or_default().push(known);
    }

    async fn forget(&mut self, which: Which) {
        let revision = revision(which);
        self.disk().forget(&revision);
        self.forgotten = true;
        assert_eq!(self.disk().head(&revision).await, Err(Miss::Absent));
        self.memory.forget(&revision);
        *self.generations.entry(which).or_default() += 1;
        let known = self.memory.known(&revision.key).await;
        self.learnt.entry(which.0).or_default().push(known);
        // Whoever forgets a revision learns anew.
        for store in [self.disk() as &dyn BlockStore, &self.memory] {
            store.learn(&revision.key, Known::UNKNOWN);
        }
        self.learnt.entry(which.0).or_default().push(Known::UNKNOWN);
    }
}
