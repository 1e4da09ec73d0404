//! Trying a disk that is degraded, so that it is found well also while nobody asks for anything that is on it.
//!
//! Owns: what a trial is. Never: touches a disk that is well, or has a request wait.

use rustix::io::Errno;

use super::format::{narrow, wide};
use super::health::Side;
use super::io::Io;
use super::shared::Shared;
use super::stats::{Degraded, Fault};

/// How much is written at most: where so much finds space, a block may.
const MOST: u64 = 1 << 20;

impl Shared {
    /// Stores the end of a block that is none and reads it again, if the disk is degraded and its pause is over.
    pub(super) fn try_degraded(&self) {
        if !self.health.wants_trial((self.now)()) {
            return;
        }
        let tmp = self.next_tmp();
        let tried = self.try_file(&tmp);
        let discarded = match self.files.discard(&tmp) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err((Side::Writes, errno)),
        };
        match tried.and(discarded) {
            Ok(()) => self.stored(),
            Err((side, errno)) => match Fault::of(errno) {
                Fault::NoSpace => self.found_full(),
                fault => {
                    self.fault_degrades(side, fault);
                }
            },
        }
    }

    fn found_full(&self) {
        self.counters.faults.count(Fault::NoSpace);
        if self.health.found_full() {
            tracing::warn!("the disk tier works again, but is degraded: {}", Degraded::Full);
        }
    }

    fn try_file(&self, tmp: &str) -> Result<(), (Side, Errno)> {
        let bytes = vec![0x5a; narrow(MOST.min(self.block_size.bytes()))];
        // Where a block ends: a file may be allowed to be no larger than a part of one.
        let at = self.block_size.bytes() - wide(bytes.len());
        let written: Io<_> = self.files.create(tmp).and_then(|file| {
            self.write_all(&file, &[&bytes], at)?;
            Ok(file)
        });
        let file = written.map_err(|errno| (Side::Writes, errno))?;
        let mut again = vec![0; bytes.len()];
        match self.files.read(&file, &mut again, at) {
            Ok(_) if again == bytes => Ok(()),
            Ok(_) => Err((Side::Reads, Errno::IO)),
            Err(errno) => Err((Side::Reads, errno)),
        }
    }
}
