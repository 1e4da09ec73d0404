//! The index against a plain list of files: weights add up, the capacity holds, nothing is lost.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::object::{AuthorityId, BlockSize, ObjectKey, Revision, RouteName, StrongETag};

const CAPACITY: u64 = 64 * PAGE;

#[derive(Clone, Copy, Debug)]
enum Op {
    Reserve(u8, u8, u64, bool),
    Publish(usize),
    GiveUp(usize),
    Found(u8, u8, u64),
    Gone(u8, u8),
    Record(u8, u64),
    Rank(u8, u8),
    Proven(u8),
    Touch(u8, u8),
    Forget(u8),
    Relieve,
    Complete,
}

fn op() -> impl Strategy<Value = Op> {
    let (rev, number, size) = (0..5u8, 0..6u8, 1..6 * PAGE);
    prop_oneof![
        6 => (rev.clone(), number.clone(), size.clone(), any::<bool>()).prop_map(|(r, n, s, p)| Op::Reserve(r, n, s, p)),
        6 => any::<usize>().prop_map(Op::Publish),
        1 => any::<usize>().prop_map(Op::GiveUp),
        2 => (rev.clone(), number.clone(), size.clone()).prop_map(|(r, n, s)| Op::Found(r, n, s)),
        1 => (rev.clone(), number.clone()).prop_map(|(r, n)| Op::Gone(r, n)),
        1 => (rev.clone(), size).prop_map(|(r, s)| Op::Record(r, s)),
        2 => (rev.clone(), 0..3u8).prop_map(|(r, o)| Op::Rank(r, o)),
        1 => rev.clone().prop_map(Op::Proven),
        2 => (rev.clone(), number).prop_map(|(r, n)| Op::Touch(r, n)),
        1 => rev.prop_map(Op::Forget),
        1 => Just(Op::Relieve),
        1 => Just(Op::Complete),
    ]
}

fn revision(n: u8) -> Revision {
    let authority = AuthorityId::new(["s3"]);
    Revision {
        key: ObjectKey::new(&RouteName::new("r"), &authority, None, &n.to_string(), None),
        tag: StrongETag::parse(b"\"x\"").unwrap(),
    }
}

fn hash(n: u8) -> RevisionHash {
    RevisionHash::of(&revision(n), BlockSize::DEFAULT)
}

fn block(n: u8, number: u8) -> Name {
    Name::block(hash(n), BlockIndex::new(number.into())).unwrap()
}

/// An index and what is on its imagined disk, in pages.
struct Model {
    index: Arc<Index>,
    files: HashMap<Name, u64>,
    fills: Vec<(Name, u64, Reservation)>,
}

impl Model {
    fn new() -> Self {
        Self {
            index: Arc::new(Index::new(CAPACITY, PAGE, Arc::default())),
            files: HashMap::new(),
            fills: Vec::new(),
        }
    }

    fn apply(&mut self, op: Op, now: Duration) {
        match op {
            Op::Reserve(r, n, size, pinned) => {
                let claim = if pinned { Claim::Pinned } else { Claim::Current };
                if let Ok(space) = self.index.reserve(block(r, n), hash(r), size, claim) {
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
                let name = Name::record(revision(r).key.hash());
                self.index.record(name, size);
                self.files.insert(name, size.div_ceil(PAGE));
            }
            Op::Rank(r, o) => {
                let orders = [Order::Former, Order::Unproven, Order::Wanted];
                self.index.rank(hash(r), orders[usize::from(o)]);
            }
            Op::Proven(r) => self.index.proven(hash(r)),
            Op::Touch(r, n) => self.index.touch(block(r, n), now),
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
        assert!(self.files.keys().all(|name| self.index.contains(*name)));
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

#[test]
fn batches_cover_all_numbers_once() {
    for highest in [0, 1, 254, 255, 256, 257, 1000] {
        let numbers: Vec<u64> = whole::batches(Some(highest)).flatten().collect();
        assert_eq!(numbers, (0..=u64::from(highest)).collect::<Vec<_>>());
    }
    assert_eq!(whole::batches(None).count(), 0);
}
