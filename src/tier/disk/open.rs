//! Open block files with their footers, verified once and kept: the warm path of a read finds everything here.
//!
//! Owns: the bounded cache of open files. Never: reads data.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use foldhash::fast::RandomState;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use rustix::io::Errno;

use crate::object::{BlockIndex, BlockSize, ByteRange, Head, Revision};

use super::format::{Footer, Geometry, Unreadable, narrow, wide};
use super::index::Window;
use super::io::{File, Files};
use super::name::{Name, RevisionHash};
use super::sync::AtomicBool;

/// How much is read from the end of a file at first: footer and table of a 4 MiB block, nearly always.
const END: u64 = 4 << 10;

/// What all open blocks may take of memory, and what each takes without its table. The table of a block of 4 MiB takes 2 KiB.
const MEMORY: u64 = 16 << 20;
const BARE: u64 = 1 << 10;

/// A block whose footer was verified.
#[derive(Debug)]
pub(super) struct OpenBlock {
    pub(super) name: Name,
    pub(super) file: Arc<File>,
    pub(super) head: Arc<Head>,
    /// The bytes that it holds, as positions of the object.
    pub(super) range: ByteRange,
    /// The checksums of the granules.
    pub(super) table: Box<[u64]>,
    revision: Revision,
    used: Window,
    /// Whether others may find it.
    shown: AtomicBool,
}

/// Why a block cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotOpen {
    /// The file is not what it is called.
    Unreadable(Unreadable),
    /// The file system says no.
    Errno(Errno),
}

impl OpenBlock {
    /// Opens and verifies; blocks.
    pub(super) fn open(
        files: &dyn Files,
        name: Name,
        revision: &Revision,
        block_size: BlockSize,
        index: BlockIndex,
    ) -> Result<Self, NotOpen> {
        let (file, size) = files.open(name).map_err(NotOpen::Errno)?;
        let (geometry, footer) = read_footer(files, &file, size)?;
        let foreign = NotOpen::Unreadable(Unreadable::Foreign);
        if !footer.is(revision, block_size, index, geometry.data) {
            return Err(foreign);
        }
        Ok(Self {
            name,
            file: Arc::new(file),
            range: block_size.range_of(index, footer.head.size()).ok_or(foreign)?,
            head: Arc::new(footer.head),
            table: footer.table,
            revision: revision.clone(),
            used: Window::default(),
            shown: AtomicBool::new(false),
        })
    }

    /// Whether it is of that revision: names are hashes, which may collide.
    pub(super) fn is_of(&self, revision: &Revision) -> bool {
        self.revision == *revision
    }

    /// Lets others find it, once it is certain that it was not forgotten while it was opened. Who forgets from now on
    /// finds it, too.
    pub(super) fn show(&self) {
        self.shown.store(true, Ordering::Release);
    }

    /// Where a range of the object that it holds begins and ends in its data.
    pub(super) fn offsets(&self, held: ByteRange) -> (u64, u64) {
        let start = self.range.first();
        (held.first() - start, held.end() - start)
    }

    /// Whether a use at that time is to be counted.
    pub(super) fn counts(&self, now: Duration) -> bool {
        self.used.counts(now)
    }

    /// The record of its object; the hash is at hand.
    pub(super) fn record(&self) -> Name {
        Name::record(self.revision.key.hash())
    }
}

/// The footer of a block, whose checksum matched; nothing else of it is compared yet.
pub(super) fn read_footer(files: &dyn Files, file: &File, size: u64) -> Result<(Geometry, Footer), NotOpen> {
    let read = |from: u64, length: u64| {
        let mut bytes = vec![0; narrow(length)];
        let read = files.read(file, &mut bytes, from).map_err(NotOpen::Errno)?;
        if wide(read) == length {
            Ok(bytes)
        } else {
            Err(NotOpen::Unreadable(Unreadable::Damaged))
        }
    };
    let end = read(size.saturating_sub(END), size.min(END))?;
    let geometry = Geometry::parse(&end, size).map_err(NotOpen::Unreadable)?;
    let footer = match wide(end.len()).checked_sub(geometry.sealed()) {
        Some(before) => geometry.open(end.get(narrow(before)..).unwrap_or_default()),
        None => geometry.open(&read(geometry.data, geometry.sealed())?),
    };
    Ok((geometry, footer.map_err(NotOpen::Unreadable)?))
}

/// The cache of open blocks, by name, bounded in descriptors and in memory.
#[derive(Debug)]
pub(super) struct OpenFiles(Cache<Name, Arc<OpenBlock>, Weight, RandomState>);

/// What an open block takes of the memory for all of them.
#[derive(Clone, Debug)]
struct Weight {
    /// What one takes at least, so that there are not too many.
    least: u64,
}

impl Weighter<Name, Arc<OpenBlock>> for Weight {
    fn weight(&self, _: &Name, block: &Arc<OpenBlock>) -> u64 {
        (BARE + 8 * wide(block.table.len())).max(self.least)
    }
}

impl OpenFiles {
    pub(super) fn new(most: usize) -> Self {
        let least = (MEMORY / wide(most.max(1))).max(1);
        let (weight, hasher, lifecycle) = (Weight { least }, RandomState::default(), Default::default());
        Self(Cache::with(most, MEMORY, weight, hasher, lifecycle))
    }

    pub(super) fn get(&self, name: Name) -> Option<Arc<OpenBlock>> {
        self.0.get(&name).filter(|block| block.shown.load(Ordering::Acquire))
    }

    pub(super) fn insert(&self, block: &Arc<OpenBlock>) {
        self.0.insert(block.name, Arc::clone(block));
    }

    /// Closes all files of a revision as soon as nobody reads them, also those that were evicted a moment ago.
    pub(super) fn remove_revision(&self, revision: RevisionHash) {
        let of_another = |name: &Name| name.as_block().is_none_or(|(of, _)| of != revision);
        self.0.retain(|name, _| of_another(name));
    }

    /// Closes a file as soon as nobody reads it.
    pub(super) fn remove(&self, name: Name) {
        self.0.remove(&name);
    }
}
