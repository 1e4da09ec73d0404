//! One transfer from an upstream that several readers follow: a window in memory that moves at the pace of the fastest
//! reader, and the fills that readers behind it read from.
//!
//! The task that drives a flight is in `pilot.rs`; this is what it shares with its followers.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::object::{BlockIndex, ByteRange, Cause, Found, Revision, StrongETag};
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

/// What a follower gets next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Bytes at the position that was asked for.
    Bytes(Bytes),
    /// The position fell out of the window.
    Behind,
    /// Nothing more will come from here.
    Over(End),
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
    state: Mutex<State>,
    /// Ticks whenever bytes came or the flight ended.
    news: watch::Sender<u64>,
    /// Told when a reader moved or left.
    pub(super) moved: Notify,
}

struct State {
    takeoff: Option<Arc<Takeoff>>,
    /// The answer of a grounded flight, for the one who began it.
    in_hand: Option<Body>,
    chunks: VecDeque<Bytes>,
    /// Position of the first byte of `chunks`.
    base: u64,
    /// Position after the last byte that came.
    end: u64,
    readers: HashMap<u64, u64>,
    next_reader: u64,
    tails: VecDeque<(BlockIndex, Arc<dyn Tail>)>,
    over: Option<End>,
}

/// One reader of a flight. Dropped, it no longer paces it.
pub(crate) struct Follower {
    flight: Arc<Flight>,
    id: u64,
    news: watch::Receiver<u64>,
}

impl Flight {
    /// A flight whose question is yet to be answered.
    pub(crate) fn new(window: u64) -> Arc<Self> {
        let state = State {
            takeoff: None,
            in_hand: None,
            chunks: VecDeque::new(),
            base: 0,
            end: 0,
            readers: HashMap::new(),
            next_reader: 0,
            tails: VecDeque::new(),
            over: None,
        };
        Arc::new(Self {
            window,
            state: Mutex::new(state),
            news: watch::Sender::new(0),
            moved: Notify::new(),
        })
    }

    /// The answer came, and bytes of `range` follow.
    pub(super) fn take_off(&self, told: Told, range: ByteRange) {
        let mut state = self.state.lock();
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

    /// The bytes that it brings; `None` before the answer, and if it ended early.
    pub(crate) fn range(&self) -> Option<ByteRange> {
        let state = self.state.lock();
        match (state.takeoff.as_deref(), state.over) {
            (Some(Takeoff::Flowing(_, range)), None | Some(End::Whole)) => Some(*range),
            _ => None,
        }
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

    /// Ends the flight if nobody reads: whoever begins to follow later finds it over. Whether it did.
    pub(super) fn abandon(&self) -> bool {
        let mut state = self.state.lock();
        if !state.readers.is_empty() {
            return false;
        }
        state.over.get_or_insert(End::Abandoned);
        true
    }

    /// Whether anyone reads.
    pub(super) fn has_readers(&self) -> bool {
        !self.state.lock().readers.is_empty()
    }

    /// Whether the fastest reader wants more than the window holds; without readers the fill sets the pace.
    pub(super) fn has_room(&self) -> bool {
        let state = self.state.lock();
        let fastest = state.fastest();
        fastest.is_none_or(|fastest| state.end.saturating_sub(fastest) < self.window)
    }

    /// Begins to follow from a position.
    pub(crate) fn follow(self: &Arc<Self>, position: u64) -> Follower {
        let mut state = self.state.lock();
        let id = state.next_reader;
        state.next_reader = id.wrapping_add(1);
        state.readers.insert(id, position);
        drop(state);
        self.moved.notify_one();
        Follower {
            flight: self.clone(),
            id,
            news: self.news.subscribe(),
        }
    }

    fn at(&self, position: u64, range: ByteRange) -> Option<Next> {
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
    /// How far the fastest reader has come; `None` without readers.
    fn fastest(&self) -> Option<u64> {
        self.readers.values().copied().max()
    }

    fn push(&mut self, bytes: Bytes, window: u64) {
        self.end = self.end.saturating_add(length(&bytes));
        self.chunks.push_back(bytes);
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

impl Follower {
    /// Whether the flight is known to bring bytes of a revision of that tag.
    pub(crate) fn brings(&self, tag: &StrongETag) -> bool {
        match self.flight.taken_off().as_deref() {
            Some(Takeoff::Flowing(told, _)) => told.heard.found().and_then(Found::strong_tag).as_ref() == Some(tag),
            Some(Takeoff::Grounded(_)) | None => false,
        }
    }

    /// Whether the flight's bytes begin beyond a position.
    pub(crate) fn begins_after(&self, position: u64) -> bool {
        match self.flight.taken_off().as_deref() {
            Some(Takeoff::Flowing(_, range)) => range.first() > position,
            Some(Takeoff::Grounded(_)) | None => false,
        }
    }

    /// Whether the flight will bring nothing beyond a position, or nothing more.
    pub(crate) fn ends_before(&self, position: u64) -> bool {
        self.flight.range().is_none_or(|range| range.end() <= position)
    }

    /// What is at a position, up to the end of `range`; waits for it.
    pub(crate) async fn next(&mut self, position: u64, range: ByteRange) -> Next {
        self.move_to(position);
        loop {
            self.news.mark_unchanged();
            if let Some(next) = self.flight.at(position, range) {
                return next;
            }
            let _ = self.news.changed().await;
        }
    }

    /// Paces the flight by the first byte that is still in the window, for one who will come there. Whether he will: he
    /// wants nothing from `end` on.
    pub(crate) fn hold_on(&mut self, end: u64) -> bool {
        let mut state = self.flight.state.lock();
        let base = state.base;
        state.readers.insert(self.id, base);
        drop(state);
        self.flight.moved.notify_one();
        base < end
    }

    /// The flight.
    pub(crate) fn flight(&self) -> &Arc<Flight> {
        &self.flight
    }

    fn move_to(&self, position: u64) {
        self.flight.state.lock().readers.insert(self.id, position);
        self.flight.moved.notify_one();
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.flight.state.lock().readers.remove(&self.id);
        self.flight.moved.notify_one();
    }
}

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

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("id", &self.id).finish_non_exhaustive()
    }
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

/// Where a revision's block is in flight.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Claimed {
    /// The revision.
    pub(crate) revision: Revision,
    /// The block.
    pub(crate) index: BlockIndex,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Heard, Method, Target};
    use crate::plan::{Asked, Tier};

    const WINDOW: u64 = 1000;

    fn flight() -> Arc<Flight> {
        let flight = Flight::new(WINDOW);
        let told = Told {
            tier: Tier::new(0),
            asked: Asked::free(Method::Get, Target::Whole),
            heard: Heard::failed(Cause::Reset),
            own: false,
        };
        flight.take_off(told, range());
        flight
    }

    fn range() -> ByteRange {
        ByteRange::new(0, 99_999).unwrap()
    }

    #[tokio::test]
    async fn what_the_fastest_reader_has_yet_to_read_stays_in_the_window() {
        let flight = flight();
        let mut reader = flight.follow(0);
        let mut position = 0;
        // Pieces that do not divide the window, as sockets give them.
        for _ in 0..40 {
            while flight.has_room() {
                flight.push(Bytes::from(vec![0; 333]));
            }
            let Next::Bytes(bytes) = reader.next(position, range()).await else {
                panic!("lost at {position}");
            };
            position += length(&bytes);
        }
        let state = flight.state.lock();
        assert!(state.end - state.base <= WINDOW + 333);
    }

    #[test]
    fn the_window_moves_without_readers() {
        let flight = flight();
        drop(flight.follow(0));
        for _ in 0..40 {
            assert!(flight.has_room());
            flight.push(Bytes::from(vec![0; 333]));
        }
        let state = flight.state.lock();
        assert!(state.end - state.base <= WINDOW);
    }
}
