//! Uses that are close together count once. A download reads a block in many pieces, and every one of them would count as
//! proof that the block is popular.
//!
//! Owns: when a use of one thing was counted last, where no lock is to be taken for the others.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::seconds;

/// Uses of one file within this time count once.
pub(in crate::tier::disk) const WINDOW: Duration = Duration::from_secs(10);

/// When a use was counted last, in seconds; zero: never.
#[derive(Debug, Default)]
pub(in crate::tier::disk) struct Window(AtomicU32);

impl Window {
    /// As if a use had been counted then.
    pub(in crate::tier::disk) fn since(now: Duration) -> Self {
        Self(AtomicU32::new(seconds(now).max(1)))
    }

    /// Whether a use at that time is to be counted: not if one was within the window.
    pub(in crate::tier::disk) fn counts(&self, now: Duration) -> bool {
        let now = seconds(now).max(1);
        let due = is_due(self.0.load(Ordering::Relaxed), now);
        if due {
            self.0.store(now, Ordering::Relaxed);
        }
        due
    }
}

impl Clone for Window {
    fn clone(&self) -> Self {
        Self(AtomicU32::new(self.0.load(Ordering::Relaxed)))
    }
}

/// Whether a use in that second is beyond the window of the one that was counted last.
pub(super) fn is_due(counted: u32, now: u32) -> bool {
    counted == 0 || now.saturating_sub(counted) >= seconds(WINDOW)
}
