//! The disk as a whole, against real directories.
#![expect(
    clippy::disallowed_methods,
    reason = "what is tested is what the disk makes of files that others wrote"
)]

mod basic;
mod capacity;
mod damage;
mod faults;
mod faulty;
mod full;
mod golden;
mod integrity;
mod nth;
mod planted;
mod popular;
mod recalled;
mod records;
mod recovery;
#[cfg(feature = "shuttle")]
mod schedules;
mod start;
mod together;
mod volume;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::HeaderMap;
use tempfile::TempDir;

use super::io::Root;
use super::name::{Name, RevisionHash};
use super::*;
use crate::object::{AuthorityId, Current, ObjectSize, RouteName, StrongETag, TakenFrom};

pub(super) const BLOCK: u64 = BlockSize::MIN;

/// A disk in a directory of its own, with a clock that stands until it is set.
pub(super) struct Bench {
    pub(super) disk: Option<Disk>,
    pub(super) seconds: Arc<AtomicU64>,
    pub(super) config: DiskConfig,
    /// Goes last.
    _dir: TempDir,
}

impl Bench {
    pub(super) fn new(capacity: u64) -> Self {
        let dir = TempDir::new().unwrap();
        let config = DiskConfig {
            path: dir.path().join("cache"),
            capacity,
            block_size: BlockSize::new(BLOCK).unwrap(),
            fill_budget: 8 << 20,
            read_budget: 8 << 20,
            open_files: 1024,
            policy: Policy::default(),
        };
        let mut bench = Self {
            _dir: dir,
            disk: None,
            seconds: Arc::default(),
            config,
        };
        bench.reopen();
        bench
    }

    pub(super) fn clock(&self) -> Monotonic {
        let seconds = Arc::clone(&self.seconds);
        Arc::new(move || Duration::from_secs(seconds.load(Ordering::Relaxed)))
    }

    /// Ends the disk and opens it anew.
    pub(super) fn reopen(&mut self) {
        self.disk = None;
        self.disk = Some(Disk::open(&self.config, self.clock()).unwrap());
    }

    /// Opens it anew with other system calls.
    pub(super) fn reopen_with(&mut self, wrap: impl FnOnce(Root) -> Arc<dyn Files>) {
        self.disk = None;
        let (root, lock) = open_root(&self.config.path).unwrap();
        self.disk = Some(Disk::start(&self.config, wrap(root), lock, self.clock()).unwrap());
    }

    pub(super) fn disk(&self) -> &Disk {
        self.disk.as_ref().unwrap()
    }

    pub(super) fn root(&self) -> &Path {
        &self.config.path
    }

    /// How often something was counted.
    pub(super) fn fault(&self, fault: Fault) -> u64 {
        counted(&self.disk().stats().faults, fault)
    }

    pub(super) fn fills(&self, end: FillEnd) -> u64 {
        counted(&self.disk().stats().fills, end)
    }

    pub(super) fn evicted(&self, why: Evicted) -> u64 {
        counted(&self.disk().stats().evicted, why)
    }

    /// What is in a directory of the root.
    pub(super) fn list(&self, directory: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.root().join(directory)).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Waits for the walk.
    pub(super) async fn walked(&self) {
        until(|| self.disk().stats().index_complete).await;
    }

    pub(super) fn path(&self, revision: &Revision, index: u64) -> PathBuf {
        let hash = RevisionHash::of(revision, self.config.block_size);
        self.root()
            .join(Name::block(hash, BlockIndex::new(index)).unwrap().path())
    }

    /// Stores one block and waits until it is there.
    pub(super) async fn store(&self, revision: &Revision, size: u64, index: u64, claim: Claim) -> Result<(), GaveUp> {
        let head = head(revision, size);
        let range = self
            .config
            .block_size
            .range_of(BlockIndex::new(index), head.size())
            .unwrap();
        let mut fill = self.disk().fill(revision, &head, BlockIndex::new(index), claim)?;
        fill.offer(&content(revision, range))?;
        fill.finish().await
    }

    pub(super) async fn read(&self, revision: &Revision, first: u64, last: u64) -> Result<Bytes, Miss> {
        let range = ByteRange::new(first, last).unwrap();
        let index = self.config.block_size.index_of(first);
        self.disk().read(revision, index, range).await
    }

    /// Reads a whole block, however many reads it takes, and compares.
    pub(super) async fn check(&self, revision: &Revision, size: u64, index: u64) -> Result<(), Miss> {
        let index = BlockIndex::new(index);
        let block = self.config.block_size.range_of(index, ObjectSize::new(size)).unwrap();
        let mut rest = Some(block);
        while let Some(range) = rest {
            let bytes = self.disk().read(revision, index, range).await?;
            let got = ByteRange::at(range.first(), format::wide(bytes.len())).unwrap();
            assert!(range.covers(got));
            assert!(bytes == content(revision, got), "wrong bytes at {got:?}");
            rest = range.starting_at(got.end());
        }
        Ok(())
    }
}

fn counted<L: Label>(counts: &[(L, u64)], label: L) -> u64 {
    counts.iter().find(|(l, _)| *l == label).unwrap().1
}

/// A disk with one whole revision.
pub(super) async fn stored(a: &Revision, size: u64) -> Bench {
    let bench = Bench::new(64 << 20);
    for index in 0..3 {
        bench.store(a, size, index, Claim::Current).await.unwrap();
    }
    bench
}

/// Waits for something that a thread brings about.
pub(super) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
}

pub(super) fn key(path: &str) -> ObjectKey {
    let authority = AuthorityId::new(["s3", "bucket"]);
    ObjectKey::new(&RouteName::new("r"), &authority, None, path, None)
}

pub(super) fn tag(tag: &str) -> StrongETag {
    StrongETag::parse(format!("\"{tag}\"").as_bytes()).unwrap()
}

pub(super) fn revision(path: &str, name: &str) -> Revision {
    Revision {
        key: key(path),
        tag: tag(name),
    }
}

pub(super) fn head(revision: &Revision, size: u64) -> Arc<Head> {
    let mut fields = HeaderMap::new();
    fields.insert("content-type", "application/zip".parse().unwrap());
    let received = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let size = ObjectSize::new(size);
    // As stored, and thus without what a head that comes from an answer is given.
    let tag = revision.tag.clone();
    Arc::new(Head::restore(
        tag,
        size,
        fields,
        received,
        crate::object::Parts::default(),
    ))
}

/// The bytes of a revision: different at every position and for every revision.
pub(super) fn content(revision: &Revision, range: ByteRange) -> Bytes {
    let hash = blake3::hash(&[revision.key.encoded(), revision.tag.opaque()].concat());
    let mut bytes = vec![0; usize::try_from(range.len()).unwrap()];
    let mut reader = blake3::Hasher::new_keyed(hash.as_bytes()).finalize_xof();
    reader.set_position(range.first());
    reader.fill(&mut bytes);
    bytes.into()
}
