//! Pinned fetches: from near to deep, once for all who want the same block.

use std::sync::Arc;

use super::flight::{Flight, Takeoff, Wanted};
use super::follower::Follower;
use super::pilot::{Course, Pilot, Reach};
use super::reused::Use;
use super::route::{Request, Route};
use super::standby::Standby;
use crate::object::{
    BlockIndex, BlockSpan, ByteRange, Cause, Condition, Current, Head, Heard, Method, RangeSpec, Revision, StrongETag,
    Target,
};
use crate::plan::{Asked, Told, head_of, is_in_vain, names_revision, probe, served, settled, versioned};
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
                vec![Told {
                    // Whatever question began the flight, it is the answer to this one.
                    asked: Asked {
                        method: Method::Get,
                        target,
                        condition: match &told.asked.condition {
                            by_version @ Condition::Version(_, _) => by_version.clone(),
                            _ => Condition::Pinned(vec![tag.clone()]),
                        },
                    },
                    ..Told::clone(told)
                }],
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
            Takeoff::Grounded(told) if refusal_is_shared(tag, target, told) => {
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

    pub(super) fn begin_flight(
        self: &Arc<Self>,
        request: Request,
        revision: Revision,
        target: Target,
        flight: Arc<Flight>,
        claimed: Vec<BlockIndex>,
    ) {
        let route = self.clone();
        self.tasks.spawn(async move {
            let standby = Standby::new(&route, &revision, &flight, &claimed);
            let pins = std::slice::from_ref(&revision.tag);
            let used = route.reused.now(&request.key);
            let (told, body) = route.probe(&request, pins, target).await;
            let landed = told
                .last()
                .filter(|last| served(pins, last))
                .and_then(|last| route.landing(last));
            let (Some((head, range)), Some(last)) = (landed, told.last()) else {
                route.flights.release(&revision, claimed.iter().copied(), &flight);
                flight.ground(told, Some(body));
                return;
            };
            let course = route.course(&request, head, range, last, used).await;
            let ahead = flight.wanted() == Wanted::Leased;
            if route.reused.now(&request.key) != used {
                // It was asked for before the tag was used again, and answered after it or by it: whose bytes they are nobody
                // can say, but whoever asked.
                route.flights.release(&revision, claimed.iter().copied(), &flight);
                flight.ground(told, Some(body).filter(|_| !ahead));
                return;
            }
            if course.reach == Reach::All && ahead {
                // A tier that sends everything for every piece is not to do so ahead of a reader.
                route.scouting.rest();
                route.flights.release(&revision, claimed.iter().copied(), &flight);
                flight.ground(told, None);
                return;
            }
            let mut pilot = Pilot::new(route.clone(), flight.clone(), course, claimed.clone());
            pilot.claim_first();
            flight.take_off(
                Told {
                    own: false,
                    ..last.clone()
                },
                range,
                used,
            );
            drop(standby);
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
        let past = self.past(request, pins).await;
        let mut told: Vec<Told> = Vec::new();
        let nothing = || -> Body { Box::pin(futures_util::stream::empty()) };
        let mut body = nothing();
        while let Some((tier, condition)) = probe(pins, past.as_ref(), &told, &self.terms) {
            // It would hold a connection that the question may need.
            drop(std::mem::replace(&mut body, nothing()));
            let asked = Asked {
                method: request.read.method,
                target,
                condition,
            };
            let (answer, its_body) = self.ask(request, tier, asked).await;
            told.push(answer);
            body = its_body;
        }
        if told.last().is_some_and(is_in_vain) {
            body = nothing();
        }
        (settled(told), body)
    }

    /// Makes a flight of an answer's body if it is of a revision that can be kept; else it stays in hand.
    pub(super) async fn take_in_hand(self: &Arc<Self>, request: &Request, told: &Told, body: Body) -> InHand {
        let Some((head, range)) = self.landing(told) else {
            return InHand {
                body: Some(body),
                ..InHand::default()
            };
        };
        let used = self.reused.now(&request.key);
        let course = self.course(request, head, range, told, used).await;
        let flight = Flight::new(self.window);
        flight.take_off(
            Told {
                own: false,
                ..told.clone()
            },
            range,
            used,
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
        // The answer to a HEAD names a revision and brings nothing of it.
        if told.asked.method == Method::Head || !names_revision(told, &self.terms) {
            return None;
        }
        let head = head_of(told)?;
        let range = match &told.heard {
            Heard::Partial(_, range, _) => *range,
            _ => head.size().whole()?,
        };
        Some((Arc::new(head), range))
    }

    async fn course(&self, request: &Request, head: Arc<Head>, range: ByteRange, told: &Told, used: Use) -> Course {
        let revision = Revision {
            key: request.key.clone(),
            tag: head.tag().clone(),
        };
        let claim = match self.store.known(&request.key).await.current {
            _ if versioned(told).is_some() => Claim::Pinned,
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
            used,
        }
    }

    /// The rest of a revision, after a cut: the answer, where it begins, and its bytes.
    pub(super) async fn rest(
        &self,
        request: &Request,
        head: &Head,
        rest: ByteRange,
    ) -> Result<(Told, ByteRange, Body), Cause> {
        let pins = std::slice::from_ref(head.tag());
        let (mut told, body) = self.probe(request, pins, Target::Range(RangeSpec::Span(rest))).await;
        let Some(last) = told.pop() else {
            return Err(Cause::NoAddress);
        };
        match brought(&last, head) {
            Some(held) => Ok((last, held, body)),
            None => Err(cause_of(&last.heard)),
        }
    }

    /// Follows what is in hand of an answer, for the bytes of a revision whose head is known: its flight, or its body if
    /// that must not be stored.
    pub(super) fn follow_in_hand(
        self: &Arc<Self>,
        request: &Request,
        head: &Arc<Head>,
        told: &Told,
        in_hand: InHand,
    ) -> Option<Follower> {
        let held = brought(told, head)?;
        match (in_hand.follower, in_hand.body) {
            (Some(follower), _) => Some(follower),
            (None, Some(body)) => Some(self.fly_alone(request, head, told, held, body)),
            (None, None) => None,
        }
    }

    /// Bytes that others have passed by, for one reader.
    pub(super) async fn private_flight(
        self: &Arc<Self>,
        request: &Request,
        head: &Arc<Head>,
        range: ByteRange,
    ) -> Result<Follower, Cause> {
        let (told, held, body) = self.rest(request, head, range).await?;
        Ok(self.fly_alone(request, head, &told, held, body))
    }

    /// A flight of a reader's own: it claims no blocks and stores none.
    fn fly_alone(
        self: &Arc<Self>,
        request: &Request,
        head: &Arc<Head>,
        told: &Told,
        range: ByteRange,
        body: Body,
    ) -> Follower {
        let (flight, used) = (Flight::new(self.window), self.reused.now(&request.key));
        flight.take_off(
            Told {
                own: false,
                ..told.clone()
            },
            range,
            used,
        );
        let follower = flight.follow(range.first());
        let course = Course {
            request: request.clone(),
            revision: Revision {
                key: request.key.clone(),
                tag: head.tag().clone(),
            },
            head: head.clone(),
            range,
            reach: Reach::Nothing,
            claim: Claim::Pinned,
            used,
        };
        self.tasks
            .spawn(Pilot::new(self.clone(), flight, course, Vec::new()).run(body));
        follower
    }
}

/// The bytes of a revision that an answer brings, whether or not they may be stored. `None` if it is another revision,
/// or one of another length.
fn brought(told: &Told, head: &Head) -> Option<ByteRange> {
    if told.asked.method == Method::Head || !served(std::slice::from_ref(head.tag()), told) {
        return None;
    }
    let whole = head.size().whole()?;
    match &told.heard {
        Heard::Partial(_, range, total) if total.is_none_or(|total| total == head.size()) => {
            whole.covers(*range).then_some(*range)
        }
        Heard::Found(_, total) if total.is_none_or(|total| total == head.size()) => Some(whole),
        _ => None,
    }
}

/// Whether a refusal that others waited for too is the answer to all of them. 401, 403 and what is only handed on are
/// the asker's alone; a 416 is that of the range that was asked for, and an empty object has no other.
fn refusal_is_shared(tag: &StrongETag, target: Target, told: &[Told]) -> bool {
    told.last().is_some_and(|last| match &last.heard {
        Heard::Unsatisfiable(_, _) => last.asked.target == target,
        Heard::PreconditionFailed(_) | Heard::NotFound(_) | Heard::Failed(_) => true,
        Heard::Found(_, _) | Heard::Partial(_, _, _) => !served(std::slice::from_ref(tag), last),
        Heard::NotModified(_) | Heard::Denied(_) | Heard::Other(_) => false,
    })
}

/// Why an answer did not bring the rest.
fn cause_of(heard: &Heard) -> Cause {
    match heard {
        Heard::Failed(failure) => failure.cause,
        // The revision is gone, or not what it was.
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
