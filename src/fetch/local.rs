//! Looks up what is here of an object, for the next decision.

use std::sync::Arc;

use futures_util::FutureExt;

use super::flight::{Flight, Takeoff};
use super::follower::Follower;
use super::pilot::LOOK_AHEAD;
use super::route::{Request, Route};
use crate::object::{BlockIndex, BlockSpan, ByteRange, Head, Heard, Revision, StrongETag};
use crate::plan::{Facts, Local, Stored, Told, effective, focus, head_of, missing_span, wanted};
use crate::request::Kind;
use crate::tier::store::Known;

impl Route {
    /// What the store and the flights hold of the revisions in focus, and followers of those flights: what is said to be
    /// on its way must come. `own` is the flight of this request's own answer; `damaged` are blocks that the store has but
    /// could not read.
    pub(super) async fn local(
        &self,
        request: &Request,
        facts: &Facts,
        own: Option<&Flight>,
        damaged: &[BlockIndex],
    ) -> (Local, Vec<Follower>) {
        let known = self.store.known(&request.key).await;
        let facts = &Facts {
            local: Local {
                current: known.current.clone(),
                ..Local::default()
            },
            ..facts.clone()
        };
        let (mut stored, mut held) = (Vec::new(), Vec::new());
        for tag in focus(&request.read, facts) {
            let head = self.head(request, &known, facts, &tag).await;
            // What is here may be from before blocks became smaller.
            if let Some(head) = head.filter(|head| self.terms.block_size.keeps(head.size())) {
                let (here, coming) = self.stored(request, facts, head, own, damaged).await;
                stored.push(here);
                held.extend(coming);
            }
        }
        let local = Local {
            current: known.current,
            former: known.former,
            stored,
        };
        (local, held)
    }

    /// The head of a revision: of the current one as it is known, of others as an answer just told or a block holds it.
    async fn head(&self, request: &Request, known: &Known, facts: &Facts, tag: &StrongETag) -> Option<Arc<Head>> {
        if let Some(head) = known.head.as_ref().filter(|head| head.tag() == tag) {
            return Some(head.clone());
        }
        let fetched = facts.fetched.iter().flatten();
        let told = fetched
            .chain(&facts.asked)
            .chain(&facts.word)
            .find_map(|told| head_named(told, tag));
        match told {
            Some(head) => Some(Arc::new(head)),
            None => self
                .store
                .head(&Revision {
                    key: request.key.clone(),
                    tag: tag.clone(),
                })
                .await
                .ok(),
        }
    }

    async fn stored(
        &self,
        request: &Request,
        facts: &Facts,
        head: Arc<Head>,
        own: Option<&Flight>,
        damaged: &[BlockIndex],
    ) -> (Stored, Vec<Follower>) {
        let revision = Revision {
            key: request.key.clone(),
            tag: head.tag().clone(),
        };
        let read = effective(&request.read, facts);
        let complete = needs_completeness(&read.kind, facts) && self.is_complete(&revision, &head, damaged).await;
        let Some(range) = wanted(&read, &head, &self.terms) else {
            let stored = Stored {
                head,
                missing: None,
                some: true,
                complete,
            };
            return (stored, Vec::new());
        };
        let span = self.terms.block_size.span_of(range);
        // A flight gives up its claim when the store has the block: whoever looks in this order finds one of both.
        let mut coming = Coming::default();
        let mut comes = |index| {
            let comes = self.comes(&mut coming, &revision, &head, index, range);
            comes || self.brings(own, &revision, &head, index, range)
        };
        let comes: Vec<bool> = span.iter().map(&mut comes).collect();
        let mut held = self.held(&revision, span, damaged).await;
        for (held, comes) in held.iter_mut().zip(comes) {
            *held = *held || comes;
        }
        let missing = missing_span(range, head.size(), self.terms.block_size, &held);
        let some = held.contains(&true);
        let stored = Stored {
            head,
            missing,
            some,
            complete,
        };
        (stored, coming.held)
    }

    async fn is_complete(&self, revision: &Revision, head: &Head, damaged: &[BlockIndex]) -> bool {
        let Some(whole) = head.size().whole() else { return true };
        let span = self.terms.block_size.span_of(whole);
        self.held(revision, span, damaged).await.into_iter().all(|held| held)
    }

    /// Which blocks of a span the store holds.
    pub(super) async fn held(&self, revision: &Revision, span: BlockSpan, damaged: &[BlockIndex]) -> Vec<bool> {
        if !self.keeps {
            return span.iter().map(|_| false).collect();
        }
        let held = self.store.holds(revision, span).await;
        span.iter()
            .zip(held)
            .map(|(index, held)| held && !damaged.contains(&index))
            .collect()
    }

    /// The same, as far as that is known without waiting.
    pub(super) fn held_now(&self, revision: &Revision, span: BlockSpan) -> Vec<bool> {
        self.held(revision, span, &[]).now_or_never().unwrap_or_default()
    }

    /// Whether a block is on its way: the answer that brings it has come, or a flight that brings a block before it will
    /// bring this one as well. Who follows it from there needs no other.
    fn comes(
        &self,
        coming: &mut Coming,
        revision: &Revision,
        head: &Head,
        index: BlockIndex,
        wanted: ByteRange,
    ) -> bool {
        let Some(flight) = self.flights.get(revision, index) else {
            return self.brings(coming.along.as_deref(), revision, head, index, wanted);
        };
        let from = self.terms.block_size.start_of(index).max(wanted.first());
        // A flight that has ended may have left a block behind that is being published.
        let left_behind = flight.tail(index).is_some();
        coming.note(flight, from, wanted) || left_behind
    }

    /// Whether this request's own answer brings what is wanted of a block.
    fn brings(
        &self,
        own: Option<&Flight>,
        revision: &Revision,
        head: &Head,
        index: BlockIndex,
        wanted: ByteRange,
    ) -> bool {
        let Some(flight) = own else { return false };
        let block = self.terms.block_size.range_of(index, head.size());
        let part = block.and_then(|block| block.intersect(wanted));
        let same = match flight.taken_off().as_deref() {
            Some(Takeoff::Flowing(told, _)) => head_named(told, &revision.tag).is_some(),
            Some(Takeoff::Grounded(_)) | None => false,
        };
        same && matches!((flight.range(), part), (Some(range), Some(part)) if range.covers(part))
    }
}

/// The flights that bring what is wanted.
#[derive(Default)]
struct Coming {
    /// The last one.
    along: Option<Arc<Flight>>,
    held: Vec<Follower>,
}

impl Coming {
    /// Notes the flight that brings the bytes at a position. Whether it does: it may have ended before it was held.
    fn note(&mut self, flight: Arc<Flight>, from: u64, wanted: ByteRange) -> bool {
        let same = self.along.as_ref().is_some_and(|along| Arc::ptr_eq(along, &flight));
        // A reader of more than that may find, as with any other hole, that the revision has gone in the meantime.
        if !same && from.saturating_sub(wanted.first()) < LOOK_AHEAD {
            self.held.push(flight.follow(from));
        }
        let comes = flight.range().is_some();
        self.along = Some(flight).filter(|_| comes);
        comes
    }
}

fn head_named(told: &Told, tag: &StrongETag) -> Option<Head> {
    head_of(told).filter(|head| head.tag() == tag)
}

/// Looking up every block of a large object costs; it matters to a plain GET, and to whoever may have to do without the
/// authority.
fn needs_completeness(kind: &Kind, facts: &Facts) -> bool {
    let word = facts.word.as_ref().map(|word| &word.heard);
    *kind == Kind::Whole || matches!(word, Some(Heard::Failed(_) | Heard::NotFound(_)))
}
