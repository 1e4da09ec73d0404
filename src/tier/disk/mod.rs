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
//! | `index` | which files exist, capacity, order of eviction |
//! | `recover` | finding them at start |
//! | `open`, `pool`, `blocking`, `read` | verified reads |
//! | `fill`, `writer`, `tail` | blocks on their way in |
//! | `object` | what is known of objects |
//! | `health`, `stats` | how the device is doing |

mod blocking;
mod fill;
mod format;
mod health;
mod index;
mod io;
mod name;
mod object;
mod open;
mod pool;
mod read;
mod recover;
mod stats;
mod tail;
#[cfg(test)]
mod tests;
mod threads;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use rustix::fd::OwnedFd;
use rustix::io::Errno;

use crate::object::{BlockIndex, BlockSize, BlockSpan, ByteRange, Current, Head, ObjectKey, Revision};
use crate::tier::store::{BlockStore, Claim, Fill, GaveUp, Known, Miss};

use blocking::Blocking;
use fill::Budget;
use health::Health;
use index::Index;
use io::{Files, Root};
use name::{Name, RevisionHash};
use object::Objects;
use open::OpenFiles;
use pool::Pool;
use stats::Counters;
pub use stats::{Degraded, Evicted, Fault, FillEnd, Label, Stats, Usable};
use threads::Threads;
use writer::{Jobs, TmpNames};

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
}

/// Why a disk cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The root or its `tmp/` cannot be created, opened or read.
    #[error("cannot {what} {path}: {errno}")]
    Root {
        /// What was tried.
        what: &'static str,
        /// The root.
        path: PathBuf,
        /// What the system said.
        errno: Errno,
    },
    /// Only a directory of one's own is safe to unlink files in.
    #[error("{0} is a symbolic link, or not a directory")]
    NotADirectory(PathBuf),
    /// Another user could put files there.
    #[error("{path} belongs to user {owner}, not to user {user} that runs this process")]
    NotOurs {
        /// The root.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        user: u32,
    },
    /// Two processes would evict each other's files.
    #[error("{0} is in use by another process")]
    Locked(PathBuf),
    /// The system has no threads left.
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
}

/// A block store in a directory. Dropping it writes what was finished, removes what was not, and stops its threads.
pub struct Disk {
    shared: Arc<Shared>,
    threads: Threads,
    /// Released last, when nothing of ours touches the directory any more.
    _lock: OwnedFd,
}

/// What all parts of a disk share.
struct Shared {
    block_size: BlockSize,
    files: Arc<dyn Files>,
    index: Arc<Index>,
    open: OpenFiles,
    pool: Arc<Pool>,
    blocking: Blocking,
    objects: Objects,
    jobs: Jobs,
    budget: Budget,
    live: Arc<AtomicUsize>,
    limits: Limits,
    tmp_names: TmpNames,
    health: Health,
    counters: Arc<Counters>,
    now: Monotonic,
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
struct Limits {
    open: usize,
    fills: usize,
}

impl Limits {
    /// Most of the descriptors are for connections.
    fn of(open_files: u64) -> Self {
        let open_files = format::narrow(open_files);
        Self {
            open: (open_files / 4).clamp(64, 4096),
            fills: (open_files / 8).clamp(16, 1024),
        }
    }
}

impl Disk {
    /// Opens a root for this process alone. What is there is found in the background. Blocks for a short time.
    pub fn open(config: &DiskConfig, now: Monotonic) -> Result<Self, OpenError> {
        let (root, lock) = open_root(config)?;
        Self::start(config, Arc::new(Root::new(root)), lock, now)
    }

    fn start(config: &DiskConfig, files: Arc<dyn Files>, lock: OwnedFd, now: Monotonic) -> Result<Self, OpenError> {
        recover::sweep(&*files).map_err(|errno| root_error("sweep", config, errno))?;
        let counters = Arc::new(Counters::default());
        let limits = Limits::of(io::open_files_limit());
        let shared = Arc::new(Shared {
            block_size: config.block_size,
            files,
            index: Arc::new(Index::new(
                config.capacity,
                config.block_size.bytes(),
                Arc::clone(&counters),
            )),
            open: OpenFiles::new(limits.open),
            pool: Pool::new(config.read_budget),
            blocking: Blocking::new(),
            objects: Objects::new(),
            jobs: Jobs::default(),
            budget: Budget::new(config.fill_budget),
            live: Arc::default(),
            limits,
            tmp_names: TmpNames::default(),
            health: Health::default(),
            counters,
            now,
        });
        // Built before its threads: should one of them not start, dropping it stops the others.
        let mut disk = Self {
            shared,
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
        self.threads.start("disk-walk", move || shared.walk())
    }

    /// Counts and sizes of this moment.
    pub fn stats(&self) -> Stats {
        let shared = &*self.shared;
        let (bytes, files, capacity) = shared.index.usage();
        Stats {
            bytes,
            files,
            capacity,
            index_complete: shared.index.is_complete(),
            backlog: shared.budget.used(),
            fills_begun: shared.counters.begun.load(Ordering::Relaxed),
            fills: shared.counters.fills.read(),
            evicted: shared.counters.evicted.read(),
            faults: shared.counters.faults.read(),
            reads_waited: shared.counters.waited.load(Ordering::Relaxed),
        }
    }

    /// Whether it is of use right now.
    pub fn usable(&self) -> Usable {
        self.shared.health.usable((self.shared.now)())
    }
}

impl Shared {
    fn next_tmp(&self) -> String {
        self.tmp_names.next()
    }

    fn fault(&self, fault: Fault) {
        self.counters.faults.count(fault);
        self.health.failed(fault, (self.now)());
    }

    /// Runs what may wait for the device on a blocking thread, unless the device is sick.
    async fn wait_for_device<T: Send + 'static>(&self, call: impl FnOnce() -> T + Send + 'static) -> Result<T, Miss> {
        if self.health.is_sick((self.now)()) {
            return Err(Miss::Fault);
        }
        let result = self.blocking.run(call).await;
        if result.is_err() {
            self.fault(Fault::Slow);
        }
        result
    }

    /// The work of the evicting thread.
    fn unlink_doomed(&self) {
        while let Some(name) = self.index.next_doomed() {
            self.open.remove(name);
            // It may have been stored anew since.
            if self.index.contains(name) {
                continue;
            }
            match self.files.remove(name) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => self.fault(Fault::of(errno)),
            }
        }
    }

    async fn head(self: &Arc<Self>, revision: &Revision) -> Result<Arc<Head>, Miss> {
        let known = self.known(&revision.key).await;
        match (known.current, known.head) {
            (Current::Is(tag), Some(head)) if tag == revision.tag => Ok(head),
            _ => self.head_of_block(revision).await,
        }
    }

    fn forget(&self, revision: &Revision) {
        let hash = RevisionHash::of(revision, self.block_size);
        for name in self.index.forget(hash) {
            self.open.remove(name);
        }
    }

    async fn holds(self: &Arc<Self>, revision: &Revision, span: BlockSpan) -> Vec<bool> {
        let hash = RevisionHash::of(revision, self.block_size);
        let complete = self.index.is_complete();
        let held = self.index.holds(hash, span);
        if complete || held.iter().all(|held| *held) {
            return held;
        }
        let shared = Arc::clone(self);
        let looked = self.wait_for_device(move || {
            let missing = span.iter().zip(&held).filter(|(_, held)| !**held);
            for (index, _) in missing.take(LOOK_FOR) {
                let name = Name::block(hash, index).filter(|name| shared.index.may_exist(*name));
                name.into_iter().for_each(|name| shared.find(name));
            }
        });
        // Without a look, what was found so far stands.
        let _ = looked.await;
        self.index.holds(hash, span)
    }
}

/// How many blocks are looked for before the walk has found them.
const LOOK_FOR: usize = 1024;

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
        if self.threads.join() {
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

fn open_root(config: &DiskConfig) -> Result<(OwnedFd, OwnedFd), OpenError> {
    let path = &config.path;
    match io::make_directory(path) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(root_error("create", config, errno)),
    }
    let (root, owner) = match io::open_root(path) {
        Ok(opened) => opened,
        Err(Errno::NOTDIR | Errno::LOOP) => return Err(OpenError::NotADirectory(path.clone())),
        Err(errno) => return Err(root_error("open", config, errno)),
    };
    let user = io::effective_user();
    if owner != user {
        return Err(OpenError::NotOurs {
            path: path.clone(),
            owner,
            user,
        });
    }
    let lock = match io::lock_root(&root) {
        Ok(lock) => lock,
        Err(Errno::WOULDBLOCK) => return Err(OpenError::Locked(path.clone())),
        Err(errno) => return Err(root_error("lock", config, errno)),
    };
    io::prepare_root(&root).map_err(|errno| root_error("prepare", config, errno))?;
    Ok((root, lock))
}

fn root_error(what: &'static str, config: &DiskConfig, errno: Errno) -> OpenError {
    OpenError::Root {
        what,
        path: config.path.clone(),
        errno,
    }
}
