//! Writing: a few threads that take turns at the fills and records that have something to write.
//!
//! Owns: the queue of jobs, temporary files, publishing. Never: waits for a fill that has nothing to write. A fill is
//! written by one thread at a time and a piece at a time, so that a slow file holds one thread and delays nobody else.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use rustix::io::Errno;

use crate::object::ObjectHash;
use crate::tier::store::GaveUp;

use super::fill::Filling;
use super::format::{seal, wide};
use super::health::Side;
use super::io::{File, Io};
use super::shared::Shared;
use super::stats::{Degraded, Fault, FillEnd};
use super::sync::{Condvar, Mutex};

/// How many threads write. More than one, so that a file that hangs does not stop the others.
pub(super) const THREADS: usize = 3;
/// Something to write. Fills are bounded in number, and so are records that wait; neither is here twice.
#[derive(Debug)]
pub(super) enum Job {
    Fill(Arc<Filling>),
    Record(ObjectHash),
}

/// The queue of the writers.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    state: Mutex<State>,
    ready: Condvar,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Jobs {
    /// `false` once the queue is closed.
    pub(super) fn push(&self, job: Job) -> bool {
        let mut state = self.state.lock();
        if state.closed {
            return false;
        }
        state.jobs.push_back(job);
        self.ready.notify_one();
        true
    }

    /// What has had its turn goes to the end, also while the queue is closing.
    fn push_again(&self, job: Job) {
        self.state.lock().jobs.push_back(job);
        self.ready.notify_one();
    }

    /// The next job; waits for one. `None` when the queue is closed and empty.
    fn pop(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            self.ready.wait(&mut state);
        }
    }

    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.ready.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }
}

/// Names for temporary files, none twice.
#[derive(Debug, Default)]
pub(super) struct TmpNames(AtomicU64);

impl TmpNames {
    pub(super) fn next(&self) -> String {
        format!("{:016x}", self.0.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether a file was named so.
    pub(super) fn is_one(name: &str) -> bool {
        name.len() == 16 && name.bytes().all(|b| b.is_ascii_hexdigit())
    }
}

impl Shared {
    /// The work of one writer thread.
    pub(super) fn write_jobs(self: &Arc<Self>) {
        while let Some(job) = self.jobs.pop() {
            match job {
                Job::Fill(filling) => self.take_turn(filling),
                Job::Record(object) => self.write_record(object),
            }
        }
    }

    fn take_turn(self: &Arc<Self>, filling: Arc<Filling>) {
        if self.jobs.is_closed() && !filling.queue.lock().ending {
            self.give_up(&filling, FillEnd::GaveUp(GaveUp::Fault));
        }
        if filling.ended().is_some() {
            return self.clean_up(&filling);
        }
        let (chunks, ending) = {
            let mut queue = filling.queue.lock();
            let chunks = queue.next(&self.budget, self.live.load(Ordering::Relaxed));
            let nothing = chunks.is_empty() && !queue.ending;
            // Whoever gives up now either sees that it is not scheduled, or is seen here.
            if nothing && filling.ended().is_none() {
                queue.scheduled = false;
                return;
            }
            (chunks, queue.ending)
        };
        let done = match chunks.is_empty() {
            true if ending => self.publish(&filling),
            // It was given up: the next turn cleans up.
            true => Ok(()),
            false => self.write_chunks(&filling, &chunks),
        };
        if let Err(why) = done {
            self.give_up(&filling, FillEnd::GaveUp(why));
        }
        if matches!(filling.ended(), Some(FillEnd::Published)) {
            return;
        }
        self.jobs.push_again(Job::Fill(filling));
    }

    fn write_chunks(&self, filling: &Filling, chunks: &[Bytes]) -> Result<(), GaveUp> {
        let written = self.file_of(filling).and_then(|file| {
            let at = filling.progress.borrow().written;
            self.write_all(&file, chunks, at)
        });
        for chunk in chunks {
            self.budget.give_back(chunk);
        }
        let written = written.map_err(|errno| self.failed_to_write(errno));
        written.map(|()| advance(filling, chunks))
    }

    /// The file of a fill; created with its first bytes, since many fills never get any.
    fn file_of(&self, filling: &Filling) -> Io<Arc<File>> {
        if let Some(file) = filling.file.get() {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(self.files.create(&filling.tmp)?);
        Ok(Arc::clone(filling.file.get_or_init(|| file)))
    }

    pub(super) fn write_all<B: AsRef<[u8]>>(&self, file: &File, pieces: &[B], mut at: u64) -> Io<()> {
        let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece.as_ref())).collect();
        let mut rest = slices.as_mut_slice();
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            let written = self.files.write(file, rest, at)?;
            if written == 0 {
                return Err(Errno::IO);
            }
            at += wide(written);
            IoSlice::advance_slices(&mut rest, written);
        }
        Ok(())
    }

    fn publish(&self, filling: &Filling) -> Result<(), GaveUp> {
        let sealed = seal(filling.range.len(), &filling.sums.lock().table(), &filling.footer);
        let may_enter = || !filling.is_void();
        let enter = || {
            filling
                .take_reservation()
                .is_some_and(|space| space.publish((self.now)()))
        };
        let placed = self.file_of(filling).and_then(|file| {
            self.write_all(&file, &[sealed], filling.range.len())?;
            self.place(&filling.tmp, filling.name, may_enter, enter)
        });
        // What was open under this name is another file now.
        self.open.remove(filling.name);
        if !placed.map_err(|errno| self.failed_to_write(errno))? {
            return Err(GaveUp::Forgotten);
        }
        self.stored();
        if filling.end(FillEnd::Published) {
            self.counters.fills.count(FillEnd::Published);
        }
        self.completes(filling);
        Ok(())
    }

    /// After a fill was given up: its file goes, and what it held.
    fn clean_up(&self, filling: &Filling) {
        filling.queue.lock().clear(&self.budget);
        if filling.file.get().is_some()
            && let Err(errno) = self.files.discard(&filling.tmp)
            && errno != Errno::NOENT
        {
            self.fault_degrades(Side::Writes, Fault::of(errno));
        }
        drop(filling.take_reservation());
    }

    pub(super) fn failed_to_write(&self, errno: Errno) -> GaveUp {
        let fault = Fault::of(errno);
        // All fills meet a full device at once; one of them makes space for all.
        if self.fault_degrades(Side::Writes, fault) == Some(Degraded::Full) {
            self.index.relieve();
            self.watch.wake();
        }
        if fault == Fault::NoSpace {
            GaveUp::NoSpace
        } else {
            GaveUp::Fault
        }
    }
}

/// Extends the checksums and then the watermark by what was written.
fn advance(filling: &Filling, chunks: &[Bytes]) {
    let mut sums = filling.sums.lock();
    chunks.iter().for_each(|chunk| sums.push(chunk));
    filling.progress.send_modify(|progress| {
        progress.written = sums.length();
        progress.partial = sums.partial();
    });
}
