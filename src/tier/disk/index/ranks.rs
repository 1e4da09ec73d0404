//! What files weigh, and that it stays within the limits.
//!
//! Owns: the limits, reservations, uses. Never: unlinks. Who goes first says `choice`.

use super::entries::{Entries, Entry};
use super::ghosts::Ghosts;
use super::queues::{Load, Queues, Rank};
use super::revisions::Revisions;
use super::routes::RouteId;
use super::window::is_due;
use super::{Name, Order, Slot};
use crate::tier::disk::stats::Evicted;
use crate::tier::store::Claim;

/// More uses than this prove nothing more.
pub(super) const MOST_USES: u8 = 3;

/// A file that is evicted, and why.
pub(super) type Victim = (Name, Evicted);

/// What all files may be at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) pages: u64,
    pub(super) files: u64,
}

/// All files, in the order of their eviction.
#[derive(Debug)]
pub(super) struct Ranks {
    pub(super) entries: Entries,
    pub(super) revisions: Revisions,
    pub(super) queues: Queues,
    pub(super) ghosts: Ghosts,
    limits: Limits,
    /// Of all files.
    pages: u64,
    /// How many of the files are records.
    pub(super) records: u64,
    /// For fills.
    pub(super) reserved: Load,
    /// The latest second that was heard of.
    pub(super) now: u32,
}

impl Ranks {
    /// With the quotas of routes in pages, and a guess of how many files there will be.
    pub(super) fn new(limits: Limits, quotas: impl Iterator<Item = Option<u64>>, guess: usize) -> Self {
        Self {
            entries: Entries::default(),
            revisions: Revisions::default(),
            queues: Queues::new(quotas),
            ghosts: Ghosts::new(guess),
            limits,
            pages: 0,
            records: 0,
            reserved: Load::default(),
            now: 0,
        }
    }

    pub(super) fn contains(&self, name: Name) -> bool {
        self.find(name).is_some()
    }

    /// How many files.
    pub(super) fn files(&self) -> usize {
        self.entries.len()
    }

    /// Pages of all files and reservations.
    pub(super) fn pages(&self) -> u64 {
        self.pages + self.reserved.pages
    }

    pub(super) fn capacity(&self) -> u64 {
        self.limits.pages
    }

    /// Bytes of memory that all of it takes.
    pub(super) fn memory(&self) -> usize {
        self.entries.memory() + self.revisions.memory() + self.ghosts.memory()
    }

    /// Adds a file, or replaces what is known of it. A revision that is new here gets that order and route.
    pub(super) fn insert(&mut self, name: Name, slot: Slot, otherwise: Order, route: RouteId) {
        self.remove(name);
        let (revision, number) = name.parts();
        let holding = self.revisions.obtain(revision, otherwise, route);
        self.revisions
            .add_block(holding, name.as_block().map(|(_, number)| number));
        let of = self.revisions.holding(holding);
        let (order, route) = of.map_or((otherwise, route), |of| (of.order, of.route));
        let came_back = order == Order::Wanted && self.ghosts.take(name.fingerprint());
        let id = self.entries.insert(Entry {
            holding,
            number,
            slot,
            stamp: 0,
            before: 0,
            after: 0,
            route,
            rank: Rank::Fresh,
            uses: 0,
        });
        self.pages += u64::from(slot.pages);
        self.records += u64::from(Name::is_of_record(number));
        let rank = if came_back { Rank::Proven } else { rank(order, 0) };
        self.queues.push(&mut self.entries, id, rank);
    }

    /// A record was written, perhaps in the place of another, whose uses it inherits: it is written anew whenever the
    /// authority confirms what it says.
    pub(super) fn record(&mut self, name: Name, slot: Slot, route: RouteId) {
        let before = self.find(name).and_then(|id| self.take(id));
        self.insert(name, slot, Order::Wanted, route);
        let id = self.find(name);
        let (Some(before), Some(id)) = (before, id) else { return };
        self.queues.unlink(&mut self.entries, id);
        if let Some(entry) = self.entries.get_mut(id) {
            (entry.slot.counted, entry.uses) = (before.slot.counted, before.uses);
        }
        let rank = match before.rank {
            Rank::Proven => Rank::Proven,
            _ => rank(Order::Wanted, before.uses),
        };
        self.queues.push(&mut self.entries, id, rank);
    }

    /// Takes a file out. `false` if it is not here.
    pub(super) fn remove(&mut self, name: Name) -> bool {
        self.find(name).and_then(|id| self.take(id)).is_some()
    }

    /// Puts a file where the order of its revision says.
    pub(super) fn rank_again(&mut self, name: Name) {
        let Some(id) = self.find(name) else { return };
        self.queues.unlink(&mut self.entries, id);
        let Some(entry) = self.entries.get_mut(id) else { return };
        let Some(holding) = self.revisions.holding(entry.holding) else {
            return;
        };
        entry.route = holding.route;
        let rank = rank(holding.order, entry.uses);
        self.queues.push(&mut self.entries, id, rank);
    }

    /// Counts a use, unless one was counted within the window. Whether it did.
    pub(super) fn touch(&mut self, name: Name, now: u32) -> bool {
        self.now = self.now.max(now);
        let entry = self.find(name).and_then(|id| self.entries.get_mut(id));
        let Some(entry) = entry.filter(|entry| is_due(entry.slot.counted, now)) else {
            return false;
        };
        entry.slot.counted = now.max(1);
        entry.uses = (entry.uses + 1).min(MOST_USES);
        if let Some(holding) = self.revisions.holding_mut(entry.holding) {
            holding.used = now.max(1);
        }
        true
    }

    /// Reserves pages, evicting what the claim may evict. `None`, and nothing evicted, if that is not enough.
    pub(super) fn reserve(&mut self, pages: u32, claim: Claim, route: RouteId) -> Option<Vec<Victim>> {
        let evictable = match claim {
            Claim::Current => Load {
                files: u64::try_from(self.files()).unwrap_or(u64::MAX),
                pages: self.pages,
            },
            Claim::Pinned => self.queues.load(Rank::Former, None),
        };
        let after = self.with(1, pages.into());
        if after.pages > self.limits.pages + evictable.pages || after.files > self.limits.files + evictable.files {
            return None;
        }
        self.reserved.files += 1;
        self.reserved.pages += u64::from(pages);
        self.queues.reserve(route, pages);
        Some(self.evict_while(|ranks| ranks.is_over(), claim == Claim::Current, None))
    }

    /// Gives back what [`Ranks::reserve`] took for that many pages.
    pub(super) fn release(&mut self, pages: u32, route: RouteId) {
        self.reserved.files -= 1;
        self.reserved.pages -= u64::from(pages);
        self.queues.release(route, pages);
    }

    /// Evicts until what is held is within the limits.
    pub(super) fn trim(&mut self) -> Vec<Victim> {
        self.evict_while(|ranks| ranks.is_over(), true, None)
    }

    /// Evicts so much, since the device has less room than the limits say.
    pub(super) fn relieve(&mut self, wanted: Load) -> Vec<Victim> {
        let (pages, files) = (self.pages, self.files());
        let missing = |ranks: &Self| {
            let freed = u64::try_from(files - ranks.files()).unwrap_or(u64::MAX);
            pages - ranks.pages < wanted.pages || freed < wanted.files
        };
        self.evict_while(missing, true, Some(Evicted::NoSpace))
    }

    fn with(&self, files: u64, pages: u64) -> Load {
        Load {
            files: u64::try_from(self.files()).unwrap_or(u64::MAX) + self.reserved.files + files,
            pages: self.pages() + pages,
        }
    }

    fn is_over(&self) -> bool {
        let held = self.with(0, 0);
        held.pages > self.limits.pages || held.files > self.limits.files
    }

    fn evict_while(
        &mut self,
        condition: impl Fn(&Self) -> bool,
        also_wanted: bool,
        why: Option<Evicted>,
    ) -> Vec<Victim> {
        let mut victims = Vec::new();
        while condition(self) {
            let Some((id, reason)) = self.next(also_wanted) else {
                break;
            };
            let name = self.name(id);
            self.take(id);
            victims.extend(name.map(|name| (name, why.unwrap_or(reason))));
        }
        victims
    }

    fn take(&mut self, id: u32) -> Option<Entry> {
        self.queues.unlink(&mut self.entries, id);
        let entry = self.entries.remove(id)?;
        self.pages -= u64::from(entry.slot.pages);
        self.records -= u64::from(Name::is_of_record(entry.number));
        self.revisions.remove_block(entry.holding);
        Some(entry)
    }

    pub(super) fn find(&self, name: Name) -> Option<u32> {
        let (revision, number) = name.parts();
        self.entries.find(self.revisions.find(revision)?, number)
    }

    pub(super) fn name(&self, id: u32) -> Option<Name> {
        let entry = self.entries.get(id)?;
        Some(Name::of(self.revisions.holding(entry.holding)?.hash, entry.number))
    }
}

fn rank(order: Order, uses: u8) -> Rank {
    match order {
        Order::Former => Rank::Former,
        Order::Unproven => Rank::Unproven,
        Order::Wanted if uses > 0 => Rank::Proven,
        Order::Wanted => Rank::Fresh,
        Order::Graced { .. } => Rank::Graced,
    }
}
