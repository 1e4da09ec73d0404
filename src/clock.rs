//! Time, as a parameter: the only place that reads the wall clock. Waits use tokio's clock and not this one.

use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;

/// Tells the time. Clones tell the same time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Set(Arc<Mutex<SystemTime>>),
}

impl Clock {
    /// The machine's own time.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still, for tests, until it is [`Clock::set`].
    pub fn fixed(at: SystemTime) -> Self {
        Self(Source::Set(Arc::new(Mutex::new(at))))
    }

    /// Moves a fixed clock and all its clones; the system's cannot be moved.
    pub fn set(&self, at: SystemTime) {
        match &self.0 {
            Source::System => {}
            Source::Set(now) => *now.lock() = at,
        }
    }

    /// The time.
    #[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
    pub fn now(&self) -> SystemTime {
        match &self.0 {
            Source::System => SystemTime::now(),
            Source::Set(now) => *now.lock(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn clones_of_a_fixed_clock_move_together() {
        let clock = Clock::fixed(SystemTime::UNIX_EPOCH);
        let clone = clock.clone();
        clock.set(SystemTime::UNIX_EPOCH + Duration::from_secs(7));
        assert_eq!(clone.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(7));
    }
}
