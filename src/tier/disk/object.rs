//! What is known of objects: in memory at once, on disk soon after.
//!
//! Owns: the bounded cache of records, those that are not yet written, their files. Never: judges what is known; but it
//! follows it, ranking the blocks of revisions that are current and those that were.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use foldhash::fast::RandomState;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use rustix::io::Errno;

use crate::object::{BlockSize, Current, Head, ObjectHash, ObjectKey, Revision, StrongETag};
use crate::tier::store::Known;

use super::format::{Record, narrow, wide};
use super::health::Side;
use super::index::{Order, RouteId, Window};
use super::io::{Io, PLANTED};
use super::name::{Name, RevisionHash};
use super::shared::Shared;
use super::stats::Fault;
use super::sync::Mutex;
use super::writer::Job;

/// How much memory the records take.
const MEMORY: u64 = 32 << 20;
/// How many records may wait to be written; the device is stuck if there are more.
const MOST_DIRTY: usize = 16 << 10;
/// How often a record is read again since another was learnt meanwhile.
const LOADS: usize = 3;

/// A record in memory.
#[derive(Debug)]
struct Held {
    record: Record,
    used: Window,
}

/// The records in memory.
#[derive(Debug)]
pub(super) struct Objects {
    cache: Cache<ObjectHash, Arc<Held>, Weigh, RandomState>,
    dirty: Mutex<Dirty>,
}

#[derive(Debug, Default)]
struct Dirty {
    records: HashMap<ObjectHash, Arc<Held>>,
    /// How often something was learnt: what was read from disk before is old then.
    learnt: u64,
}

/// What was learnt.
struct Changed {
    before: Option<Arc<Held>>,
    held: Arc<Held>,
    /// Whether the record has to be put in the writers' queue; an error if it is not written at all.
    queue: Result<bool, ()>,
}

#[derive(Clone, Debug)]
struct Weigh;

impl Weighter<ObjectHash, Arc<Held>> for Weigh {
    fn weight(&self, _: &ObjectHash, held: &Arc<Held>) -> u64 {
        held.record.known.weight(&held.record.key)
    }
}

impl Objects {
    pub(super) fn new() -> Self {
        Self {
            cache: Cache::with(1 << 14, MEMORY, Weigh, RandomState::default(), Default::default()),
            dirty: Mutex::default(),
        }
    }

    /// What is in memory.
    fn peek(&self, key: &ObjectKey) -> Option<Arc<Held>> {
        let held = self.cache.get(&key.hash());
        let held = held.or_else(|| self.next_dirty(key.hash()));
        held.filter(|held| *held.record.key == *key.encoded())
    }

    fn peek_at(&self, key: &ObjectKey, dirty: &Dirty) -> Option<Arc<Held>> {
        let held = self.cache.get(&key.hash());
        let held = held.or_else(|| dirty.records.get(&key.hash()).cloned());
        held.filter(|held| *held.record.key == *key.encoded())
    }

    /// Takes into memory what follows from what is there; nothing else is learnt in between.
    fn change(
        &self,
        key: &ObjectKey,
        now: Duration,
        next: impl FnOnce(Option<&Known>) -> Option<Known>,
    ) -> Option<Changed> {
        let mut dirty = self.dirty.lock();
        let before = self.peek_at(key, &dirty);
        let record = Record {
            key: key.encoded().into(),
            known: next(before.as_ref().map(|before| &before.record.known))?,
        };
        // Whoever learns something goes on to ask for it, which is no use of its own.
        let used = before
            .as_ref()
            .map_or_else(|| Window::since(now), |before| before.used.clone());
        let held = Arc::new(Held { record, used });
        let queue = self.learn(key.hash(), &held, &mut dirty);
        Some(Changed { before, held, queue })
    }

    fn learn(&self, object: ObjectHash, record: &Arc<Held>, dirty: &mut Dirty) -> Result<bool, ()> {
        dirty.learnt += 1;
        self.cache.insert(object, Arc::clone(record));
        let queued = dirty.records.contains_key(&object);
        if !queued && dirty.records.len() >= MOST_DIRTY {
            return Err(());
        }
        dirty.records.insert(object, Arc::clone(record));
        Ok(!queued)
    }

    /// Whether all records are written, or given up.
    #[cfg(test)]
    pub(super) fn are_written(&self) -> bool {
        self.dirty.lock().records.is_empty()
    }

    fn learnt(&self) -> u64 {
        self.dirty.lock().learnt
    }

    /// Takes what was read from disk into memory, unless something was learnt since.
    fn loaded(&self, object: ObjectHash, record: &Arc<Held>, learnt: u64) -> bool {
        let dirty = self.dirty.lock();
        if dirty.learnt == learnt {
            self.cache.insert(object, Arc::clone(record));
        }
        dirty.learnt == learnt
    }

    fn next_dirty(&self, object: ObjectHash) -> Option<Arc<Held>> {
        self.dirty.lock().records.get(&object).cloned()
    }

    /// A record was written. Whether there is a newer one by now.
    fn written(&self, object: ObjectHash, record: &Arc<Held>) -> bool {
        let mut dirty = self.dirty.lock();
        let newer = dirty
            .records
            .get(&object)
            .is_some_and(|newer| !Arc::ptr_eq(newer, record));
        if !newer {
            dirty.records.remove(&object);
        }
        newer
    }
}

impl Shared {
    pub(super) async fn known(self: &Arc<Self>, key: &ObjectKey) -> Known {
        for _ in 0..LOADS {
            let name = Name::record(key.hash());
            if let Some(held) = self.objects.peek(key) {
                let now = (self.now)();
                if held.used.counts(now) {
                    self.index.touch(name, now);
                }
                return held.record.known.clone();
            }
            if !self.index.may_exist(name) {
                return Known::UNKNOWN;
            }
            let learnt = self.objects.learnt();
            // What was learnt since the look above is in memory, or on disk by now: an older record must not replace it.
            if self.objects.peek(key).is_some() {
                continue;
            }
            let (shared, wanted) = (Arc::clone(self), key.clone());
            let loaded = self.wait_for_device(move || shared.load_record(&wanted)).await;
            let Some(record) = loaded.ok().flatten() else {
                return self
                    .objects
                    .peek(key)
                    .map_or(Known::UNKNOWN, |held| held.record.known.clone());
            };
            let now = (self.now)();
            let used = Window::since(now);
            let held = Arc::new(Held { record, used });
            if self.objects.loaded(key.hash(), &held, learnt) {
                self.index.touch(name, now);
                self.rank_revisions(key, None, &held.record.known);
                return held.record.known.clone();
            }
        }
        Known::UNKNOWN
    }

    /// What is known, if that is in memory, or certain to be nothing.
    pub(super) fn known_at_hand(&self, key: &ObjectKey) -> Option<Known> {
        match self.objects.peek(key) {
            Some(held) => Some(held.record.known.clone()),
            None if self.index.may_exist(Name::record(key.hash())) => None,
            None => Some(Known::UNKNOWN),
        }
    }

    pub(super) fn learn(&self, key: &ObjectKey, known: Known) {
        self.change(key, |_| Some(known));
    }

    /// Learns what follows from what is in memory, if anything does.
    fn change(&self, key: &ObjectKey, next: impl FnOnce(Option<&Known>) -> Option<Known>) {
        let Some(changed) = self.objects.change(key, (self.now)(), next) else {
            return;
        };
        let Changed { before, held, queue } = changed;
        match queue {
            Ok(true) => {
                self.jobs.push(Job::Record(key.hash()));
            }
            Ok(false) => {}
            Err(()) => {
                self.fault_degrades(Side::Writes, Fault::Slow);
            }
        }
        let known = &held.record.known;
        self.rank_revisions(key, before.as_ref().map(|before| &before.record.known), known);
        let of = |head: &Head| Revision {
            key: key.clone(),
            tag: head.tag().clone(),
        };
        self.names_checksum(of, known);
    }

    /// What is known, from where it may block.
    pub(super) fn known_now(&self, key: &ObjectKey) -> Known {
        let held = self.objects.peek(key);
        let known = held.map(|held| held.record.known.clone());
        known
            .or_else(|| self.load_record(key).map(|record| record.known))
            .unwrap_or_default()
    }

    /// Drops the head of a revision that was contradicted. That it is current stands, if that is at hand; else nothing
    /// is known from now on, which costs a question.
    pub(super) fn forget_head(&self, revision: &Revision) {
        let key = &revision.key;
        let is_on_disk = self.index.may_exist(Name::record(key.hash()));
        self.change(key, |known| match known {
            None => is_on_disk.then_some(Known::UNKNOWN),
            Some(known) => {
                let head = known.head.as_ref();
                head.filter(|head| *head.tag() == revision.tag)?;
                let known = known.clone();
                Some(Known { head: None, ..known })
            }
        });
    }

    /// Blocks of the current revision are wanted, those of former ones are kept for their grace and are then the first
    /// to go.
    fn rank_revisions(&self, key: &ObjectKey, before: Option<&Known>, known: &Known) {
        if before.is_some_and(|before| before.current == known.current && before.former == known.former) {
            return;
        }
        let current = match &known.current {
            Current::Is(tag) => Some(tag),
            Current::None | Current::Unknown => None,
        };
        let route = self.index.route(key.encoded());
        let rank = |tag: &StrongETag, order| self.index.rank(hash_of(key, tag, self.block_size), order, route);
        for (tag, since) in known.former.iter().filter(|(tag, _)| Some(tag) != current) {
            rank(tag, self.former_order(route, *since));
        }
        if let Some(tag) = current {
            rank(tag, Order::Wanted);
        }
    }

    /// How dear a revision is that stopped being current then.
    fn former_order(&self, route: RouteId, since: SystemTime) -> Order {
        let age = self.clock.now().duration_since(since).unwrap_or_default();
        self.index.former(route, age)
    }

    fn load_record(&self, key: &ObjectKey) -> Option<Record> {
        let name = Name::record(key.hash());
        match self.read_record(name) {
            Ok(file) => {
                self.worked(Side::Reads);
                match Record::decode(&file) {
                    Ok(record) if *record.key == *key.encoded() => {
                        if !self.index.contains(name) {
                            self.reconcile(name);
                        }
                        self.index.read_record(name, self.index.route(key.encoded()));
                        Some(record)
                    }
                    _ => {
                        self.fault(Fault::Damaged);
                        self.drop_file(name);
                        None
                    }
                }
            }
            Err(Errno::NOENT | PLANTED) => {
                self.worked(Side::Reads);
                self.reconcile(name);
                None
            }
            Err(errno) => {
                self.fault(Fault::of(errno));
                None
            }
        }
    }

    fn read_record(&self, name: Name) -> Io<Vec<u8>> {
        let (file, size) = self.files.open(name)?;
        let mut bytes = vec![0; narrow(size.min(Record::MAX))];
        let read = self.files.read(&file, &mut bytes, 0)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// The work of a writer for one record.
    pub(super) fn write_record(&self, object: ObjectHash) {
        while let Some(held) = self.objects.next_dirty(object) {
            self.write_one(object, &held.record);
            if !self.objects.written(object, &held) {
                return;
            }
        }
    }

    fn write_one(&self, object: ObjectHash, record: &Record) {
        let name = Name::record(object);
        if !record.is_worth_a_file() {
            // One that is there is old, and says more than is known now.
            if self.index.may_exist(name) {
                self.drop_file(name);
            }
            return;
        }
        match self.replace_record(name, record) {
            Ok(()) => self.worked(Side::Writes),
            Err(why) => {
                if let Some(errno) = why {
                    self.failed_to_write(errno);
                }
                // What is there now is old: after a restart, knowing nothing is better.
                self.drop_file(name);
            }
        }
    }

    /// `Err(None)`: it is too large to be stored.
    fn replace_record(&self, name: Name, record: &Record) -> Result<(), Option<Errno>> {
        let bytes = Record::encode(&record.key, &record.known).ok_or(None)?;
        let route = self.index.route(&record.key);
        let mut former = record.known.former.iter();
        let is_graced = former.any(|(_, since)| matches!(self.former_order(route, *since), Order::Graced { .. }));
        let tmp = self.tmp_names.next();
        let written = self.files.create(&tmp).and_then(|file| {
            self.write_all(&file, &[&bytes], 0)?;
            let enter = || {
                self.index.record(name, wide(bytes.len()), route);
                if is_graced {
                    self.index.prove_record(name);
                }
                true
            };
            self.place(&tmp, name, || true, enter)
        });
        if written.is_err() {
            // Ignored: the next start sweeps it.
            let _ = self.files.discard(&tmp);
        }
        written.map(|_| ()).map_err(Some)
    }
}

fn hash_of(key: &ObjectKey, tag: &StrongETag, block_size: BlockSize) -> RevisionHash {
    let revision = Revision {
        key: key.clone(),
        tag: tag.clone(),
    };
    RevisionHash::of(&revision, block_size)
}
