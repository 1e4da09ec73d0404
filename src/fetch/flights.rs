//! Which blocks are in flight: whoever wants one of them follows instead of asking.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::flight::Flight;
use crate::object::{BlockIndex, BlockSpan, Revision};

/// Where a revision's block is in flight.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Claimed {
    /// The revision.
    pub(crate) revision: Revision,
    /// The block.
    pub(crate) index: BlockIndex,
}

/// All claims of a route.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    claims: Mutex<HashMap<Claimed, Arc<Flight>>>,
}

impl Flights {
    /// The flight that brings a block.
    pub(crate) fn get(&self, revision: &Revision, index: BlockIndex) -> Option<Arc<Flight>> {
        let claims = self.claims.lock();
        if claims.is_empty() {
            // The warm path: nothing is in flight.
            return None;
        }
        claims
            .get(&Claimed {
                revision: revision.clone(),
                index,
            })
            .cloned()
    }

    /// The flight that brings the first block of a span, or else a new one that claims it and those of the others that
    /// nobody else brings. Also says whether it is new.
    pub(crate) fn join_or_begin(
        &self,
        revision: &Revision,
        span: BlockSpan,
        begin: impl FnOnce() -> Arc<Flight>,
    ) -> (Arc<Flight>, Vec<BlockIndex>) {
        let mut claims = self.claims.lock();
        let first = Claimed {
            revision: revision.clone(),
            index: span.first(),
        };
        if let Some(flight) = claims.get(&first) {
            return (flight.clone(), Vec::new());
        }
        let flight = begin();
        let mut claimed = Vec::new();
        for index in span.iter() {
            let slot = claims.entry(Claimed {
                revision: revision.clone(),
                index,
            });
            if let std::collections::hash_map::Entry::Vacant(slot) = slot {
                slot.insert(flight.clone());
                claimed.push(index);
            }
        }
        (flight, claimed)
    }

    /// Claims one more block for a flight; `false` if another one brings it.
    pub(crate) fn claim(&self, revision: &Revision, index: BlockIndex, flight: &Arc<Flight>) -> bool {
        let mut claims = self.claims.lock();
        match claims.entry(Claimed {
            revision: revision.clone(),
            index,
        }) {
            std::collections::hash_map::Entry::Vacant(slot) => {
                slot.insert(flight.clone());
                true
            }
            std::collections::hash_map::Entry::Occupied(slot) => Arc::ptr_eq(slot.get(), flight),
        }
    }

    /// Nobody joins a flight of this revision any more that was begun before.
    pub(crate) fn forget(&self, revision: &Revision) {
        self.claims.lock().retain(|claimed, _| claimed.revision != *revision);
    }

    /// Gives up claims of a flight.
    pub(crate) fn release(
        &self,
        revision: &Revision,
        blocks: impl IntoIterator<Item = BlockIndex>,
        flight: &Arc<Flight>,
    ) {
        let mut claims = self.claims.lock();
        for index in blocks {
            let claimed = Claimed {
                revision: revision.clone(),
                index,
            };
            if claims.get(&claimed).is_some_and(|owner| Arc::ptr_eq(owner, flight)) {
                claims.remove(&claimed);
            }
        }
    }
}
