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

/// What became of the last connections and questions.
#[derive(Debug, Default)]
pub(super) struct Health {
    failures: u32,
    /// Until when it is left out since it cannot be reached.
    unreachable: Option<Instant>,
    /// Until when it is left out since it says nothing. A connection is no answer: the kernel takes those of a process that
    /// stands still.
    silent: Option<Instant>,
}

/// Why a server is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// Connections to it fail.
    Connection,
    /// It takes questions and says nothing.
    Silence,
}

impl Health {
    /// There was a connection.
    pub(super) fn connected(&mut self) {
        self.failures = 0;
        self.unreachable = None;
    }

    /// There was none. Tells whether it is left out for that from now on.
    pub(super) fn failed(&mut self, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.failures >= FAILURES && self.unreachable.replace(now + LEFT_OUT).is_none()
    }

    /// There was an answer. Tells whether it was left out for want of one.
    pub(super) fn answered(&mut self) -> bool {
        self.connected();
        self.silent.take().is_some()
    }

    /// A question was waited for in vain, and that server stands still or does not. Tells whether it is left out for that
    /// from now on.
    pub(super) fn timed_out(&mut self, stands_still: bool, now: Instant) -> bool {
        // Once left out, one question in vain is enough to stay so.
        (stands_still || self.is_silent()) && self.silent.replace(now + LEFT_OUT).is_none()
    }

    /// Whether it is left out for want of an answer, or was until it is tried again.
    pub(super) fn is_silent(&self) -> bool {
        self.silent.is_some()
    }

    /// Whether it may be asked now. Who asks after its time takes the turn of the others, which wait for what becomes of
    /// it.
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        let mut outs = [&mut self.unreachable, &mut self.silent];
        if outs.iter().any(|out| out.is_some_and(|until| now < until)) {
            return false;
        }
        for until in outs.iter_mut().filter_map(|out| out.as_mut()) {
            *until = now + LEFT_OUT;
        }
        true
    }
}

impl LeftOut {
    /// The name in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Silence => "silence",
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
            assert!(!health.failed(now));
        }
        health.connected();
        for _ in 1..FAILURES {
            assert!(!health.failed(now));
            assert!(health.admits(now));
        }
        assert!(health.failed(now));
        let later = now + LEFT_OUT;
        assert!(!health.admits(now) && !health.admits(later - Duration::from_nanos(1)));
        assert!(health.admits(later) && !health.admits(later));
        assert!(!health.failed(later), "it was left out before");
        assert!(!health.admits(later + LEFT_OUT / 2) && health.admits(later + LEFT_OUT));
        health.connected();
        assert!(health.admits(later) && health.admits(later));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_leaves_it_out_until_there_is_an_answer() {
        let (mut health, now) = (Health::default(), Instant::now());
        assert!(!health.timed_out(false, now) && health.admits(now));
        assert!(!health.answered());
        assert!(health.timed_out(true, now) && health.is_silent());
        health.connected();
        assert!(!health.admits(now), "a connection is no answer");
        let later = now + LEFT_OUT;
        assert!(health.admits(later) && !health.admits(later));
        assert!(!health.timed_out(false, later), "it was left out before");
        assert!(!health.admits(later + LEFT_OUT / 2) && health.admits(later + LEFT_OUT));
        assert!(health.answered() && !health.is_silent());
        assert!(health.admits(later) && health.admits(later));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_silent_and_out_of_reach_takes_both_to_come_back() {
        let (mut health, now) = (Health::default(), Instant::now());
        health.timed_out(true, now);
        let later = now + LEFT_OUT / 2;
        for _ in 0..FAILURES {
            health.failed(later);
        }
        assert!(!health.admits(now + LEFT_OUT) && health.admits(later + LEFT_OUT));
        health.connected();
        assert!(!health.admits(later + LEFT_OUT), "the turn is taken");
        health.answered();
        assert!(health.admits(later));
    }
}
