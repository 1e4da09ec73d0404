//! Fetching ahead of one reader: pieces of its revision on their way to the disk, side by side, while it still reads what
//! comes before them. Which pieces is `plan::next_piece`'s to say.
//!
//! Owns: the leases of those flights. Without a reader or a lease they end, in the middle of a block if nobody ever read
//! them. Never: makes a reader wait, or goes on where the disk does not take what comes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::flight::{End, Flight};
use super::follower::Lease;
use super::route::{Counted, Request, Route};
use crate::object::{BlockIndex, BlockSpan, ByteRange, Head, ObjectSize, RangeSpec, Revision, Target};
use crate::plan::{earned, earned_by_ranges, missing_span, next_piece};

/// Pieces that are fetched ahead at once, for all readers of a route.
const MOST: usize = 64;
/// How many bytes a reader takes between two looks at what is on its way.
const LOOK: u64 = 256 << 10;
/// How long nothing is fetched ahead after the disk did not take what came.
const REST: Duration = Duration::from_secs(10);

/// What a route fetches ahead of its readers.
#[derive(Debug)]
pub(super) struct Scouting {
    permits: Arc<Semaphore>,
    /// Readers that something is fetched ahead of: the answer that each of them leaves waits on a connection.
    readers: Arc<Semaphore>,
    epoch: Instant,
    /// Milliseconds since the epoch.
    rests_until: AtomicU64,
}

/// What is fetched ahead of one reader.
#[derive(Debug)]
pub(super) struct Ahead {
    taken: u64,
    looked: u64,
    /// The first block that was not part of a piece yet.
    from: BlockIndex,
    pieces: Vec<Piece>,
    permit: Option<OwnedSemaphorePermit>,
    /// Where the first piece begins.
    first: Option<u64>,
    failed: bool,
    pace: Pace,
    /// Pieces that were begun so far.
    begun: usize,
}

/// Who reads.
#[derive(Clone, Copy, Debug)]
enum Pace {
    /// One, from start to end.
    Reader,
    /// Those who read ranges.
    Readers,
}

/// What came of a piece.
enum Begun {
    /// A flight brings all that is missing of it, or the first part.
    Flight { lease: Lease, first: BlockIndex },
    /// It is here.
    Nothing,
    /// Others bring it, from this block on.
    Elsewhere(BlockIndex),
    /// What the reader follows brings all that is missing.
    Own,
}

struct Piece {
    lease: Lease,
    metrics: Counted,
    _permit: OwnedSemaphorePermit,
}

impl Scouting {
    /// For tiers that take so many requests at once: half of them are left to those who wait for bytes.
    pub(super) fn new(connections: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(MOST.min(connections / 2))),
            readers: Arc::new(Semaphore::new(MOST.min(connections / 4))),
            epoch: Instant::now(),
            rests_until: AtomicU64::new(0),
        }
    }

    /// The disk does not take what comes: whoever reads is to fetch by itself.
    pub(super) fn rest(&self) {
        self.rests_until.store(self.millis() + millis(REST), Ordering::Relaxed);
    }

    fn reader(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.readers).try_acquire_owned().ok()
    }

    fn permit(&self) -> Option<OwnedSemaphorePermit> {
        if self.millis() < self.rests_until.load(Ordering::Relaxed) {
            return None;
        }
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    fn millis(&self) -> u64 {
        millis(Instant::now().saturating_duration_since(self.epoch))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Ahead {
    /// Of one reader who reads on and on.
    pub(super) fn of_reader() -> Self {
        Self::new(Pace::Reader)
    }

    /// Of all who read ranges of one revision.
    pub(super) fn of_readers() -> Self {
        Self::new(Pace::Readers)
    }

    fn new(pace: Pace) -> Self {
        Self {
            pace,
            begun: 0,
            taken: 0,
            looked: 0,
            from: BlockIndex::new(0),
            pieces: Vec::new(),
            permit: None,
            first: None,
            failed: false,
        }
    }

    /// The reader took bytes that came from a tier, or, once something is fetched ahead, from anywhere.
    pub(super) fn took(&mut self, bytes: u64, from_tier: bool) {
        if from_tier || self.has_begun() {
            self.taken = self.taken.saturating_add(bytes);
        }
    }

    /// Whether pieces are on their way or were: what the reader follows is then not the only source of what comes next.
    pub(super) fn has_begun(&self) -> bool {
        self.first.is_some()
    }

    /// Where the first piece begins: what brings bytes up to there need bring no more.
    pub(super) fn first(&self) -> Option<u64> {
        self.first
    }

    /// Whether what comes next is being fetched ahead, so that the reader need not ask for more than it reads.
    pub(super) fn is_active(&self) -> bool {
        self.has_begun() && !self.failed
    }

    /// Whether enough was taken since the last look at what is on its way.
    pub(super) fn is_due(&mut self) -> bool {
        let due = self.taken.saturating_sub(self.looked) >= LOOK;
        if due {
            self.looked = self.taken;
        }
        due
    }

    /// Begins to fetch what was earned. `rest` is what is still wanted, or may be, and `following` what the reader follows.
    pub(super) async fn extend(
        &mut self,
        route: &Arc<Route>,
        request: &Request,
        head: &Head,
        rest: ByteRange,
        following: Option<&Arc<Flight>>,
    ) {
        let parallel = route.terms.parallel;
        self.let_go_of_ended();
        if !self.may_begin(rest, parallel) || self.failed || !route.keeps {
            return;
        }
        if self.permit.is_none() {
            self.permit = route.scouting.reader();
        }
        if self.permit.is_none() {
            return;
        }
        // The first one shows whether the tier has ranges at all.
        let proven = self.pieces.iter().all(|piece| piece.lease.is_flowing()) || self.pieces.len() > 1;
        while proven && !self.failed && self.may_begin(rest, parallel) {
            let Some(piece) = next_piece(rest, self.from, route.terms.block_size, parallel) else {
                return;
            };
            let Some(permit) = route.scouting.permit() else { return };
            self.from = piece.last().next();
            let first = match route.fly_ahead(request, head, piece, following).await {
                Begun::Flight { lease, first } => {
                    self.begun += 1;
                    self.pieces.push(Piece {
                        lease,
                        metrics: route.metrics.clone(),
                        _permit: permit,
                    });
                    first
                }
                Begun::Elsewhere(first) => first,
                Begun::Nothing => piece.first(),
                Begun::Own => continue,
            };
            self.first.get_or_insert(route.terms.block_size.start_of(first));
        }
    }

    /// Whether one more piece may be on its way.
    fn may_begin(&self, rest: ByteRange, parallel: usize) -> bool {
        match self.pace {
            Pace::Reader => self.pieces.len() < earned(self.taken, parallel),
            Pace::Readers => self.pieces.len() < parallel && self.begun < earned_by_ranges(self.taken, rest.first()),
        }
    }

    /// Whether something that was fetched ahead did not come, so that nothing more is.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Nothing more is fetched ahead.
    pub(super) fn stop(&mut self) {
        self.failed = true;
        self.pieces.clear();
    }

    fn let_go_of_ended(&mut self) {
        self.pieces.retain(|piece| {
            let ended = piece.lease.ended();
            self.failed |= ended.is_some_and(|end| end != End::Whole);
            ended.is_none()
        });
    }
}

fn is_of(claim: Option<&Arc<Flight>>, following: Option<&Arc<Flight>>) -> bool {
    claim
        .zip(following)
        .is_some_and(|(claim, following)| Arc::ptr_eq(claim, following))
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.metrics.ahead(self.lease.ended());
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Piece")
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

impl Route {
    /// Begins a flight that brings the first run of missing blocks of a piece that nobody else brings.
    async fn fly_ahead(
        self: &Arc<Self>,
        request: &Request,
        head: &Head,
        piece: BlockSpan,
        following: Option<&Arc<Flight>>,
    ) -> Begun {
        let revision = Revision {
            key: request.key.clone(),
            tag: head.tag().clone(),
        };
        // A flight gives up its claim when the store has the block: whoever looks in this order finds one of both.
        let claims: Vec<_> = piece.iter().map(|index| self.flights.get(&revision, index)).collect();
        let held = self.held(&revision, piece, &[]).await;
        let Some(missing) = self.missing_of(piece, head.size(), &held) else {
            return Begun::Nothing;
        };
        // What the reader follows claims some of what comes next.
        let claims = piece.iter().zip(claims);
        let claims = claims.filter(|(index, _)| *index >= missing.first() && *index <= missing.last());
        let mut others = claims.filter(|(_, claim)| !is_of(claim.as_ref(), following));
        let Some((first, claim)) = others.next() else {
            return Begun::Own;
        };
        let elsewhere = Begun::Elsewhere(first);
        let free = match claim {
            None => Some(first),
            Some(_) => others.find(|(_, claim)| claim.is_none()).map(|(index, _)| index),
        };
        let Some(free) = free.and_then(|first| BlockSpan::new(first, missing.last())) else {
            return elsewhere;
        };
        let (flight, claimed) = self.flights.join_or_begin(&revision, free, || Flight::new(self.window));
        let run = claimed.iter().zip(free.iter()).take_while(|(a, b)| **a == *b).count();
        // What others bring further on is theirs; this ends before.
        let (run, beyond) = claimed.split_at_checked(run).unwrap_or_default();
        self.flights.release(&revision, beyond.iter().copied(), &flight);
        let range = run
            .last()
            .and_then(|last| self.bytes_of(BlockSpan::new(free.first(), *last)?, head.size()));
        let Some(range) = range else { return elsewhere };
        let lease = flight.lease();
        let target = Target::Range(RangeSpec::Span(range));
        self.begin_flight(request.clone(), revision, target, flight, run.to_vec());
        Begun::Flight {
            lease,
            first: free.first(),
        }
    }

    fn missing_of(&self, piece: BlockSpan, size: ObjectSize, held: &[bool]) -> Option<BlockSpan> {
        let block_size = self.terms.block_size;
        let missing = missing_span(self.bytes_of(piece, size)?, size, block_size, held)?;
        Some(block_size.span_of(missing))
    }

    fn bytes_of(&self, span: BlockSpan, size: ObjectSize) -> Option<ByteRange> {
        let block_size = self.terms.block_size;
        let first = block_size.range_of(span.first(), size)?;
        let last = block_size.range_of(span.last(), size)?;
        ByteRange::new(first.first(), last.last())
    }
}
