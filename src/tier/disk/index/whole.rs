//! What is done to all blocks of a revision: ranking and forgetting them.
//!
//! Owns: doing it a batch at a time, so that a revision of a million blocks does not keep others from the lock.

use std::sync::atomic::Ordering;

use crate::object::BlockIndex;
use crate::tier::disk::stats::Evicted;

use super::ranks::Victim;
use super::revisions::Holding;
use super::routes::RouteId;
use super::{BATCH, Index, Name, Order, RevisionHash, seconds};

impl Index {
    /// Ranks all blocks of a revision, those to come included.
    pub(in crate::tier::disk) fn rank(&self, revision: RevisionHash, order: Order, route: RouteId) {
        if !self.is_complete() {
            // Its blocks may not be found yet.
            self.state.lock().remembered.set(revision, order, route);
        }
        self.rank_if(revision, order, route, |_| true);
    }

    pub(super) fn rank_if(
        &self,
        revision: RevisionHash,
        order: Order,
        route: RouteId,
        now: impl FnOnce(Order) -> bool,
    ) {
        let changed = self.state.lock().ranks.revisions.set_order(revision, order, route, now);
        if changed.is_some() {
            self.changed();
        }
        for batch in batches(changed.map(|holding| holding.highest)) {
            let mut state = self.state.lock();
            batch
                .filter_map(|n| Name::block(revision, BlockIndex::new(n)))
                .for_each(|name| state.ranks.rank_again(name));
        }
    }

    /// The first use of a file that was found at start proves it and its siblings.
    pub(in crate::tier::disk) fn proven(&self, revision: RevisionHash, route: RouteId) {
        self.rank_if(revision, Order::Wanted, route, |order| order == Order::Unproven);
    }

    /// Revisions whose grace is over are like other former ones from now on.
    pub(super) fn expire(&self) {
        let now = seconds((self.now)());
        loop {
            // A statement of its own: ranking takes the lock, too.
            let expired = self.state.lock().ranks.revisions.expired(now);
            let Some((revision, route)) = expired else { return };
            // It may have been given another grace meanwhile.
            let is_over = |order| matches!(order, Order::Graced { until } if until <= now);
            self.rank_if(revision, Order::Former, route, is_over);
        }
    }

    /// Removes all blocks of a revision and voids its fills; the names of the blocks.
    pub(in crate::tier::disk) fn forget(&self, revision: RevisionHash) -> Vec<Name> {
        let mut names = Vec::new();
        let holding = self.begin_to_forget(revision);
        for batch in batches(holding.map(|holding| holding.highest)) {
            let mut state = self.state.lock();
            let batch = batch.filter_map(|n| Name::block(revision, BlockIndex::new(n)));
            let removed = batch.filter(|name| state.ranks.remove(*name));
            let victims: Vec<Victim> = removed.map(|name| (name, Evicted::Forgotten)).collect();
            names.extend(victims.iter().map(|(name, _)| *name));
            self.doom(state, victims);
        }
        names
    }

    fn begin_to_forget(&self, revision: RevisionHash) -> Option<Holding> {
        let mut state = self.state.lock();
        let epoch = self.epoch.fetch_add(1, Ordering::SeqCst) + 1;
        if !self.is_complete() && state.forgotten.insert(revision) {
            self.doom_revision(&mut state, revision);
        }
        state.ranks.revisions.forget(revision, epoch)
    }
}

/// Numbers from zero to the highest, in pieces.
pub(super) fn batches(highest: Option<u32>) -> impl Iterator<Item = std::ops::RangeInclusive<u64>> {
    let end = highest.map_or(0, |highest| u64::from(highest) + 1);
    let step = u64::from(BATCH);
    (0..end.div_ceil(step)).map(move |n| n * step..=((n + 1) * step - 1).min(end - 1))
}
