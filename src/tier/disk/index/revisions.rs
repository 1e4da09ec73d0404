//! Which revisions have blocks here, and how they are ranked: all blocks of a revision share one order.
//!
//! Owns: the number of blocks and fills per revision, and the highest block, so that all can be found by asking for
//! each. Never: knows of files.

use std::collections::HashMap;

use super::{Order, RevisionHash};

/// The revisions that have a block or a fill.
#[derive(Debug, Default)]
pub(super) struct Revisions(HashMap<RevisionHash, Holding>);

/// What is here of one revision.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holding {
    pub(super) order: Order,
    /// No block has a higher number.
    pub(super) highest: u32,
    /// The epoch in which it was forgotten last.
    forgotten: u64,
    blocks: u32,
    fills: u32,
}

impl Revisions {
    pub(super) fn get(&self, revision: RevisionHash) -> Option<Holding> {
        self.0.get(&revision).copied()
    }

    /// A block came; the order that it gets.
    pub(super) fn add_block(&mut self, revision: RevisionHash, number: u32, otherwise: Order) -> Order {
        let holding = self.entry(revision, otherwise);
        holding.blocks += 1;
        holding.highest = holding.highest.max(number);
        holding.order
    }

    pub(super) fn remove_block(&mut self, revision: RevisionHash) {
        self.change(revision, |holding| holding.blocks = holding.blocks.saturating_sub(1));
    }

    pub(super) fn add_fill(&mut self, revision: RevisionHash, otherwise: Order) {
        self.entry(revision, otherwise).fills += 1;
    }

    pub(super) fn remove_fill(&mut self, revision: RevisionHash) {
        self.change(revision, |holding| holding.fills = holding.fills.saturating_sub(1));
    }

    /// From now on fills of earlier epochs are void. What there is of the revision.
    pub(super) fn forget(&mut self, revision: RevisionHash, epoch: u64) -> Option<Holding> {
        let holding = self.0.get_mut(&revision)?;
        holding.forgotten = epoch;
        Some(*holding)
    }

    /// Whether the revision was forgotten after an epoch.
    pub(super) fn is_forgotten(&self, revision: RevisionHash, since: u64) -> bool {
        self.get(revision).is_some_and(|holding| holding.forgotten > since)
    }

    /// Changes the order of blocks to come if the one that they have now is another and `now` says so. What there is
    /// of the revision if that was so.
    pub(super) fn set_order(
        &mut self,
        revision: RevisionHash,
        order: Order,
        now: impl FnOnce(Order) -> bool,
    ) -> Option<Holding> {
        let holding = self.0.get_mut(&revision).filter(|holding| holding.order != order)?;
        if !now(holding.order) {
            return None;
        }
        holding.order = order;
        Some(*holding)
    }

    fn entry(&mut self, revision: RevisionHash, order: Order) -> &mut Holding {
        self.0.entry(revision).or_insert(Holding {
            order,
            highest: 0,
            forgotten: 0,
            blocks: 0,
            fills: 0,
        })
    }

    fn change(&mut self, revision: RevisionHash, change: impl FnOnce(&mut Holding)) {
        if let Some(holding) = self.0.get_mut(&revision) {
            change(holding);
            if holding.blocks == 0 && holding.fills == 0 {
                self.0.remove(&revision);
            }
        }
    }
}
