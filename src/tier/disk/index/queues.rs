//! In which sequence files of one rank are considered: first in, first out, for each route by itself and, merged by the
//! time of queueing, for all of them.
//!
//! Owns: the queues and what they weigh. Never: decides which rank is next.

use super::entries::Entries;
use super::routes::RouteId;
use super::slab::NONE;

/// In which queue a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// Of a former revision past its grace, or one that only a pin asked for.
    Former,
    /// Found at start and not asked for since.
    Unproven,
    /// Wanted, and not used again yet.
    Fresh,
    /// Wanted, and used again after it was stored.
    Proven,
    /// Of a former revision within its grace.
    Graced,
}

/// What a queue, or several, hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) files: u64,
    pub(super) pages: u64,
}

#[derive(Clone, Copy, Debug)]
struct Queue {
    first: u32,
    last: u32,
    load: Load,
}

/// The queues of one route.
#[derive(Clone, Copy, Debug, Default)]
struct Lanes {
    former: Queue,
    unproven: Queue,
    fresh: Queue,
    proven: Queue,
    graced: Queue,
    reserved: u64,
    /// In pages.
    quota: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Queues {
    routes: Vec<Lanes>,
    stamp: u32,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            first: NONE,
            last: NONE,
            load: Load::default(),
        }
    }
}

impl Lanes {
    const fn queue(&self, rank: Rank) -> &Queue {
        match rank {
            Rank::Former => &self.former,
            Rank::Unproven => &self.unproven,
            Rank::Fresh => &self.fresh,
            Rank::Proven => &self.proven,
            Rank::Graced => &self.graced,
        }
    }

    const fn queue_mut(&mut self, rank: Rank) -> &mut Queue {
        match rank {
            Rank::Former => &mut self.former,
            Rank::Unproven => &mut self.unproven,
            Rank::Fresh => &mut self.fresh,
            Rank::Proven => &mut self.proven,
            Rank::Graced => &mut self.graced,
        }
    }

    /// What current revisions want of it, and what is within its grace.
    const fn dear(&self) -> u64 {
        self.fresh.load.pages + self.proven.load.pages + self.graced.load.pages
    }

    fn excess(&self) -> u64 {
        let held = self.dear() + self.former.load.pages + self.unproven.load.pages + self.reserved;
        self.quota.map_or(0, |quota| held.saturating_sub(quota))
    }
}

impl Queues {
    /// One route for each quota, which is in pages.
    pub(super) fn new(quotas: impl Iterator<Item = Option<u64>>) -> Self {
        let lanes = quotas.map(|quota| Lanes {
            quota,
            ..Lanes::default()
        });
        Self {
            routes: lanes.collect(),
            stamp: 0,
        }
    }

    /// Puts an entry that is in no queue at the end of one.
    pub(super) fn push(&mut self, entries: &mut Entries, id: u32, rank: Rank) {
        let Some(entry) = entries.get_mut(id) else { return };
        let Some(lanes) = self.routes.get_mut(entry.route.index()) else {
            return;
        };
        self.stamp = self.stamp.wrapping_add(1);
        let queue = lanes.queue_mut(rank);
        let last = std::mem::replace(&mut queue.last, id);
        (entry.rank, entry.stamp, entry.before, entry.after) = (rank, self.stamp, last, NONE);
        queue.load.files += 1;
        queue.load.pages += u64::from(entry.slot.pages);
        match entries.get_mut(last) {
            Some(last) => last.after = id,
            None => queue.first = id,
        }
    }

    /// Takes an entry out of its queue.
    pub(super) fn unlink(&mut self, entries: &mut Entries, id: u32) {
        let Some(entry) = entries.get(id).copied() else { return };
        let Some(lanes) = self.routes.get_mut(entry.route.index()) else {
            return;
        };
        let queue = lanes.queue_mut(entry.rank);
        queue.load.files -= 1;
        queue.load.pages -= u64::from(entry.slot.pages);
        match entries.get_mut(entry.before) {
            Some(before) => before.after = entry.after,
            None => queue.first = entry.after,
        }
        match entries.get_mut(entry.after) {
            Some(after) => after.before = entry.before,
            None => queue.last = entry.before,
        }
    }

    /// The one that has been in a queue of a rank for longest, of one route or of any.
    pub(super) fn oldest(&self, entries: &Entries, rank: Rank, of: Option<RouteId>) -> Option<u32> {
        let firsts = self.scope(of).map(|lanes| lanes.queue(rank).first);
        let aged = firsts.filter_map(|id| Some((self.stamp.wrapping_sub(entries.get(id)?.stamp), id)));
        aged.max_by_key(|(age, _)| *age).map(|(_, id)| id)
    }

    /// What is of a rank, of one route or of all.
    pub(super) fn load(&self, rank: Rank, of: Option<RouteId>) -> Load {
        let loads = self.scope(of).map(|lanes| lanes.queue(rank).load);
        loads.fold(Load::default(), |sum, load| Load {
            files: sum.files + load.files,
            pages: sum.pages + load.pages,
        })
    }

    pub(super) fn reserve(&mut self, route: RouteId, pages: u32) {
        if let Some(lanes) = self.routes.get_mut(route.index()) {
            lanes.reserved += u64::from(pages);
        }
    }

    pub(super) fn release(&mut self, route: RouteId, pages: u32) {
        if let Some(lanes) = self.routes.get_mut(route.index()) {
            lanes.reserved -= u64::from(pages);
        }
    }

    /// The route that is furthest above its quota and has something dear to lose.
    pub(super) fn greediest(&self) -> Option<RouteId> {
        let excess = |lanes: &Lanes| if lanes.dear() == 0 { 0 } else { lanes.excess() };
        let over = (0..).map(RouteId::nth).zip(self.routes.iter().map(excess));
        let most = over.filter(|(_, excess)| *excess > 0).max_by_key(|(_, excess)| *excess);
        most.map(|(route, _)| route)
    }

    fn scope(&self, of: Option<RouteId>) -> impl Iterator<Item = &Lanes> {
        let (skip, take) = of.map_or((0, usize::MAX), |route| (route.index(), 1));
        self.routes.iter().skip(skip).take(take)
    }
}
