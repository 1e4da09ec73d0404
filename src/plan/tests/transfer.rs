//! The bytes of an answer on their way to the client, by what they really are.

use super::engine::{Carried, Engine, Flight, Tiers};
use crate::object::{BlockIndex, ByteRange, Head, RangeSpec, Target};

impl<T: Tiers> Engine<'_, T> {
    /// The first block of a range that is neither here nor on its way.
    pub(super) fn first_hole(&self, head: &Head, range: ByteRange) -> Option<BlockIndex> {
        let span = self.terms.block_size.span_of(range);
        span.iter().find(|index| !self.has(head, *index, range))
    }

    /// The bytes of a revision as they reach the client, by what they really are; `None` if the connection is aborted.
    pub(super) fn body(&mut self, head: &Head, range: ByteRange) -> Option<Vec<Carried>> {
        let mut pieces = Vec::new();
        for index in self.terms.block_size.span_of(range).iter() {
            let part = self.terms.block_size.range_of(index, head.size())?.intersect(range)?;
            if !self.has(head, index, range) {
                self.fetch(std::slice::from_ref(head.tag()), Target::Range(RangeSpec::Span(part)));
            }
            pieces.push(self.piece(head, index, part)?);
        }
        Some(pieces)
    }

    fn piece(&self, head: &Head, index: BlockIndex, part: ByteRange) -> Option<Carried> {
        if self.is_stored(head, index) {
            let tag = head.tag().clone();
            return Some(Carried { tag, range: part });
        }
        let flying = |flight: &&Flight| flight.tag == *head.tag() && flight.range.covers(part);
        let bytes = self.flights.iter().find(flying)?.bytes.clone()?;
        let range = bytes.range.intersect(part)?;
        Some(Carried { range, ..bytes })
    }
}
