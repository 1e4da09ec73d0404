//! The task that drives a flight: it takes bytes from an answer at the pace of the fastest reader, offers them to the
//! fills of the blocks that it claimed, and goes on with the rest after a cut.

mod claims;
mod patience;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::OptionFuture;

use patience::Patience;

use super::flight::{End, Flight, Wanted};
use super::reused::Use;
use super::route::{Request, Route};
use crate::object::{BlockIndex, ByteRange, Cause, Head, Revision};
use crate::plan::{Recovery, recover};
use crate::tier::store::{Claim, Fill, GaveUp};
use crate::tier::upstream::Body;

/// How far ahead of itself a flight claims blocks, in bytes: whoever wants a block further on does not wait for all in
/// between, and whoever wants one within finds it coming.
pub(super) const LOOK_AHEAD: u64 = 8 << 20;

/// The pauses before a cut body is asked for again; the first comes at once.
const PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(400)];

/// How long an answer that is held in reserve is not read before a little of it is: servers close a connection that takes
/// nothing for a minute (nginx's `send_timeout`).
const RESERVE: Duration = Duration::from_secs(10);
/// How much is read of it then. A server hears that there is room again when a third of what its kernel has queued is gone,
/// of up to 4 MiB, and the way there holds some, too.
const SIP: u64 = 3 << 20;

/// How much of its range a flight claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// What comes soon.
    Ahead,
    /// Nothing: it is one reader's own.
    Nothing,
    /// All: the upstream sends everything whatever it is asked for, so it is fetched once for all who wait.
    All,
}

/// What a flight brings, and for whom.
#[derive(Clone)]
pub(crate) struct Course {
    /// On whose behalf the rest is asked for after a cut.
    pub(super) request: Request,
    /// The revision.
    pub(super) revision: Revision,
    /// Its head.
    pub(super) head: Arc<Head>,
    /// The bytes that the answer brings.
    pub(super) range: ByteRange,
    /// How much of them it claims.
    pub(super) reach: Reach,
    /// Which space its blocks may take.
    pub(super) claim: Claim,
    /// The use of the tag that it was asked for in.
    pub(super) used: Use,
}

/// A flight's task.
pub(crate) struct Pilot {
    route: Arc<Route>,
    flight: Arc<Flight>,
    course: Course,
    claimed: BTreeSet<BlockIndex>,
    /// The block being filled, if its bytes have come from its first on.
    fill: Option<(BlockIndex, Box<dyn Fill>)>,
    position: u64,
    /// Whether anyone read when the bytes at hand came: who has had the last of them is gone before they are filled.
    wanted: bool,
    /// Whether the disk takes what comes. Without that, nothing is brought that nobody reads.
    stores: bool,
    /// Blocks that have come and are not yet in the store.
    publishing: Arc<AtomicUsize>,
    /// Bytes to be read although nobody wants them, so that the server does not give the reserve up.
    sip: u64,
    /// With the server, while nobody reads.
    patience: Patience,
}

impl Pilot {
    /// The task of a flight that has claimed these blocks so far.
    pub(crate) fn new(route: Arc<Route>, flight: Arc<Flight>, course: Course, claimed: Vec<BlockIndex>) -> Self {
        let claimed = claimed.into_iter().collect();
        let position = course.range.first();
        let stores = route.keeps;
        Self {
            route,
            flight,
            course,
            claimed,
            fill: None,
            position,
            wanted: true,
            stores,
            publishing: Arc::default(),
            sip: 0,
            patience: Patience::default(),
        }
    }

    /// Runs the transfer to its end.
    pub(crate) async fn run(mut self, body: Body) {
        let end = self.transfer(body).await;
        self.land(end);
    }

    fn land(&mut self, end: End) {
        if let Some((index, _)) = self.fill.take() {
            self.flight.drop_tail(index);
        }
        // Claims go first: whoever finds none asks anew, and nobody finds a flight that is over.
        let rest: Vec<BlockIndex> = self.claimed.iter().copied().collect();
        self.release(&rest);
        self.flight.finish(end);
    }

    async fn transfer(&mut self, mut body: Body) -> End {
        let mut tries = 0;
        loop {
            let cause = match self.drain(body).await {
                Ok(end) => return end,
                Err(cause) => cause,
            };
            (body, tries) = match self.go_on(cause, tries).await {
                Ok(next) => next,
                Err(end) => return end,
            };
        }
    }

    /// Takes from one body until the range is complete, nobody is left, or it is cut.
    async fn drain(&mut self, mut body: Body) -> Result<End, Cause> {
        while self.position < self.course.range.end() {
            if !self.wait_for_room().await {
                return Ok(End::Abandoned);
            }
            let worth_finishing = self.is_worth_finishing();
            let unread = self.flight.wanted() == Wanted::Unread;
            let patience = self.patience.ends(unread, self.position).map(tokio::time::sleep_until);
            let next = tokio::select! {
                biased;
                next = body.next() => next,
                // An upstream that is silent is not waited for in vain.
                () = self.flight.unwanted(worth_finishing) => return Ok(End::Abandoned),
                Some(()) = OptionFuture::from(patience) => {
                    if self.flight.abandon() {
                        return Ok(End::Abandoned);
                    }
                    continue;
                }
            };
            match next {
                Some(Ok(bytes)) => self.accept(bytes),
                Some(Err(cut)) => return Err(cut.0),
                // A clean end before the proven one is a cut all the same.
                None => return Err(Cause::Reset),
            }
        }
        Ok(End::Whole)
    }

    /// Another body for the rest, after a cut (row 28).
    async fn go_on(&mut self, cause: Cause, mut tries: u8) -> Result<(Body, u8), End> {
        let mut cause = cause;
        loop {
            let wanted = self.flight.first_wanted();
            let rest = match recover(self.course.range, self.position, wanted, tries, cause) {
                Recovery::Ask(_) if self.flight.abandon() => return Err(End::Abandoned),
                Recovery::Ask(rest) => rest,
                Recovery::Abort(cause) => return Err(End::Cut(cause)),
                Recovery::Done => return Err(End::Whole),
            };
            if rest.first() > self.position {
                self.skip_to(rest.first());
            }
            let pause = PAUSES.get(usize::from(tries)).copied().unwrap_or_default();
            tokio::time::sleep(pause).await;
            tries += 1;
            self.route.metrics.resumed();
            match self.route.rest(&self.course.request, &self.course.head, rest).await {
                // What is there now is of other bytes.
                Ok(_) if self.is_outdated() => return Err(End::Cut(cause)),
                Ok((_, held, body)) => return Ok((skip_to(body, held.first(), self.position), tries)),
                Err(next) => cause = next,
            }
        }
    }

    /// Goes on from a position. Of the blocks up to there nothing is stored, and nobody is to wait for them here.
    fn skip_to(&mut self, position: u64) {
        self.flight.skip_to(position);
        if let Some((index, _)) = self.fill.take() {
            self.flight.drop_tail(index);
        }
        let block_size = self.route.terms.block_size;
        let passed = block_size.index_of(position);
        let passed: Vec<BlockIndex> = self.claimed.iter().copied().filter(|index| *index <= passed).collect();
        self.release(&passed);
        self.position = position;
    }

    /// Waits until the next bytes are wanted. Without readers that is when the disk has taken what came before; ahead of a
    /// reader, when all that it has not taken is still in the window: whoever comes to the middle of it is not to wait for
    /// a slow disk. `false` if they never will be: nobody reads, and there is no block to be
    /// finished for later readers.
    async fn wait_for_room(&mut self) -> bool {
        loop {
            let moved = self.flight.moved.notified();
            let wanted = self.flight.wanted();
            match wanted {
                Wanted::Soon => return true,
                Wanted::Later => {
                    moved.await;
                    continue;
                }
                Wanted::Reserve if self.sip > 0 => return true,
                Wanted::Reserve => {
                    if tokio::time::timeout(RESERVE, moved).await.is_err() {
                        self.sip = SIP;
                    }
                    continue;
                }
                Wanted::Leased | Wanted::Unread | Wanted::Recalled => {}
            }
            let worth_it = match wanted {
                Wanted::Leased => self.stores,
                Wanted::Recalled => false,
                _ => self.is_worth_finishing(),
            };
            if !worth_it {
                if self.flight.abandon() {
                    return false;
                }
                continue;
            }
            let backlog = match wanted {
                Wanted::Leased => self.route.window / 2,
                _ => BACKLOG_WITHOUT_READERS,
            };
            let behind = self.fill.as_ref().filter(|(_, fill)| fill.backlog() >= backlog);
            let drained = behind.map(|(_, fill)| fill.drained());
            if drained.is_none() && (wanted != Wanted::Leased || self.publishing.load(Ordering::Relaxed) <= 1) {
                return true;
            }
            // A block that is published is told of as if somebody moved.
            let drained = OptionFuture::from(drained);
            tokio::select! {
                () = moved => {}
                Some(()) = drained => {}
                () = tokio::time::sleep(AHEAD_OF_DISK), if wanted == Wanted::Leased => {
                    self.route.scouting.rest();
                    if self.flight.abandon() {
                        return false;
                    }
                }
            }
        }
    }

    /// Whether what comes is of use without readers: a block that was begun is, for those to come; and where everything is
    /// always sent whole, whoever wants another piece would have all of it sent again.
    fn is_worth_finishing(&self) -> bool {
        let of_use = self.fill.is_some() || (self.stores && self.course.reach == Reach::All);
        of_use && !self.route.tasks.is_closed()
    }

    fn accept(&mut self, mut bytes: Bytes) {
        let left = self.course.range.end().saturating_sub(self.position);
        bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        self.sip = self.sip.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.wanted = self.flight.is_wanted();
        self.flight_push(&bytes);
        while !bytes.is_empty() {
            let piece = self.next_piece(&mut bytes);
            self.offer(&piece);
        }
    }

    /// Followers first: a download never waits for the disk.
    fn flight_push(&self, bytes: &Bytes) {
        if !bytes.is_empty() {
            self.flight.push(bytes.clone());
        }
    }

    /// Splits off what belongs to the block at the current position.
    fn next_piece(&self, bytes: &mut Bytes) -> Bytes {
        let block_size = self.route.terms.block_size;
        let block_end = block_size.start_of(block_size.index_of(self.position).next());
        let room = usize::try_from(block_end.saturating_sub(self.position)).unwrap_or(usize::MAX);
        bytes.split_to(room.min(bytes.len()))
    }

    fn offer(&mut self, piece: &Bytes) {
        let block_size = self.route.terms.block_size;
        let index = block_size.index_of(self.position);
        if self.position == block_size.start_of(index) {
            self.begin_block(index);
        }
        self.position = self
            .position
            .saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        let Some((filled, fill)) = &mut self.fill else { return };
        let filled = *filled;
        if let Err(why) = fill.offer(piece) {
            self.give_up(filled, why);
        } else if block_size
            .range_of(filled, self.course.head.size())
            .is_some_and(|block| block.end() == self.position)
        {
            self.publish();
        }
    }

    /// Whether the tag was used again since.
    fn is_outdated(&self) -> bool {
        self.route.reused.now(&self.course.request.key) != self.course.used
    }

    fn begin_block(&mut self, index: BlockIndex) {
        self.fill = None;
        if self.is_outdated() {
            self.claimed.clear();
            return;
        }
        // A block that went by without being stored is somebody else's to bring.
        let passed: Vec<BlockIndex> = self.claimed.range(..index).copied().collect();
        self.release(&passed);
        self.claim_ahead();
        let block_size = self.route.terms.block_size;
        let block = block_size.range_of(index, self.course.head.size());
        let whole = block.is_some_and(|block| self.course.range.covers(block));
        // A block that was begun is finished without readers, for those to come; it is not worth beginning another.
        let everything = self.course.reach == Reach::All;
        let wanted = block.is_some_and(|block| self.flight.wants(block))
            && (self.wanted || (everything && self.stores))
            && self.claimed.contains(&index);
        if !whole || !self.route.keeps || !wanted {
            return;
        }
        match self
            .route
            .store
            .fill(&self.course.revision, &self.course.head, index, self.course.claim)
        {
            // The tag may have been used again after the look above, and then what was here is forgotten already.
            Ok(_) if self.is_outdated() => self.claimed.clear(),
            Ok(fill) => {
                self.flight.add_tail(index, fill.tail());
                self.fill = Some((index, fill));
            }
            Err(why) => {
                self.stores = false;
                self.route.metrics.fill(Err(why));
            }
        }
    }

    fn give_up(&mut self, index: BlockIndex, why: GaveUp) {
        self.stores = false;
        self.fill = None;
        self.flight.drop_tail(index);
        self.route.metrics.fill(Err(why));
    }

    /// Publishes the block beside the transfer. Until readers find it in the store, its claim stands and its tail is
    /// there for them.
    fn publish(&mut self) {
        let Some((index, fill)) = self.fill.take() else { return };
        self.claimed.remove(&index);
        let (route, flight, revision) = (self.route.clone(), self.flight.clone(), self.course.revision.clone());
        let publishing = self.publishing.clone();
        publishing.fetch_add(1, Ordering::Relaxed);
        self.route.tasks.spawn(async move {
            let finished = fill.finish().await;
            publishing.fetch_sub(1, Ordering::Relaxed);
            route.metrics.fill(finished);
            route.flights.release(&revision, [index], &flight);
            flight.drop_tail(index);
            flight.moved.notify_one();
        });
    }
}

impl Drop for Pilot {
    /// Should the task end in any other way than by [`Pilot::run`], nobody waits for it for ever.
    fn drop(&mut self) {
        self.land(End::Cut(Cause::Reset));
    }
}

/// Without readers a flight runs at the pace of the disk, with this many bytes on their way to it.
const BACKLOG_WITHOUT_READERS: u64 = 512 << 10;

/// How long the disk may keep a flight waiting that is ahead of its reader: a block that comes at the pace of a slow disk
/// would hold up a reader who comes to it in the middle.
const AHEAD_OF_DISK: Duration = Duration::from_millis(250);

/// Drops what a body holds before a position: an upstream that ignores Range sends everything again.
fn skip_to(body: Body, first: u64, position: u64) -> Body {
    let mut surplus = position.saturating_sub(first);
    Box::pin(body.filter_map(move |chunk| {
        let chunk = chunk.map(|mut bytes| {
            let drop = usize::try_from(surplus).unwrap_or(usize::MAX).min(bytes.len());
            surplus = surplus.saturating_sub(u64::try_from(drop).unwrap_or(u64::MAX));
            bytes.split_off(drop)
        });
        std::future::ready(match chunk {
            Ok(bytes) if bytes.is_empty() => None,
            chunk => Some(chunk),
        })
    }))
}
