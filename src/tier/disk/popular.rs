//! Keeps what is known of files besides their names in a file of its own, so that a restart does not evict first what is
//! popular or within its grace, and routes keep to their quotas.
//!
//! Owns: when it is written, and that it is read before the walk. Never: on the way of a request; whatever fails here
//! costs some hits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rustix::io::Errno;

use super::format::{Popularity, Unreadable, narrow};
use super::io::Io;
use super::name::Name;
use super::shared::Shared;
use super::stats::Fault;

/// After so many seconds it is told again, if something changed: what a killed process loses at most.
const EVERY: u64 = 60;

/// When it was written last.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// In seconds.
    at: AtomicU64,
    /// How often something had changed by then.
    changes: AtomicU64,
}

impl Shared {
    /// Writes what is popular if it is time to.
    pub(super) fn tell_popular(&self) {
        let now = (self.now)().as_secs();
        let due = now.saturating_sub(self.told.at.load(Ordering::Relaxed)) >= EVERY;
        if due && self.told.changes.load(Ordering::Relaxed) != self.index.changes() {
            self.told.at.store(now, Ordering::Relaxed);
            self.tell_popular_now();
        }
    }

    /// The same at the end.
    pub(super) fn tell_popular_now(&self) {
        let changes = self.index.changes();
        let Some(popularity) = self.index.popular(self.block_size.bytes(), self.since_1970()) else {
            return;
        };
        self.told.changes.store(changes, Ordering::Relaxed);
        let tmp = self.next_tmp();
        let written = self.files.create(&tmp).and_then(|file| {
            self.write_all(&file, &[popularity.encode()], 0)?;
            self.files.publish(&tmp, Name::POPULAR)
        });
        if let Err(errno) = written {
            self.fault(Fault::of(errno));
            // Ignored: the next start sweeps it.
            let _ = self.files.discard(&tmp);
        }
    }

    /// Reads what was popular.
    pub(super) fn recall_popular(&self) {
        match self.read_popular() {
            Ok(bytes) => match Popularity::decode(&bytes) {
                Ok(popularity) if popularity.block_size == self.block_size.bytes() => {
                    self.index.remember(popularity, self.since_1970());
                }
                Ok(_) | Err(Unreadable::Foreign) => {}
                Err(Unreadable::Damaged) => self.fault(Fault::Damaged),
            },
            Err(Errno::NOENT) => {}
            Err(errno) => self.fault(Fault::of(errno)),
        }
    }

    /// Grace goes on while nobody runs.
    fn since_1970(&self) -> Duration {
        self.clock
            .now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
    }

    fn read_popular(&self) -> Io<Vec<u8>> {
        let (file, size) = self.files.open(Name::POPULAR)?;
        let mut bytes = vec![0; narrow(size.min(Popularity::MAX))];
        let read = self.files.read(&file, &mut bytes, 0)?;
        bytes.truncate(read);
        Ok(bytes)
    }
}
