//! Whether a server that others can stand in for is worth asking.
//!
//! Pure: the time is told.

use std::time::Duration;

use tokio::time::Instant;

/// How many connections in a row fail before a server is left out: one that is refused while a process restarts, or a
/// packet that got lost, is no reason.
const FAILURES: u32 = 3;

/// How long it is left out before one request tries again.
pub(super) const LEFT_OUT: Duration = Duration::from_secs(5);

/// What became of the last connections.
#[derive(Debug, Default)]
pub(super) struct Health {
    failures: u32,
    out_until: Option<Instant>,
}

impl Health {
    /// There was a connection.
    pub(super) fn connected(&mut self) {
        *self = Self::default();
    }

    /// There was none.
    pub(super) fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES {
            self.out_until = Some(now + LEFT_OUT);
        }
    }

    /// Whether it may be asked now. Who asks after its time takes the turn of the others, which wait for what becomes of
    /// it.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        match self.out_until {
            Some(until) if now < until => false,
            Some(_) => {
                self.out_until = Some(now + LEFT_OUT);
                true
            }
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_leave_it_out_and_one_tries_again() {
        let (mut health, now) = (Health::default(), Instant::now());
        for _ in 1..FAILURES {
            health.failed(now);
        }
        health.connected();
        for _ in 1..FAILURES {
            health.failed(now);
            assert!(health.admits(now));
        }
        health.failed(now);
        let later = now + LEFT_OUT;
        assert!(!health.admits(now) && !health.admits(later - Duration::from_nanos(1)));
        assert!(health.admits(later) && !health.admits(later));
        health.failed(later);
        assert!(!health.admits(later + LEFT_OUT / 2) && health.admits(later + LEFT_OUT));
        health.connected();
        assert!(health.admits(later) && health.admits(later));
    }
}
