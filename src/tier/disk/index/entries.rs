//! All files of the index, 32 bytes each, found by revision and number.
//!
//! Owns: the entries and the table that finds them. Never: knows the order of eviction; it only keeps the links.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::Slot;
use super::queues::Rank;
use super::routes::RouteId;
use super::slab::{Place, Slab};

/// A file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// The number of its revision among the holdings.
    pub(super) holding: u32,
    /// The number of the block in its revision.
    pub(super) number: u32,
    pub(super) slot: Slot,
    /// When it was queued, as a count of what was.
    pub(super) stamp: u32,
    pub(super) before: u32,
    pub(super) after: u32,
    pub(super) route: RouteId,
    pub(super) rank: Rank,
    /// How often it was used since it was queued, up to [`super::ranks::MOST_USES`].
    pub(super) uses: u8,
}

/// All files.
#[derive(Debug, Default)]
pub(super) struct Entries {
    slab: Slab<Entry>,
    table: HashTable<u32>,
    hasher: RandomState,
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn find(&self, holding: u32, number: u32) -> Option<u32> {
        let hash = self.hasher.hash_one((holding, number));
        let same = |id: &u32| {
            self.slab
                .get(*id)
                .is_some_and(|e| (e.holding, e.number) == (holding, number))
        };
        self.table.find(hash, same).copied()
    }

    pub(super) fn get(&self, id: u32) -> Option<&Entry> {
        self.slab.get(id)
    }

    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Entry> {
        self.slab.get_mut(id)
    }

    /// What has that number; for a look at all of them.
    pub(super) fn slot(&self, id: u32) -> Place<Entry> {
        match self.slab.get(id) {
            None => Place::Beyond,
            // The slab does not know which of its numbers are free.
            Some(entry) if self.find(entry.holding, entry.number) == Some(id) => Place::Held(*entry),
            Some(_) => Place::Free,
        }
    }

    /// Its revision must not have one of that number.
    pub(super) fn insert(&mut self, entry: Entry) -> u32 {
        let id = self.slab.insert(entry);
        let (slab, hasher) = (&self.slab, &self.hasher);
        let of = |id: &u32| slab.get(*id).map_or(0, |e| hasher.hash_one((e.holding, e.number)));
        let hash = hasher.hash_one((entry.holding, entry.number));
        self.table.insert_unique(hash, id, of);
        id
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<Entry> {
        let entry = *self.slab.get(id)?;
        let hash = self.hasher.hash_one((entry.holding, entry.number));
        let found = self.table.find_entry(hash, |held| *held == id).ok()?;
        found.remove();
        self.slab.remove(id)
    }

    /// Bytes that were allocated.
    pub(super) fn memory(&self) -> usize {
        self.slab.memory() + self.table.allocation_size()
    }
}
