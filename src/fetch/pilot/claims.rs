//! Which blocks a flight brings, as far as others have to know.
//!
//! Never: claims what is stored, or what comes so much later that nobody should wait for it.

use super::{LOOK_AHEAD, Pilot, Reach};
use crate::object::{BlockIndex, ByteRange};

impl Pilot {
    /// Claims what comes first, so that nobody asks for it again. Called before followers are told.
    pub(crate) fn claim_first(&mut self) {
        self.claim_ahead();
        let first = self.route.terms.block_size.index_of(self.course.range.first());
        // Claims that were made before the length was known may lie outside, or may be of what was stored since.
        let end = self.course.range.end();
        let end = match self.course.reach {
            Reach::Ahead => self.stored_before(self.looks_until()).unwrap_or(end),
            Reach::All | Reach::Nothing => end,
        };
        let last = self.route.terms.block_size.index_of(end.saturating_sub(1));
        let outside: Vec<BlockIndex> = self
            .claimed
            .iter()
            .copied()
            .filter(|index| *index < first || *index > last)
            .collect();
        self.release(&outside);
    }

    pub(super) fn claim_ahead(&mut self) {
        if self.is_outdated() {
            return;
        }
        let block_size = self.route.terms.block_size;
        let end = match self.course.reach {
            Reach::Ahead => {
                let end = self.looks_until().min(self.flight.wanted_until());
                self.stored_before(end).unwrap_or(end)
            }
            Reach::All => self.course.range.end(),
            Reach::Nothing => return,
        };
        let Some(ahead) = ByteRange::new(self.position, end.saturating_sub(1)) else {
            return;
        };
        for index in block_size.span_of(ahead).iter() {
            let wanted = !self.claimed.contains(&index);
            if wanted && self.route.flights.claim(&self.course.revision, index, &self.flight) {
                self.claimed.insert(index);
            }
        }
    }

    fn looks_until(&self) -> u64 {
        let ahead = LOOK_AHEAD.max(self.route.terms.block_size.bytes());
        self.position.saturating_add(ahead).min(self.course.range.end())
    }

    /// Where the first block after the current one begins that others have stored: who reads goes on there without this.
    fn stored_before(&self, end: u64) -> Option<u64> {
        let block_size = self.route.terms.block_size;
        let next = block_size.index_of(self.position).next();
        let rest = ByteRange::new(block_size.start_of(next), end.saturating_sub(1))?;
        let span = block_size.span_of(rest);
        let held = self.route.held_now(&self.course.revision, span);
        let (stored, _) = span.iter().zip(held).find(|(_, held)| *held)?;
        Some(block_size.start_of(stored))
    }

    pub(super) fn release(&mut self, blocks: &[BlockIndex]) {
        for index in blocks {
            self.claimed.remove(index);
        }
        self.route
            .flights
            .release(&self.course.revision, blocks.iter().copied(), &self.flight);
    }
}
