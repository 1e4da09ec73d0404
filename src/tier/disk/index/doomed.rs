//! What is evicted and has to be unlinked.
//!
//! Owns: the queue of the evicting thread. Never: chooses who is evicted; that is `choice`.

use crate::tier::disk::sync::MutexGuard;

use super::queues::Load;
use super::ranks::Victim;
use super::{Index, Name, PAGE, RevisionHash, State};

/// What is to be unlinked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tier::disk) enum Doomed {
    /// A file that was in the index.
    File(Name),
    /// All blocks of a revision that the walk has not found yet.
    Revision(RevisionHash),
}

impl Index {
    /// Evicts a hundredth of the capacity, since the device is full.
    pub(in crate::tier::disk) fn relieve(&self) {
        let mut state = self.state.lock();
        let pages = (state.ranks.capacity() / 100).max(1);
        let victims = state.ranks.relieve(Load { files: 1, pages });
        self.doom(state, victims);
    }

    /// Evicts so much, since the volume is short of it.
    pub(in crate::tier::disk) fn make_room(&self, bytes: u64, files: u64) {
        let mut state = self.state.lock();
        let pages = bytes.div_ceil(PAGE);
        let victims = state.ranks.relieve(Load { files, pages });
        self.doom(state, victims);
    }

    /// Whether all that was evicted is unlinked.
    pub(in crate::tier::disk) fn is_settled(&self) -> bool {
        let state = self.state.lock();
        state.condemned.len() <= state.stuck.len() && state.doomed.is_empty() && !state.unlinking
    }

    /// What to unlink next; waits for it. `None` when closed.
    pub(in crate::tier::disk) fn next_doomed(&self) -> Option<Doomed> {
        let mut state = self.state.lock();
        state.unlinking = false;
        loop {
            if let Some(doomed) = state.doomed.pop_front() {
                state.unlinking = true;
                return Some(doomed);
            }
            if state.closed {
                return None;
            }
            self.doomed.wait(&mut state);
        }
    }

    /// A file was unlinked, or stored anew before that.
    pub(in crate::tier::disk) fn unlinked(&self, name: Name) {
        self.state.lock().condemned.remove(&name);
    }

    /// A file could not be unlinked: it takes space that is not counted, and is tried again from time to time.
    pub(in crate::tier::disk) fn stuck(&self, name: Name) {
        self.state.lock().stuck.push(name);
    }

    /// Tries again what could not be unlinked.
    pub(in crate::tier::disk) fn retry_stuck(&self) {
        let mut state = self.state.lock();
        let stuck = std::mem::take(&mut state.stuck);
        state.doomed.extend(stuck.into_iter().map(Doomed::File));
        self.doomed.notify_one();
    }

    /// Nothing is begun any more, and who waits for something to unlink is let go after the last.
    pub(in crate::tier::disk) fn close(&self) {
        self.state.lock().closed = true;
        self.doomed.notify_all();
    }

    pub(super) fn doom_revision(&self, state: &mut State, revision: RevisionHash) {
        state.doomed.push_back(Doomed::Revision(revision));
        self.doomed.notify_one();
    }

    /// Unlinks what was taken out of the ranks.
    pub(super) fn doom(&self, mut state: MutexGuard<'_, State>, victims: Vec<Victim>) {
        if victims.is_empty() {
            return;
        }
        for (name, why) in victims {
            self.counters.evicted.count(why);
            state.doomed.push_back(Doomed::File(name));
            state.condemned.insert(name);
        }
        self.doomed.notify_one();
    }
}
