//! What is counted, and its quantiles.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::worker::Period;

#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Nanoseconds from when a request was due to the end of its answer.
    latencies: Vec<u64>,
    /// Nanoseconds from when a request was due to when it was sent.
    late: Vec<u64>,
    bytes: u64,
    bytes_in_time: u64,
    last: Option<Instant>,
    pub(crate) reconnects: u64,
}

#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) requests: usize,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    pub(crate) requests_per_second: f64,
    pub(crate) bytes_per_second: f64,
    pub(crate) latency: Value,
    pub(crate) late: Value,
    pub(crate) reconnects: u64,
}

impl Tally {
    pub(crate) fn sent(&mut self, late: Duration) {
        self.late.push(nanos(late));
    }

    pub(crate) fn bytes(&mut self, count: u64, in_time: bool) {
        self.bytes += count;
        self.bytes_in_time += if in_time { count } else { 0 };
    }

    pub(crate) fn answered(&mut self, latency: Duration, now: Instant) {
        self.latencies.push(nanos(latency));
        self.last = self.last.max(Some(now));
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.late.extend(other.late);
        self.bytes += other.bytes;
        self.bytes_in_time += other.bytes_in_time;
        self.last = self.last.max(other.last);
        self.reconnects += other.reconnects;
    }

    /// Rates are of what came in time, and a request counts by its share of bytes that did: there may be few large ones.
    /// Requests, bytes and latencies are of all, the ones that ended later too.
    pub(crate) fn report(mut self, period: Period) -> Report {
        self.latencies.sort_unstable();
        self.late.sort_unstable();
        let last = self.last.unwrap_or(period.start);
        let requests = float(self.latencies.len() as u64);
        let share = float(self.bytes_in_time) / float(self.bytes.max(1));
        let seconds = period.until.unwrap_or(last).duration_since(period.start).as_secs_f64();
        Report {
            requests: self.latencies.len(),
            bytes: self.bytes,
            seconds,
            requests_per_second: requests * share / seconds,
            bytes_per_second: float(self.bytes_in_time) / seconds,
            latency: quantiles(&self.latencies),
            late: quantiles(&self.late),
            reconnects: self.reconnects,
        }
    }
}

/// In microseconds.
fn quantiles(sorted: &[u64]) -> Value {
    let at = |share: f64| quantile(sorted, share).map(|nanos| float(nanos) / 1000.0);
    json!({"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p999": at(0.999), "max": at(1.0)})
}

/// The smallest value that so large a share of all does not exceed.
fn quantile(sorted: &[u64], share: f64) -> Option<u64> {
    let below = |at: usize| float(at as u64 + 1) < share * float(sorted.len() as u64);
    let (mut low, mut high) = (0, sorted.len().checked_sub(1)?);
    while low < high {
        let middle = low.midpoint(high);
        if below(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    sorted.get(low).copied()
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "measured values are far below 2^53")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_seen() {
        let hundred: Vec<u64> = (1..=100).collect();
        let of = |share| quantile(&hundred, share);
        assert_eq!(
            [of(0.0), of(0.5), of(0.99), of(0.999), of(1.0)],
            [1, 50, 99, 100, 100].map(Some)
        );
        assert_eq!(quantile(&[7], 0.5), Some(7));
        assert_eq!(quantile(&[1, 2, 3], 0.5), Some(2));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn what_ends_late_counts_as_work_and_not_as_rate() {
        let start = Instant::now();
        let period = Period::from(start, Some(Duration::from_secs(2)));
        let mut tally = Tally::default();
        tally.bytes(100, true);
        tally.answered(Duration::from_micros(5), start + Duration::from_secs(1));
        tally.bytes(100, false);
        tally.answered(Duration::from_micros(9), start + Duration::from_secs(3));
        let report = tally.report(period);
        assert_eq!((report.requests, report.bytes), (2, 200));
        assert_eq!(
            [report.seconds, report.requests_per_second, report.bytes_per_second],
            [2.0, 0.5, 50.0]
        );
        assert_eq!(report.latency["max"], json!(9.0));
    }
}
