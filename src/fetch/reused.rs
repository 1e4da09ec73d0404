//! Objects whose authority was seen to use a strong tag again for other bytes: what began before that and what begins after
//! it are of the same revision by name, and must not meet.
//!
//! Owns: which of both something belongs to. Never: decides that a tag was used again; `plan::reuses_tag` does.

use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;

use crate::object::{ObjectHash, ObjectKey};

/// Objects that are remembered. Of one that is forgotten, what is in flight is taken for being of before, and not stored.
const MOST: usize = 4096;

/// A number for each object that changes whenever its authority uses a tag of it again.
#[derive(Debug)]
pub(super) struct Reused {
    seen: Cache<ObjectHash, u64>,
    next: AtomicU64,
}

/// A time between two uses of a tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Use(u64);

impl Reused {
    pub(super) fn new() -> Self {
        Self {
            seen: Cache::new(MOST),
            next: AtomicU64::new(1),
        }
    }

    /// The use of an object's tag that there is now.
    pub(super) fn now(&self, key: &ObjectKey) -> Use {
        Use(self.seen.get(&key.hash()).unwrap_or_default())
    }

    /// A tag of an object was used again.
    pub(super) fn again(&self, key: &ObjectKey) {
        self.seen.insert(key.hash(), self.next.fetch_add(1, Ordering::Relaxed));
    }
}
