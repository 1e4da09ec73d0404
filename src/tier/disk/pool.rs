//! Memory for what is read: a bounded pool of buffers that are used again and again.
//!
//! Owns: how much memory reads may take, and how much one of them gets. Never: lets a read fail for want of memory.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::format::{GRANULE, narrow, wide};
use super::sync::{Mutex, timeout};

/// The sizes of buffers: a granule, a few, what a read gets while many run, what it gets while few do.
const SIZES: [u64; 4] = [GRANULE, 4 * GRANULE, MANY, FEW];
/// What a read gets at most while few streams run.
const FEW: u64 = 1 << 20;
/// What it gets beyond.
const MANY: u64 = 256 << 10;
/// How many buffers of one granule there are besides, for when the pool is exhausted.
const SPARE: usize = 64;
/// How long a read waits for one of them. Slow clients may hold all of them, and must not stop the others; then a read
/// gets its granule all the same, so that memory is bounded by a granule for every stream.
const PATIENCE: Duration = Duration::from_millis(100);

/// The buffers of all reads of a disk.
#[derive(Debug)]
pub(super) struct Pool {
    budget: u64,
    /// Bytes of all buffers, idle or not.
    held: AtomicU64,
    /// Bytes of buffers in use.
    used: AtomicU64,
    idle: [Mutex<Vec<Box<[u8]>>>; SIZES.len()],
    spare: Arc<Semaphore>,
}

/// A buffer; goes back to its pool when dropped.
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    /// Where it goes back to, or what it borrowed.
    from: From,
}

enum From {
    Pool(Arc<Pool>),
    Spare(Option<OwnedSemaphorePermit>),
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
            spare: Arc::new(Semaphore::new(SPARE)),
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

    /// A buffer of `length` or as many bytes as there are, at least a granule.
    pub(super) fn take(self: &Arc<Self>, length: u64) -> Option<Buffer> {
        let fits = SIZES.iter().position(|size| *size >= length).unwrap_or(SIZES.len() - 1);
        (0..=fits).rev().find_map(|class| self.take_class(class))
    }

    /// A buffer of one granule for when there is no other.
    pub(super) async fn take_spare(&self) -> Buffer {
        let permit = Arc::clone(&self.spare).acquire_owned();
        let permit = timeout(PATIENCE, permit).await.ok().and_then(Result::ok);
        Buffer {
            bytes: vec![0; narrow(GRANULE)].into(),
            from: From::Spare(permit),
        }
    }

    fn take_class(self: &Arc<Self>, class: usize) -> Option<Buffer> {
        let size = *SIZES.get(class)?;
        let idle = self.idle.get(class)?.lock().pop();
        let bytes = match idle {
            Some(bytes) => bytes,
            None if self.grow(size) => vec![0; narrow(size)].into(),
            None => return None,
        };
        self.used.fetch_add(size, Ordering::Relaxed);
        Some(Buffer {
            bytes,
            from: From::Pool(Arc::clone(self)),
        })
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
            self.held.fetch_sub(wide(idle.len()), Ordering::Relaxed);
        }
    }

    fn give_back(&self, bytes: Box<[u8]>) {
        self.used.fetch_sub(wide(bytes.len()), Ordering::Relaxed);
        let class = SIZES.iter().position(|size| *size == wide(bytes.len()));
        if let Some(idle) = class.and_then(|class| self.idle.get(class)) {
            idle.lock().push(bytes);
        }
    }
}

impl Buffer {
    pub(super) fn len(&self) -> u64 {
        wide(self.bytes.len())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// A part of it as bytes to send; the buffer goes back when they are dropped.
    pub(super) fn into_bytes(self, range: Range<usize>) -> Bytes {
        Bytes::from_owner(Part { buffer: self, range })
    }
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        self.buffer.bytes.get(self.range.clone()).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        match &mut self.from {
            From::Pool(pool) => pool.give_back(std::mem::take(&mut self.bytes)),
            From::Spare(permit) => drop(permit.take()),
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
        let large = pool.take(FEW - 1).unwrap();
        assert_eq!(large.len(), FEW);
        let (a, b) = (pool.take(FEW).unwrap(), pool.take(1).unwrap());
        assert_eq!((a.len(), b.len()), (GRANULE, GRANULE));
        assert!(pool.take(1).is_none());
        drop(a.into_bytes(3..9));
        assert!(pool.take(1).is_some());
        drop(large);
        assert_eq!(pool.take(4 * GRANULE).unwrap().len(), 4 * GRANULE);
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

    #[tokio::test(start_paused = true)]
    async fn an_exhausted_pool_still_gives_a_granule() {
        let pool = Pool::new(0);
        assert!(pool.take(1).is_none());
        let mut held = Vec::new();
        for _ in 0..SPARE {
            held.push(pool.take_spare().await);
        }
        let before = tokio::time::Instant::now();
        held.push(pool.take_spare().await);
        assert!(before.elapsed() >= PATIENCE);
        held.remove(0);
        let before = tokio::time::Instant::now();
        assert_eq!(pool.take_spare().await.len(), GRANULE);
        assert!(before.elapsed() < PATIENCE);
    }
}
