//! Finding what an earlier run left: files that were not published are removed, names and sizes of the others are
//! taken into the index.
//!
//! Owns: the walk. Never: reads a footer; that would take a hundred times as long, and whoever opens a file checks it.

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
    /// Should one of them not be readable, that stays so until the next start.
    pub(super) fn walk(&self) {
        self.recall_popular();
        let mut complete = true;
        for directory in (0..=u8::MAX).map(|byte| format!("{byte:02x}")) {
            let listed = self
                .files
                .list(&directory, &mut |file| self.walk_file(&directory, file));
            match listed {
                Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(errno) => {
                    self.fault(Fault::of(errno));
                    complete = false;
                }
            }
            if self.jobs.is_closed() {
                return;
            }
        }
        if complete {
            self.index.completed();
        }
    }

    fn walk_file(&self, directory: &str, file: &str) -> bool {
        // Foreign files are none of our business.
        if let Some(name) = Name::parse(directory, file) {
            self.reconcile(name);
        }
        !self.jobs.is_closed()
    }
}
