//! How long a server takes to begin its answers, as a live quantile.
//!
//! Owns: a histogram that forgets, of fixed size. Never: reads a clock.

use std::time::Duration;

use parking_lot::Mutex;

/// The upper end of the first bucket, in microseconds, and how much longer each is than the one before, in quarters: 1 ms to
/// more than a minute.
const FIRST: u64 = 1000;
const BUCKETS: usize = 52;
/// With so many in it, what was counted counts half.
const FULL: u32 = 2048;
/// With fewer, a quantile says nothing.
const ENOUGH: u32 = 100;

/// Times of answers.
#[derive(Debug)]
pub struct Latency(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    buckets: [u32; BUCKETS],
    total: u32,
}

impl Default for Latency {
    fn default() -> Self {
        Self(Mutex::new(Counts {
            buckets: [0; BUCKETS],
            total: 0,
        }))
    }
}

impl Latency {
    /// An answer began after that time.
    pub fn note(&self, took: Duration) {
        let mut counts = self.0.lock();
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = ends().position(|end| took <= end).unwrap_or(BUCKETS - 1);
        if let Some(count) = counts.buckets.get_mut(bucket) {
            *count += 1;
        }
        counts.total += 1;
        if counts.total >= FULL {
            counts.buckets.iter_mut().for_each(|count| *count /= 2);
            counts.total = counts.buckets.iter().sum();
        }
    }

    /// The time within which so many in a thousand began; `None` before there is enough to tell.
    pub fn quantile(&self, per_thousand: u32) -> Option<Duration> {
        let counts = self.0.lock();
        if counts.total < ENOUGH {
            return None;
        }
        let rank = counts.total.saturating_mul(per_thousand).div_ceil(1000);
        let mut seen = 0;
        let within = |(count, _): &(&u32, u64)| {
            seen += **count;
            seen >= rank
        };
        let found = counts.buckets.iter().zip(ends()).find(within);
        found.map(|(_, end)| Duration::from_micros(end))
    }
}

/// The upper ends of the buckets, in microseconds.
fn ends() -> impl Iterator<Item = u64> {
    std::iter::successors(Some(FIRST), |end| Some(end + end / 4)).take(BUCKETS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(latency: &Latency, per_thousand: u32) -> Option<u128> {
        latency.quantile(per_thousand).map(|time| time.as_millis())
    }

    #[test]
    fn a_quantile_takes_enough_to_tell() {
        let latency = Latency::default();
        (1..ENOUGH).for_each(|_| latency.note(Duration::from_millis(3)));
        assert_eq!(millis(&latency, 950), None);
        latency.note(Duration::from_millis(3));
        assert_eq!(millis(&latency, 950), Some(3));
    }

    #[test]
    fn a_few_slow_ones_do_not_move_it_and_many_do() {
        let latency = Latency::default();
        (0..970).for_each(|_| latency.note(Duration::from_millis(10)));
        (0..30).for_each(|_| latency.note(Duration::from_secs(2)));
        assert!((10..13).contains(&millis(&latency, 950).unwrap()));
        assert!((2000..2500).contains(&millis(&latency, 990).unwrap()));
        // It forgets what was.
        (0..20_000).for_each(|_| latency.note(Duration::from_millis(100)));
        assert!((100..125).contains(&millis(&latency, 500).unwrap()));
        latency.note(Duration::MAX);
    }
}
