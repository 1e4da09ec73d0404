//! Which files exist, what they weigh, and who is evicted next. The directory is the truth; this is what is known of
//! it, complete once `recover` has walked it.
//!
//! Owns: the capacity, the order of eviction, the queue of files to unlink. Never: touches a file. One lock, held for
//! short and never across an await; the warm path of reads does not take it.

mod choice;
mod doomed;
mod entries;
mod ghosts;
mod look;
mod popular;
mod queues;
mod ranks;
mod reservation;
mod revisions;
mod routes;
mod slab;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod traces;
mod whole;
mod window;

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::tier::store::{Claim, GaveUp};

use super::Monotonic;
use super::format::{narrow, wide};
use super::name::{Name, RevisionHash};
use super::stats::Counters;
use super::sync::{AtomicBool, AtomicU64, Condvar, Mutex};
pub(super) use doomed::Doomed;
use popular::Remembered;
use ranks::{Limits, MOST_USES, Ranks};
pub(super) use reservation::Reservation;
pub(super) use routes::RouteId;
pub use routes::RouteTerms;
use routes::Routes;
pub(super) use window::{WINDOW, Window};

/// What files are counted in: file systems allot whole pages. With 32 bits it reaches 16 TiB.
pub(super) const PAGE: u64 = 4 << 10;
/// At most so many files wait to be unlinked. Beyond that the device is too slow to make space, and nothing is begun.
const MOST_DOOMED: usize = 4096;
/// At most so many files that cannot be unlinked: they take space beyond the capacity. Then nothing is begun.
const MOST_STUCK: usize = 16;
/// How many revisions are remembered to have been sought; others are sought again.
const MOST_SOUGHT: usize = 4096;
/// How many files are moved before others may have the lock.
const BATCH: u32 = 256;

/// How dear a revision is, as far as it is known here; `choice` makes an order of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// No longer current and past its grace, or only asked for by a pin.
    Former,
    /// Found at start and not yet asked for: it may be of another block size, or of a route that is gone.
    Unproven,
    /// The rest.
    Wanted,
    /// No longer current, but within its grace until that second.
    Graced {
        /// By the monotonic clock.
        until: u32,
    },
}

/// What is kept of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Slot {
    pages: u32,
    /// When the last use was counted, in seconds; zero: never.
    counted: u32,
}

pub(super) struct Index {
    state: Mutex<State>,
    /// Signalled when there is something to unlink.
    doomed: Condvar,
    capacity: u64,
    complete: AtomicBool,
    /// How often something was forgotten: who opened a file before may have opened a forgotten one.
    epoch: AtomicU64,
    /// How often something changed that an end would tell.
    changes: AtomicU64,
    counters: Arc<Counters>,
    routes: Routes,
    now: Monotonic,
}

/// What an index is made for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    /// Bytes.
    pub(super) capacity: u64,
    /// How many files there may be.
    pub(super) files: u64,
    pub(super) block_size: u64,
    pub(super) routes: &'a [RouteTerms],
}

#[derive(Debug)]
struct State {
    ranks: Ranks,
    doomed: VecDeque<Doomed>,
    /// Whether the evicting thread has something in hand.
    unlinking: bool,
    /// Files that could not be unlinked, for a later try; bounded by [`MOST_STUCK`] and what is evicted at once.
    stuck: Vec<Name>,
    /// Files that are still there and are not to be found again, since they are to be unlinked.
    condemned: HashSet<Name>,
    /// Forgotten before the walk was complete: their files may still be found.
    forgotten: HashSet<RevisionHash>,
    /// Revisions whose files were all found before the walk was complete.
    sought: HashSet<RevisionHash>,
    /// What an earlier run told, until all that is left of it is found.
    remembered: Remembered,
    closed: bool,
}

impl Index {
    pub(super) fn new(terms: Terms<'_>, counters: Arc<Counters>, now: Monotonic) -> Self {
        let pages = (terms.capacity / PAGE).min(u64::from(u32::MAX));
        let limits = Limits {
            pages,
            files: terms.files.max(1),
        };
        let guess = (terms.capacity / terms.block_size.max(1)).min(limits.files);
        let routes = Routes::new(terms.routes);
        let quotas = routes.quotas().map(|quota| quota.map(|bytes| bytes / PAGE));
        let state = State {
            ranks: Ranks::new(limits, quotas, narrow(guess.clamp(1 << 10, 1 << 20))),
            doomed: VecDeque::new(),
            unlinking: false,
            stuck: Vec::new(),
            condemned: HashSet::new(),
            forgotten: HashSet::new(),
            sought: HashSet::new(),
            remembered: Remembered::default(),
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            doomed: Condvar::new(),
            capacity: pages * PAGE,
            complete: AtomicBool::new(false),
            epoch: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            counters,
            routes,
            now,
        }
    }

    /// The route that an encoded key is of.
    pub(super) fn route(&self, key: &[u8]) -> RouteId {
        self.routes.of(key)
    }

    /// How dear a revision of a route is that stopped being current so long ago.
    pub(super) fn former(&self, route: RouteId, age: Duration) -> Order {
        let grace = self.routes.terms(route).map(|terms| terms.grace).unwrap_or_default();
        match grace.saturating_sub(age) {
            Duration::ZERO => Order::Former,
            left => Order::Graced {
                until: seconds((self.now)() + left),
            },
        }
    }

    /// Whether all files of an earlier run are known: what is not here then does not exist.
    pub(super) fn is_complete(&self) -> bool {
        self.complete.load(Ordering::Acquire)
    }

    /// The walk is over.
    pub(super) fn completed(&self) {
        self.complete.store(true, Ordering::Release);
        let mut state = self.state.lock();
        (state.forgotten, state.sought, state.remembered) = Default::default();
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Counts a use, once in [`WINDOW`].
    pub(super) fn touch(&self, name: Name, now: Duration) {
        self.changed();
        self.state.lock().ranks.touch(name, seconds(now));
    }

    /// The same of a block, and if it counts, of its object's record: without that, nobody who does not name the
    /// revision finds the block again.
    pub(super) fn touch_block(&self, block: Name, record: Name, now: Duration) {
        self.changed();
        let mut state = self.state.lock();
        if state.ranks.touch(block, seconds(now)) {
            state.ranks.touch(record, seconds(now));
        }
    }

    /// A file was found by its name, with its size. Returns whether it is to stay where it is.
    pub(super) fn found(&self, name: Name, size: u64) -> bool {
        let mut state = self.state.lock();
        if state.ranks.contains(name) || state.condemned.contains(&name) {
            return true;
        }
        if matches!(name.as_block(), Some((revision, _)) if state.forgotten.contains(&revision)) {
            return false;
        }
        let recalled = state.remembered.get(name);
        let (order, route) = recalled.map_or((Order::Unproven, RouteId::UNKNOWN), |of| (of.order, of.route));
        state.ranks.insert(name, Slot::of(size), order, route);
        if let Some(uses) = recalled.map(|of| of.uses).filter(|uses| *uses > 0) {
            state.ranks.prove(name, uses);
        }
        let victims = state.ranks.trim();
        self.doom(state, victims);
        if recalled.is_some() {
            // Some of the revision may have been found before anything was remembered, or while nothing spoke for it.
            let (revision, _) = name.parts();
            self.rank_if(revision, order, route, |order| order == Order::Unproven);
        }
        true
    }

    /// A record was written.
    pub(super) fn record(&self, name: Name, size: u64, route: RouteId) {
        self.changed();
        let slot = Slot {
            // Whoever had it written goes on to ask for it, which says nothing of the next one.
            counted: seconds((self.now)()).max(1),
            ..Slot::of(size)
        };
        let mut state = self.state.lock();
        state.ranks.record(name, slot, route);
        let victims = state.ranks.trim();
        self.doom(state, victims);
    }

    /// A record tells when the grace of a revision ends. The blocks of that go last, and it is not to go long before them.
    pub(super) fn prove_record(&self, name: Name) {
        self.state.lock().ranks.prove(name, MOST_USES);
    }

    /// A record was read: the first use of one that was found at start proves it.
    pub(super) fn read_record(&self, name: Name, route: RouteId) {
        let mut state = self.state.lock();
        let (object, _) = name.parts();
        let changed = state.ranks.revisions.set_order(object, Order::Wanted, route, |_| true);
        if changed.is_some() {
            state.ranks.rank_again(name);
        }
    }

    /// A file turned out to be gone or damaged.
    pub(super) fn gone(&self, name: Name) {
        self.state.lock().ranks.remove(name);
    }

    /// Reserves space for a block.
    pub(super) fn reserve(
        self: &Arc<Self>,
        name: Name,
        route: RouteId,
        size: u64,
        claim: Claim,
    ) -> Result<Reservation, GaveUp> {
        let order = match claim {
            Claim::Current => Order::Wanted,
            Claim::Pinned => Order::Former,
        };
        let (revision, _) = name.parts();
        if claim == Claim::Current {
            self.rank(revision, order, route);
        }
        self.expire();
        let pages = Slot::of(size).pages;
        let mut state = self.state.lock();
        if state.closed || state.doomed.len() >= MOST_DOOMED || state.stuck.len() >= MOST_STUCK {
            return Err(GaveUp::NoSpace);
        }
        let victims = state.ranks.reserve(pages, claim, route).ok_or(GaveUp::NoSpace)?;
        // Of what is not found yet, a pin says less than what was known of it before.
        let (order, of) = state.remembered.of(revision).unwrap_or((order, route));
        let holding = state.ranks.revisions.obtain(revision, order, of);
        state.ranks.revisions.add_fill(holding);
        let epoch = self.epoch();
        self.doom(state, victims);
        Ok(Reservation::new(self, name, route, pages, epoch))
    }

    /// Bytes and files here, and the capacity.
    pub(super) fn usage(&self) -> (u64, u64, u64) {
        let state = self.state.lock();
        (state.ranks.pages() * PAGE, wide(state.ranks.files()), self.capacity)
    }

    /// How many of the files are records.
    pub(super) fn records(&self) -> u64 {
        self.state.lock().ranks.records
    }

    /// Bytes of memory that the index takes.
    pub(super) fn memory(&self) -> u64 {
        let bytes = self.state.lock().ranks.memory();
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index")
            .field("usage", &self.usage())
            .finish_non_exhaustive()
    }
}

impl Slot {
    fn of(size: u64) -> Self {
        Self {
            pages: u32::try_from(size.div_ceil(PAGE)).unwrap_or(u32::MAX),
            counted: 0,
        }
    }
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}
