//! When requests of a fixed rate are due, whatever became of the earlier ones.

use std::time::Duration;

/// The share of one thread: every so-manieth request, from its own first on.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    rate: f64,
    next: u32,
    step: u32,
}

impl Schedule {
    pub(crate) fn share(rate: f64, index: u32, threads: usize) -> Self {
        Self {
            rate,
            next: index,
            step: u32::try_from(threads).unwrap_or(u32::MAX),
        }
    }

    /// When the next request is due, counted from the beginning.
    pub(crate) fn due(&self) -> Duration {
        // From the count and not from the last one, so that errors do not add up.
        Duration::from_secs_f64(f64::from(self.next) / self.rate)
    }

    /// It was begun.
    pub(crate) fn advance(&mut self) {
        self.next = self.next.saturating_add(self.step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(rate: f64, index: u32, threads: usize, count: usize) -> Vec<u128> {
        let mut schedule = Schedule::share(rate, index, threads);
        let mut next = || {
            let due = schedule.due().as_micros();
            schedule.advance();
            due
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn shares_interleave_to_the_rate() {
        assert_eq!(starts(1000.0, 0, 1, 4), [0, 1000, 2000, 3000]);
        assert_eq!(starts(1000.0, 0, 2, 3), [0, 2000, 4000]);
        assert_eq!(starts(1000.0, 1, 2, 3), [1000, 3000, 5000]);
    }

    #[test]
    fn errors_do_not_add_up() {
        assert_eq!(starts(3.0, 0, 1, 3001).last(), Some(&1_000_000_000));
    }
}
