//! The disk against the model in memory: random operations, damage, restarts. Whatever the disk returns is what the
//! model has, or a miss; and while nothing is evicted or damaged, it is not a miss.
#![expect(
    clippy::disallowed_methods,
    reason = "damage and crashes are made from outside, on the files themselves"
)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::HeaderMap;
use pinstripe::object::{
    AuthorityId, BlockIndex, BlockSize, BlockSpan, ByteRange, Current, Head, ObjectKey, ObjectSize, Revision,
    RouteName, StrongETag, TakenFrom,
};
use pinstripe::tier::disk::{Disk, DiskConfig, Policy};
use pinstripe::tier::memory::Memory;
use pinstripe::tier::store::{BlockStore, Claim, Fill, Known, Miss, Tail};
use proptest::prelude::*;
use proptest::sample::Index;
use tempfile::TempDir;

const BLOCK: u64 = BlockSize::MIN;
const KEYS: u8 = 2;
const TAGS: u8 = 2;
/// Enough for everything, so that nothing may be missing.
const AMPLE: u64 = 256 << 20;
/// Enough for a few blocks.
const SCARCE: u64 = 6 * (BLOCK + 4096);

/// Which revision: an object and a tag.
type Which = (u8, u8);

#[derive(Clone, Debug)]
enum Op {
    Begin {
        which: Which,
        block: Index,
        pinned: bool,
    },
    Offer {
        fill: Index,
        length: u64,
    },
    /// Offers the rest and finishes.
    Complete {
        fill: Index,
    },
    /// Finishes as it is.
    Finish {
        fill: Index,
    },
    Drop {
        fill: Index,
    },
    TailRead {
        fill: Index,
        at: Index,
        length: u64,
    },
    Read {
        which: Which,
        at: Index,
        length: u64,
    },
    Holds {
        which: Which,
    },
    Head {
        which: Which,
    },
    Learn {
        which: Which,
        current: bool,
        seconds: u64,
    },
    Known {
        key: u8,
    },
    Forget {
        which: Which,
    },
    /// Ends the disk and opens it again.
    Restart,
    /// Opens a copy of the files as they are at this moment, as after a kill.
    Crash,
    Damage {
        file: Index,
        at: Index,
    },
}

fn which() -> impl Strategy<Value = Which> {
    (0..KEYS, 0..TAGS)
}

fn op() -> impl Strategy<Value = Op> {
    let index = any::<Index>;
    let length = 1..2 * BLOCK;
    prop_oneof![
        8 => (which(), index(), any::<bool>()).prop_map(|(which, block, pinned)| Op::Begin { which, block, pinned }),
        6 => (index(), length.clone()).prop_map(|(fill, length)| Op::Offer { fill, length }),
        8 => index().prop_map(|fill| Op::Complete { fill }),
        1 => index().prop_map(|fill| Op::Finish { fill }),
        1 => index().prop_map(|fill| Op::Drop { fill }),
        3 => (index(), index(), length.clone()).prop_map(|(fill, at, length)| Op::TailRead { fill, at, length }),
        8 => (which(), index(), length).prop_map(|(which, at, length)| Op::Read { which, at, length }),
        1 => which().prop_map(|which| Op::Holds { which }),
        2 => which().prop_map(|which| Op::Head { which }),
        3 => (which(), any::<bool>(), 0..100u64)
            .prop_map(|(which, current, seconds)| Op::Learn { which, current, seconds }),
        2 => (0..KEYS).prop_map(|key| Op::Known { key }),
        1 => which().prop_map(|which| Op::Forget { which }),
        1 => Just(Op::Restart),
        1 => Just(Op::Crash),
        1 => (index(), index()).prop_map(|(file, at)| Op::Damage { file, at }),
    ]
}

fn revision((key, tag): Which) -> Revision {
    let authority = AuthorityId::new(["s3", "bucket"]);
    Revision {
        key: ObjectKey::new(&RouteName::new("r"), &authority, None, &format!("/{key}"), None),
        tag: StrongETag::parse(format!("\"{tag}\"").as_bytes()).unwrap(),
    }
}

/// A block on its way into both stores.
struct Filling {
    which: Which,
    generation: u64,
    range: ByteRange,
    offered: u64,
    disk: Box<dyn Fill>,
    memory: Box<dyn Fill>,
}

struct Model {
    runs: u32,
    capacity: u64,
    fills: Vec<Filling>,
    disk: Option<Disk>,
    memory: Memory,
    /// How often a revision was forgotten. Bytes and length differ from one time to the next, so that nothing of
    /// before can pass for what came after.
    generations: HashMap<Which, u64>,
    /// What each object's record may say after a crash.
    learnt: HashMap<u8, Vec<Known>>,
    /// Whether a revision was forgotten in this run.
    forgotten: bool,
    /// Whether the disk may miss what the model has.
    may_miss: bool,
    /// Goes last.
    dir: TempDir,
}

impl Model {
    fn new(capacity: u64) -> Self {
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
            may_miss: capacity != AMPLE,
        };
        model.open();
        model
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join(self.runs.to_string())
    }

    fn open(&mut self) {
        let config = DiskConfig {
            path: self.root(),
            capacity: self.capacity,
            block_size: self.memory.block_size(),
            fill_budget: 64 << 20,
            read_budget: 1 << 20,
            policy: Policy::default(),
        };
        self.disk = Some(Disk::open(&config, Arc::new(|| Duration::ZERO)).unwrap());
    }

    fn disk(&self) -> &Disk {
        self.disk.as_ref().unwrap()
    }

    fn generation(&self, which: Which) -> u64 {
        self.generations.get(&which).copied().unwrap_or_default()
    }

    fn size(&self, which: Which) -> ObjectSize {
        ObjectSize::new(2 * BLOCK + 777 + 40_000 * self.generation(which))
    }

    fn head(&self, which: Which) -> Arc<Head> {
        let mut fields = HeaderMap::new();
        fields.insert("x-generation", self.generation(which).into());
        let (tag, size) = (revision(which).tag, self.size(which));
        Arc::new(Head::new(tag, size, &fields, SystemTime::UNIX_EPOCH, TakenFrom::Whole))
    }

    async fn apply(&mut self, op: &Op) {
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
            Err(why) => assert!(self.may_miss, "{why}"),
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

    async fn tail_read(&self, n: usize, at: &Index, length: u64) {
        let fill = &self.fills[n];
        if fill.offered == 0 {
            return;
        }
        let first = fill.range.first() + u64::try_from(at.index(usize::try_from(fill.offered).unwrap())).unwrap();
        let range = ByteRange::at(first, length).unwrap();
        let tail: Arc<dyn Tail> = fill.disk.tail();
        match tail.read(range).await {
            Ok(bytes) => assert_prefix(&bytes, &content(fill.which, fill.generation, range)),
            Err(why) => assert!(self.may_miss, "{why}"),
        }
    }

    async fn read(&self, which: Which, at: &Index, length: u64) {
        let revision = revision(which);
        let size = self.size(which).bytes();
        let first = u64::try_from(at.index(usize::try_from(size).unwrap())).unwrap();
        let index = self.memory.block_size().index_of(first);
        let block = self.memory.block_size().range_of(index, self.size(which)).unwrap();
        let range = ByteRange::at(first, length).unwrap().intersect(block).unwrap();
        let expected = self.memory.read(&revision, index, range).await;
        match (self.disk().read(&revision, index, range).await, expected) {
            (Ok(bytes), Ok(expected)) => assert_prefix(&bytes, &expected),
            (Ok(_), Err(_)) => panic!("{range:?} of {which:?} is not in the model"),
            (Err(Miss::Absent), Err(_)) => {}
            (Err(why), _) => assert!(self.may_miss, "{range:?} of {which:?} is missing: {why}"),
        }
    }

    async fn holds(&self, which: Which) {
        let last = BlockIndex::new(self.memory.block_size().count(self.size(which)));
        let span = BlockSpan::new(BlockIndex::new(0), last).unwrap();
        let held = self.disk().holds(&revision(which), span).await;
        let expected = self.memory.holds(&revision(which), span).await;
        if self.may_miss {
            assert_eq!(held.len(), expected.len());
        } else {
            assert_eq!(held, expected);
        }
    }

    async fn check_head(&self, which: Which) {
        let revision = revision(which);
        match (self.disk().head(&revision).await, self.memory.head(&revision).await) {
            (Ok(head), Ok(expected)) => assert_eq!(head, expected),
            (Ok(_), Err(_)) => panic!("the head of {which:?} is not in the model"),
            (Err(Miss::Absent), Err(_)) => {}
            (Err(why), _) => assert!(self.may_miss, "the head of {which:?} is missing: {why}"),
        }
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

    async fn check_known(&self, key: u8) {
        let key = revision((key, 0)).key;
        let (known, expected) = (self.disk().known(&key).await, self.memory.known(&key).await);
        let missed = self.may_miss && known == Known::UNKNOWN;
        assert!(known == expected || missed, "{known:?} instead of {expected:?}");
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

    fn restart(&mut self) {
        self.fills.clear();
        self.disk = None;
        self.open();
    }

    async fn crash(&mut self) {
        let from = self.root();
        // What was forgotten is unlinked soon, not at once.
        while std::mem::take(&mut self.forgotten) {
            let mut files = 0;
            each_file(&from, &mut |path| {
                files += u64::from(path.extension().is_some_and(|e| e == "cur") || is_block(path))
            });
            self.forgotten = files != self.disk().stats().files;
            std::thread::yield_now();
        }
        self.runs += 1;
        copy(&from, &self.root());
        self.fills.clear();
        self.disk = None;
        self.open();
        // Records are written soon, not at once.
        for n in 0..KEYS {
            let key = revision((n, 0)).key;
            let known = self.disk().known(&key).await;
            let learnt = self.learnt.entry(n).or_default();
            assert!(known == Known::UNKNOWN || learnt.contains(&known), "{known:?}");
            self.memory.learn(&key, known);
        }
    }

    fn damage(&mut self, file: &Index, at: &Index) {
        let mut files = Vec::new();
        each_file(&self.root(), &mut |path| files.push(path.to_owned()));
        files.retain(|path| !path.ends_with("lock"));
        files.sort();
        if files.is_empty() {
            return;
        }
        let path = &files[file.index(files.len())];
        // Evicted meanwhile, perhaps.
        if let Ok(mut bytes) = std::fs::read(path)
            && !bytes.is_empty()
        {
            // From now on this file may be missing; which one it is does not matter to the rule.
            self.may_miss = true;
            let at = at.index(bytes.len());
            bytes[at] ^= 1;
            use std::os::unix::fs::FileExt;
            let file = std::fs::OpenOptions::new().write(true).open(path);
            let _ = file.map(|file| file.write_all_at(&bytes[at..=at], u64::try_from(at).unwrap()));
        }
    }
}

fn revision_tags() -> impl Iterator<Item = StrongETag> {
    (0..TAGS).map(|tag| revision((0, tag)).tag)
}

/// The bytes of a revision in one of its generations: different everywhere.
fn content(which: Which, generation: u64, range: ByteRange) -> Bytes {
    let seed = [&[which.0, which.1][..], &generation.to_le_bytes()].concat();
    let mut reader = blake3::Hasher::new_keyed(blake3::hash(&seed).as_bytes()).finalize_xof();
    reader.set_position(range.first());
    let mut bytes = vec![0; usize::try_from(range.len()).unwrap()];
    reader.fill(&mut bytes);
    bytes.into()
}

fn is_block(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.len() > 33)
}

fn assert_prefix(bytes: &[u8], of: &[u8]) {
    assert!(!bytes.is_empty() && of.starts_with(bytes), "wrong bytes");
}

fn each_file(directory: &Path, each: &mut dyn FnMut(&Path)) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            each_file(&path, each);
        } else {
            each(&path);
        }
    }
}

/// Copies what a kill would leave. Files that vanish meanwhile are in flight or evicted.
fn copy(from: &Path, to: &Path) {
    each_file(from, &mut |path| {
        let target = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        let _ = std::fs::copy(path, target);
    });
}

fn run(capacity: u64, ops: &[Op]) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut model = Model::new(capacity);
        for op in ops {
            model.apply(op).await;
        }
        // Whatever happened, the end of it is readable.
        model.restart();
        for which in (0..KEYS).flat_map(|key| (0..TAGS).map(move |tag| (key, tag))) {
            model.holds(which).await;
            model.check_head(which).await;
        }
    });
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(proptest::test_runner::FileFailurePersistence::WithSource(
            "seeds",
        ))),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn with_ample_space(ops in prop::collection::vec(op(), 1..80)) {
        run(AMPLE, &ops);
    }

    #[test]
    fn with_scarce_space(ops in prop::collection::vec(op(), 1..80)) {
        run(SCARCE, &ops);
    }
}
