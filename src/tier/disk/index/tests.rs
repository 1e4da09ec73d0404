//! The index against a plain list of files: weights add up, the capacity holds, nothing is lost.

use std::collections::HashMap;

use proptest::prelude::*;

use super::queues::{Load, Rank};
use super::slab::Place;
use super::*;
use crate::object::{AuthorityId, BlockIndex, BlockSize, ObjectKey, Revision, RouteName, StrongETag};
use crate::tier::disk::stats::Evicted;

const CAPACITY: u64 = 64 * PAGE;
const FILES: u64 = 24;

pub(super) fn index(capacity: u64, files: u64, routes: &[RouteTerms]) -> Arc<Index> {
    index_at(capacity, files, routes, Arc::new(|| Duration::ZERO))
}

fn index_at(capacity: u64, files: u64, routes: &[RouteTerms], now: Monotonic) -> Arc<Index> {
    let terms = Terms {
        capacity,
        files,
        block_size: PAGE,
        routes,
    };
    Arc::new(Index::new(terms, Arc::default(), now))
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Reserve(u64, u64, u64, bool),
    Publish(usize),
    GiveUp(usize),
    Found(u64, u64, u64),
    Gone(u64, u64),
    Record(u64, u64),
    ReadRecord(u64),
    Rank(u64, u8),
    Proven(u64),
    Touch(u64, u64),
    Forget(u64),
    Relieve,
    Complete,
}

fn op() -> impl Strategy<Value = Op> {
    let (rev, number, size) = (0..5u64, 0..6u64, 1..6 * PAGE);
    prop_oneof![
        6 => (rev.clone(), number.clone(), size.clone(), any::<bool>()).prop_map(|(r, n, s, p)| Op::Reserve(r, n, s, p)),
        6 => any::<usize>().prop_map(Op::Publish),
        1 => any::<usize>().prop_map(Op::GiveUp),
        2 => (rev.clone(), number.clone(), size.clone()).prop_map(|(r, n, s)| Op::Found(r, n, s)),
        1 => (rev.clone(), number.clone()).prop_map(|(r, n)| Op::Gone(r, n)),
        1 => (rev.clone(), size).prop_map(|(r, s)| Op::Record(r, s)),
        1 => rev.clone().prop_map(Op::ReadRecord),
        2 => (rev.clone(), 0..4u8).prop_map(|(r, o)| Op::Rank(r, o)),
        1 => rev.clone().prop_map(Op::Proven),
        2 => (rev.clone(), number).prop_map(|(r, n)| Op::Touch(r, n)),
        1 => rev.prop_map(Op::Forget),
        1 => Just(Op::Relieve),
        1 => Just(Op::Complete),
    ]
}

fn revision(n: u64) -> Revision {
    let authority = AuthorityId::new(["s3"]);
    Revision {
        key: ObjectKey::new(&RouteName::new("r"), &authority, None, &n.to_string(), None),
        tag: StrongETag::parse(b"\"x\"").unwrap(),
    }
}

pub(super) fn hash(n: u64) -> RevisionHash {
    RevisionHash::of(&revision(n), BlockSize::DEFAULT)
}

pub(super) fn block(n: u64, number: u64) -> Name {
    Name::block(hash(n), BlockIndex::new(number)).unwrap()
}

fn record(n: u64) -> Name {
    Name::record(revision(n).key.hash())
}

fn route(n: u64) -> RouteId {
    RouteId::nth(u16::try_from(n % 3).unwrap())
}

fn terms(name: &str, pages: Option<u64>) -> RouteTerms {
    RouteTerms {
        name: RouteName::new(name),
        grace: Duration::ZERO,
        quota: pages.map(|pages| pages * PAGE),
    }
}

impl Ranks {
    /// Queues and sums agree with the entries.
    fn check(&self) {
        let ranks = [Rank::Former, Rank::Unproven, Rank::Fresh, Rank::Proven, Rank::Graced];
        let loads = ranks.map(|rank| self.queues.load(rank, None));
        let sum = |of: fn(&Load) -> u64| loads.iter().map(of).sum::<u64>();
        assert_eq!(sum(|load| load.files), u64::try_from(self.files()).unwrap());
        assert_eq!(sum(|load| load.pages) + self.reserved.pages, self.pages());
        let (mut held, mut records) = (0, 0);
        for id in 0.. {
            match self.entries.slot(id) {
                Place::Beyond => break,
                Place::Free => {}
                Place::Held(entry) => {
                    let of = self.revisions.holding(entry.holding).unwrap();
                    let dear = matches!(entry.rank, Rank::Fresh | Rank::Proven);
                    assert_eq!(dear, of.order == Order::Wanted, "{entry:?} {of:?}");
                    assert_eq!(entry.route, of.route);
                    held += 1;
                    records += u64::from(self.name(id).unwrap().as_block().is_none());
                }
            }
        }
        assert_eq!(held, self.files());
        assert_eq!(records, self.records);
    }
}

/// An index and what is on its imagined disk, in pages.
struct Model {
    index: Arc<Index>,
    files: HashMap<Name, u64>,
    fills: Vec<(Name, u64, Reservation)>,
    seconds: Arc<AtomicU64>,
}

impl Model {
    fn new() -> Self {
        let seconds = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&seconds);
        let now = Arc::new(move || Duration::from_secs(clock.load(Ordering::Relaxed)));
        let routes = [terms("a", Some(20)), terms("b", None)];
        Self {
            index: index_at(CAPACITY, FILES, &routes, now),
            seconds,
            files: HashMap::new(),
            fills: Vec::new(),
        }
    }

    fn apply(&mut self, op: Op, now: Duration) {
        self.seconds.store(now.as_secs(), Ordering::Relaxed);
        match op {
            Op::Reserve(r, n, size, pinned) => {
                let claim = if pinned { Claim::Pinned } else { Claim::Current };
                if let Ok(space) = self.index.reserve(block(r, n), route(r), size, claim) {
                    self.fills.push((block(r, n), size.div_ceil(PAGE), space));
                }
            }
            Op::Publish(n) if !self.fills.is_empty() => {
                let (name, pages, space) = self.fills.swap_remove(n % self.fills.len());
                let void = space.is_void();
                assert_eq!(space.publish(now), !void);
                if !void {
                    self.files.insert(name, pages);
                }
            }
            Op::GiveUp(n) if !self.fills.is_empty() => drop(self.fills.swap_remove(n % self.fills.len())),
            Op::Publish(_) | Op::GiveUp(_) => {}
            Op::Found(r, n, size) => {
                if !self.files.contains_key(&block(r, n)) && self.index.found(block(r, n), size) {
                    self.files.insert(block(r, n), size.div_ceil(PAGE));
                }
            }
            Op::Gone(r, n) => {
                self.index.gone(block(r, n));
                self.files.remove(&block(r, n));
            }
            Op::Record(r, size) => {
                self.index.record(record(r), size, route(r));
                self.files.insert(record(r), size.div_ceil(PAGE));
            }
            Op::ReadRecord(r) => self.index.read_record(record(r), route(r)),
            Op::Rank(r, o) => {
                let until = u32::try_from(now.as_secs()).unwrap() + 20;
                let graced = Order::Graced { until };
                let orders = [Order::Former, Order::Unproven, Order::Wanted, graced];
                self.index.rank(hash(r), orders[usize::from(o)], route(r));
            }
            Op::Proven(r) => self.index.proven(hash(r), route(r)),
            Op::Touch(r, n) => self.index.touch_block(block(r, n), record(r), now),
            Op::Forget(r) => {
                self.index.forget(hash(r));
                assert!((0..6).all(|n| !self.index.contains(block(r, n))));
            }
            Op::Relieve => self.index.relieve(),
            Op::Complete => self.index.completed(),
        }
        self.unlink();
    }

    /// As the evicting thread does.
    fn unlink(&mut self) {
        let doomed: Vec<Doomed> = self.index.state.lock().doomed.drain(..).collect();
        for doomed in doomed {
            match doomed {
                Doomed::File(name) => {
                    if !self.index.contains(name) {
                        self.files.remove(&name);
                    }
                    self.index.unlinked(name);
                }
                // Only what was never found is left, and this disk has none of that.
                Doomed::Revision(_) => {}
            }
        }
    }

    fn check(&self) {
        let (bytes, files, capacity) = self.index.usage();
        let reserved: u64 = self.fills.iter().map(|(_, pages, _)| pages).sum();
        assert_eq!(bytes, (self.files.values().sum::<u64>() + reserved) * PAGE);
        assert_eq!(files, u64::try_from(self.files.len()).unwrap());
        assert!(bytes <= capacity, "{bytes} of {capacity}");
        assert!(files + u64::try_from(self.fills.len()).unwrap() <= FILES);
        assert!(self.files.keys().all(|name| self.index.contains(*name)));
        self.index.state.lock().ranks.check();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn weights_add_up(ops in prop::collection::vec(op(), 1..200)) {
        let mut model = Model::new();
        for (second, op) in (0..).zip(ops) {
            model.apply(op, Duration::from_secs(second));
            model.check();
        }
        // Nothing of a fill is left behind.
        model.fills.clear();
        model.check();
    }
}

/// Stores a block of one page at that second.
fn store(index: &Arc<Index>, name: Name, route: RouteId, second: u64) {
    let space = index.reserve(name, route, PAGE, Claim::Current).unwrap();
    assert!(space.publish(Duration::from_secs(second)));
}

#[test]
fn files_are_limited_besides_bytes() {
    let index = index(CAPACITY, 8, &[]);
    (0..20).for_each(|n| store(&index, block(n, 0), RouteId::UNKNOWN, 0));
    assert_eq!(index.usage(), (8 * PAGE, 8, CAPACITY));
    assert!((12..20).all(|n| index.contains(block(n, 0))));
}

#[test]
fn what_a_download_is_about_to_read_stays() {
    let index = index(CAPACITY, 8, &[]);
    (0..8).for_each(|n| store(&index, block(n / 4, n % 4), RouteId::UNKNOWN, 1));
    // It comes from the disk, and has not come further than its first block.
    index.touch(block(0, 0), Duration::from_secs(60));
    (0..4).for_each(|n| store(&index, block(2, n), RouteId::UNKNOWN, 60));
    assert!((0..4).all(|n| index.contains(block(0, n))));
    assert!((0..4).all(|n| !index.contains(block(1, n))));
}

/// A record that is written anew is the same to whoever used it: discoveries of a hot object write it every time.
#[test]
fn a_record_that_is_written_anew_keeps_its_uses() {
    let seconds = Arc::new(AtomicU64::new(1));
    let clock = Arc::clone(&seconds);
    let now = Arc::new(move || Duration::from_secs(clock.load(Ordering::Relaxed)));
    let index = index_at(CAPACITY, 8, &[], now);
    index.record(record(0), 100, RouteId::UNKNOWN);
    for second in [20, 40, 60] {
        seconds.store(second, Ordering::Relaxed);
        index.touch(record(0), Duration::from_secs(second));
        index.record(record(0), PAGE + second, RouteId::UNKNOWN);
    }
    (1..20).for_each(|n| index.record(record(n), 100, RouteId::UNKNOWN));
    assert!(index.contains(record(0)));
    // Who writes one and asks for it at once has not used it.
    index.touch(record(19), Duration::from_secs(61));
    (20..40).for_each(|n| index.record(record(n), 100, RouteId::UNKNOWN));
    assert_eq!((index.contains(record(0)), index.contains(record(19))), (true, false));
}

#[test]
fn batches_cover_all_numbers_once() {
    for highest in [0, 1, 254, 255, 256, 257, 1000] {
        let numbers: Vec<u64> = whole::batches(Some(highest)).flatten().collect();
        assert_eq!(numbers, (0..=u64::from(highest)).collect::<Vec<_>>());
    }
    assert_eq!(whole::batches(None).count(), 0);
}

/// What 128,000 blocks cost, each of `per` bytes at most. Allocations are counted as they are made, by capacity.
#[test]
fn memory_is_bounded() {
    const BLOCKS: u64 = 128_000;
    let check = |name: &str, revisions: u64, most: u64| {
        let index = index(BLOCKS * PAGE, BLOCKS, &[]);
        for n in 0..BLOCKS {
            assert!(index.found(block(n % revisions, n / revisions), PAGE));
        }
        assert_eq!(index.usage().1, BLOCKS);
        let bytes = index.memory();
        println!("{name}: {bytes} bytes, {} per block", bytes / BLOCKS);
        assert!(bytes <= most * BLOCKS, "{name}");
    };
    check("128,000 blocks of one revision", 1, 64);
    check("128,000 revisions with a block each", BLOCKS, 128);
}

#[test]
fn routes_beyond_their_quota_go_first() {
    let index = index(CAPACITY, CAPACITY, &[terms("greedy", Some(16)), terms("other", None)]);
    let route = |name: &str| index.routes.named(name);
    let (greedy, other) = (route("greedy"), route("other"));
    assert!(greedy != other && greedy != RouteId::UNKNOWN && route("gone") == RouteId::UNKNOWN);
    let held = |from: u64| (from..from + 1000).filter(|n| index.contains(block(*n, 0))).count();
    // Where nobody else needs space, it may have all of it.
    (0..40).for_each(|n| store(&index, block(n, 0), greedy, 0));
    (1000..1024).for_each(|n| store(&index, block(n, 0), other, 0));
    assert_eq!((held(0), held(1000)), (40, 24));
    // Popular or not, it goes back to its quota before others lose anything.
    (0..40).for_each(|n| index.touch(block(n, 0), Duration::from_secs(60)));
    (1024..1048).for_each(|n| store(&index, block(n, 0), other, 60));
    assert_eq!((held(0), held(1000)), (16, 48));
    // From now on it pushes out itself.
    (100..120).for_each(|n| store(&index, block(n, 0), greedy, 60));
    assert_eq!((held(0), held(1000)), (16, 48));
    assert_eq!(
        index
            .counters
            .evicted
            .read()
            .iter()
            .find(|(why, _)| *why == Evicted::Quota)
            .unwrap()
            .1,
        44
    );
}
