//! The store of a route without a disk: it remembers what is current, and keeps no blocks.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::store::{BlockStore, Claim, Fill, GaveUp, Known, Miss};
use crate::object::{BlockIndex, BlockSize, BlockSpan, ByteRange, Head, ObjectHash, ObjectKey, Revision};

/// Objects remembered, at about 1 KiB each.
const MOST_OBJECTS: usize = 4096;
/// How much memory they take: heads may be far larger.
const MEMORY: u64 = 8 << 20;

/// Keeps no blocks.
pub struct Void {
    known: Cache<ObjectHash, (ObjectKey, Known), Weigh>,
}

#[derive(Clone, Debug)]
struct Weigh;

impl Weighter<ObjectHash, (ObjectKey, Known)> for Weigh {
    fn weight(&self, _: &ObjectHash, (key, known): &(ObjectKey, Known)) -> u64 {
        known.weight(key.encoded())
    }
}

impl Void {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            known: Cache::with_weighter(MOST_OBJECTS, MEMORY, Weigh),
        }
    }
}

impl Default for Void {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Void {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Void")
    }
}

impl BlockStore for Void {
    fn block_size(&self) -> BlockSize {
        BlockSize::DEFAULT
    }

    fn known<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Known> {
        let found = self.known.get(&key.hash()).filter(|(stored, _)| stored == key);
        Box::pin(std::future::ready(found.map(|(_, known)| known).unwrap_or_default()))
    }

    fn learn(&self, key: &ObjectKey, known: Known) {
        self.known.insert(key.hash(), (key.clone(), known));
    }

    fn head<'a>(&'a self, _: &'a Revision) -> BoxFuture<'a, Result<Arc<Head>, Miss>> {
        Box::pin(std::future::ready(Err(Miss::Absent)))
    }

    fn holds<'a>(&'a self, _: &'a Revision, span: BlockSpan) -> BoxFuture<'a, Vec<bool>> {
        Box::pin(std::future::ready(span.iter().map(|_| false).collect()))
    }

    fn read<'a>(&'a self, _: &'a Revision, _: BlockIndex, _: ByteRange) -> BoxFuture<'a, Result<Bytes, Miss>> {
        Box::pin(std::future::ready(Err(Miss::Absent)))
    }

    fn fill(&self, _: &Revision, _: &Arc<Head>, _: BlockIndex, _: Claim) -> Result<Box<dyn Fill>, GaveUp> {
        Err(GaveUp::NoSpace)
    }

    fn forget(&self, _: &Revision) {}
}
