//! One transfer from an upstream that several readers follow: a window in memory that moves at the pace of the fastest
//! reader, and the fills that readers behind it read from.
//!
//! The task that drives a flight is in `pilot.rs`; this is what it shares with its followers.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::follower::{Follower, Lease, Next};
use super::reused::Use;
use crate::object::{BlockIndex, ByteRange, Cause};
use crate::plan::Told;
use crate::tier::store::Tail;
use crate::tier::upstream::Body;

/// How a flight ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Every byte of its range came.
    Whole,
    /// Nobody was left to read it.
    Abandoned,
    /// The body was cut and could not be resumed.
    Cut(Cause),
}

/// What became of a flight's question.
#[derive(Debug)]
pub(crate) enum Takeoff {
    /// The answer brings these bytes of a revision.
    Flowing(Box<Told>, ByteRange),
    /// No tier had it, or what came cannot be shared.
    Grounded(Vec<Told>),
}

/// A transfer in progress.
pub(crate) struct Flight {
    window: u64,
    pub(super) state: Mutex<State>,
    /// Ticks whenever bytes came or the flight ended.
    news: watch::Sender<u64>,
    /// Told when a reader moved or left, or a lease ended.
    pub(super) moved: Notify,
    /// Told when a reader left or a lease ended.
    pub(super) left: Notify,
}

pub(super) struct State {
    takeoff: Option<Arc<Takeoff>>,
    /// The use of the tag that its bytes are of.
    used: Option<Use>,
    /// The answer of a grounded flight, for the one who began it.
    in_hand: Option<Body>,
    chunks: VecDeque<Bytes>,
    /// Position of the first byte of `chunks`.
    pub(super) base: u64,
    /// Position after the last byte that came.
    end: u64,
    pub(super) readers: HashMap<u64, Reader>,
    next_reader: u64,
    /// Whether anybody ever read.
    was_read: bool,
    pub(super) lease: Leased,
    tails: VecDeque<(BlockIndex, Arc<dyn Tail>)>,
    pub(super) over: Option<End>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Reader {
    pub(super) position: u64,
    /// It wants nothing before that.
    pub(super) from: u64,
    /// It wants nothing from there on.
    pub(super) until: u64,
}

/// Whether a flight is wanted by one who does not read it yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leased {
    Never,
    Now,
    NoMore,
}

/// Who wants what a flight brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Readers, and they have read nearly all that is in the window.
    Soon,
    /// Readers, and there is enough in the window, or they are to get what comes from elsewhere.
    Later,
    /// Readers who want nothing of it as long as others bring what they read.
    Reserve,
    /// Nobody yet, but one will come.
    Leased,
    /// Nobody now; somebody did.
    Unread,
    /// Nobody, ever: it was begun for one who did not come.
    Recalled,
}

impl Flight {
    /// A flight whose question is yet to be answered.
    pub(crate) fn new(window: u64) -> Arc<Self> {
        let state = State {
            takeoff: None,
            used: None,
            in_hand: None,
            chunks: VecDeque::new(),
            base: 0,
            end: 0,
            readers: HashMap::new(),
            next_reader: 0,
            was_read: false,
            lease: Leased::Never,
            tails: VecDeque::new(),
            over: None,
        };
        Arc::new(Self {
            window,
            state: Mutex::new(state),
            news: watch::Sender::new(0),
            moved: Notify::new(),
            left: Notify::new(),
        })
    }

    /// The answer came, and bytes of `range` follow.
    pub(super) fn take_off(&self, told: Told, range: ByteRange, used: Use) {
        let mut state = self.state.lock();
        state.used = Some(used);
        (state.base, state.end) = (range.first(), range.first());
        state.takeoff = Some(Arc::new(Takeoff::Flowing(Box::new(told), range)));
        drop(state);
        self.tick();
    }

    /// The answers came, and no shared bytes will.
    pub(super) fn ground(&self, told: Vec<Told>, in_hand: Option<Body>) {
        let mut state = self.state.lock();
        state.takeoff = Some(Arc::new(Takeoff::Grounded(told)));
        state.in_hand = in_hand;
        state.over = Some(End::Abandoned);
        drop(state);
        self.tick();
    }

    /// The body of the answer of a grounded flight; once.
    pub(crate) fn take_in_hand(&self) -> Option<Body> {
        self.state.lock().in_hand.take()
    }

    /// What became of the question; waits for it.
    pub(crate) async fn takeoff(&self) -> Arc<Takeoff> {
        let mut news = self.news.subscribe();
        loop {
            if let Some(takeoff) = self.taken_off() {
                return takeoff;
            }
            // The sender lives in `self`, so this cannot fail while we wait.
            let _ = news.changed().await;
        }
    }

    /// What became of the question, if that is known.
    pub(crate) fn taken_off(&self) -> Option<Arc<Takeoff>> {
        self.state.lock().takeoff.clone()
    }

    /// Whether it brings bytes of that use of the tag.
    pub(super) fn is_of(&self, used: Use) -> bool {
        self.state.lock().used == Some(used)
    }

    /// Whether the question was answered by what was asked for.
    pub(crate) fn is_flowing(&self) -> bool {
        matches!(self.taken_off().as_deref(), Some(Takeoff::Flowing(_, _)))
    }

    /// The bytes that it brings; `None` before the answer, and if it ended early.
    pub(crate) fn range(&self) -> Option<ByteRange> {
        let state = self.state.lock();
        match (state.takeoff.as_deref(), state.over) {
            (Some(Takeoff::Flowing(_, range)), None | Some(End::Whole)) => Some(*range),
            _ => None,
        }
    }

    /// Whether bytes at a position have come.
    pub(crate) fn has_brought(&self, position: u64) -> bool {
        let state = self.state.lock();
        matches!(state.takeoff.as_deref(), Some(Takeoff::Flowing(_, _))) && state.end > position
    }

    /// Whether a reader at a position will get its bytes from the window.
    pub(crate) fn reaches(&self, position: u64) -> bool {
        let state = self.state.lock();
        match (state.takeoff.as_deref(), state.over) {
            (Some(Takeoff::Flowing(_, range)), None) => position >= state.base && position < range.end(),
            (Some(Takeoff::Flowing(_, _)), Some(_)) => position >= state.base && position < state.end,
            (None, None) => true,
            _ => false,
        }
    }

    /// Bytes came: they enter the window, and what is older leaves it. What the fastest reader has yet to read stays: it
    /// set the pace, so it is at most one piece more than the window.
    pub(super) fn push(&self, bytes: Bytes) {
        self.state.lock().push(bytes, self.window);
        self.tick();
    }

    /// The flight ended; followers still get what is in the window. The first word stands.
    /// Where the first of those is who read.
    pub(super) fn first_wanted(&self) -> Option<u64> {
        self.state.lock().slowest()
    }

    /// Goes on from there, without what lies between.
    pub(super) fn skip_to(&self, position: u64) {
        let mut state = self.state.lock();
        state.chunks.clear();
        (state.base, state.end) = (position, position);
    }

    pub(super) fn finish(&self, end: End) {
        self.state.lock().over.get_or_insert(end);
        self.tick();
    }

    /// A block is being filled; readers that fall behind read from it.
    pub(super) fn add_tail(&self, index: BlockIndex, tail: Arc<dyn Tail>) {
        self.state.lock().tails.push_back((index, tail));
    }

    /// A block was published or given up.
    pub(super) fn drop_tail(&self, index: BlockIndex) {
        self.state.lock().tails.retain(|(filled, _)| *filled != index);
    }

    /// The fill that holds a block, if there is one.
    pub(crate) fn tail(&self, index: BlockIndex) -> Option<Arc<dyn Tail>> {
        self.state
            .lock()
            .tails
            .iter()
            .find(|(filled, _)| *filled == index)
            .map(|(_, tail)| tail.clone())
    }

    /// Whether a block is worth storing for those who read: not what they have had from elsewhere, or are to.
    pub(super) fn wants(&self, block: ByteRange) -> bool {
        let state = self.state.lock();
        let mut readers = state.readers.values();
        state.lease == Leased::Now
            || readers.len() == 0
            || readers.any(|reader| reader.from < block.end() && block.first() < reader.until)
    }

    /// Up to where somebody wants what comes.
    pub(super) fn wanted_until(&self) -> u64 {
        let state = self.state.lock();
        match state.lease {
            Leased::Now => u64::MAX,
            Leased::Never | Leased::NoMore => {
                let ends = state.readers.values().map(|reader| reader.until);
                ends.max().unwrap_or(u64::MAX)
            }
        }
    }

    /// Ends the flight if nobody reads: whoever begins to follow later finds it over. Whether it did.
    pub(super) fn abandon(&self) -> bool {
        let mut state = self.state.lock();
        if !state.readers.is_empty() {
            return false;
        }
        state.over.get_or_insert(End::Abandoned);
        true
    }

    /// Whether anyone reads, or will.
    pub(super) fn is_wanted(&self) -> bool {
        matches!(self.wanted(), Wanted::Soon | Wanted::Later | Wanted::Leased)
    }

    /// Who wants what comes, and when.
    pub(super) fn wanted(&self) -> Wanted {
        let state = self.state.lock();
        let wanting = state.readers.values().filter(|reader| reader.until > state.end);
        let fastest = wanting.map(|reader| reader.position).max();
        match (fastest, state.lease) {
            (Some(fastest), _) if state.end.saturating_sub(fastest) < self.window => Wanted::Soon,
            (Some(_), _) => Wanted::Later,
            (None, Leased::Now) => Wanted::Leased,
            // Others bring what comes next, or are to; should they fail, this goes on.
            (None, _) if state.fastest().is_some() => Wanted::Later,
            (None, _) if !state.readers.is_empty() => Wanted::Reserve,
            (None, Leased::NoMore) if !state.was_read => Wanted::Recalled,
            (None, Leased::Never | Leased::NoMore) => Wanted::Unread,
        }
    }

    /// Ends the flight as soon as nobody wants it, or nobody reads and what comes is not worth finishing for later readers.
    pub(super) async fn unwanted(&self, worth_finishing: bool) {
        loop {
            let left = self.left.notified();
            let over = match self.wanted() {
                Wanted::Soon | Wanted::Later | Wanted::Reserve | Wanted::Leased => false,
                Wanted::Unread => !worth_finishing,
                Wanted::Recalled => true,
            };
            if over && self.abandon() {
                return;
            }
            left.await;
        }
    }

    /// Wants what comes for a reader who is on the way.
    pub(crate) fn lease(self: &Arc<Self>) -> Lease {
        self.state.lock().lease = Leased::Now;
        Lease::new(Arc::clone(self))
    }

    /// Begins to follow from a position.
    pub(crate) fn follow(self: &Arc<Self>, position: u64) -> Follower {
        let mut state = self.state.lock();
        let id = state.next_reader;
        state.next_reader = id.wrapping_add(1);
        let (from, until) = (0, u64::MAX);
        state.readers.insert(id, Reader { position, from, until });
        state.was_read = true;
        drop(state);
        self.moved.notify_one();
        Follower::new(self.clone(), id, self.news.subscribe())
    }

    pub(super) fn at(&self, position: u64, range: ByteRange) -> Option<Next> {
        let state = self.state.lock();
        if position < state.base {
            return Some(Next::Behind);
        }
        let mut start = state.base;
        for chunk in &state.chunks {
            let end = start.saturating_add(length(chunk));
            if position < end {
                return Some(Next::Bytes(piece(chunk, start, position, range)));
            }
            start = end;
        }
        state.over.map(Next::Over)
    }

    fn tick(&self) {
        self.news.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl State {
    /// How far the fastest of those has come who want something of it; `None` if nobody does.
    fn fastest(&self) -> Option<u64> {
        let wanting = self.readers.values().filter(|reader| reader.until > self.base);
        wanting.map(|reader| reader.position).max()
    }

    fn slowest(&self) -> Option<u64> {
        let wanting = self.readers.values().filter(|reader| reader.until > self.base);
        wanting.map(|reader| reader.position).min()
    }

    fn push(&mut self, bytes: Bytes, window: u64) {
        self.end = self.end.saturating_add(length(&bytes));
        let small = SMALL.min(window / 16);
        match self.chunks.back_mut() {
            // Whoever reads looks at one after another.
            Some(last) if length(last).saturating_add(length(&bytes)) <= small => {
                *last = [&**last, &*bytes].concat().into()
            }
            _ => self.chunks.push_back(bytes),
        }
        let read = self.fastest().unwrap_or(u64::MAX);
        while self.end.saturating_sub(self.base) > window && self.chunks.len() > 1 {
            let Some(oldest) = self.chunks.front() else { return };
            let next = self.base.saturating_add(length(oldest));
            if next > read {
                return;
            }
            self.base = next;
            self.chunks.pop_front();
        }
    }
}

/// Up to this, and a small part of the window, pieces are joined: some servers send each line, or each byte, as a chunk of its own.
const SMALL: u64 = 4 << 10;

/// The part of a chunk that starts at `start` from `position` to the end of `range`.
fn piece(chunk: &Bytes, start: u64, position: u64, range: ByteRange) -> Bytes {
    let from = usize::try_from(position.saturating_sub(start))
        .unwrap_or(chunk.len())
        .min(chunk.len());
    let to = usize::try_from(range.end().saturating_sub(start))
        .unwrap_or(chunk.len())
        .min(chunk.len());
    chunk.slice(from..to.max(from))
}

fn length(bytes: &Bytes) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

impl std::fmt::Debug for Flight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Flight")
            .field("base", &state.base)
            .field("end", &state.end)
            .field("over", &state.over)
            .finish()
    }
}

#[cfg(test)]
mod tests;
