//! The bytes of one revision in order, from wherever they are: a flight that is followed, a local block, a block that
//! somebody else brings, a fetch of our own. Never of another revision.

pub(super) mod missing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::ahead::Ahead;
use super::flight::End;
use super::follower::{Follower, Next};
use super::foresight::Reading;
use super::reply::Abort;
use super::reused::Use;
use super::route::{Request, Route};
use crate::metrics::Source;
use crate::object::{BlockIndex, BlockSpan, ByteRange, Cause, Head, Lie, Revision};
use crate::plan::MOST_RESUMES;
use crate::tier::store::Miss;

/// How long a disk may keep a download waiting before the bytes are fetched instead.
const DISK_PATIENCE: Duration = Duration::from_secs(2);
/// The same for a download that it has kept waiting for so long once.
const DISK_IMPATIENCE: Duration = Duration::from_millis(50);

/// A range of a revision, on its way to a client.
pub struct RevisionBody {
    route: Arc<Route>,
    request: Request,
    revision: Revision,
    head: Arc<Head>,
    range: ByteRange,
    position: u64,
    following: Option<Follower>,
    /// Flights that the head was decided on, and that bring bytes further on: followed, they do not end before.
    held: Vec<Follower>,
    /// Read before the head went out: the proof that the first bytes are here.
    first: Option<Bytes>,
    /// Blocks that the store could not read.
    damaged: Vec<BlockIndex>,
    ahead: Ahead,
    /// The flight that would have brought everything, had nothing been fetched ahead. It waits; should the revision be
    /// overwritten, it alone still has it.
    spare: Option<Follower>,
    /// The use of the tag that the head is of.
    used: Use,
    /// That it reads, for those who fetch ahead of it.
    reading: Option<Reading>,
    /// How long the disk may keep it waiting.
    patience: Duration,
    /// How often a transfer has kept it waiting.
    stalls: u8,
    tries: u8,
}

impl RevisionBody {
    pub(super) fn new(
        route: Arc<Route>,
        request: Request,
        head: Arc<Head>,
        range: ByteRange,
        following: Option<Follower>,
        mut held: Vec<Follower>,
    ) -> Self {
        let revision = Revision {
            key: request.key.clone(),
            tag: head.tag().clone(),
        };
        let (position, used) = (range.first(), route.reused.now(&request.key));
        let mut body = Self {
            route,
            request,
            revision,
            head,
            range,
            position,
            following: None,
            held: Vec::new(),
            first: None,
            damaged: Vec::new(),
            ahead: Ahead::of_reader(),
            spare: None,
            used,
            reading: None,
            patience: DISK_PATIENCE,
            stalls: 0,
            tries: 0,
        };
        // A list of pins looks at flights of several revisions; the bytes of one are sent.
        held.retain(|held| held.brings(&body.revision.tag));
        match following.filter(|follower| follower.brings(&body.revision.tag)) {
            Some(follower) if follower.begins_after(position) => held.push(follower),
            Some(follower) => body.follow(follower),
            None => {}
        }
        body.held = held;
        body.drop_held_twice();
        body
    }

    /// Has what comes after this fetched ahead, for whoever reads on.
    pub(super) fn foresee(&mut self) {
        self.reading = self
            .route
            .foresee(&self.request, &self.revision, &self.head, self.range);
    }

    fn follow(&mut self, follower: Follower) {
        self.following = Some(follower);
        self.drop_held_twice();
    }

    /// A flight that is followed need not be held as well; left behind, it must not wait for us.
    fn drop_held_twice(&mut self) {
        let Some(following) = &self.following else { return };
        self.held.retain(|held| !Arc::ptr_eq(held.flight(), following.flight()));
    }

    /// Reads the first bytes if they are to come from a local block; the block that has none to give is returned.
    pub(super) async fn prove_first(&mut self) -> Result<(), BlockIndex> {
        let index = self.index();
        if self.following.is_some() || self.route.flights.get(&self.revision, index).is_some() {
            return Ok(());
        }
        self.first = Some(self.read_block(index).await.map_err(|_| index)?);
        Ok(())
    }

    pub(super) async fn chunk(&mut self) -> Option<Result<(Bytes, Source), Abort>> {
        if let Some(first) = self.first.take() {
            return Some(Ok(self.sent(first, Source::Disk)));
        }
        self.rest()?;
        Some(self.next().await)
    }

    fn rest(&self) -> Option<ByteRange> {
        self.range.starting_at(self.position)
    }

    /// What comes next from one source: all of the rest, or up to the end of a block where others may bring what is beyond.
    fn part(&self) -> Option<ByteRange> {
        let rest = self.rest()?;
        if !self.ahead.has_begun() {
            return Some(rest);
        }
        self.block()?.intersect(rest)
    }

    /// What is followed need not bring what is fetched ahead.
    fn leave_the_rest(&mut self) {
        let first = self.ahead.first().filter(|first| self.position < *first);
        if let (Some(first), Some(follower)) = (first, &mut self.following) {
            follower.want_until(first);
        }
    }

    fn has_spare(&self) -> bool {
        self.spare.is_some()
    }

    /// Goes back to the flight that was left for what is fetched ahead.
    fn turn_to_spare(&mut self) -> bool {
        let Some(mut spare) = self.spare.take() else {
            return false;
        };
        self.ahead.stop();
        spare.want_from(self.position);
        self.follow(spare);
        true
    }

    /// Leaves a flight behind for a block that was fetched ahead.
    fn leave(&mut self, mut follower: Follower) {
        if self.spare.is_none() && !follower.ends_before(self.range.last()) {
            follower.stand_by();
            self.spare = Some(follower);
        }
    }

    /// The block at the position.
    fn block(&self) -> Option<ByteRange> {
        self.route.terms.block_size.range_of(self.index(), self.head.size())
    }

    /// Whether a block begins here, and perhaps was fetched ahead. Once that is given up, what is left of it may stand still.
    fn begins_ahead(&self) -> bool {
        self.ahead.is_active() && self.block().is_some_and(|block| block.first() == self.position)
    }

    /// Whether the block at the position has begun to come from elsewhere, or is here: following the flight that has brought
    /// us here would be slower.
    async fn is_elsewhere(&self, follower: &Follower) -> bool {
        let index = self.index();
        if let Some(flight) = self.route.flights.get(&self.revision, index) {
            // One that is still asking may be waiting for the very connection that is followed, and one that has brought
            // nothing of it may have come to a stop.
            return !Arc::ptr_eq(&flight, follower.flight()) && flight.has_brought(self.position);
        }
        match BlockSpan::new(index, index) {
            Some(span) => self.route.held(&self.revision, span, &self.damaged).await == [true],
            None => false,
        }
    }

    fn sent(&mut self, bytes: Bytes, source: Source) -> (Bytes, Source) {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.position = self.position.saturating_add(length);
        self.ahead.took(length, source == Source::Flight);
        (bytes, source)
    }

    fn index(&self) -> BlockIndex {
        self.route.terms.block_size.index_of(self.position)
    }

    /// The next bytes; there are some. Every turn of the loop brings bytes, another source, or a step towards the end
    /// of the tries.
    async fn next(&mut self) -> Result<(Bytes, Source), Abort> {
        if let Some(rest) = self.rest() {
            if self.ahead.is_due() {
                let following = self.following.as_ref().map(Follower::flight);
                let extend = self
                    .ahead
                    .extend(&self.route, &self.request, &self.head, rest, following);
                extend.await;
            }
            self.leave_the_rest();
        }
        loop {
            if let Some(bytes) = self.flown().await? {
                return Ok(self.sent(bytes, Source::Flight));
            }
            self.stays_the_same()?;
            if self.following.is_some() || self.turn_to_held() || self.join_flight() {
                continue;
            }
            let index = self.index();
            match self.read_block(index).await {
                Ok(bytes) => return Ok(self.sent(bytes, Source::Disk)),
                Err(Miss::Absent) => {}
                Err(Miss::Damaged | Miss::Fault | Miss::GivenUp) => self.damaged.push(index),
            }
            self.fetch_missing().await?;
            self.stays_the_same()?;
        }
    }

    fn is_same(&self) -> bool {
        self.route.reused.now(&self.request.key) == self.used
    }

    /// Whether what others bring or have stored is still of the bytes that this began with: the authority may have used the
    /// tag again. Then only what was begun before has the rest of them.
    fn stays_the_same(&mut self) -> Result<(), Abort> {
        if self.is_same() {
            return Ok(());
        }
        self.following = None;
        if self.turn_to_spare() {
            return Ok(());
        }
        Err(Abort(Cause::Lie(Lie::Confirmed)))
    }

    /// Bytes from the flight that is followed, if there is one that has them.
    async fn flown(&mut self) -> Result<Option<Bytes>, Abort> {
        let Some(mut follower) = self.following.take() else {
            return Ok(None);
        };
        let Some(part) = self.part() else { return Ok(None) };
        // Of a tag that was used again only what was begun before is worth following.
        if self.begins_ahead() && self.is_same() && self.is_elsewhere(&follower).await {
            self.leave(follower);
            return Ok(None);
        }
        // No further than this block where others are on their way to what comes after it.
        follower.want_at_least(if self.ahead.is_active() { part.end() } else { u64::MAX });
        let Some(next) = self.in_time(follower.next(self.position, part)).await else {
            return self.stalled(follower).await;
        };
        match next {
            // It was joined before its answer came, and that is of another use of the tag.
            Next::Bytes(_) if !follower.flight().is_of(self.used) => Ok(None),
            Next::Bytes(bytes) => {
                self.following = Some(follower);
                Ok(Some(bytes))
            }
            Next::Behind => self.behind(follower).await,
            Next::Over(End::Whole | End::Abandoned) => Ok(None),
            Next::Over(End::Cut(_)) if self.turn_to_spare() => Ok(None),
            Next::Over(End::Cut(cause)) => {
                // The flight has already asked for the rest itself, so this is the end of what can be tried with it.
                self.tries = MOST_RESUMES;
                Err(Abort(cause))
            }
        }
    }

    /// Bytes that the window has lost: from the fill, if there is one, or else from the store or from upstream.
    async fn behind(&mut self, mut follower: Follower) -> Result<Option<Bytes>, Abort> {
        let index = self.index();
        let Some(rest) = self.rest() else { return Ok(None) };
        let Some(tail) = follower.flight().tail(index) else {
            // What is further on will be wanted from this flight, and it must not end before.
            if follower.hold_on(rest.end()) {
                self.held.push(follower);
            }
            return Ok(None);
        };
        let block = self.route.terms.block_size.range_of(index, self.head.size());
        let Some(part) = block.and_then(|block| block.intersect(rest)) else {
            return Ok(None);
        };
        match self.patiently(tail.read(part)).await {
            Ok(bytes) => {
                self.following = Some(follower);
                Ok(Some(bytes))
            }
            Err(_) => {
                // A reader that comes no further must not hold the others up.
                drop(follower);
                self.overtake(part).await?;
                Ok(None)
            }
        }
    }

    /// Follows one of the flights that were held for this if it has the bytes at the position.
    fn turn_to_held(&mut self) -> bool {
        let position = self.position;
        self.held.retain(|held| !held.ends_before(position));
        let Some(which) = self.held.iter().position(|held| held.flight().reaches(position)) else {
            return false;
        };
        let follower = self.held.swap_remove(which);
        self.follow(follower);
        true
    }

    /// Follows a flight that brings the block at the position and still has its bytes.
    fn join_flight(&mut self) -> bool {
        let index = self.index();
        let Some(flight) = self.route.flights.get(&self.revision, index) else {
            return false;
        };
        let reachable = flight.reaches(self.position) || flight.tail(index).is_some();
        if reachable {
            self.follow(flight.follow(self.position));
        }
        reachable
    }

    async fn read_block(&mut self, index: BlockIndex) -> Result<Bytes, Miss> {
        let block = self.route.terms.block_size.range_of(index, self.head.size());
        let part = block
            .zip(self.rest())
            .and_then(|(block, rest)| block.intersect(rest))
            .ok_or(Miss::Absent)?;
        if !self.route.keeps || self.damaged.contains(&index) {
            return Err(Miss::Absent);
        }
        let (store, revision) = (self.route.store.clone(), self.revision.clone());
        self.patiently(store.read(&revision, index, part)).await
    }

    /// What the disk gives in time. One that has kept this download waiting is not waited for as long again.
    async fn patiently(&mut self, read: impl Future<Output = Result<Bytes, Miss>>) -> Result<Bytes, Miss> {
        let read = tokio::time::timeout(self.patience, read).await;
        read.unwrap_or_else(|_| {
            self.patience = DISK_IMPATIENCE;
            Err(Miss::Fault)
        })
    }
}

impl fmt::Debug for RevisionBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevisionBody")
            .field("range", &self.range)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
