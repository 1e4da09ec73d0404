//! Who wants what a flight brings: followers, who read it, and leases of those who will.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use super::flight::{End, Flight, Leased, Reader, Takeoff};
use crate::object::{ByteRange, Found, StrongETag};

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

/// Keeps a flight going without readers.
#[derive(Debug)]
pub(crate) struct Lease(Arc<Flight>);

/// One reader of a flight. Dropped, it no longer paces it.
pub(crate) struct Follower {
    flight: Arc<Flight>,
    id: u64,
    /// What the flight knows of where it stops.
    until: u64,
    news: watch::Receiver<u64>,
}

impl Lease {
    pub(super) fn new(flight: Arc<Flight>) -> Self {
        Self(flight)
    }

    /// Whether its question was answered by what was asked for.
    pub(crate) fn is_flowing(&self) -> bool {
        self.0.is_flowing()
    }

    /// How the flight ended, if it has.
    pub(crate) fn ended(&self) -> Option<End> {
        self.0.state.lock().over
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.state.lock().lease = Leased::NoMore;
        self.0.moved.notify_one();
        self.0.left.notify_one();
    }
}

impl Follower {
    pub(super) fn new(flight: Arc<Flight>, id: u64, news: watch::Receiver<u64>) -> Self {
        Self {
            flight,
            id,
            until: u64::MAX,
            news,
        }
    }

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
        let base = self.flight.state.lock().base;
        self.move_to(base);
        base < end
    }

    /// The flight.
    pub(crate) fn flight(&self) -> &Arc<Flight> {
        &self.flight
    }

    /// Wants nothing from a position on: others bring it.
    pub(crate) fn want_until(&mut self, until: u64) {
        if self.until != until {
            self.until = until;
            self.change(|reader| reader.until = until);
        }
    }

    /// Wants what comes before a position, whoever was to bring it.
    pub(crate) fn want_at_least(&mut self, until: u64) {
        self.want_until(self.until.max(until));
    }

    /// Wants nothing, unless others fail.
    pub(crate) fn stand_by(&mut self) {
        self.want_until(0);
    }

    /// Wants everything from a position on, after all, and nothing before it.
    pub(crate) fn want_from(&mut self, from: u64) {
        self.until = u64::MAX;
        self.change(|reader| (reader.from, reader.until) = (from, u64::MAX));
    }

    fn move_to(&self, position: u64) {
        self.change(|reader| reader.position = position);
    }

    fn change(&self, change: impl FnOnce(&mut Reader)) {
        if let Some(reader) = self.flight.state.lock().readers.get_mut(&self.id) {
            change(reader);
        }
        self.flight.moved.notify_one();
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.flight.state.lock().readers.remove(&self.id);
        self.flight.moved.notify_one();
        self.flight.left.notify_one();
    }
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("id", &self.id).finish_non_exhaustive()
    }
}
