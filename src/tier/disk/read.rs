//! Reading blocks: what a range touches, verified before the first byte is returned.
//!
//! Owns: the warm path (one lookup, one `preadv2`, one checksum per granule) and the way through a blocking thread
//! where the page cache does not have it all. Never: returns a byte whose granule did not check.

use std::sync::Arc;

use bytes::Bytes;
use rustix::io::Errno;

use crate::object::{BlockIndex, ByteRange, Head, Revision};
use crate::tier::store::{AtHand, Miss};

use super::format::{GRANULE, Unreadable, checksum, narrow, wide};
use super::health::Side;
use super::io::{File, PLANTED};
use super::name::{Name, RevisionHash};
use super::open::{NotOpen, OpenBlock};
use super::pool::Buffer;
use super::shared::Shared;
use super::stats::Fault;

/// How many blocks of a revision are tried for a head before it counts as absent.
const HEAD_TRIES: usize = 4;

/// Whole granules of a file. The last one may be short, where the data ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Granules {
    /// Position in the file.
    pub(super) at: u64,
    /// How many bytes.
    pub(super) length: u64,
}

impl Granules {
    /// Those that the bytes from `first` to before `end` touch, in data of that length; at most `limit` bytes.
    pub(super) fn touched(first: u64, end: u64, data: u64, limit: u64) -> Self {
        let at = first - first % GRANULE;
        let end = end.next_multiple_of(GRANULE).min(data);
        Self {
            at,
            length: (end - at).min(limit),
        }
    }

    /// Whether bytes that begin with the first granule have the checksums of the block's table.
    pub(super) fn verify(self, bytes: &[u8], table: &[u64]) -> bool {
        let table = table.get(self.first()..).unwrap_or_default();
        let mut granules = bytes.chunks(narrow(GRANULE)).zip(table);
        bytes.len().div_ceil(narrow(GRANULE)) <= table.len() && granules.all(|(granule, crc)| checksum(granule) == *crc)
    }

    /// The number of the first granule.
    pub(super) fn first(self) -> usize {
        narrow(self.at / GRANULE)
    }
}

impl Shared {
    pub(super) async fn read(
        self: &Arc<Self>,
        revision: &Revision,
        index: BlockIndex,
        range: ByteRange,
    ) -> Result<Bytes, Miss> {
        let hash = RevisionHash::of(revision, self.block_size);
        let name = Name::block(hash, index).ok_or(Miss::Absent)?;
        let block = match self.open.get(name) {
            Some(block) if block.is_of(revision) => block,
            _ => Box::pin(self.open_block(name, revision, index)).await?,
        };
        self.count_use(&block);
        self.read_open(&block, range).await
    }

    /// The same without waiting: from a file that is open, whose bytes are in the page cache, into a buffer that is free.
    /// Whatever is not as it should be is left to [`Shared::read`], which reports and repairs it.
    pub(super) fn at_hand(&self, revision: &Revision, index: BlockIndex, range: ByteRange) -> Option<AtHand> {
        let name = Name::block(RevisionHash::of(revision, self.block_size), index)?;
        let block = self.open.get(name).filter(|block| block.is_of(revision))?;
        let known = self.known_at_hand(&revision.key)?;
        if !block.range.covers(range) {
            return None;
        }
        let (first, end) = block.offsets(range);
        let granules = Granules::touched(first, end, block.range.len(), u64::MAX);
        if granules.length > self.pool.limit() {
            return None;
        }
        let mut buffer = self.pool.take_at_hand(granules.length)?;
        let bytes = buffer.bytes_mut().get_mut(..narrow(granules.length))?;
        let read = self.files.read_now(&block.file, bytes, granules.at).ok()?;
        if read < bytes.len() || !granules.verify(bytes, &block.table) {
            return None;
        }
        self.count_use(&block);
        Some(AtHand {
            known,
            head: Arc::clone(&block.head),
            bytes: buffer.into_bytes(narrow(first - granules.at)..narrow(end - granules.at)),
        })
    }

    /// The head that a block of the revision carries.
    pub(super) async fn head_of_block(self: &Arc<Self>, revision: &Revision) -> Result<Arc<Head>, Miss> {
        let hash = RevisionHash::of(revision, self.block_size);
        let mut tried = Vec::new();
        let mut miss = Miss::Absent;
        self.seek(hash).await;
        while tried.len() < HEAD_TRIES {
            let Some(index) = self.index.any_block(hash, &tried) else {
                break;
            };
            tried.push(index);
            let name = Name::block(hash, index).ok_or(Miss::Absent)?;
            match self.open.get(name) {
                Some(block) if block.is_of(revision) => return Ok(Arc::clone(&block.head)),
                _ => {}
            }
            match self.open_block(name, revision, index).await {
                Ok(block) => return Ok(Arc::clone(&block.head)),
                Err(why) => miss = why,
            }
        }
        Err(miss)
    }

    fn count_use(&self, block: &OpenBlock) {
        let now = (self.now)();
        if block.counts(now) {
            self.index.touch_block(block.name, block.record(), now);
        }
    }

    async fn read_open(self: &Arc<Self>, block: &OpenBlock, range: ByteRange) -> Result<Bytes, Miss> {
        // A range outside of the block means another length than the block's head tells: not what is asked for.
        let wanted = range
            .intersect(block.range)
            .filter(|wanted| wanted.first() == range.first());
        let wanted = wanted.ok_or(Miss::Absent)?;
        let (first, end) = block.offsets(wanted);
        let granules = Granules::touched(first, end, block.range.len(), self.pool.limit());
        let (buffer, granules) = self.load(&block.file, granules).await?;
        let bytes = buffer.bytes().get(..narrow(granules.length)).unwrap_or_default();
        if bytes.is_empty() || !granules.verify(bytes, &block.table) {
            self.fault(Fault::Damaged);
            self.drop_file_soon(block.name).await;
            return Err(Miss::Damaged);
        }
        let end = end.min(granules.at + granules.length);
        Ok(buffer.into_bytes(narrow(first - granules.at)..narrow(end - granules.at)))
    }

    /// Reads granules, as many of them as there is memory for. What the file does not have reads as it may; the
    /// checksums tell.
    pub(super) async fn load(&self, file: &Arc<File>, granules: Granules) -> Result<(Buffer, Granules), Miss> {
        let mut buffer = self.pool.take(granules.length);
        let granules = Granules {
            length: granules.length.min(buffer.len()),
            ..granules
        };
        let length = narrow(granules.length);
        let into = buffer.bytes_mut().get_mut(..length).unwrap_or_default();
        // Whatever it fails with, the blocking way meets again and reports.
        let read = self.files.read_now(file, into, granules.at).unwrap_or(0);
        if read < length {
            buffer = Box::pin(self.load_rest(file, granules, buffer, read)).await?;
        }
        Ok((buffer, granules))
    }

    async fn load_rest(
        &self,
        file: &Arc<File>,
        granules: Granules,
        mut buffer: Buffer,
        done: usize,
    ) -> Result<Buffer, Miss> {
        self.counters.waited.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (files, file) = (Arc::clone(&self.files), Arc::clone(file));
        let read = self.wait_for_device(move || {
            let rest = buffer.bytes_mut().get_mut(done..narrow(granules.length));
            let read = files.read(&file, rest.unwrap_or_default(), granules.at + wide(done));
            read.map(|read| {
                // A file that was cut short must not look whole by what the buffer held before.
                let missing = buffer.bytes_mut().get_mut(done + read..).unwrap_or_default();
                missing.fill(0);
                buffer
            })
        });
        match read.await? {
            Ok(buffer) => {
                self.worked(Side::Reads);
                Ok(buffer)
            }
            Err(errno) => {
                self.fault(Fault::of(errno));
                Err(Miss::Fault)
            }
        }
    }

    /// Opens a block that is not in the cache of open files.
    async fn open_block(
        self: &Arc<Self>,
        name: Name,
        revision: &Revision,
        index: BlockIndex,
    ) -> Result<Arc<OpenBlock>, Miss> {
        if !self.index.may_exist(name) {
            return Err(Miss::Absent);
        }
        let epoch = self.index.epoch();
        let (shared, wanted) = (Arc::clone(self), revision.clone());
        let open = move || shared.open_now(name, &wanted, index);
        let block = self.wait_for_device(open).await??;
        self.open.insert(&block);
        // Between opening and inserting, the file may have been evicted, or its revision forgotten. Neither finds the
        // open file any more, and an evicted one would hold its space. Until that is known, nobody else may find it.
        if epoch != self.index.epoch() {
            self.open.remove(name);
            return Err(Miss::Absent);
        }
        if self.index.contains(name) {
            block.show();
        } else {
            self.open.remove(name);
        }
        Ok(block)
    }

    fn open_now(&self, name: Name, revision: &Revision, index: BlockIndex) -> Result<Arc<OpenBlock>, Miss> {
        match OpenBlock::open(&*self.files, name, revision, self.block_size, index) {
            Ok(block) => {
                self.worked(Side::Reads);
                if !self.index.contains(name) {
                    self.reconcile(name);
                }
                if let Some((hash, _)) = name.as_block() {
                    self.index.proven(hash, self.index.route(revision.key.encoded()));
                }
                Ok(Arc::new(block))
            }
            // Nothing is there, or something that nobody here made, which goes.
            Err(NotOpen::Errno(Errno::NOENT | PLANTED)) => {
                self.worked(Side::Reads);
                self.reconcile(name);
                Err(Miss::Absent)
            }
            Err(NotOpen::Errno(errno)) => {
                self.fault(Fault::of(errno));
                Err(Miss::Fault)
            }
            Err(NotOpen::Unreadable(why)) => {
                self.worked(Side::Reads);
                self.fault(Fault::Damaged);
                self.drop_file(name);
                Err(match why {
                    Unreadable::Damaged => Miss::Damaged,
                    Unreadable::Foreign => Miss::Absent,
                })
            }
        }
    }
}
