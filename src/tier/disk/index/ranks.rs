//! Who is evicted next: all files with their weights, those that are wanted in the order of `quick_cache`, all others
//! before them.
//!
//! Owns: weights, the capacity, reservations. Never: knows of revisions, unlinks.
//!
//! What the wanted files may weigh changes all the time, with reservations and with the files below them. Changing the
//! cache's capacity would wear down its memory of evicted names, which it scales by floating point; so one entry that
//! is pinned, the ballast, weighs as much as all that is not in the cache.

use std::fmt;
use std::hash::RandomState;
use std::sync::Arc;

use parking_lot::Mutex;
use quick_cache::unsync::Cache;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};

use super::lower::Lower;
use super::{Name, Order, Slot};
use crate::tier::disk::stats::Evicted;
use crate::tier::store::Claim;

const BALLAST: Name = Name::NONE;

/// A file that is evicted, and why.
pub(super) type Victim = (Name, Slot, Evicted);

pub(super) struct Ranks {
    wanted: Cache<Name, Slot, Weigh, RandomState, Sink>,
    sink: Sink,
    lower: Lower,
    weigh: Weigh,
    reserved: u64,
    pages: u64,
}

/// Weight in pages. Small files weigh more than they are, which bounds the number of entries and so the memory.
#[derive(Clone, Copy, Debug)]
struct Weigh {
    least: u32,
}

/// Collects what the cache evicts.
#[derive(Clone, Debug, Default)]
struct Sink(Arc<Mutex<Vec<(Name, Slot)>>>);

impl Weighter<Name, Slot> for Weigh {
    fn weight(&self, name: &Name, slot: &Slot) -> u64 {
        if *name == BALLAST {
            slot.pages.into()
        } else {
            self.of(slot.pages)
        }
    }
}

impl Weigh {
    fn of(self, pages: u32) -> u64 {
        pages.max(self.least).into()
    }
}

impl Lifecycle<Name, Slot> for Sink {
    type RequestState = Vec<(Name, Slot)>;

    fn is_pinned(&self, name: &Name, _: &Slot) -> bool {
        *name == BALLAST
    }

    fn begin_request(&self) -> Self::RequestState {
        Vec::new()
    }

    fn on_evict(&self, evicted: &mut Self::RequestState, name: Name, slot: Slot) {
        evicted.push((name, slot));
    }

    fn end_request(&self, mut evicted: Self::RequestState) {
        self.0.lock().append(&mut evicted);
    }
}

impl Ranks {
    /// For so many pages and at most so many files, a guess of how many there will be at hand.
    pub(super) fn new(capacity: u32, most: u32, guess: usize) -> Self {
        let weigh = Weigh {
            least: (capacity / most.max(1)).max(1),
        };
        let sink = Sink::default();
        let options = OptionsBuilder::new()
            .weight_capacity(capacity.into())
            .estimated_items_capacity(guess)
            .shards(1)
            .build();
        let mut wanted = match options {
            Ok(options) => Cache::with_options(options, weigh, RandomState::new(), sink.clone()),
            // Unreachable: both of what it asks for was given. The same without options says so to the compiler.
            Err(_) => Cache::with(guess, capacity.into(), weigh, RandomState::new(), sink.clone()),
        };
        wanted.insert(BALLAST, Slot::default());
        Self {
            wanted,
            sink,
            lower: Lower::default(),
            weigh,
            reserved: 0,
            pages: 0,
        }
    }

    pub(super) fn contains(&self, name: Name) -> bool {
        self.wanted.contains_key(&name) || self.lower.contains(name)
    }

    /// How many files.
    pub(super) fn files(&self) -> usize {
        self.wanted.len() - 1 + self.lower.len()
    }

    /// Pages of all files and reservations.
    pub(super) fn pages(&self) -> u64 {
        self.pages + self.reserved
    }

    /// Adds a file, or replaces what is known of it.
    pub(super) fn insert(&mut self, name: Name, slot: Slot, order: Order) {
        self.remove(name);
        self.pages += u64::from(slot.pages);
        if order == Order::Wanted {
            self.wanted.insert(name, slot);
        } else {
            self.lower.insert(name, slot, order, self.weigh.of(slot.pages));
            self.balance();
        }
    }

    pub(super) fn remove(&mut self, name: Name) -> Option<(Slot, Order)> {
        let weigh = self.weigh;
        let removed = match self.lower.remove(name, |slot| weigh.of(slot.pages)) {
            Some(found) => {
                self.balance();
                Some(found)
            }
            // Removing a name that is not there would make the cache forget that it was evicted lately.
            None if self.wanted.contains_key(&name) => self.wanted.remove(&name).map(|(_, slot)| (slot, Order::Wanted)),
            None => None,
        };
        if let Some((slot, _)) = removed {
            self.pages -= u64::from(slot.pages);
        }
        removed
    }

    /// Counts a use, unless one was counted less than `window` ago: the many reads of one download would look like
    /// many uses.
    pub(super) fn touch(&mut self, name: Name, now: u32, window: u32) {
        let Some(mut slot) = self.wanted.peek_mut(&name) else {
            return;
        };
        if slot.counted == 0 || now.saturating_sub(slot.counted) >= window {
            slot.counted = now.max(1);
            drop(slot);
            self.wanted.get(&name);
        }
    }

    /// Reserves pages, evicting what the claim may evict. `None`, and nothing evicted, if that is not enough.
    pub(super) fn reserve(&mut self, pages: u32, claim: Claim) -> Option<Vec<Victim>> {
        let needed = self.weigh.of(pages);
        let evictable = match claim {
            Claim::Current => self.wanted.weight() - self.reserved,
            Claim::Pinned => self.lower.former(),
        };
        if needed > self.free() + evictable {
            return None;
        }
        let mut victims = Vec::new();
        let up_to = match claim {
            Claim::Current => Order::Unproven,
            Claim::Pinned => Order::Former,
        };
        while self.free() < needed && self.evict_lower(up_to, &mut victims) {}
        self.reserved += needed;
        self.balance();
        self.evict_wanted(Evicted::Capacity, &mut victims);
        Some(victims)
    }

    /// Gives back what [`Ranks::reserve`] took for that many pages.
    pub(super) fn release(&mut self, pages: u32) {
        self.reserved -= self.weigh.of(pages).min(self.reserved);
        self.balance();
    }

    /// Evicts until what is held is within the capacity.
    pub(super) fn trim(&mut self) -> Vec<Victim> {
        let mut victims = Vec::new();
        while self.wanted.weight() > self.wanted.capacity() && self.evict_lower(Order::Unproven, &mut victims) {}
        self.evict_wanted(Evicted::Capacity, &mut victims);
        victims
    }

    /// Evicts a share of the capacity, since the device has less than that.
    pub(super) fn relieve(&mut self, divisor: u64) -> Vec<Victim> {
        let mut victims = Vec::new();
        let goal = (self.wanted.capacity() / divisor).max(1);
        let before = self.free();
        while self.free() < before + goal && self.evict_lower(Order::Unproven, &mut victims) {}
        let freed = self.free() - before;
        let missing = goal.saturating_sub(freed).min(self.wanted.capacity());
        let extra = if missing == 0 { 0 } else { self.free() + missing };
        self.reserved += extra;
        self.balance();
        self.evict_wanted(Evicted::NoSpace, &mut victims);
        self.reserved -= extra;
        self.balance();
        for (_, _, why) in &mut victims {
            *why = Evicted::NoSpace;
        }
        victims
    }

    fn free(&self) -> u64 {
        self.wanted.capacity().saturating_sub(self.wanted.weight())
    }

    fn evict_lower(&mut self, up_to: Order, victims: &mut Vec<Victim>) -> bool {
        let evicted = self
            .lower
            .first(up_to)
            .and_then(|name| Some((name, self.remove(name)?)));
        let Some((name, (slot, order))) = evicted else {
            return false;
        };
        let why = match order {
            Order::Former => Evicted::Former,
            Order::Unproven | Order::Wanted => Evicted::Unproven,
        };
        victims.push((name, slot, why));
        true
    }

    /// Lets the cache evict what is over the capacity, and takes what it evicted since.
    fn evict_wanted(&mut self, why: Evicted, victims: &mut Vec<Victim>) {
        if self.wanted.weight() > self.wanted.capacity() {
            self.wanted.set_capacity(self.wanted.capacity());
        }
        for (name, slot) in self.sink.0.lock().drain(..) {
            self.pages -= u64::from(slot.pages);
            victims.push((name, slot, why));
        }
    }

    fn balance(&mut self) {
        let weight = self.reserved + self.lower.weight();
        if let Some(mut ballast) = self.wanted.peek_mut(&BALLAST) {
            ballast.pages = u32::try_from(weight).unwrap_or(u32::MAX);
        }
    }
}

impl fmt::Debug for Ranks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ranks")
            .field("files", &self.files())
            .field("weight", &self.wanted.weight())
            .field("reserved", &self.reserved)
            .finish_non_exhaustive()
    }
}
