//! How long a transfer that nobody reads is kept up, for those to come.

use std::time::Duration;

use tokio::time::Instant;

/// In so long it has to bring so much: a server that drips must not hold a connection, a fill and its space for good.
const STINT: Duration = Duration::from_secs(10);
const LEAST: u64 = 256 << 10;

/// The patience with one transfer.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// Until when more than [`LEAST`] has to come, and what had come before.
    stint: Option<(Instant, u64)>,
}

impl Patience {
    /// When it ends with a transfer that has got to that position; never while somebody wants what comes.
    pub(super) fn ends(&mut self, unread: bool, position: u64) -> Option<Instant> {
        let gets_on = |(_, before): &(Instant, u64)| position.saturating_sub(*before) >= LEAST;
        if !unread || self.stint.as_ref().is_some_and(gets_on) {
            self.stint = None;
        }
        if unread {
            self.stint.get_or_insert_with(|| (Instant::now() + STINT, position));
        }
        self.stint.map(|(ends, _)| ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_lasts_while_somebody_reads_or_enough_comes() {
        let mut patience = Patience::default();
        let second = Duration::from_secs(1);
        let start = Instant::now();
        assert_eq!(patience.ends(false, 0), None);
        assert_eq!(patience.ends(true, 5), Some(start + 10 * second));
        tokio::time::advance(9 * second).await;
        assert_eq!(patience.ends(true, 4 + LEAST), Some(start + 10 * second));
        assert_eq!(patience.ends(true, 5 + LEAST), Some(start + 19 * second));
        assert_eq!(patience.ends(false, 5 + LEAST), None);
        tokio::time::advance(second).await;
        assert_eq!(patience.ends(true, 5 + LEAST), Some(start + 20 * second));
    }
}
