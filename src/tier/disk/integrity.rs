//! Integrity from end to end: a revision that has become complete is compared with the checksum that its authority
//! names. One that differs is dropped: somebody on the way changed its bytes before they were here.
//!
//! Owns: which revisions are complete and not yet compared, and the one thread that does. Never: delays a request; it
//! works half of the time at most, and lets go as soon as the device is sick.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::Duration;

use rustix::io::Errno;

use crate::object::{BlockIndex, Head, ObjectSize, Revision, WholeSum};
use crate::tier::store::Known;

use super::fill::Filling;
use super::format::Summing;
use super::io::PLANTED;
use super::name::{Name, RevisionHash};
use super::open::{NotOpen, OpenBlock};
use super::read::Granules;
use super::shared::Shared;
use super::stats::{Degraded, Fault, Usable, Verified};
use super::sync::{Condvar, Mutex};

/// How many revisions may wait. One more is looked at when its next block comes.
const MOST_WAITING: usize = 1 << 15;
/// How long a revision that could not be read waits for another try, and others behind it.
const AGAIN: Duration = Duration::from_secs(1);
/// How many revisions are remembered; beyond, all are forgotten, and compared again when a block of theirs comes.
const MOST_REMEMBERED: usize = 1 << 15;
/// How much is read at once.
const PIECE: u64 = 256 << 10;

/// A revision that may have become complete.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) revision: Revision,
    pub(super) size: ObjectSize,
}

/// What is remembered of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// This block was not here when it was looked for, and all before it were: nothing changes before it comes.
    Hole(u64),
    /// It is complete, and nobody has named a checksum.
    Unnamed,
    /// It was compared.
    Done,
}

/// Revisions on their way to being compared.
pub(super) struct Integrity {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    /// Grows with use: most disks hold few revisions.
    remembered: Mutex<HashMap<RevisionHash, Progress>>,
}

#[derive(Default)]
struct Waiting {
    candidates: VecDeque<Candidate>,
    closed: bool,
}

/// Why a revision was not compared to the end.
enum Stopped {
    /// This block is not here, or not any more.
    Hole(u64),
    /// The device fails, or the disk is closed.
    Left,
}

impl Integrity {
    pub(super) fn new() -> Self {
        Self {
            waiting: Mutex::default(),
            changed: Condvar::new(),
            remembered: Mutex::default(),
        }
    }

    fn progress(&self, hash: RevisionHash) -> Option<Progress> {
        self.remembered.lock().get(&hash).copied()
    }

    fn remember(&self, hash: RevisionHash, progress: Progress) {
        let mut remembered = self.remembered.lock();
        if remembered.len() >= MOST_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(hash, progress);
    }

    fn unremember(&self, hash: RevisionHash) {
        self.remembered.lock().remove(&hash);
    }

    fn push(&self, hash: RevisionHash, candidate: Candidate) {
        let mut waiting = self.waiting.lock();
        if waiting.candidates.len() < MOST_WAITING {
            waiting.candidates.push_back(candidate);
            self.changed.notify_one();
        } else {
            self.unremember(hash);
        }
    }

    fn next(&self) -> Option<Candidate> {
        let mut waiting = self.waiting.lock();
        loop {
            if waiting.closed {
                return None;
            }
            if let Some(candidate) = waiting.candidates.pop_front() {
                return Some(candidate);
            }
            self.changed.wait(&mut waiting);
        }
    }

    pub(super) fn close(&self) {
        self.waiting.lock().closed = true;
        self.changed.notify_all();
    }

    /// Lets others have the device for as long as it was used here. `false` if there is no time left.
    fn pause(&self, used: Duration) -> bool {
        let mut waiting = self.waiting.lock();
        if !waiting.closed && !used.is_zero() {
            let closed = |waiting: &mut Waiting| !waiting.closed;
            self.changed.wait_while_for(&mut waiting, closed, used);
        }
        !waiting.closed
    }
}

impl Shared {
    /// A block was published: its revision is looked at if this is the block that it waited for.
    pub(super) fn completes(&self, filling: &Filling) {
        let Some((hash, number)) = filling.name.as_block() else {
            return;
        };
        match self.integrity.progress(hash) {
            // A block of what was compared has come again: it had been lost, and what came now is as good as unknown.
            Some(Progress::Done) => self.integrity.unremember(hash),
            None => {}
            Some(Progress::Hole(at)) if at == u64::from(number) => {}
            Some(Progress::Hole(_) | Progress::Unnamed) => return,
        }
        self.integrity.push(hash, filling.candidate.clone());
    }

    /// Something was learnt of an object: perhaps the checksum of a revision that is complete already.
    pub(super) fn names_checksum(&self, revision: impl FnOnce(&Head) -> Revision, known: &Known) {
        let Some(head) = known
            .head
            .as_ref()
            .filter(|head| WholeSum::named(head.fields()).is_some())
        else {
            return;
        };
        let revision = revision(head);
        let hash = RevisionHash::of(&revision, self.block_size);
        if self.integrity.progress(hash) == Some(Progress::Unnamed) {
            let size = head.size();
            self.integrity.push(hash, Candidate { revision, size });
        }
    }

    /// The work of the comparing thread.
    pub(super) fn compare_complete(&self) {
        while let Some(candidate) = self.integrity.next() {
            let hash = RevisionHash::of(&candidate.revision, self.block_size);
            let from = match self.integrity.progress(hash) {
                Some(Progress::Done) => continue,
                Some(Progress::Hole(at)) => at,
                Some(Progress::Unnamed) | None => 0,
            };
            let blocks = self.block_size.count(candidate.size);
            let hole = (from..blocks).find(|number| !self.has(hash, *number));
            let stopped = match hole {
                Some(number) => Err(Stopped::Hole(number)),
                None => self.compare(hash, &candidate),
            };
            match stopped {
                Ok(()) => {}
                Err(Stopped::Left) => {
                    self.integrity.unremember(hash);
                    self.counters.verified.count(Verified::Unread);
                    // Should the device be back by then.
                    if self.integrity.pause(AGAIN) {
                        self.integrity.push(hash, candidate);
                    }
                }
                Err(Stopped::Hole(number)) => {
                    self.integrity.remember(hash, Progress::Hole(number));
                    // It may have come between the look and the note.
                    if self.has(hash, number) {
                        self.integrity.push(hash, candidate);
                    }
                }
            }
        }
    }

    fn has(&self, hash: RevisionHash, number: u64) -> bool {
        Name::block(hash, BlockIndex::new(number)).is_some_and(|name| self.index.contains(name))
    }

    /// Compares a revision whose blocks are all here.
    fn compare(&self, hash: RevisionHash, candidate: &Candidate) -> Result<(), Stopped> {
        let epoch = self.index.epoch();
        let Some(named) = self.sum_of(&candidate.revision)? else {
            self.integrity.remember(hash, Progress::Unnamed);
            return Ok(());
        };
        let found = self.sum_up(candidate, Summing::new(named.kind))?;
        if epoch != self.index.epoch() {
            // Something was forgotten: perhaps this, and half of what was read is of another time.
            self.integrity.push(hash, candidate.clone());
            return Ok(());
        }
        let same = found == named;
        self.counters
            .verified
            .count(if same { Verified::Sound } else { Verified::Mismatch });
        if same {
            self.integrity.remember(hash, Progress::Done);
            return Ok(());
        }
        let Revision { key, tag } = &candidate.revision;
        tracing::warn!(?key, ?tag, %named, %found, "a revision is not what its authority says; it was dropped");
        self.forget(&candidate.revision);
        // Fetched anew, it is compared anew.
        self.integrity.unremember(hash);
        Ok(())
    }

    /// The checksum that is known of a revision, from its record or from its first block.
    fn sum_of(&self, revision: &Revision) -> Result<Option<WholeSum>, Stopped> {
        let known = self.known_now(&revision.key);
        let head = known.head.filter(|head| *head.tag() == revision.tag);
        if let Some(named) = head.and_then(|head| WholeSum::named(head.fields())) {
            return Ok(Some(named));
        }
        let block = self.open_to_compare(revision, 0)?;
        Ok(WholeSum::named(block.head.fields()))
    }

    fn sum_up(&self, candidate: &Candidate, mut summing: Summing) -> Result<WholeSum, Stopped> {
        for number in 0..self.block_size.count(candidate.size) {
            let started = (self.now)();
            let block = self.open_to_compare(&candidate.revision, number)?;
            if summing.takes_tables() {
                summing.push_table(&block.table, block.range.len());
                self.rest_since(started)?;
            } else {
                self.sum_up_block(&block, number, &mut summing)?;
            }
        }
        summing.finish().ok_or(Stopped::Left)
    }

    fn sum_up_block(&self, block: &OpenBlock, number: u64, summing: &mut Summing) -> Result<(), Stopped> {
        let (data, mut at) = (block.range.len(), 0);
        let mut buffer = vec![0; super::format::narrow(PIECE)];
        while at < data {
            let started = (self.now)();
            let granules = Granules::touched(at, data, data, PIECE);
            let piece = buffer
                .get_mut(..super::format::narrow(granules.length))
                .unwrap_or_default();
            let read = self.files.read(&block.file, piece, at).map_err(|errno| {
                self.fault(Fault::of(errno));
                Stopped::Left
            })?;
            if read < piece.len() || !granules.verify(piece, &block.table) {
                self.fault(Fault::Damaged);
                self.drop_file(block.name);
                return Err(Stopped::Hole(number));
            }
            summing.push(piece);
            at += granules.length;
            self.rest_since(started)?;
        }
        Ok(())
    }

    fn rest_since(&self, started: Duration) -> Result<(), Stopped> {
        let now = (self.now)();
        let used = now.saturating_sub(started);
        if self.integrity.pause(used) && self.health.usable() != Usable::Degraded(Degraded::Failing) {
            Ok(())
        } else {
            Err(Stopped::Left)
        }
    }

    fn open_to_compare(&self, revision: &Revision, number: u64) -> Result<OpenBlock, Stopped> {
        let (hash, index) = (RevisionHash::of(revision, self.block_size), BlockIndex::new(number));
        let name = Name::block(hash, index).ok_or(Stopped::Hole(number))?;
        OpenBlock::open(&*self.files, name, revision, self.block_size, index).map_err(|why| match why {
            NotOpen::Errno(Errno::NOENT | PLANTED) => {
                self.reconcile(name);
                Stopped::Hole(number)
            }
            NotOpen::Errno(errno) => {
                self.fault(Fault::of(errno));
                Stopped::Left
            }
            NotOpen::Unreadable(_) => {
                self.fault(Fault::Damaged);
                self.drop_file(name);
                Stopped::Hole(number)
            }
        })
    }
}

impl fmt::Debug for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.waiting.lock().candidates.len();
        f.debug_struct("Integrity")
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}
