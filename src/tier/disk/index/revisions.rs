//! Which revisions have blocks here, and how dear they are: all blocks of a revision share one order.
//!
//! Owns: the number of blocks and fills per revision, and the highest block, so that all can be found by asking for
//! each; when the grace of a revision ends. Never: knows of files. An object's record counts as a revision with one
//! block.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::routes::RouteId;
use super::slab::{Place, Slab};
use super::{Order, RevisionHash};

/// The revisions that have a block or a fill, 48 bytes each.
#[derive(Debug, Default)]
pub(super) struct Revisions {
    holdings: Slab<Holding>,
    table: HashTable<u32>,
    hasher: RandomState,
    /// By the second in which their grace ends.
    graced: BTreeSet<(u32, u32)>,
}

/// What is here of one revision.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holding {
    pub(super) hash: RevisionHash,
    /// The epoch in which it was forgotten last.
    forgotten: u64,
    pub(super) order: Order,
    /// No block has a higher number.
    pub(super) highest: u32,
    blocks: u32,
    /// When a use of one of its blocks was counted last, in seconds; zero: never.
    pub(super) used: u32,
    pub(super) route: RouteId,
    /// There are fewer than a thousand on the whole disk.
    fills: u16,
}

impl Revisions {
    pub(super) fn find(&self, revision: RevisionHash) -> Option<u32> {
        let same = |id: &u32| self.holdings.get(*id).is_some_and(|holding| holding.hash == revision);
        self.table.find(self.hasher.hash_one(revision), same).copied()
    }

    pub(super) fn get(&self, revision: RevisionHash) -> Option<Holding> {
        self.holding(self.find(revision)?).copied()
    }

    /// By its number.
    pub(super) fn holding(&self, id: u32) -> Option<&Holding> {
        self.holdings.get(id)
    }

    /// What has that number; for a look at all of them.
    pub(super) fn slot(&self, id: u32) -> Place<Holding> {
        match self.holdings.get(id) {
            None => Place::Beyond,
            // The slab does not know which of its numbers are free.
            Some(holding) if self.find(holding.hash) == Some(id) => Place::Held(*holding),
            Some(_) => Place::Free,
        }
    }

    pub(super) fn holding_mut(&mut self, id: u32) -> Option<&mut Holding> {
        self.holdings.get_mut(id)
    }

    /// The number of a revision, which gets that order and route if it is new.
    pub(super) fn obtain(&mut self, revision: RevisionHash, order: Order, route: RouteId) -> u32 {
        if let Some(id) = self.find(revision) {
            return id;
        }
        let id = self.holdings.insert(Holding {
            hash: revision,
            forgotten: 0,
            order,
            highest: 0,
            blocks: 0,
            used: 0,
            route,
            fills: 0,
        });
        let (holdings, hasher) = (&self.holdings, &self.hasher);
        let of = |id: &u32| holdings.get(*id).map_or(0, |holding| hasher.hash_one(holding.hash));
        self.table.insert_unique(hasher.hash_one(revision), id, of);
        self.note_grace(id, Order::Wanted, order);
        id
    }

    /// A block came; `None` for the number of a record.
    pub(super) fn add_block(&mut self, id: u32, number: Option<u32>) {
        if let Some(holding) = self.holdings.get_mut(id) {
            holding.blocks += 1;
            holding.highest = holding.highest.max(number.unwrap_or_default());
        }
    }

    pub(super) fn remove_block(&mut self, id: u32) {
        self.change(id, |holding| holding.blocks = holding.blocks.saturating_sub(1));
    }

    pub(super) fn add_fill(&mut self, id: u32) {
        if let Some(holding) = self.holdings.get_mut(id) {
            holding.fills = holding.fills.saturating_add(1);
        }
    }

    pub(super) fn remove_fill(&mut self, revision: RevisionHash) {
        if let Some(id) = self.find(revision) {
            self.change(id, |holding| holding.fills = holding.fills.saturating_sub(1));
        }
    }

    /// From now on fills of earlier epochs are void. What there is of the revision.
    pub(super) fn forget(&mut self, revision: RevisionHash, epoch: u64) -> Option<Holding> {
        let id = self.find(revision)?;
        let holding = self.holdings.get_mut(id)?;
        holding.forgotten = epoch;
        Some(*holding)
    }

    /// Whether the revision was forgotten after an epoch.
    pub(super) fn is_forgotten(&self, revision: RevisionHash, since: u64) -> bool {
        self.get(revision).is_some_and(|holding| holding.forgotten > since)
    }

    /// Changes order and route of blocks to come if one of them is another and `now` says so of the order that they
    /// have. What there is of the revision if that was so.
    pub(super) fn set_order(
        &mut self,
        revision: RevisionHash,
        order: Order,
        route: RouteId,
        now: impl FnOnce(Order) -> bool,
    ) -> Option<Holding> {
        let id = self.find(revision)?;
        let holding = self.holdings.get_mut(id)?;
        let before = holding.order;
        if (before, holding.route) == (order, route) || !now(before) {
            return None;
        }
        (holding.order, holding.route) = (order, route);
        let changed = *holding;
        self.note_grace(id, before, order);
        Some(changed)
    }

    /// A revision whose grace is over by now, with its route.
    pub(super) fn expired(&self, now: u32) -> Option<(RevisionHash, RouteId)> {
        let (until, id) = self.graced.first()?;
        let holding = self.holdings.get(*id).filter(|_| *until <= now)?;
        Some((holding.hash, holding.route))
    }

    /// Bytes that were allocated; a guess for the few within their grace.
    pub(super) fn memory(&self) -> usize {
        self.holdings.memory() + self.table.allocation_size() + 16 * self.graced.len()
    }

    fn note_grace(&mut self, id: u32, before: Order, after: Order) {
        if let Order::Graced { until } = before {
            self.graced.remove(&(until, id));
        }
        if let Order::Graced { until } = after {
            self.graced.insert((until, id));
        }
    }

    fn change(&mut self, id: u32, change: impl FnOnce(&mut Holding)) {
        let Some(holding) = self.holdings.get_mut(id) else {
            return;
        };
        change(holding);
        let Holding {
            hash,
            order,
            blocks,
            fills,
            ..
        } = *holding;
        if blocks == 0 && fills == 0 {
            self.note_grace(id, order, Order::Wanted);
            let hash = self.hasher.hash_one(hash);
            if let Ok(found) = self.table.find_entry(hash, |held| *held == id) {
                found.remove();
            }
            self.holdings.remove(id);
        }
    }
}
