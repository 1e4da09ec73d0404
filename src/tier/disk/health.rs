//! Whether the device is to be used right now: the breaker of a sick disk, and the pause of a full one.
//!
//! Owns: the two states and their times. Time comes in as a parameter.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::stats::{Degraded, Fault, Usable};

/// So many faults without a success between them, and the disk counts as sick.
const FAULTS_IN_A_ROW: u32 = 8;
/// How long a sick disk is left alone before it is tried again.
const SICK: Duration = Duration::from_secs(2);
/// How long nothing is written to a full device, so that evictions take effect.
const FULL: Duration = Duration::from_secs(1);

/// The health of a device. Times are milliseconds of a monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Health {
    in_a_row: AtomicU32,
    sick_until: AtomicU64,
    full_until: AtomicU64,
}

impl Health {
    /// After a system call failed. Says if that began a pause.
    pub(super) fn failed(&self, fault: Fault, now: Duration) -> Option<Degraded> {
        match fault {
            Fault::NoSpace => {
                let before = self.full_until.swap(millis(now + FULL), Ordering::Relaxed);
                (before <= millis(now)).then_some(Degraded::Full)
            }
            // The file is bad, not the device; and a lack of descriptors is our own.
            Fault::Damaged | Fault::OpenFiles => None,
            Fault::Io | Fault::Denied | Fault::Slow | Fault::Other => {
                if self.in_a_row.fetch_add(1, Ordering::Relaxed) + 1 < FAULTS_IN_A_ROW {
                    return None;
                }
                let before = self.sick_until.swap(millis(now + SICK), Ordering::Relaxed);
                (before <= millis(now)).then_some(Degraded::Failing)
            }
        }
    }

    /// After a system call that touched the device went well.
    pub(super) fn worked(&self) {
        // The ordinary case must not write to a shared cache line.
        if self.in_a_row.load(Ordering::Relaxed) != 0 {
            self.in_a_row.store(0, Ordering::Relaxed);
        }
    }

    /// Whether the device may be touched. After the pause of a sick one everybody may: one success ends the count,
    /// one more fault renews the pause.
    pub(super) fn is_sick(&self, now: Duration) -> bool {
        millis(now) < self.sick_until.load(Ordering::Relaxed)
    }

    pub(super) fn is_full(&self, now: Duration) -> bool {
        millis(now) < self.full_until.load(Ordering::Relaxed)
    }

    pub(super) fn usable(&self, now: Duration) -> Usable {
        if self.is_sick(now) {
            Usable::Degraded(Degraded::Failing)
        } else if self.is_full(now) {
            Usable::Degraded(Degraded::Full)
        } else {
            Usable::Ok
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sick_disk_is_left_alone_and_tried_again() {
        let (health, at) = (Health::default(), Duration::from_millis);
        (1..FAULTS_IN_A_ROW).for_each(|_| assert_eq!(health.failed(Fault::Io, at(0)), None));
        assert_eq!(health.usable(at(0)), Usable::Ok);
        assert_eq!(health.failed(Fault::Slow, at(0)), Some(Degraded::Failing));
        assert_eq!(health.failed(Fault::Slow, at(0)), None);
        assert_eq!(health.usable(at(1999)), Usable::Degraded(Degraded::Failing));
        assert!(!health.is_sick(at(2000)));
        health.failed(Fault::Io, at(2000));
        assert!(health.is_sick(at(3999)));
        health.worked();
        health.failed(Fault::Io, at(4000));
        assert!(!health.is_sick(at(4000)));
    }

    #[test]
    fn bad_files_do_not_make_a_sick_disk() {
        let health = Health::default();
        (0..100).for_each(|_| assert_eq!(health.failed(Fault::Damaged, Duration::ZERO), None));
        assert_eq!(health.usable(Duration::ZERO), Usable::Ok);
        health.failed(Fault::NoSpace, Duration::ZERO);
        assert_eq!(health.usable(Duration::ZERO), Usable::Degraded(Degraded::Full));
        assert_eq!(health.usable(FULL), Usable::Ok);
    }
}
