//! Memory for what is read: a bounded pool of buffers that are used again and again.
//!
//! Owns: how much memory reads may take, and how much one of them gets. Never: lets a read fail for want of memory.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::format::{GRANULE, narrow, wide};
use super::sync::Mutex;
use bytes::Bytes;

/// The sizes of buffers: a granule, a few, what a read gets while many run, what it gets while few do.
const SIZES: [u64; 4] = [GRANULE, 4 * GRANULE, MANY, FEW];
/// What a read gets at most while few streams run.
const FEW: u64 = 1 << 20;
/// What it gets beyond.
const MANY: u64 = 256 << 10;
/// What part of the pool streams leave to answers that are at hand. Those are sent at once; streams hold what they have for
/// as long as their clients take, and a thousand slow clients would hold all of it.
const AT_HAND: u64 = 4;
/// Where the bytes of a buffer begin: at a multiple of this. Allocators begin large pieces 16 bytes into a page, and to just
/// there the kernel's copy of a file's page (`rep movsb`) is much slower than to anywhere else, at least on the AMD EPYC where it
/// was measured.
const LINE: usize = 64;

/// The buffers of all reads of a disk.
#[derive(Debug)]
pub(super) struct Pool {
    budget: u64,
    /// Bytes of all buffers, idle or not.
    held: AtomicU64,
    /// Bytes of buffers in use.
    used: AtomicU64,
    idle: [Mutex<Vec<Memory>>; SIZES.len()],
}

/// Bytes that begin where the kernel copies to quickly.
#[derive(Debug, Default)]
struct Memory {
    allocated: Box<[u8]>,
    range: Range<usize>,
}

/// A buffer; goes back to its pool when dropped.
pub(super) struct Buffer {
    memory: Memory,
    /// Where it goes back to.
    pool: Option<Arc<Pool>>,
}

/// The verified part of a buffer.
struct Part {
    buffer: Buffer,
    range: Range<usize>,
}

impl Pool {
    pub(super) fn new(budget: u64) -> Arc<Self> {
        Arc::new(Self {
            budget,
            held: AtomicU64::new(0),
            used: AtomicU64::new(0),
            idle: Default::default(),
        })
    }

    /// How much a read should ask for at most: more while few run, since large reads cost less per byte.
    pub(super) fn limit(&self) -> u64 {
        if self.used.load(Ordering::Relaxed) < self.budget / 2 {
            FEW
        } else {
            MANY
        }
    }

    /// A buffer of `length` for an answer that is sent at once, if there is one.
    pub(super) fn take_at_hand(self: &Arc<Self>, length: u64) -> Option<Buffer> {
        let fits = SIZES.iter().position(|size| *size >= length)?;
        self.take_class(fits, self.budget)
    }

    /// A buffer of `length` or as many bytes as there are, at least a granule: where slow clients hold all that streams may
    /// have, memory is bounded by a granule for every stream.
    pub(super) fn take(self: &Arc<Self>, length: u64) -> Buffer {
        let fits = SIZES.iter().position(|size| *size >= length).unwrap_or(SIZES.len() - 1);
        let most = self.budget - self.budget / AT_HAND;
        let taken = (0..=fits).rev().find_map(|class| self.take_class(class, most));
        taken.unwrap_or_else(|| Buffer {
            memory: Memory::new(GRANULE),
            pool: None,
        })
    }

    /// One of a size, if no more than that will be in use then.
    fn take_class(self: &Arc<Self>, class: usize, most: u64) -> Option<Buffer> {
        let size = *SIZES.get(class)?;
        let more = |used: u64| used.checked_add(size).filter(|used| *used <= most);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()?;
        let idle = self.idle.get(class)?.lock().pop();
        let memory = match idle {
            Some(memory) => memory,
            None if self.grow(size) => Memory::new(size),
            None => {
                self.used.fetch_sub(size, Ordering::Relaxed);
                return None;
            }
        };
        let pool = Some(Arc::clone(self));
        Some(Buffer { memory, pool })
    }

    /// Makes room for a new buffer, at the cost of idle ones of other sizes.
    fn grow(&self, size: u64) -> bool {
        loop {
            let grown = self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                held.checked_add(size).filter(|held| *held <= self.budget)
            });
            if grown.is_ok() {
                return true;
            }
            let Some(idle) = self.idle.iter().rev().find_map(|idle| idle.lock().pop()) else {
                return false;
            };
            self.held.fetch_sub(idle.len(), Ordering::Relaxed);
        }
    }

    fn give_back(&self, memory: Memory) {
        self.used.fetch_sub(memory.len(), Ordering::Relaxed);
        let class = SIZES.iter().position(|size| *size == memory.len());
        if let Some(idle) = class.and_then(|class| self.idle.get(class)) {
            idle.lock().push(memory);
        }
    }
}

impl Memory {
    fn new(length: u64) -> Self {
        let allocated = vec![0; narrow(length) + LINE].into_boxed_slice();
        let start = allocated.as_ptr().align_offset(LINE).min(LINE);
        Self {
            allocated,
            range: start..start + narrow(length),
        }
    }

    fn len(&self) -> u64 {
        wide(self.range.len())
    }
}

impl Buffer {
    pub(super) fn len(&self) -> u64 {
        self.memory.len()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        let Memory { allocated, range } = &self.memory;
        allocated.get(range.clone()).unwrap_or_default()
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        let Memory { allocated, range } = &mut self.memory;
        allocated.get_mut(range.clone()).unwrap_or_default()
    }

    /// A part of it as bytes to send; the buffer goes back when they are dropped.
    pub(super) fn into_bytes(self, range: Range<usize>) -> Bytes {
        Bytes::from_owner(Part { buffer: self, range })
    }
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        self.buffer.bytes().get(self.range.clone()).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(pool) = &self.pool {
            pool.give_back(std::mem::take(&mut self.memory));
        }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_used_again_and_bounded() {
        let pool = Pool::new(FEW + 2 * GRANULE);
        let large = pool.take_at_hand(FEW - 1).unwrap();
        assert_eq!(large.len(), FEW);
        let small: Vec<_> = (0..2).map(|_| pool.take_at_hand(1).unwrap()).collect();
        assert!(pool.take_at_hand(1).is_none());
        drop(
            small
                .into_iter()
                .map(|small| small.into_bytes(3..9))
                .collect::<Vec<_>>(),
        );
        assert!(pool.take_at_hand(1).is_some());
        drop(large);
        assert_eq!(pool.take_at_hand(4 * GRANULE).unwrap().len(), 4 * GRANULE);
        assert!(pool.held.load(Ordering::Relaxed) <= pool.budget);
    }

    #[test]
    fn reads_shrink_as_more_run() {
        let pool = Pool::new(4 * FEW);
        assert_eq!(pool.limit(), FEW);
        let taken: Vec<_> = (0..2).map(|_| pool.take(FEW)).collect();
        assert_eq!(pool.limit(), MANY);
        drop(taken);
        assert_eq!(pool.limit(), FEW);
    }

    #[test]
    fn slow_streams_leave_what_is_at_hand_to_others_and_still_get_a_granule() {
        let pool = Pool::new(4 * FEW);
        let streams: Vec<_> = (0..500).map(|_| pool.take(FEW)).collect();
        assert_eq!(pool.used.load(Ordering::Relaxed), 3 * FEW);
        assert_eq!(streams.last().map(Buffer::len), Some(GRANULE));
        assert_eq!(pool.take_at_hand(MANY).unwrap().len(), MANY);
        drop(streams);
        assert_eq!(pool.used.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn bytes_begin_where_the_kernel_copies_to_quickly() {
        let pool = Pool::new(4 * FEW);
        for size in SIZES {
            let mut buffer = pool.take_at_hand(size).unwrap();
            assert_eq!(buffer.bytes_mut().as_ptr().align_offset(LINE), 0);
            assert_eq!(wide(buffer.bytes().len()), size);
        }
    }

    #[test]
    fn no_budget_is_a_granule_for_every_stream() {
        let pool = Pool::new(0);
        assert!(pool.take_at_hand(1).is_none());
        assert_eq!(pool.take(FEW).len(), GRANULE);
    }
}
