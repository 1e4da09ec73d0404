//! Reading a fill while it is written.
//!
//! Owns: waiting for the watermark, and verifying what is read below it: full granules against the table in memory,
//! the last one against the checksum that goes with the watermark.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::object::ByteRange;
use crate::tier::store::{Miss, Tail};

use super::fill::{Filling, Progress};
use super::format::{GRANULE, checksum, narrow};
use super::read::Granules;
use super::shared::Shared;
use super::stats::{Fault, FillEnd};

/// A view of a fill for readers that fell behind.
#[derive(Debug)]
pub(super) struct DiskTail {
    shared: Arc<Shared>,
    filling: Arc<Filling>,
}

impl DiskTail {
    pub(super) fn new(shared: &Arc<Shared>, filling: &Arc<Filling>) -> Self {
        Self {
            shared: Arc::clone(shared),
            filling: Arc::clone(filling),
        }
    }

    /// Waits until the byte at an offset of the block is written.
    async fn written(&self, offset: u64) -> Result<Progress, Miss> {
        let mut changes = self.filling.progress.subscribe();
        loop {
            let progress = *changes.borrow_and_update();
            match progress.end {
                Some(FillEnd::Dropped | FillEnd::GaveUp(_)) => return Err(Miss::GivenUp),
                Some(FillEnd::Published) => return Ok(progress),
                None if progress.written > offset => return Ok(progress),
                None => {}
            }
            self.shared.hurry(&self.filling);
            changes.changed().await.map_err(|_| Miss::GivenUp)?;
        }
    }

    async fn read_written(&self, range: ByteRange) -> Result<Bytes, Miss> {
        let block = self.filling.range;
        let wanted = range.intersect(block).filter(|wanted| wanted.first() == range.first());
        let wanted = wanted.ok_or(Miss::Absent)?;
        let (first, end) = (wanted.first() - block.first(), wanted.end() - block.first());
        let progress = self.written(first).await?;
        let end = end.min(progress.written);
        let granules = Granules::touched(first, end, progress.written, self.shared.pool.limit());
        let file = self.filling.file.get().ok_or(Miss::Fault)?;
        let (buffer, granules) = self.shared.load(file, granules).await?;
        let bytes = buffer.bytes().get(..narrow(granules.length)).unwrap_or_default();
        if bytes.is_empty() || !self.verify(bytes, granules, progress) {
            self.shared.fault(Fault::Damaged);
            return Err(Miss::Damaged);
        }
        let end = end.min(granules.at + granules.length);
        Ok(buffer.into_bytes(narrow(first - granules.at)..narrow(end - granules.at)))
    }

    /// The last granule may have grown since; only what `progress` tells of was read.
    fn verify(&self, bytes: &[u8], granules: Granules, progress: Progress) -> bool {
        let full = bytes.len() - bytes.len() % narrow(GRANULE);
        let (full, partial) = bytes.split_at_checked(full).unwrap_or_default();
        let partial_matches = partial.is_empty() || checksum(partial) == progress.partial;
        let sums = self.filling.sums.lock();
        partial_matches && granules.verify(full, sums.full())
    }
}

impl Tail for DiskTail {
    fn read(&self, range: ByteRange) -> BoxFuture<'_, Result<Bytes, Miss>> {
        Box::pin(self.read_written(range))
    }
}
