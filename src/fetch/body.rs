//! The bytes of one revision in order, from wherever they are: a flight that is followed, a local block, a block that
//! somebody else brings, a fetch of our own. Never of another revision.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::flight::{End, Follower, Next};
use super::reply::Abort;
use super::route::{Request, Route};
use crate::metrics::Source;
use crate::object::{BlockIndex, ByteRange, Cause, Head, RangeSpec, Revision, Target};
use crate::plan::{MOST_RESUMES, missing_span, served};
use crate::tier::store::Miss;

/// How long a disk may keep a download waiting before the bytes are fetched instead.
const DISK_PATIENCE: Duration = Duration::from_secs(2);

/// A range of a revision, on its way to a client.
pub struct RevisionBody {
    route: Arc<Route>,
    request: Request,
    revision: Revision,
    head: Arc<Head>,
    range: ByteRange,
    position: u64,
    following: Option<Follower>,
    /// Read before the head went out: the proof that the first bytes are here.
    first: Option<Bytes>,
    /// Blocks that the store could not read.
    damaged: Vec<BlockIndex>,
    tries: u8,
}

impl RevisionBody {
    pub(super) fn new(
        route: Arc<Route>,
        request: Request,
        head: Arc<Head>,
        range: ByteRange,
        following: Option<Follower>,
    ) -> Self {
        let revision = Revision {
            key: request.key.clone(),
            tag: head.tag().clone(),
        };
        let position = range.first();
        Self {
            route,
            request,
            revision,
            head,
            range,
            position,
            following,
            first: None,
            damaged: Vec::new(),
            tries: 0,
        }
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

    fn sent(&mut self, bytes: Bytes, source: Source) -> (Bytes, Source) {
        self.position = self
            .position
            .saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        (bytes, source)
    }

    fn index(&self) -> BlockIndex {
        self.route.terms.block_size.index_of(self.position)
    }

    /// The next bytes; there are some. Every turn of the loop brings bytes, another source, or a step towards the end
    /// of the tries.
    async fn next(&mut self) -> Result<(Bytes, Source), Abort> {
        loop {
            if let Some(bytes) = self.flown().await? {
                return Ok(self.sent(bytes, Source::Flight));
            }
            if self.join_flight() {
                continue;
            }
            let index = self.index();
            match self.read_block(index).await {
                Ok(bytes) => return Ok(self.sent(bytes, Source::Disk)),
                Err(Miss::Absent) => {}
                Err(Miss::Damaged | Miss::Fault | Miss::GivenUp) => self.damaged.push(index),
            }
            self.fetch_missing().await?;
        }
    }

    /// Bytes from the flight that is followed, if there is one that has them.
    async fn flown(&mut self) -> Result<Option<Bytes>, Abort> {
        let Some(mut follower) = self.following.take() else {
            return Ok(None);
        };
        let Some(rest) = self.rest() else { return Ok(None) };
        match follower.next(self.position, rest).await {
            Next::Bytes(bytes) => {
                self.following = Some(follower);
                Ok(Some(bytes))
            }
            Next::Behind => self.behind(follower).await,
            Next::Over(End::Whole | End::Abandoned) => Ok(None),
            Next::Over(End::Cut(cause)) => {
                // The flight has already asked for the rest itself, so this is the end of what can be tried with it.
                self.tries = MOST_RESUMES;
                Err(Abort(cause))
            }
        }
    }

    /// Bytes that the window has lost: from the fill, if there is one, or else from upstream.
    async fn behind(&mut self, follower: Follower) -> Result<Option<Bytes>, Abort> {
        let index = self.index();
        let Some(rest) = self.rest() else { return Ok(None) };
        let Some(tail) = follower.flight().tail(index) else {
            return Ok(None);
        };
        let block = self.route.terms.block_size.range_of(index, self.head.size());
        let Some(part) = block.and_then(|block| block.intersect(rest)) else {
            return Ok(None);
        };
        match tokio::time::timeout(DISK_PATIENCE, tail.read(part)).await {
            Ok(Ok(bytes)) => {
                self.following = Some(follower);
                Ok(Some(bytes))
            }
            Ok(Err(_)) | Err(_) => {
                self.overtake(part).await?;
                Ok(None)
            }
        }
    }

    /// Follows a flight that brings the block at the position and still has its bytes.
    fn join_flight(&mut self) -> bool {
        let index = self.index();
        let Some(flight) = self.route.flights.get(&self.revision, index) else {
            return false;
        };
        let reachable = flight.reaches(self.position) || flight.tail(index).is_some();
        if reachable {
            self.following = Some(flight.follow(self.position));
        }
        reachable
    }

    async fn read_block(&self, index: BlockIndex) -> Result<Bytes, Miss> {
        let block = self.route.terms.block_size.range_of(index, self.head.size());
        let part = block
            .zip(self.rest())
            .and_then(|(block, rest)| block.intersect(rest))
            .ok_or(Miss::Absent)?;
        if !self.route.keeps || self.damaged.contains(&index) {
            return Err(Miss::Absent);
        }
        let read = self.route.store.read(&self.revision, index, part);
        tokio::time::timeout(DISK_PATIENCE, read)
            .await
            .unwrap_or(Err(Miss::Fault))
    }

    /// Fetches the run of missing blocks at the position, with everyone who wants the same.
    async fn fetch_missing(&mut self) -> Result<(), Abort> {
        let Some(rest) = self.rest() else { return Ok(()) };
        let block_size = self.route.terms.block_size;
        let mut held = self
            .route
            .held(&self.revision, block_size.span_of(rest), &self.damaged)
            .await;
        // The first block was just looked for.
        if let Some(first) = held.first_mut() {
            *first = false;
        }
        let Some(missing) = missing_span(rest, self.head.size(), block_size, &held) else {
            return Ok(());
        };
        let claimed = self.route.flights.get(&self.revision, self.index()).is_some();
        if claimed {
            // Somebody's flight passed these bytes by, and no fill kept them.
            return self.overtake(rest.intersect(missing).unwrap_or(rest)).await;
        }
        let pins = [self.revision.tag.clone()];
        let target = Target::Range(RangeSpec::Span(missing));
        let (told, in_hand) = self.route.fetch(&self.request, &pins, target).await;
        match (told.last(), in_hand.follower) {
            (Some(last), Some(follower)) if served(&pins, last) => {
                self.following = Some(follower);
                Ok(())
            }
            // The right bytes, but such as must not be kept: for this reader alone.
            (Some(last), None) if served(&pins, last) => self.overtake(rest.intersect(missing).unwrap_or(rest)).await,
            // A 412 after the head went out counts as a cut: the client has half of a revision that is gone.
            _ => self.failed(Cause::Reset),
        }
    }

    /// Goes on with a fetch of our own, which nobody else follows.
    async fn overtake(&mut self, part: ByteRange) -> Result<(), Abort> {
        self.route.metrics.overtaken();
        match self.route.private_flight(&self.request, &self.revision, part).await {
            Ok(follower) => {
                self.following = Some(follower);
                Ok(())
            }
            Err(cause) => self.failed(cause),
        }
    }

    fn failed(&mut self, cause: Cause) -> Result<(), Abort> {
        self.tries += 1;
        if self.tries > MOST_RESUMES {
            Err(Abort(cause))
        } else {
            Ok(())
        }
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
