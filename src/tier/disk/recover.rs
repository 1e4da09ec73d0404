//! Finding what an earlier run left: files that were not published are removed, names and sizes of the others are
//! taken into the index.
//!
//! Owns: the walk. Never: reads a footer; that would take a hundred times as long, and whoever opens a file checks it.

use std::sync::atomic::Ordering;

use rustix::io::Errno;

use super::io::{Files, Io, TMP};
use super::name::Name;
use super::shared::Shared;
use super::stats::Fault;
use super::writer::TmpNames;

/// Removes what an earlier run left in `tmp/`. Names that it cannot have made stay.
pub(super) fn sweep(files: &dyn Files) -> Io<()> {
    let mut left = Vec::new();
    files.list(TMP, &mut |name| {
        if TmpNames::is_one(name) {
            left.push(name.to_owned());
        }
        true
    })?;
    for name in left {
        match files.discard(&name) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

impl Shared {
    /// Walks all directories, in the background: blocks that were not found yet are looked for when they are asked for.
    pub(super) fn walk(&self) {
        self.recall_popular();
        self.walk_root();
        self.walk_all((0..=u8::MAX).collect());
    }

    /// Walks the directories that could not be read, until there are none.
    pub(super) fn walk_again(&self) {
        let unread = std::mem::take(&mut *self.unread.lock());
        if !unread.is_empty() {
            self.walk_all(unread);
        }
    }

    fn walk_all(&self, mut directories: Vec<u8>) {
        directories.retain(|byte| self.jobs.is_closed() || !self.walk_directory(&format!("{byte:02x}")));
        if self.jobs.is_closed() {
            return;
        }
        if directories.is_empty() {
            self.index.completed();
        }
        *self.unread.lock() = directories;
    }

    /// Others' files in the root are only counted.
    fn walk_root(&self) {
        let listed = self.files.list(".", &mut |name| {
            if !is_link(name) && !Name::is_in_root(name) {
                self.count_foreign();
            }
            !self.jobs.is_closed()
        });
        self.is_walked(listed);
    }

    fn walk_directory(&self, directory: &str) -> bool {
        let listed = self.files.list(directory, &mut |file| {
            match Name::parse(directory, file) {
                Some(name) => self.reconcile(name),
                None if is_link(file) => {}
                None => self.count_foreign(),
            }
            !self.jobs.is_closed()
        });
        self.is_walked(listed)
    }

    fn is_walked(&self, listed: Io<()>) -> bool {
        match listed {
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => true,
            Err(errno) => {
                self.fault(Fault::of(errno));
                false
            }
        }
    }

    /// Foreign files are none of our business, but take space that nobody here can free.
    fn count_foreign(&self) {
        self.counters.foreign.fetch_add(1, Ordering::Relaxed);
    }
}

/// The two that every directory has.
fn is_link(name: &str) -> bool {
    matches!(name, "." | "..")
}
