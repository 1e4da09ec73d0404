//! How much of what is offered to fills may be in memory.
//!
//! Owns: the one count for all fills of a disk. Never: waits.

use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::format::wide;
use super::queue::RUN;
use super::sync::AtomicU64;

/// What a chunk costs besides its bytes, so that many small ones are bounded as well.
const CHUNK_COST: u64 = 64;

/// Bytes that were offered to all fills and are not yet written.
#[derive(Debug)]
pub(super) struct Budget {
    limit: u64,
    used: AtomicU64,
}

impl Budget {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            used: AtomicU64::new(0),
        }
    }

    pub(super) fn is_spent(&self) -> bool {
        self.used() >= self.limit
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Without waiting: `false` if there is not that much left.
    pub(super) fn take(&self, chunk: &Bytes) -> bool {
        let cost = cost(chunk);
        let take = |used: u64| used.checked_add(cost).filter(|used| *used <= self.limit);
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }

    /// Whether so many fills may keep a run back each, and leave half of it to what comes.
    pub(super) fn allows_runs(&self, fills: usize) -> bool {
        wide(fills).saturating_mul(RUN) <= self.limit / 2
    }

    /// One chunk becomes two, without regard to the limit: no fill has more than one that is cut.
    pub(super) fn split(&self) {
        self.used.fetch_add(CHUNK_COST, Ordering::Relaxed);
    }

    /// Two chunks become one.
    pub(super) fn join(&self) {
        self.used.fetch_sub(CHUNK_COST, Ordering::Relaxed);
    }

    pub(super) fn give_back(&self, chunk: &Bytes) {
        self.used.fetch_sub(cost(chunk), Ordering::Relaxed);
    }
}

fn cost(chunk: &Bytes) -> u64 {
    wide(chunk.len()) + CHUNK_COST
}
