//! Pinned fetches: from near to deep, once for all who want the same block.

use std::sync::Arc;

use super::flight::{Flight, Follower, Takeoff};
use super::pilot::{Course, Pilot, Reach};
use super::route::{Request, Route};
use crate::object::{
    BlockIndex, BlockSpan, ByteRange, Cause, Condition, Current, Head, Heard, Method, RangeSpec, Revision, StrongETag,
    Target,
};
use crate::plan::{Asked, Told, head_of, names_revision, probe, served};
use crate::tier::store::Claim;
use crate::tier::upstream::Body;

/// What a request holds of an answer's bytes.
#[derive(Default)]
pub(crate) struct InHand {
    /// The body, where it cannot be blocks of a revision.
    pub(super) body: Option<Body>,
    /// The flight that it became, followed from its first byte so that it waits for us.
    pub(super) follower: Option<Follower>,
    /// Whether the flight was begun by somebody else.
    pub(super) joined: bool,
}

impl Route {
    /// Fetches bytes of a listed revision.
    pub(super) async fn fetch(
        self: &Arc<Self>,
        request: &Request,
        pins: &[StrongETag],
        target: Target,
    ) -> (Vec<Told>, InHand) {
        match (pins, self.placed(target)) {
            ([tag], Some(span)) => self.fetch_shared(request, tag, target, span).await,
            _ => self.fetch_alone(request, pins, target).await,
        }
    }

    /// The blocks that a question will bring, where that can be told before the length is known.
    fn placed(&self, target: Target) -> Option<BlockSpan> {
        let block_size = self.terms.block_size;
        match target {
            Target::Range(RangeSpec::Span(range)) => Some(block_size.span_of(range)),
            Target::Range(RangeSpec::From(first)) => {
                let index = block_size.index_of(first);
                BlockSpan::new(index, index)
            }
            Target::Whole => BlockSpan::new(BlockIndex::new(0), BlockIndex::new(0)),
            Target::Range(RangeSpec::Suffix(_)) | Target::Part(_) => None,
        }
    }

    async fn fetch_shared(
        self: &Arc<Self>,
        request: &Request,
        tag: &StrongETag,
        target: Target,
        span: BlockSpan,
    ) -> (Vec<Told>, InHand) {
        // A HEAD has no bytes to share.
        if request.read.method == Method::Head {
            return self.fetch_alone(request, std::slice::from_ref(tag), target).await;
        }
        let revision = Revision {
            key: request.key.clone(),
            tag: tag.clone(),
        };
        let soon = self.soon(span);
        let (flight, claimed) = self.flights.join_or_begin(&revision, soon, || Flight::new(self.window));
        let begun = !claimed.is_empty();
        let follower = flight.follow(self.terms.block_size.start_of(span.first()));
        if begun {
            self.begin_flight(request.clone(), revision, target, flight.clone(), claimed);
        }
        match &*flight.takeoff().await {
            Takeoff::Flowing(told, _) => (
                vec![Told::clone(told)],
                InHand {
                    body: None,
                    follower: Some(follower),
                    joined: !begun,
                },
            ),
            Takeoff::Grounded(told) if begun => (
                told.clone(),
                InHand {
                    body: flight.take_in_hand(),
                    ..InHand::default()
                },
            ),
            Takeoff::Grounded(told) if refusal_is_shared(tag, told) => {
                let told = told
                    .iter()
                    .map(|told| Told {
                        own: false,
                        ..told.clone()
                    })
                    .collect();
                (
                    told,
                    InHand {
                        joined: true,
                        ..InHand::default()
                    },
                )
            }
            Takeoff::Grounded(_) => self.fetch_alone(request, std::slice::from_ref(tag), target).await,
        }
    }

    /// The part of a span that one flight claims at once.
    fn soon(&self, span: BlockSpan) -> BlockSpan {
        let most = super::pilot::LOOK_AHEAD.div_ceil(self.terms.block_size.bytes()).max(1);
        let last = BlockIndex::new(span.first().get().saturating_add(most - 1)).min(span.last());
        BlockSpan::new(span.first(), last).unwrap_or(span)
    }

    fn begin_flight(
        self: &Arc<Self>,
        request: Request,
        revision: Revision,
        target: Target,
        flight: Arc<Flight>,
        claimed: Vec<BlockIndex>,
    ) {
        let route = self.clone();
        self.tasks.spawn(async move {
            let pins = std::slice::from_ref(&revision.tag);
            let (told, body) = route.probe(&request, pins, target).await;
            let landed = told
                .last()
                .filter(|last| served(pins, last))
                .and_then(|last| route.landing(last));
            let (Some((head, range)), Some(last)) = (landed, told.last()) else {
                route.flights.release(&revision, claimed, &flight);
                flight.ground(told, Some(body));
                return;
            };
            let course = route.course(&request, head, range, last).await;
            let mut pilot = Pilot::new(route, flight.clone(), course, claimed);
            pilot.claim_first();
            flight.take_off(
                Told {
                    own: false,
                    ..last.clone()
                },
                range,
            );
            pilot.run(body).await;
        });
    }

    async fn fetch_alone(
        self: &Arc<Self>,
        request: &Request,
        pins: &[StrongETag],
        target: Target,
    ) -> (Vec<Told>, InHand) {
        let (told, body) = self.probe(request, pins, target).await;
        let in_hand = match told.last() {
            Some(last) => self.take_in_hand(request, last, body).await,
            None => InHand::default(),
        };
        (told, in_hand)
    }

    /// Asks tier after tier, from near to deep; the body is that of the last answer.
    async fn probe(&self, request: &Request, pins: &[StrongETag], target: Target) -> (Vec<Told>, Body) {
        let mut told: Vec<Told> = Vec::new();
        let mut body: Body = Box::pin(futures_util::stream::empty());
        while let Some(tier) = probe(pins, &told, &self.terms) {
            let condition = Condition::Pinned(pins.to_vec());
            let asked = Asked {
                method: request.read.method,
                target,
                condition,
            };
            let (answer, its_body) = self.ask(request, tier, asked).await;
            told.push(answer);
            body = its_body;
        }
        (told, body)
    }

    /// Makes a flight of an answer's body if it is of a revision that can be kept; else it stays in hand.
    pub(super) async fn take_in_hand(self: &Arc<Self>, request: &Request, told: &Told, body: Body) -> InHand {
        let Some((head, range)) = self.landing(told) else {
            return InHand {
                body: Some(body),
                ..InHand::default()
            };
        };
        let course = self.course(request, head, range, told).await;
        let flight = Flight::new(self.window);
        flight.take_off(
            Told {
                own: false,
                ..told.clone()
            },
            range,
        );
        let follower = flight.follow(range.first());
        let mut pilot = Pilot::new(self.clone(), flight, course, Vec::new());
        pilot.claim_first();
        self.tasks.spawn(pilot.run(body));
        InHand {
            body: None,
            follower: Some(follower),
            joined: false,
        }
    }

    /// The revision and the bytes of it that an answer brings, if they can be blocks.
    fn landing(&self, told: &Told) -> Option<(Arc<Head>, ByteRange)> {
        names_revision(told, &self.terms).then(|| bytes_of(told)).flatten()
    }

    async fn course(&self, request: &Request, head: Arc<Head>, range: ByteRange, told: &Told) -> Course {
        let revision = Revision {
            key: request.key.clone(),
            tag: head.tag().clone(),
        };
        let claim = match self.store.known(&request.key).await.current {
            Current::Is(tag) if tag != revision.tag => Claim::Pinned,
            Current::Is(_) | Current::Unknown | Current::None => Claim::Current,
        };
        // A tier that answers a range with everything does so again: it is fetched once for all who wait (row 12).
        let ignored_range = matches!(told.heard, Heard::Found(_, _)) && told.asked.target != Target::Whole;
        let reach = if ignored_range { Reach::All } else { Reach::Ahead };
        Course {
            request: request.clone(),
            revision,
            head,
            range,
            reach,
            claim,
        }
    }

    /// The rest of a revision, after a cut: where it begins, and its bytes; `kept`: of those that may be.
    pub(super) async fn rest(
        self: &Arc<Self>,
        request: &Request,
        tag: &StrongETag,
        rest: ByteRange,
        kept: bool,
    ) -> Result<(Told, Arc<Head>, ByteRange, Body), Cause> {
        let pins = std::slice::from_ref(tag);
        let (mut told, body) = self.probe(request, pins, Target::Range(RangeSpec::Span(rest))).await;
        let Some(last) = told.pop() else {
            return Err(Cause::NoAddress);
        };
        let landed = if kept { self.landing(&last) } else { bytes_of(&last) };
        match landed.filter(|_| served(pins, &last)) {
            Some((head, held)) => Ok((Told { own: false, ..last }, head, held, body)),
            None => Err(cause_of(&last.heard)),
        }
    }

    /// A flight of a reader's own, which claims no blocks: for bytes that others have passed by.
    pub(super) async fn private_flight(
        self: &Arc<Self>,
        request: &Request,
        revision: &Revision,
        range: ByteRange,
    ) -> Result<Follower, Cause> {
        let (told, head, held, body) = self.rest(request, &revision.tag, range, false).await?;
        let flight = Flight::new(self.window);
        flight.take_off(told, held);
        let follower = flight.follow(range.first());
        let (revision, reach, claim) = (revision.clone(), Reach::Nothing, Claim::Pinned);
        let course = Course {
            request: request.clone(),
            revision,
            head,
            range: held,
            reach,
            claim,
        };
        self.tasks
            .spawn(Pilot::new(self.clone(), flight, course, Vec::new()).run(body));
        Ok(follower)
    }
}

/// Whether a refusal that others waited for too is the answer to all of them. 401, 403 and what is only handed on are
/// the asker's alone.
fn refusal_is_shared(tag: &StrongETag, told: &[Told]) -> bool {
    told.last().is_none_or(|last| match &last.heard {
        Heard::PreconditionFailed(_) | Heard::NotFound(_) | Heard::Unsatisfiable(_, _) | Heard::Failed(_) => true,
        Heard::Found(_, _) | Heard::Partial(_, _, _) => !served(std::slice::from_ref(tag), last),
        Heard::NotModified(_) | Heard::Denied(_) | Heard::Other(_) => false,
    })
}

/// The revision and the bytes of it that an answer brings. The answer to a HEAD brings nothing.
fn bytes_of(told: &Told) -> Option<(Arc<Head>, ByteRange)> {
    if told.asked.method == Method::Head {
        return None;
    }
    let head = head_of(told)?;
    let range = match &told.heard {
        Heard::Partial(_, range, _) => *range,
        _ => head.size().whole()?,
    };
    Some((Arc::new(head), range))
}

/// Why an answer did not bring the rest.
fn cause_of(heard: &Heard) -> Cause {
    match heard {
        Heard::Failed(failure) => failure.cause,
        _ => Cause::Reset,
    }
}

impl std::fmt::Debug for InHand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InHand")
            .field("joined", &self.joined)
            .finish_non_exhaustive()
    }
}

impl InHand {
    /// One more follower of the flight, from where it is now.
    pub(super) fn another_follower(&self) -> Option<Follower> {
        let flight = self.follower.as_ref()?.flight();
        flight.range().map(|range| flight.follow(range.first()))
    }
}
