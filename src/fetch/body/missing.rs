//! What a reader does when nobody brings what it wants, or nobody in time: it fetches by itself.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::RevisionBody;
use crate::fetch::follower::{Follower, Next};
use crate::fetch::reply::Abort;
use crate::object::{ByteRange, Cause, Heard, RangeSpec, Target};
use crate::plan::{MOST_RESUMES, missing_span, piece_end, served};

/// How long one of several transfers may bring nothing before the bytes are asked for once more, and how often that is done
/// for one reader: should it be the server that stands still, it is not to be asked for more and more.
pub(in crate::fetch) const STALL: Duration = Duration::from_secs(2);
const MOST_STALLS: u8 = 3;

impl RevisionBody {
    /// What a transfer brings next; `None` if it keeps the reader waiting where others go on beside it. With many of them
    /// it is that much likelier that one stands still, and a download by one would not have waited for it.
    pub(super) async fn in_time(&self, next: impl Future<Output = Next>) -> Option<Next> {
        let stands_beside_others = self.has_spare() || (self.ahead.is_active() && self.stalls < MOST_STALLS);
        within(stands_beside_others.then_some(STALL), next).await
    }

    /// Leaves a transfer behind that stands still.
    pub(super) async fn stalled(&mut self, follower: Follower) -> Result<Option<Bytes>, Abort> {
        self.stalls = self.stalls.saturating_add(1);
        self.leave(follower);
        if self.stalls > MOST_STALLS && self.turn_to_spare() {
            return Ok(None);
        }
        let piece = ByteRange::new(self.position, piece_end(self.position, self.route.terms.block_size) - 1);
        if let Some(part) = piece.zip(self.rest()).and_then(|(piece, rest)| piece.intersect(rest)) {
            match within(Some(STALL), self.overtake(part)).await {
                Some(overtaken) => overtaken?,
                // It is not this one that stands still, but all that is asked for.
                None => drop(self.turn_to_spare()),
            }
        }
        Ok(None)
    }

    /// How long a question of its own may take: not long where another answer has it all, nor where what was asked for
    /// further on may have the turn that this one waits for.
    fn patience_with_tiers(&self) -> Option<Duration> {
        (self.has_spare() || !self.held.is_empty()).then_some(STALL)
    }

    /// It took that long.
    fn out_of_patience(&mut self) -> Result<(), Abort> {
        if self.has_spare() {
            return self.failed(Cause::Timeout);
        }
        self.held.clear();
        Ok(())
    }

    /// Fetches the run of missing blocks at the position, with everyone who wants the same.
    pub(super) async fn fetch_missing(&mut self) -> Result<(), Abort> {
        let Some(mut rest) = self.rest() else { return Ok(()) };
        let block_size = self.route.terms.block_size;
        if self.ahead.is_active() {
            let last = rest.last().min(piece_end(self.position, block_size) - 1);
            rest = ByteRange::new(self.position, last).unwrap_or(rest);
        }
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
            // Somebody's flight passed these bytes by, and no fill kept them. What comes after may be in flight.
            let block = block_size.range_of(self.index(), self.head.size());
            let part = block.and_then(|block| block.intersect(rest)).unwrap_or(rest);
            let overtaken = within(self.patience_with_tiers(), self.overtake(part)).await;
            return overtaken.unwrap_or_else(|| self.out_of_patience());
        }
        let pins = [self.revision.tag.clone()];
        let target = Target::Range(RangeSpec::Span(missing));
        let fetched = self.route.fetch(&self.request, &pins, target);
        let Some((told, in_hand)) = within(self.patience_with_tiers(), fetched).await else {
            return self.out_of_patience();
        };
        let served = told.last().filter(|last| served(&pins, last));
        self.following = served.and_then(|last| self.route.follow_in_hand(&self.request, &self.head, last, in_hand));
        match (&self.following, told.last().map(|last| &last.heard)) {
            (Some(_), _) => Ok(()),
            (None, Some(Heard::Failed(failure))) => {
                if failure.cause == Cause::Saturated {
                    // It may be this reader's own transfers that stand still until it comes to them.
                    self.held.clear();
                }
                self.failed(failure.cause)
            }
            // A 412 after the head went out counts as a cut: the client has half of a revision that is gone.
            (None, _) => self.failed(Cause::Reset),
        }
    }

    /// Goes on with a fetch of our own, which nobody else follows.
    pub(super) async fn overtake(&mut self, part: ByteRange) -> Result<(), Abort> {
        self.route.metrics.overtaken();
        match self.route.private_flight(&self.request, &self.head, part).await {
            Ok(follower) => {
                self.following = Some(follower);
                Ok(())
            }
            Err(cause) => self.failed(cause),
        }
    }

    pub(super) fn failed(&mut self, cause: Cause) -> Result<(), Abort> {
        if self.turn_to_spare() {
            return Ok(());
        }
        self.tries += 1;
        if self.tries > MOST_RESUMES {
            Err(Abort(cause))
        } else {
            Ok(())
        }
    }
}

/// What a future resolves to within a limit, if there is one.
pub(in crate::fetch) async fn within<T>(limit: Option<Duration>, future: impl Future<Output = T>) -> Option<T> {
    match limit {
        Some(limit) => timeout(limit, future).await.ok(),
        None => Some(future.await),
    }
}
