//! What is known of files besides their names, told before the end and heard after the start: which route a revision is
//! of and how dear it is, and which of its files are popular.
//!
//! Owns: what is worth to be told, and what becomes of those that are found again.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::queues::Rank;
use super::routes::RouteId;
use super::slab::Place;
use super::{BATCH, Index, Name, Order, RevisionHash, State, seconds};
use crate::tier::disk::format::{Popular, Popularity, Standing, ToldRevision, narrow};

/// What an earlier run told.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// By hash. [`Order::Unproven`] are those of routes that are gone.
    revisions: Vec<(RevisionHash, Order, RouteId)>,
    /// By place of the revision and number.
    files: Vec<Popular>,
}

/// What is remembered of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recalled {
    pub(super) order: Order,
    pub(super) route: RouteId,
    /// How often it was used; zero: not again.
    pub(super) uses: u8,
}

impl Remembered {
    /// `None` if nothing speaks for the file: neither a route nor a use.
    pub(super) fn get(&self, name: Name) -> Option<Recalled> {
        let (hash, number) = name.parts();
        let at = self.find(hash)?;
        let (_, order, route) = *self.revisions.get(at)?;
        let of = (u32::try_from(at).ok()?, number);
        let popular = self
            .files
            .binary_search_by_key(&of, |file| (file.revision, file.number));
        let popular = popular.ok().and_then(|at| self.files.get(at));
        let uses = popular.map_or(0, |file| file.uses);
        let known = order != Order::Unproven && (route != RouteId::UNKNOWN || uses > 0);
        known.then_some(Recalled { order, route, uses })
    }

    /// What is remembered of a revision as a whole, if its route is there.
    pub(super) fn of(&self, revision: RevisionHash) -> Option<(Order, RouteId)> {
        let (_, order, route) = *self.revisions.get(self.find(revision)?)?;
        (route != RouteId::UNKNOWN).then_some((order, route))
    }

    /// A newer word on a revision. What nothing was told of is found as unproven, as ever.
    pub(super) fn set(&mut self, revision: RevisionHash, order: Order, route: RouteId) {
        if let Some(told) = self.find(revision).and_then(|at| self.revisions.get_mut(at)) {
            *told = (revision, order, route);
        }
    }

    fn find(&self, revision: RevisionHash) -> Option<usize> {
        self.revisions
            .binary_search_by_key(&revision, |(hash, _, _)| *hash)
            .ok()
    }
}

impl Index {
    /// How often something changed that is worth to be told.
    pub(in crate::tier::disk) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    pub(super) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// What is known at a time, as one since 1970; a batch at a time. `None` as long as not all is known.
    pub(in crate::tier::disk) fn popular(&self, block_size: u64, clock: Duration) -> Option<Popularity> {
        if !self.is_complete() {
            return None;
        }
        let now = seconds((self.now)());
        let mut revisions: Vec<ToldRevision> = self.collect(|state, id| {
            let (hash, order, route) = match state.ranks.revisions.slot(id) {
                Place::Held(of) => (of.hash, of.order, of.route),
                Place::Free => return Place::Free,
                Place::Beyond => return Place::Beyond,
            };
            let standing = match order {
                Order::Former => Standing::Former,
                Order::Unproven => return Place::Free,
                Order::Wanted => Standing::Wanted,
                Order::Graced { until } => Standing::Graced {
                    until: clock.as_secs() + u64::from(until.saturating_sub(now)),
                },
            };
            let route = route.number();
            Place::Held(ToldRevision { hash, route, standing })
        });
        revisions.sort_unstable_by_key(|revision| revision.hash);
        let files = self.collect(|state, id| state.ranks.popular(id));
        let place = |hash: RevisionHash| {
            let at = revisions.binary_search_by_key(&hash, |revision| revision.hash).ok()?;
            u32::try_from(at).ok()
        };
        let told = files.into_iter().filter_map(|(name, uses)| {
            let (hash, number) = name.parts();
            let revision = place(hash)?;
            Some(Popular { revision, number, uses })
        });
        let mut files: Vec<Popular> = told.collect();
        files.sort_unstable_by_key(|file| (file.revision, file.number));
        Some(Popularity {
            block_size,
            routes: self.routes.names().map(Into::into).collect(),
            revisions,
            files,
        })
    }

    /// What is at the numbers from zero on, a batch at a time, up to [`Popularity::MOST`] of it.
    fn collect<T>(&self, at: impl Fn(&State, u32) -> Place<T>) -> Vec<T> {
        let mut found = Vec::new();
        for from in (0..u32::MAX).step_by(narrow(BATCH.into())) {
            let state = self.state.lock();
            for id in from..from.saturating_add(BATCH) {
                match at(&state, id) {
                    Place::Held(value) if found.len() < Popularity::MOST => found.push(value),
                    Place::Free => {}
                    Place::Held(_) | Place::Beyond => return found,
                }
            }
        }
        found
    }

    /// What an earlier run told, at a time since 1970. Of routes that are gone nothing is wanted.
    pub(in crate::tier::disk) fn remember(&self, told: Popularity, clock: Duration) {
        let routes: Vec<RouteId> = told.routes.iter().map(|name| self.routes.named(name)).collect();
        let revisions = told.revisions.iter().map(|revision| {
            let named = revision.route.checked_sub(1);
            let route = named.map(|at| routes.get(usize::from(at)).copied().unwrap_or_default());
            match route {
                Some(RouteId::UNKNOWN) => (revision.hash, Order::Unproven, RouteId::UNKNOWN),
                route => {
                    let route = route.unwrap_or_default();
                    (revision.hash, self.order(revision.standing, route, clock), route)
                }
            }
        });
        let remembered = Remembered {
            revisions: revisions.collect(),
            files: told.files,
        };
        self.state.lock().remembered = remembered;
    }

    /// No grace is longer than the route's, whatever the clock said when it was told.
    fn order(&self, standing: Standing, route: RouteId, clock: Duration) -> Order {
        match standing {
            Standing::Former => Order::Former,
            Standing::Wanted => Order::Wanted,
            Standing::Graced { until } => {
                let grace = self.routes.terms(route).map(|terms| terms.grace).unwrap_or_default();
                let left = Duration::from_secs(until).saturating_sub(clock);
                self.former(route, grace.saturating_sub(left))
            }
        }
    }
}

impl super::ranks::Ranks {
    /// What has that number, if it is popular, and how often it was used.
    fn popular(&self, id: u32) -> Place<(Name, u8)> {
        let entry = match self.entries.slot(id) {
            Place::Held(entry) => entry,
            Place::Free => return Place::Free,
            Place::Beyond => return Place::Beyond,
        };
        let proven = entry.rank == Rank::Proven || (entry.rank == Rank::Fresh && entry.uses > 0);
        match self.name(id).filter(|_| proven) {
            Some(name) => Place::Held((name, entry.uses.max(1))),
            None => Place::Free,
        }
    }

    /// A file that was popular in an earlier run is so in this one.
    pub(super) fn prove(&mut self, name: Name, uses: u8) {
        if let Some(entry) = self.find(name).and_then(|id| self.entries.get_mut(id)) {
            entry.uses = uses.clamp(1, super::ranks::MOST_USES);
        }
        self.rank_again(name);
    }
}
