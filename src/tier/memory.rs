//! A block store in memory: the model that the disk is tested against, and the store of tests that need none.
//!
//! Owns: blocks in a map. Never: evicts, fails or forgets by itself.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::object::{BlockIndex, BlockSize, BlockSpan, ByteRange, Current, Head, ObjectKey, Revision};

use super::store::{BlockStore, Claim, Fill, GaveUp, Known, Miss, Tail};

/// Blocks in memory.
#[derive(Debug)]
pub struct Memory {
    block_size: BlockSize,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    known: HashMap<ObjectKey, Known>,
    blocks: HashMap<(Revision, BlockIndex), Block>,
    /// How often each revision was forgotten: fills from before are void.
    forgotten: HashMap<Revision, u64>,
}

#[derive(Clone, Debug)]
struct Block {
    range: ByteRange,
    head: Arc<Head>,
    bytes: Bytes,
}

impl Memory {
    /// An empty store.
    pub fn new(block_size: BlockSize) -> Self {
        Self {
            block_size,
            state: Arc::default(),
        }
    }

    /// Removes one block, as an eviction would. Whether it was there.
    pub fn evict(&self, revision: &Revision, index: BlockIndex) -> bool {
        let block = self.state.lock().blocks.remove(&(revision.clone(), index));
        block.is_some()
    }

    fn read_now(&self, revision: &Revision, index: BlockIndex, range: ByteRange) -> Result<Bytes, Miss> {
        let state = self.state.lock();
        let block = state.blocks.get(&(revision.clone(), index)).ok_or(Miss::Absent)?;
        part(&block.bytes, block.range, range)
    }

    fn head_now(&self, revision: &Revision) -> Result<Arc<Head>, Miss> {
        let state = self.state.lock();
        let known = state.known.get(&revision.key);
        if let Some(head) = known.and_then(|known| known.head.as_ref())
            && known.is_some_and(|known| known.current == Current::Is(revision.tag.clone()))
        {
            return Ok(Arc::clone(head));
        }
        let mut blocks = state.blocks.iter();
        let block = blocks.find(|((of, _), _)| of == revision);
        block.map(|(_, block)| Arc::clone(&block.head)).ok_or(Miss::Absent)
    }

    fn holds_now(&self, revision: &Revision, span: BlockSpan) -> Vec<bool> {
        let state = self.state.lock();
        span.iter()
            .map(|index| state.blocks.contains_key(&(revision.clone(), index)))
            .collect()
    }
}

/// What of `wanted` is in `bytes`, which stand for the positions `held`.
fn part(bytes: &Bytes, held: ByteRange, wanted: ByteRange) -> Result<Bytes, Miss> {
    let range = held.intersect(wanted).filter(|range| range.first() == wanted.first());
    let range = range.ok_or(Miss::Absent)?;
    let offset = |position: u64| usize::try_from(position - held.first()).ok();
    let (Some(first), Some(end)) = (offset(range.first()), offset(range.end())) else {
        return Err(Miss::Absent);
    };
    let end = end.min(bytes.len());
    if first < end {
        Ok(bytes.slice(first..end))
    } else {
        Err(Miss::Absent)
    }
}

impl BlockStore for Memory {
    fn block_size(&self) -> BlockSize {
        self.block_size
    }

    fn known<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Known> {
        let known = self.state.lock().known.get(key).cloned();
        std::future::ready(known.unwrap_or_default()).boxed()
    }

    fn learn(&self, key: &ObjectKey, known: Known) {
        self.state.lock().known.insert(key.clone(), known);
    }

    fn head<'a>(&'a self, revision: &'a Revision) -> BoxFuture<'a, Result<Arc<Head>, Miss>> {
        std::future::ready(self.head_now(revision)).boxed()
    }

    fn holds<'a>(&'a self, revision: &'a Revision, span: BlockSpan) -> BoxFuture<'a, Vec<bool>> {
        std::future::ready(self.holds_now(revision, span)).boxed()
    }

    fn read<'a>(
        &'a self,
        revision: &'a Revision,
        index: BlockIndex,
        range: ByteRange,
    ) -> BoxFuture<'a, Result<Bytes, Miss>> {
        std::future::ready(self.read_now(revision, index, range)).boxed()
    }

    fn fill(
        &self,
        revision: &Revision,
        head: &Arc<Head>,
        index: BlockIndex,
        _: Claim,
    ) -> Result<Box<dyn Fill>, GaveUp> {
        let range = self.block_size.range_of(index, head.size()).ok_or(GaveUp::Length)?;
        let epoch = self.state.lock().forgotten.get(revision).copied().unwrap_or_default();
        Ok(Box::new(MemoryFill {
            state: Arc::clone(&self.state),
            revision: revision.clone(),
            index,
            epoch,
            head: Arc::clone(head),
            range,
            written: watch::Sender::default(),
        }))
    }

    fn forget(&self, revision: &Revision) {
        let mut state = self.state.lock();
        state.blocks.retain(|(of, _), _| of != revision);
        *state.forgotten.entry(revision.clone()).or_default() += 1;
        if let Some(known) = state.known.get_mut(&revision.key) {
            known.head = known.head.take().filter(|head| *head.tag() != revision.tag);
        }
    }
}

#[derive(Debug)]
struct MemoryFill {
    state: Arc<Mutex<State>>,
    revision: Revision,
    index: BlockIndex,
    epoch: u64,
    head: Arc<Head>,
    range: ByteRange,
    written: watch::Sender<Written>,
}

/// What was offered so far.
#[derive(Debug, Default)]
struct Written {
    bytes: BytesMut,
    given_up: bool,
    finished: bool,
}

impl MemoryFill {
    fn is_whole(&self) -> bool {
        u64::try_from(self.written.borrow().bytes.len()) == Ok(self.range.len())
    }

    fn publish(&self) -> Result<(), GaveUp> {
        if self.written.borrow().given_up || !self.is_whole() {
            return Err(GaveUp::Length);
        }
        let mut state = self.state.lock();
        if state.forgotten.get(&self.revision).copied().unwrap_or_default() != self.epoch {
            return Err(GaveUp::Forgotten);
        }
        let block = Block {
            range: self.range,
            head: Arc::clone(&self.head),
            bytes: self.written.borrow().bytes.clone().freeze(),
        };
        state.blocks.insert((self.revision.clone(), self.index), block);
        Ok(())
    }
}

impl Fill for MemoryFill {
    fn offer(&mut self, bytes: &Bytes) -> Result<(), GaveUp> {
        let most = self.range.len();
        self.written.send_modify(|written| {
            written.bytes.extend_from_slice(bytes);
            written.given_up |= u64::try_from(written.bytes.len()).is_ok_and(|length| length > most);
        });
        if self.written.borrow().given_up {
            return Err(GaveUp::Length);
        }
        Ok(())
    }

    fn backlog(&self) -> u64 {
        0
    }

    fn drained(&self) -> BoxFuture<'static, ()> {
        std::future::ready(()).boxed()
    }

    fn tail(&self) -> Arc<dyn Tail> {
        Arc::new(MemoryTail {
            range: self.range,
            written: self.written.subscribe(),
        })
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<(), GaveUp>> {
        let published = self.publish();
        self.written.send_modify(|written| {
            written.finished = published.is_ok();
            written.given_up = published.is_err();
        });
        std::future::ready(published).boxed()
    }
}

impl Drop for MemoryFill {
    fn drop(&mut self) {
        self.written.send_modify(|written| written.given_up = !written.finished);
    }
}

#[derive(Debug)]
struct MemoryTail {
    range: ByteRange,
    written: watch::Receiver<Written>,
}

impl Tail for MemoryTail {
    fn read(&self, range: ByteRange) -> BoxFuture<'_, Result<Bytes, Miss>> {
        let mut written = self.written.clone();
        async move {
            let held = |written: &Written| part(&Bytes::copy_from_slice(&written.bytes), self.range, range);
            // The last state stays readable after the fill is gone.
            let _ = written.wait_for(|w| w.given_up || w.finished || held(w).is_ok()).await;
            let written = written.borrow();
            if written.given_up {
                return Err(Miss::GivenUp);
            }
            held(&written)
        }
        .boxed()
    }
}
