//! The disk: self-describing, checked, immutable files, published by `rename` from `tmp/`, no `fsync`. The directory is
//! the index. A file that is torn, swapped or edited fails its checks and is a miss.
//!
//! Owns: the root directory and everything below it that is named as ours; memory and threads for it. Never: lets a
//! fault of the device become more than a miss, makes a caller wait for a write.
//!
//! | module | owns |
//! | --- | --- |
//! | `name` | what files are called |
//! | `format` | what they contain |
//! | `io` | the system calls |
//! | `index`, `place` | which files exist, capacity, order of eviction; names coming and going |
//! | `room` | how much of the volume others leave |
//! | `root`, `recover`, `popular` | who may use the directory, finding files at start, and what was known of them |
//! | `open`, `pool`, `blocking`, `read` | verified reads |
//! | `fill`, `budget`, `writer`, `tail` | blocks on their way in |
//! | `object` | what is known of objects |
//! | `health`, `trial`, `stats` | how the device is doing |
//! | `integrity` | comparing what is complete with the authority's checksum |
//! | `inspect` | reading all of it from outside |
//! | `slow` | a slow device, to measure with |
//! | `shared`, `threads` | putting the parts together |
//! | `sync` | locks and threads, or those of the test of schedules |

mod blocking;
mod budget;
mod fill;
mod format;
mod health;
mod index;
mod inspect;
mod integrity;
mod io;
mod name;
mod object;
mod open;
mod place;
mod pool;
mod popular;
mod queue;
mod read;
mod recover;
mod room;
mod root;
mod shared;
mod slow;
mod stats;
mod sync;
mod tail;
#[cfg(test)]
mod tests;
mod threads;
mod trial;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use rustix::fd::OwnedFd;

use crate::clock::Clock;
use crate::object::{BlockIndex, BlockSize, BlockSpan, ByteRange, Head, ObjectKey, Revision};
use crate::tier::store::{AtHand, BlockStore, Claim, Fill, GaveUp, Known, Miss};

pub use index::RouteTerms;
pub use inspect::{Damage, Depth, Seen, SeenBlock, SeenFile, SeenObject, Survey};
use io::Files;
pub use io::open_files_limit;
pub use root::OpenError;
use root::{open_root, root_error};
use shared::Shared;
pub use stats::{Degraded, Evicted, Fault, FillEnd, Label, Stats, Usable, Verified};
use threads::Threads;

/// A clock that only goes forward, since any start.
pub type Monotonic = Arc<dyn Fn() -> Duration + Send + Sync>;

/// How a disk is to be used.
#[derive(Clone, Debug)]
pub struct DiskConfig {
    /// The root. Created if it is missing; its parent is not.
    pub path: PathBuf,
    /// How many bytes all files may take, at most 16 TiB.
    pub capacity: u64,
    /// The size of all blocks. Blocks of another size that are there already are misses, and the first to go.
    pub block_size: BlockSize,
    /// How many bytes of all fills may be in memory, not yet written.
    pub fill_budget: u64,
    /// How many bytes of memory the buffers of all reads may take.
    pub read_budget: u64,
    /// How many files the process may have open, or the share of that if it has several disks: three eighths of it are
    /// for blocks, the rest is left to connections.
    pub open_files: u64,
    /// Who may have how much of it.
    pub policy: Policy,
}

/// Who may have how much of a disk.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How many blocks and records there may be, which bounds the memory of the index.
    pub entries: u64,
    /// How many bytes of the volume are left to others, at least; `None`: a hundredth of it, at most 1 GiB.
    pub min_free: Option<u64>,
    /// The routes whose blocks are kept.
    pub routes: Vec<RouteTerms>,
    /// The time by which grace ends; times of records are of earlier runs, too.
    pub clock: Clock,
}

impl Default for Policy {
    /// A million files, as long as the device takes them; all routes alike, and without grace.
    fn default() -> Self {
        Self {
            entries: 1 << 20,
            min_free: Some(0),
            routes: Vec::new(),
            clock: Clock::system(),
        }
    }
}

/// A block store in a directory. Dropping it writes what was finished, removes what was not, and stops its threads.
pub struct Disk {
    shared: Arc<Shared>,
    threads: Threads,
    /// Released last, when nothing of ours touches the directory any more.
    _lock: OwnedFd,
}

impl Disk {
    /// Opens a root for this process alone. What is there is found in the background. Blocks for a short time.
    pub fn open(config: &DiskConfig, now: Monotonic) -> Result<Self, OpenError> {
        let (root, lock) = open_root(&config.path)?;
        Self::start(config, Arc::new(root), lock, now)
    }

    /// The same on a device that takes so many bytes a second: to measure what that does to downloads.
    pub fn open_slowed(config: &DiskConfig, bytes_per_second: u64, now: Monotonic) -> Result<Self, OpenError> {
        let (root, lock) = open_root(&config.path)?;
        let files = slow::Slow::new(root, bytes_per_second);
        Self::start(config, Arc::new(files), lock, now)
    }

    fn start(config: &DiskConfig, files: Arc<dyn Files>, lock: OwnedFd, now: Monotonic) -> Result<Self, OpenError> {
        recover::sweep(&*files).map_err(|errno| root_error("sweep", &config.path, errno))?;
        // Built before its threads: should one of them not start, dropping it stops the others.
        let mut disk = Self {
            shared: Arc::new(Shared::new(config, files, now)),
            threads: Threads::default(),
            _lock: lock,
        };
        disk.start_threads().map_err(OpenError::Thread)?;
        Ok(disk)
    }

    fn start_threads(&mut self) -> std::io::Result<()> {
        for _ in 0..writer::THREADS {
            let shared = Arc::clone(&self.shared);
            self.threads.start("disk-write", move || shared.write_jobs())?;
        }
        let shared = Arc::clone(&self.shared);
        self.threads.start("disk-evict", move || shared.unlink_doomed())?;
        let shared = Arc::clone(&self.shared);
        self.threads.start("disk-watch", move || shared.watch())?;
        let shared = Arc::clone(&self.shared);
        self.threads.start("disk-compare", move || shared.compare_complete())?;
        let shared = Arc::clone(&self.shared);
        self.threads.start("disk-walk", move || shared.walk())
    }

    /// Counts and sizes of this moment.
    pub fn stats(&self) -> Stats {
        let shared = &*self.shared;
        let (bytes, files, capacity) = shared.index.usage();
        let records = shared.index.records();
        Stats {
            bytes,
            files,
            blocks: files.saturating_sub(records),
            capacity,
            index_bytes: shared.index.memory(),
            index_complete: shared.index.is_complete(),
            foreign: shared.counters.foreign.load(Ordering::Relaxed),
            volume_free: shared.watch.free(),
            backlog: shared.budget.used(),
            fills_begun: shared.counters.begun.load(Ordering::Relaxed),
            fills: shared.counters.fills.read(),
            evicted: shared.counters.evicted.read(),
            faults: shared.counters.faults.read(),
            verified: shared.counters.verified.read(),
            reads_waited: shared.counters.waited.load(Ordering::Relaxed),
        }
    }

    /// Whether it is of use right now.
    pub fn usable(&self) -> Usable {
        match self.shared.health.usable() {
            // What is known of the volume says more than what one write met.
            Usable::Ok | Usable::Degraded(Degraded::Full) if self.shared.watch.is_short() => {
                Usable::Degraded(Degraded::Short)
            }
            usable => usable,
        }
    }
}

impl BlockStore for Disk {
    fn block_size(&self) -> BlockSize {
        self.shared.block_size
    }

    fn known<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Known> {
        Box::pin(self.shared.known(key))
    }

    fn learn(&self, key: &ObjectKey, known: Known) {
        self.shared.learn(key, known);
    }

    fn head<'a>(&'a self, revision: &'a Revision) -> BoxFuture<'a, Result<Arc<Head>, Miss>> {
        Box::pin(self.shared.head(revision))
    }

    fn holds<'a>(&'a self, revision: &'a Revision, span: BlockSpan) -> BoxFuture<'a, Vec<bool>> {
        Box::pin(self.shared.holds(revision, span))
    }

    fn read<'a>(
        &'a self,
        revision: &'a Revision,
        index: BlockIndex,
        range: ByteRange,
    ) -> BoxFuture<'a, Result<Bytes, Miss>> {
        Box::pin(self.shared.read(revision, index, range))
    }

    fn at_hand(&self, revision: &Revision, index: BlockIndex, range: ByteRange) -> Option<AtHand> {
        self.shared.at_hand(revision, index, range)
    }

    fn fill(
        &self,
        revision: &Revision,
        head: &Arc<Head>,
        index: BlockIndex,
        claim: Claim,
    ) -> Result<Box<dyn Fill>, GaveUp> {
        let fill = self.shared.begin(revision, head, index, claim)?;
        Ok(Box::new(fill))
    }

    fn forget(&self, revision: &Revision) {
        self.shared.forget(revision);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.shared.jobs.close();
        self.shared.index.close();
        self.shared.watch.close();
        self.shared.integrity.close();
        if self.threads.join() {
            // What the writers evicted after the evicting thread had ended.
            self.shared.unlink_doomed();
            self.shared.tell_popular_now();
            // Ignored: the next start sweeps again.
            let _ = recover::sweep(&*self.shared.files);
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
