//! Whether the device is to be used right now: breakers for one that fails, and the pause of a full one.
//!
//! Owns: the states and their times. Time comes in as a parameter. Reads and writes fail apart: what was mounted
//! read-only still serves what it has.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::stats::{Degraded, Fault, Usable};

/// So many faults without a success between them, and the disk counts as sick.
const FAULTS_IN_A_ROW: u32 = 8;
/// How long a sick disk is left alone before it is tried again, and between two tries.
const SICK: Duration = Duration::from_secs(2);
/// How long nothing is written to a full device, so that evictions take effect.
const FULL: Duration = Duration::from_secs(1);

/// What was done with the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Reads,
    Writes,
}

/// The health of a device. Times are milliseconds of a monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Health {
    reads: Breaker,
    writes: Breaker,
    full: Full,
}

/// Full from when a write met it until a block finds its space; fills pause at the beginning of that.
#[derive(Debug, Default)]
struct Full {
    is: AtomicBool,
    /// The end of the pause.
    until: AtomicU64,
    /// When it may be tried again without a fill.
    trial: AtomicU64,
}

/// Open after so many faults in a row; then one call at a time is let through to see whether the device is back, so
/// that a device that hangs delays one request and not all of them.
#[derive(Debug, Default)]
struct Breaker {
    in_a_row: AtomicU32,
    until: AtomicU64,
}

impl Breaker {
    /// Whether that opened it.
    fn failed(&self, now: Duration) -> bool {
        let in_a_row = self.in_a_row.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if in_a_row >= FAULTS_IN_A_ROW {
            self.until.store(millis(now + SICK), Ordering::Relaxed);
        }
        in_a_row == FAULTS_IN_A_ROW
    }

    /// Whether that closed it.
    fn worked(&self) -> bool {
        // The ordinary case must not write to a shared cache line.
        self.in_a_row.load(Ordering::Relaxed) != 0 && self.in_a_row.swap(0, Ordering::Relaxed) >= FAULTS_IN_A_ROW
    }

    fn is_open(&self) -> bool {
        self.in_a_row.load(Ordering::Relaxed) >= FAULTS_IN_A_ROW
    }

    /// Whether nobody is let through now.
    fn is_shut(&self, now: Duration) -> bool {
        self.is_open() && millis(now) < self.until.load(Ordering::Relaxed)
    }

    fn lets(&self, now: Duration) -> bool {
        if !self.is_open() {
            return true;
        }
        let until = self.until.load(Ordering::Relaxed);
        let next = millis(now + SICK);
        let claim = |until| {
            self.until
                .compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed)
        };
        millis(now) >= until && claim(until).is_ok()
    }
}

impl Health {
    /// After a system call failed. Says if that began a pause.
    pub(super) fn failed(&self, side: Side, fault: Fault, now: Duration) -> Option<Degraded> {
        match fault {
            Fault::NoSpace => {
                self.full.is.store(true, Ordering::Relaxed);
                let before = self.full.until.swap(millis(now + FULL), Ordering::Relaxed);
                (before <= millis(now)).then_some(Degraded::Full)
            }
            // The file is bad, not the device; and a lack of descriptors is our own.
            Fault::Damaged | Fault::OpenFiles => None,
            Fault::Io | Fault::Denied | Fault::Slow | Fault::Gone | Fault::Other => match side {
                Side::Reads => self.reads.failed(now).then_some(Degraded::Failing),
                Side::Writes => self.writes.failed(now).then_some(Degraded::Unwritable),
            },
        }
    }

    /// After a system call that touched the device went well; what was written can be read. Says if that ended a pause.
    pub(super) fn worked(&self, side: Side) -> bool {
        match side {
            Side::Reads => self.reads.worked(),
            // Both are told.
            Side::Writes => self.reads.worked() | self.writes.worked(),
        }
    }

    /// After a block found its space. What is smaller fits where no block does, and says nothing of that. Says if that
    /// ended a pause.
    pub(super) fn stored(&self) -> bool {
        // As above: most find it `false`, and leave it alone.
        let was_full = self.full.is.load(Ordering::Relaxed) && self.full.is.swap(false, Ordering::Relaxed);
        self.worked(Side::Writes) | was_full
    }

    /// After a trial found the device full: it answers. That begins no pause, or fills would never come to evict. Says if
    /// it was sick before.
    pub(super) fn found_full(&self) -> bool {
        self.full.is.store(true, Ordering::Relaxed);
        self.worked(Side::Writes)
    }

    /// Whether the device may be read. Of a sick one, from time to time for one call.
    pub(super) fn may_read(&self, now: Duration) -> bool {
        self.reads.lets(now)
    }

    /// Whether the device may be written. What cannot be read is not worth writing.
    pub(super) fn may_write(&self, now: Duration) -> bool {
        // Who is refused by one must not use up the only try of the other.
        !self.writes.is_shut(now) && self.reads.lets(now) && self.writes.lets(now)
    }

    /// Whether fills wait for evictions to take effect.
    pub(super) fn pauses(&self, now: Duration) -> bool {
        millis(now) < self.full.until.load(Ordering::Relaxed)
    }

    /// Whether the device is to be tried although nobody asks for it. Of a sick one, that is a try like any other. Asked
    /// by one thread.
    pub(super) fn wants_trial(&self, now: Duration) -> bool {
        match self.usable() {
            Usable::Ok => false,
            Usable::Degraded(Degraded::Full) => {
                let due = !self.pauses(now) && millis(now) >= self.full.trial.load(Ordering::Relaxed);
                if due {
                    self.full.trial.store(millis(now + SICK), Ordering::Relaxed);
                }
                due
            }
            Usable::Degraded(_) => self.may_write(now),
        }
    }

    pub(super) fn usable(&self) -> Usable {
        if self.reads.is_open() {
            Usable::Degraded(Degraded::Failing)
        } else if self.writes.is_open() {
            Usable::Degraded(Degraded::Unwritable)
        } else if self.full.is.load(Ordering::Relaxed) {
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

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_sick_disk_is_left_alone_and_tried_again_by_one_at_a_time() {
        let health = Health::default();
        let fails = |fault, millis| health.failed(Side::Reads, fault, at(millis));
        (1..FAULTS_IN_A_ROW).for_each(|_| assert_eq!(fails(Fault::Io, 0), None));
        assert_eq!((health.usable(), health.may_read(at(0))), (Usable::Ok, true));
        assert_eq!(fails(Fault::Slow, 0), Some(Degraded::Failing));
        assert_eq!(fails(Fault::Slow, 0), None);
        assert!(!health.may_read(at(1999)) && !health.may_write(at(1999)));
        assert!(health.may_read(at(2000)));
        assert!(!health.may_read(at(2000)) && !health.may_write(at(2000)));
        fails(Fault::Io, 3000);
        assert!(!health.may_read(at(4999)));
        // It is sick until something works, not until somebody may try.
        assert_eq!(health.usable(), Usable::Degraded(Degraded::Failing));
        assert!(health.may_read(at(9000)));
        assert!(health.worked(Side::Reads) && !health.worked(Side::Reads));
        assert!(health.may_read(at(9000)) && health.may_write(at(9000)));
        assert_eq!(fails(Fault::Io, 9000), None);
        assert_eq!(health.usable(), Usable::Ok);
    }

    #[test]
    fn what_cannot_be_written_is_read_all_the_same() {
        let health = Health::default();
        let degraded: Vec<_> = (0..FAULTS_IN_A_ROW)
            .filter_map(|_| health.failed(Side::Writes, Fault::Denied, at(0)))
            .collect();
        assert_eq!(degraded, [Degraded::Unwritable]);
        health.worked(Side::Reads);
        assert_eq!(health.usable(), Usable::Degraded(Degraded::Unwritable));
        assert!(health.may_read(at(0)) && !health.may_write(at(0)));
        assert!(health.may_write(at(2000)) && !health.may_write(at(2000)));
        assert!(health.worked(Side::Writes));
        assert_eq!((health.usable(), health.may_write(at(2000))), (Usable::Ok, true));
    }

    #[test]
    fn bad_files_do_not_make_a_sick_disk() {
        let health = Health::default();
        (0..100).for_each(|_| assert_eq!(health.failed(Side::Reads, Fault::Damaged, Duration::ZERO), None));
        assert_eq!(health.usable(), Usable::Ok);
        health.failed(Side::Writes, Fault::NoSpace, Duration::ZERO);
        assert_eq!(health.usable(), Usable::Degraded(Degraded::Full));
        // Fills are tried again soon; it is full until one of them finds its space.
        assert!(health.pauses(Duration::ZERO) && !health.pauses(FULL));
        health.worked(Side::Writes);
        assert_eq!(health.usable(), Usable::Degraded(Degraded::Full));
        assert!(health.stored() && !health.stored());
        assert_eq!(health.usable(), Usable::Ok);
    }

    #[test]
    fn a_trial_is_a_try_like_any_other() {
        let health = Health::default();
        assert!(!health.wants_trial(at(9000)));
        (0..FAULTS_IN_A_ROW).for_each(|_| {
            health.failed(Side::Writes, Fault::Denied, at(0));
        });
        (0..FAULTS_IN_A_ROW).for_each(|_| {
            health.failed(Side::Reads, Fault::Io, at(1000));
        });
        assert!(!health.wants_trial(at(2999)));
        assert!(health.wants_trial(at(3000)) && !health.wants_trial(at(3000)) && !health.may_read(at(3000)));
        health.stored();
        health.failed(Side::Writes, Fault::NoSpace, at(9000));
        assert!(!health.wants_trial(at(9999)) && health.wants_trial(at(10_000)));
        // Nobody is kept from storing by one that fails.
        assert!(!health.found_full() && !health.pauses(at(10_000)) && health.may_write(at(10_000)));
        assert!(!health.wants_trial(at(11_999)) && health.wants_trial(at(12_000)));
    }

    #[test]
    fn a_try_at_writing_does_not_use_up_one_at_reading() {
        let health = Health::default();
        (0..FAULTS_IN_A_ROW).for_each(|_| {
            health.failed(Side::Reads, Fault::Io, at(0));
        });
        (0..FAULTS_IN_A_ROW).for_each(|_| {
            health.failed(Side::Writes, Fault::Io, at(1000));
        });
        assert!(!health.may_write(at(2000)) && health.may_read(at(2000)));
    }
}
