//! A block on its way to the disk: what is offered, what is written, how it ends.
//!
//! Owns: the state of one fill, shared by whoever offers, the thread that writes, and those who read its tail. Never:
//! waits, touches a file; that is the writer's.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::object::{BlockIndex, ByteRange, Head, Revision};
use crate::tier::store::{Claim, Fill, GaveUp, Tail};

use super::budget::Budget;
use super::format::{Sums, footer_of, sealed_len, wide};
use super::index::Reservation;
use super::integrity::Candidate;
use super::io::File;
use super::name::{Name, RevisionHash};
use super::queue::Queue;
use super::shared::Shared;
use super::stats::FillEnd;
use super::sync::{AtomicUsize, Mutex};
use super::tail::DiskTail;
use super::writer::Job;

/// One fill, as all who take part in it see it.
#[derive(Debug)]
pub(super) struct Filling {
    pub(super) name: Name,
    /// The revision, which this block may complete.
    pub(super) candidate: Candidate,
    /// The bytes of the block, as positions of the object.
    pub(super) range: ByteRange,
    pub(super) footer: Vec<u8>,
    /// The name of the file until it is published.
    pub(super) tmp: String,
    pub(super) queue: Mutex<Queue>,
    /// Set by the writer before the first byte counts as written.
    pub(super) file: OnceLock<Arc<File>>,
    /// The checksums of what is written.
    pub(super) sums: Mutex<Sums>,
    pub(super) progress: watch::Sender<Progress>,
    reservation: Mutex<Option<Reservation>>,
    budget: Arc<Budget>,
    live: Arc<AtomicUsize>,
}

/// How far a fill has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// So many bytes can be read from the file.
    pub(super) written: u64,
    /// The checksum of those in the last granule, if it is not full.
    pub(super) partial: u64,
    pub(super) end: Option<FillEnd>,
}

/// Offers bytes; the only one who does for its fill.
#[derive(Debug)]
pub(super) struct DiskFill {
    shared: Arc<Shared>,
    filling: Arc<Filling>,
    offered: u64,
    finished: bool,
}

impl Shared {
    /// Begins a fill, or counts why not.
    pub(super) fn begin(
        self: &Arc<Self>,
        revision: &Revision,
        head: &Head,
        index: BlockIndex,
        claim: Claim,
    ) -> Result<DiskFill, GaveUp> {
        let begun = self.try_begin(revision, head, index, claim);
        match begun {
            Ok(_) => {
                self.counters.begun.fetch_add(1, Ordering::Relaxed);
            }
            Err(why) => self.counters.fills.count(FillEnd::GaveUp(why)),
        }
        begun
    }

    fn try_begin(
        self: &Arc<Self>,
        revision: &Revision,
        head: &Head,
        index: BlockIndex,
        claim: Claim,
    ) -> Result<DiskFill, GaveUp> {
        let now = (self.now)();
        if self.health.pauses(now) || self.watch.is_short() {
            return Err(GaveUp::NoSpace);
        }
        if self.live.load(Ordering::Relaxed) >= self.limits.fills || self.budget.is_spent() {
            return Err(GaveUp::OverBudget);
        }
        let hash = RevisionHash::of(revision, self.block_size);
        let name = Name::block(hash, index).ok_or(GaveUp::Length)?;
        let range = self.block_size.range_of(index, head.size()).ok_or(GaveUp::Length)?;
        let footer = footer_of(revision, head, self.block_size, index).ok_or(GaveUp::HeadTooLarge)?;
        let size = sealed_len(range.len(), &footer);
        let route = self.index.route(revision.key.encoded());
        let reservation = self.index.reserve(name, route, size, claim)?;
        // Asked last: what a sick device is tried with ought to reach it.
        if !self.health.may_write(now) {
            return Err(GaveUp::Fault);
        }
        self.live.fetch_add(1, Ordering::Relaxed);
        let candidate = Candidate {
            revision: revision.clone(),
            size: head.size(),
        };
        let filling = Filling {
            name,
            candidate,
            range,
            footer,
            tmp: self.next_tmp(),
            queue: Mutex::default(),
            file: OnceLock::new(),
            sums: Mutex::default(),
            progress: watch::Sender::default(),
            reservation: Mutex::new(Some(reservation)),
            budget: Arc::clone(&self.budget),
            live: Arc::clone(&self.live),
        };
        Ok(DiskFill {
            shared: Arc::clone(self),
            filling: Arc::new(filling),
            offered: 0,
            finished: false,
        })
    }

    /// Ends a fill, unless it has ended; its file is removed by a writer.
    pub(super) fn give_up(&self, filling: &Arc<Filling>, end: FillEnd) {
        if filling.end(end) {
            self.counters.fills.count(end);
            self.schedule(filling);
        }
    }

    /// Puts a fill into the hands of the writers, unless it is there. `false` if they have stopped.
    fn schedule(&self, filling: &Arc<Filling>) -> bool {
        self.schedule_locked(filling, &mut filling.queue.lock())
    }

    fn schedule_locked(&self, filling: &Arc<Filling>, queue: &mut Queue) -> bool {
        if !queue.scheduled {
            queue.scheduled = self.jobs.push(Job::Fill(Arc::clone(filling)));
        }
        queue.scheduled
    }

    /// Somebody waits for what was offered and is not written: it does not wait for more.
    pub(super) fn hurry(&self, filling: &Arc<Filling>) {
        let mut queue = filling.queue.lock();
        queue.hurried = true;
        let stopped = !queue.is_empty() && !self.schedule_locked(filling, &mut queue);
        drop(queue);
        if stopped {
            self.give_up(filling, FillEnd::GaveUp(GaveUp::Fault));
        }
    }
}

impl Filling {
    pub(super) fn ended(&self) -> Option<FillEnd> {
        self.progress.borrow().end
    }

    /// Sets how it ended; the first word stands.
    pub(super) fn end(&self, end: FillEnd) -> bool {
        self.progress.send_if_modified(|progress| {
            let first = progress.end.is_none();
            progress.end = progress.end.or(Some(end));
            first
        })
    }

    pub(super) fn take_reservation(&self) -> Option<Reservation> {
        self.reservation.lock().take()
    }

    pub(super) fn is_void(&self) -> bool {
        self.reservation.lock().as_ref().is_none_or(Reservation::is_void)
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        // What was offered while a writer gave up is still here.
        self.queue.get_mut().clear(&self.budget);
        self.live.fetch_sub(1, Ordering::Relaxed);
    }
}

impl DiskFill {
    fn fail(&self, why: GaveUp) -> GaveUp {
        self.shared.give_up(&self.filling, FillEnd::GaveUp(why));
        why
    }

    fn gave_up(&self) -> Result<(), GaveUp> {
        match self.filling.ended() {
            None | Some(FillEnd::Published) => Ok(()),
            Some(end) => Err(why(end)),
        }
    }
}

impl Fill for DiskFill {
    fn offer(&mut self, bytes: &Bytes) -> Result<(), GaveUp> {
        self.gave_up()?;
        if bytes.is_empty() {
            return Ok(());
        }
        if self.offered + wide(bytes.len()) > self.filling.range.len() {
            return Err(self.fail(GaveUp::Length));
        }
        if !self.shared.budget.take(bytes) {
            return Err(self.fail(GaveUp::OverBudget));
        }
        self.offered += wide(bytes.len());
        let mut queue = self.filling.queue.lock();
        queue.push(bytes.clone(), &self.shared.budget);
        let live = self.shared.live.load(Ordering::Relaxed);
        let stopped = match queue.is_due(&self.shared.budget, live) {
            true => !self.shared.schedule_locked(&self.filling, &mut queue),
            false => self.shared.jobs.is_closed(),
        };
        drop(queue);
        if stopped {
            return Err(self.fail(GaveUp::Fault));
        }
        Ok(())
    }

    fn backlog(&self) -> u64 {
        let progress = *self.filling.progress.borrow();
        match progress.end {
            None => self.offered.saturating_sub(progress.written),
            Some(_) => 0,
        }
    }

    fn drained(&self) -> BoxFuture<'static, ()> {
        let mut progress = self.filling.progress.subscribe();
        let before = progress.borrow_and_update().written;
        let nothing = self.backlog() == 0;
        self.shared.hurry(&self.filling);
        Box::pin(async move {
            if !nothing {
                // An error means that the fill is gone, and its backlog with it.
                let _ = progress.wait_for(|p| p.written > before || p.end.is_some()).await;
            }
        })
    }

    fn tail(&self) -> Arc<dyn Tail> {
        Arc::new(DiskTail::new(&self.shared, &self.filling))
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<(), GaveUp>> {
        self.finished = true;
        if let Err(why) = self.gave_up() {
            return Box::pin(std::future::ready(Err(why)));
        }
        if self.offered != self.filling.range.len() {
            return Box::pin(std::future::ready(Err(self.fail(GaveUp::Length))));
        }
        self.filling.queue.lock().ending = true;
        if !self.shared.schedule(&self.filling) {
            self.fail(GaveUp::Fault);
        }
        let mut progress = self.filling.progress.subscribe();
        // It goes on whether or not anybody waits; only its own end is awaited here, not that of the offering side.
        let filling = Arc::clone(&self.filling);
        Box::pin(async move {
            let ended = progress.wait_for(|p| p.end.is_some()).await;
            let end = ended.ok().and_then(|p| p.end);
            drop(filling);
            match end {
                Some(FillEnd::Published) => Ok(()),
                Some(end) => Err(why(end)),
                None => Err(GaveUp::Fault),
            }
        })
    }
}

impl Drop for DiskFill {
    fn drop(&mut self) {
        if !self.finished {
            self.shared.give_up(&self.filling, FillEnd::Dropped);
        }
    }
}

fn why(end: FillEnd) -> GaveUp {
    match end {
        FillEnd::GaveUp(why) => why,
        // Nobody is left to be told of the former; the latter is no failure.
        FillEnd::Dropped | FillEnd::Published => GaveUp::Fault,
    }
}
