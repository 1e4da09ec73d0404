//! Keeps what is popular in a file of its own, so that a restart does not evict it first.
//!
//! Owns: when it is written, and that it is read before the walk. Never: on the way of a request; whatever fails here
//! costs some hits.

use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;

use super::format::{Popularity, Unreadable, narrow};
use super::io::Io;
use super::name::Name;
use super::shared::Shared;
use super::stats::Fault;

/// After so many seconds uses are told again: what a killed process loses at most.
const EVERY: u64 = 60;

/// When it was written last.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// In seconds.
    at: AtomicU64,
    /// How many uses had been counted then.
    uses: AtomicU64,
}

impl Shared {
    /// Writes what is popular if it is time to.
    pub(super) fn tell_popular(&self) {
        let now = (self.now)().as_secs();
        let due = now.saturating_sub(self.told.at.load(Ordering::Relaxed)) >= EVERY;
        if due && self.told.uses.load(Ordering::Relaxed) != self.index.uses() {
            self.told.at.store(now, Ordering::Relaxed);
            self.tell_popular_now();
        }
    }

    /// The same at the end.
    pub(super) fn tell_popular_now(&self) {
        let uses = self.index.uses();
        let Some(popularity) = self.index.popular(self.block_size.bytes()) else {
            return;
        };
        self.told.uses.store(uses, Ordering::Relaxed);
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
                Ok(popularity) if popularity.block_size == self.block_size.bytes() => self.index.remember(&popularity),
                Ok(_) | Err(Unreadable::Foreign) => {}
                Err(Unreadable::Damaged) => self.fault(Fault::Damaged),
            },
            Err(Errno::NOENT) => {}
            Err(errno) => self.fault(Fault::of(errno)),
        }
    }

    fn read_popular(&self) -> Io<Vec<u8>> {
        let (file, size) = self.files.open(Name::POPULAR)?;
        let mut bytes = vec![0; narrow(size.min(Popularity::MAX))];
        let read = self.files.read(&file, &mut bytes, 0)?;
        bytes.truncate(read);
        Ok(bytes)
    }
}
