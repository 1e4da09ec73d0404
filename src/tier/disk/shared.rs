//! What all parts of a disk share, and what of its answers needs no module of its own.
//!
//! Owns: putting the parts together. Never: starts a thread.

use std::fmt;
use std::sync::Arc;

use rustix::io::Errno;

use crate::clock::Clock;
use crate::object::{BlockSize, BlockSpan, Current, Head, Revision};
use crate::tier::store::Miss;

use super::blocking::Blocking;
use super::budget::Budget;
use super::health::{Health, Side};
use super::index::{Doomed, Index, Terms};
use super::integrity::Integrity;
use super::io::Files;
use super::name::{Name, RevisionHash};
use super::object::Objects;
use super::open::OpenFiles;
use super::place::Turns;
use super::pool::Pool;
use super::popular::Told;
use super::room::Watch;
use super::stats::{Counters, Degraded, Fault, Label, Usable};
use super::sync::{AtomicUsize, Mutex};
use super::writer::{Jobs, TmpNames};
use super::{DiskConfig, Monotonic, format};

/// What all parts of a disk share.
pub(super) struct Shared {
    pub(super) block_size: BlockSize,
    pub(super) files: Arc<dyn Files>,
    pub(super) index: Arc<Index>,
    pub(super) open: OpenFiles,
    pub(super) pool: Arc<Pool>,
    pub(super) blocking: Blocking,
    pub(super) objects: Objects,
    pub(super) integrity: Integrity,
    pub(super) jobs: Jobs,
    pub(super) budget: Arc<Budget>,
    pub(super) live: Arc<AtomicUsize>,
    pub(super) limits: Limits,
    pub(super) tmp_names: TmpNames,
    pub(super) turns: Turns,
    pub(super) health: Health,
    pub(super) counters: Arc<Counters>,
    pub(super) now: Monotonic,
    pub(super) clock: Clock,
    pub(super) watch: Watch,
    pub(super) told: Told,
    /// Directories that the walk could not read, by the byte that they are named by.
    pub(super) unread: Mutex<Vec<u8>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

/// Shares of the limit on open files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) open: usize,
    pub(super) fills: usize,
}

impl Limits {
    /// Most of the descriptors are for connections.
    fn of(open_files: u64) -> Self {
        let open_files = format::narrow(open_files);
        Self {
            open: (open_files / 4).clamp(16, 16_384),
            fills: (open_files / 8).clamp(8, 1024),
        }
    }
}

impl Shared {
    pub(super) fn new(config: &DiskConfig, files: Arc<dyn Files>, now: Monotonic) -> Self {
        let counters = Arc::new(Counters::default());
        let limits = Limits::of(config.open_files);
        let block_size = config.block_size;
        let terms = Terms {
            capacity: config.capacity,
            files: config.policy.entries,
            block_size: block_size.bytes(),
            routes: &config.policy.routes,
        };
        let index = Index::new(terms, Arc::clone(&counters), Arc::clone(&now));
        Self {
            block_size,
            files,
            index: Arc::new(index),
            open: OpenFiles::new(limits.open),
            pool: Pool::new(config.read_budget),
            blocking: Blocking::new(),
            objects: Objects::new(),
            integrity: Integrity::new(),
            jobs: Jobs::default(),
            budget: Arc::new(Budget::new(config.fill_budget)),
            live: Arc::default(),
            limits,
            tmp_names: TmpNames::default(),
            turns: Turns::default(),
            health: Health::default(),
            counters,
            now,
            clock: config.policy.clock.clone(),
            watch: Watch::new(config.policy.min_free),
            told: Told::default(),
            unread: Mutex::default(),
        }
    }

    pub(super) fn next_tmp(&self) -> String {
        self.tmp_names.next()
    }

    /// Counts a fault of a read.
    pub(super) fn fault(&self, fault: Fault) {
        self.fault_degrades(Side::Reads, fault);
    }

    /// Counts a fault. Says if it made the device one to be left alone.
    pub(super) fn fault_degrades(&self, side: Side, fault: Fault) -> Option<Degraded> {
        self.counters.faults.count(fault);
        let before = self.health.usable();
        let degraded = self.health.failed(side, fault, (self.now)());
        // One that is full stays so for several pauses.
        if let Some(why) = degraded.filter(|why| before != Usable::Degraded(*why)) {
            tracing::warn!(fault = fault.label(), "the disk tier is degraded: {why}");
        }
        degraded
    }

    /// The device did what it was asked for; that nothing is there is an answer as well.
    pub(super) fn worked(&self, side: Side) {
        if self.health.worked(side) {
            tracing::info!("the disk tier works again");
        }
    }

    /// The device took a block.
    pub(super) fn stored(&self) {
        if self.health.stored() {
            tracing::info!("the disk tier stores blocks again");
        }
    }

    /// Runs what may wait for the device on a blocking thread, unless the device is sick.
    pub(super) async fn wait_for_device<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Miss> {
        if !self.health.may_read((self.now)()) {
            return Err(Miss::Fault);
        }
        let result = self.blocking.run(call).await;
        if result.is_err() {
            self.fault(Fault::Slow);
        }
        result
    }

    /// The work of the evicting thread.
    pub(super) fn unlink_doomed(&self) {
        while let Some(doomed) = self.index.next_doomed() {
            match doomed {
                Doomed::File(name) => {
                    self.open.remove(name);
                    self.unlink(name);
                }
                Doomed::Revision(revision) => self.each_block(revision, |name| self.unlink(name)),
            }
        }
    }

    /// Every block of a revision that is in its directory.
    fn each_block(&self, revision: RevisionHash, mut each: impl FnMut(Name)) {
        let directory = revision.directory();
        let listed = self.files.list(&directory, &mut |file| {
            let name = Name::parse(&directory, file);
            let ours = name.filter(|name| name.as_block().is_some_and(|(of, _)| of == revision));
            ours.into_iter().for_each(&mut each);
            true
        });
        match listed {
            Ok(()) | Err(Errno::NOENT) => self.worked(Side::Reads),
            Err(errno) => self.fault(Fault::of(errno)),
        }
    }

    /// Makes sure that all files of a revision are in the index, also while the walk has not found them.
    pub(super) async fn seek(self: &Arc<Self>, revision: RevisionHash) {
        if !self.index.may_hide(revision) {
            return;
        }
        let shared = Arc::clone(self);
        let sought = self.wait_for_device(move || {
            shared.each_block(revision, |name| shared.reconcile(name));
            shared.index.sought(revision);
        });
        // Without, what was found so far stands.
        let _ = sought.await;
    }

    pub(super) async fn head(self: &Arc<Self>, revision: &Revision) -> Result<Arc<Head>, Miss> {
        let known = self.known(&revision.key).await;
        match (known.current, known.head) {
            (Current::Is(tag), Some(head)) if tag == revision.tag => Ok(head),
            _ => self.head_of_block(revision).await,
        }
    }

    pub(super) fn forget(&self, revision: &Revision) {
        let hash = RevisionHash::of(revision, self.block_size);
        self.index.forget(hash);
        self.open.remove_revision(hash);
        self.forget_head(revision);
    }

    pub(super) async fn holds(self: &Arc<Self>, revision: &Revision, span: BlockSpan) -> Vec<bool> {
        let hash = RevisionHash::of(revision, self.block_size);
        let held = self.index.holds(hash, span);
        if held.iter().all(|held| *held) || !self.index.may_hide(hash) {
            return held;
        }
        self.seek(hash).await;
        self.index.holds(hash, span)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_leave_most_descriptors_to_connections() {
        let check = |open_files, open, fills| {
            let limits = Limits::of(open_files);
            assert_eq!((limits.open, limits.fills), (open, fills), "{open_files}");
        };
        check(1024, 256, 128);
        // As one of four disks.
        check(256, 64, 32);
        check(u64::MAX, 16_384, 1024);
        // So few that no disk is of use with its share.
        check(0, 16, 8);
    }
}
