//! What is done to all blocks of a revision: ranking and forgetting them.
//!
//! Owns: doing it a batch at a time, so that a revision of a million blocks does not keep others from the lock.

use std::sync::atomic::Ordering;

use crate::object::BlockIndex;
use crate::tier::disk::stats::Evicted;

use super::ranks::Victim;
use super::revisions::Holding;
use super::{BATCH, Index, Name, Order, RevisionHash};

impl Index {
    /// Ranks all blocks of a revision, those to come included.
    pub(in crate::tier::disk) fn rank(&self, revision: RevisionHash, order: Order) {
        self.rank_if(revision, order, |_| true);
    }

    fn rank_if(&self, revision: RevisionHash, order: Order, now: impl FnOnce(Order) -> bool) {
        let changed = self.state.lock().revisions.set_order(revision, order, now);
        for batch in batches(changed.map(|holding| holding.highest)) {
            let mut state = self.state.lock();
            // Two who rank one revision at once agree on the last word.
            let Some(Holding { order, .. }) = state.revisions.get(revision) else {
                return;
            };
            for name in batch.filter_map(|n| Name::block(revision, BlockIndex::new(n))) {
                if let Some((slot, _)) = state.ranks.remove(name) {
                    state.ranks.insert(name, slot, order);
                }
            }
            let victims = state.ranks.trim();
            self.doom(state, victims);
        }
    }

    /// The first use of a file that was found at start proves it and its siblings.
    pub(in crate::tier::disk) fn proven(&self, revision: RevisionHash) {
        self.rank_if(revision, Order::Wanted, |order| order == Order::Unproven);
    }

    /// Removes all blocks of a revision and voids its fills; the names of the blocks.
    pub(in crate::tier::disk) fn forget(&self, revision: RevisionHash) -> Vec<Name> {
        let mut names = Vec::new();
        let holding = self.begin_to_forget(revision);
        for batch in batches(holding.map(|holding| holding.highest)) {
            let mut state = self.state.lock();
            let batch = batch.filter_map(|n| Name::block(revision, BlockIndex::new(n)));
            let removed = batch.filter_map(|name| Some((name, state.ranks.remove(name)?.0, Evicted::Forgotten)));
            let victims: Vec<Victim> = removed.collect();
            names.extend(victims.iter().map(|(name, _, _)| *name));
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
        state.revisions.forget(revision, epoch)
    }
}

/// Numbers from zero to the highest, in pieces.
pub(super) fn batches(highest: Option<u32>) -> impl Iterator<Item = std::ops::RangeInclusive<u64>> {
    let end = highest.map_or(0, |highest| u64::from(highest) + 1);
    let step = u64::from(BATCH);
    (0..end.div_ceil(step)).map(move |n| n * step..=((n + 1) * step - 1).min(end - 1))
}
