//! Space that is promised to a fill.
//!
//! Owns: giving it back, or passing it on to the block.

use std::sync::Arc;
use std::time::Duration;

use super::routes::RouteId;
use super::{Index, Name, Order, RevisionHash, Slot, seconds};

/// Space that a fill may use. Returns it when dropped.
#[derive(Debug)]
pub(in crate::tier::disk) struct Reservation {
    index: Arc<Index>,
    name: Name,
    revision: RevisionHash,
    route: RouteId,
    pages: u32,
    epoch: u64,
    held: bool,
}

impl Reservation {
    /// For pages that are reserved.
    pub(super) fn new(index: &Arc<Index>, name: Name, route: RouteId, pages: u32, epoch: u64) -> Self {
        Self {
            index: Arc::clone(index),
            name,
            revision: name.parts().0,
            route,
            pages,
            epoch,
            held: true,
        }
    }

    /// Whether the revision was forgotten since.
    pub(in crate::tier::disk) fn is_void(&self) -> bool {
        let state = self.index.state.lock();
        state.ranks.revisions.is_forgotten(self.revision, self.epoch)
    }

    /// The block is in its place and takes the space. `false` if the revision was forgotten meanwhile.
    pub(in crate::tier::disk) fn publish(mut self, now: Duration) -> bool {
        let index = Arc::clone(&self.index);
        index.changed();
        let mut state = index.state.lock();
        if state.ranks.revisions.is_forgotten(self.revision, self.epoch) {
            return false;
        }
        // The space passes from one to the other under one lock, so that nothing needs to be evicted for it.
        let slot = Slot {
            pages: self.pages,
            // Whoever had it fetched reads it about now, which says nothing of the next one.
            counted: seconds(now).max(1),
        };
        self.held = false;
        state.ranks.release(self.pages, self.route);
        state.ranks.insert(self.name, slot, Order::Wanted, self.route);
        let victims = state.ranks.trim();
        index.doom(state, victims);
        true
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.index.state.lock();
        if self.held {
            state.ranks.release(self.pages, self.route);
        }
        state.ranks.revisions.remove_fill(self.revision);
    }
}
