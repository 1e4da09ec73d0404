//! Which files are there, and which may be.
//!
//! Owns: the difference between the two while the walk goes on. Never: changes what is held.

use crate::object::{BlockIndex, BlockSpan};
use crate::tier::disk::format::narrow;

use super::{BATCH, Index, MOST_SOUGHT, Name, RevisionHash, State};

impl Index {
    pub(in crate::tier::disk) fn contains(&self, name: Name) -> bool {
        self.state.lock().ranks.contains(name)
    }

    /// Whether it is worth to look for a file that is not in the index.
    pub(in crate::tier::disk) fn may_exist(&self, name: Name) -> bool {
        let state = self.state.lock();
        let known = |(revision, _)| state.sought.contains(&revision) || state.forgotten.contains(&revision);
        let hidden = !self.is_complete() && !state.condemned.contains(&name);
        state.ranks.contains(name) || (hidden && !name.as_block().is_some_and(known))
    }

    /// Whether files of a revision may exist that are not in the index.
    pub(in crate::tier::disk) fn may_hide(&self, revision: RevisionHash) -> bool {
        let known = |state: &State| state.sought.contains(&revision) || state.forgotten.contains(&revision);
        !self.is_complete() && !known(&self.state.lock())
    }

    /// All files of a revision were found.
    pub(in crate::tier::disk) fn sought(&self, revision: RevisionHash) {
        let mut state = self.state.lock();
        if !self.is_complete() && state.sought.len() < MOST_SOUGHT {
            state.sought.insert(revision);
        }
    }

    /// One flag for each block of a span.
    pub(in crate::tier::disk) fn holds(&self, revision: RevisionHash, span: BlockSpan) -> Vec<bool> {
        let mut held = Vec::with_capacity(narrow(span.len()));
        let mut blocks = span.iter().peekable();
        while blocks.peek().is_some() {
            let state = self.state.lock();
            let batch = blocks.by_ref().take(narrow(BATCH.into()));
            held.extend(batch.map(|index| Name::block(revision, index).is_some_and(|name| state.ranks.contains(name))));
        }
        held
    }

    /// Some block of a revision, other than the ones in `except`.
    pub(in crate::tier::disk) fn any_block(&self, revision: RevisionHash, except: &[BlockIndex]) -> Option<BlockIndex> {
        let state = self.state.lock();
        let highest = state.ranks.revisions.get(revision)?.highest;
        let likely = [u64::from(highest)].into_iter();
        let indices = likely.chain(0..=u64::from(highest)).take(4096);
        let mut blocks = indices.map(BlockIndex::new).filter(|index| !except.contains(index));
        blocks.find(|index| Name::block(revision, *index).is_some_and(|name| state.ranks.contains(name)))
    }
}
