//! What disk tiers hold, asked of them at every scrape.
//!
//! Owns: the turning of snapshots into gauges and counters.
//! Never: keeps counts of its own; a disk counts, and this catches up.

use std::sync::Arc;

use parking_lot::Mutex;
use prometheus::{Error, IntCounterVec, IntGaugeVec};

use super::register::Maker;

/// What a disk tier tells when it is asked. Counts are since its start and never shrink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskSnapshot {
    /// Bytes of blocks.
    pub bytes: u64,
    /// Blocks.
    pub blocks: u64,
    /// Bytes that blocks may take.
    pub capacity: u64,
    /// Bytes of its volume that are free.
    pub volume_free: u64,
    /// Files of others in its directory.
    pub foreign: u64,
    /// Whether all that an earlier run left was found.
    pub complete: bool,
    /// Bytes of memory that its index takes.
    pub index: u64,
    /// Evicted blocks by reason.
    pub evictions: Vec<(&'static str, u64)>,
    /// Faults by kind.
    pub faults: Vec<(&'static str, u64)>,
    /// Comparisons of complete revisions with the authority's checksum, by outcome.
    pub verified: Vec<(&'static str, u64)>,
}

pub(super) type AskDisk = Box<dyn Fn() -> DiskSnapshot + Send + Sync>;

pub(super) struct DiskMetrics {
    bytes: IntGaugeVec,
    blocks: IntGaugeVec,
    capacity: IntGaugeVec,
    volume_free: IntGaugeVec,
    index: IntGaugeVec,
    foreign: IntGaugeVec,
    complete: IntGaugeVec,
    evictions: IntCounterVec,
    faults: IntCounterVec,
    verified: IntCounterVec,
    /// Asked at every scrape; one scrape at a time.
    tiers: Mutex<Vec<(Arc<str>, AskDisk)>>,
}

impl DiskMetrics {
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, Error> {
        Ok(Self {
            bytes: make.gauges("disk_bytes", "Bytes of blocks on disk.", &["tier"])?,
            blocks: make.gauges("disk_blocks", "Blocks on disk.", &["tier"])?,
            capacity: make.gauges("disk_capacity_bytes", "Bytes that blocks may take.", &["tier"])?,
            volume_free: make.gauges(
                "disk_volume_free_bytes",
                "Bytes of its volume that are free.",
                &["tier"],
            )?,
            index: make.gauges("disk_index_bytes", "Bytes of memory that the index takes.", &["tier"])?,
            foreign: make.gauges("disk_foreign_files", "Files of others in its directory.", &["tier"])?,
            complete: make.gauges(
                "disk_index_complete",
                "Whether all files of an earlier run were found.",
                &["tier"],
            )?,
            evictions: make.counters("disk_evictions_total", "Blocks that were evicted.", &["tier", "reason"])?,
            faults: make.counters(
                "disk_faults_total",
                "Faults of a disk tier, each a miss.",
                &["tier", "kind"],
            )?,
            verified: make.counters(
                "disk_verifications_total",
                "Complete revisions compared with the authority's checksum.",
                &["tier", "outcome"],
            )?,
            tiers: Mutex::new(Vec::new()),
        })
    }

    /// Asks that tier from now on.
    pub(super) fn watch(&self, tier: &str, ask: AskDisk) {
        self.tiers.lock().push((tier.into(), ask));
    }

    pub(super) fn refresh(&self) {
        for (tier, ask) in self.tiers.lock().iter() {
            let seen = ask();
            let set = |gauge: &IntGaugeVec, value: u64| {
                let value = i64::try_from(value).unwrap_or(i64::MAX);
                gauge.with_label_values(&[&**tier]).set(value);
            };
            set(&self.bytes, seen.bytes);
            set(&self.blocks, seen.blocks);
            set(&self.capacity, seen.capacity);
            set(&self.volume_free, seen.volume_free);
            set(&self.index, seen.index);
            set(&self.foreign, seen.foreign);
            set(&self.complete, seen.complete.into());
            catch_up(&self.evictions, tier, &seen.evictions);
            catch_up(&self.faults, tier, &seen.faults);
            catch_up(&self.verified, tier, &seen.verified);
        }
    }
}

/// Raises counters to totals that are counted elsewhere.
fn catch_up(counters: &IntCounterVec, tier: &str, totals: &[(&'static str, u64)]) {
    for (label, total) in totals {
        let counter = counters.with_label_values(&[tier, label]);
        counter.inc_by(total.saturating_sub(counter.get()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Metrics;
    use super::*;
    use prometheus::Registry;

    #[track_caller]
    fn check(metrics: &Metrics, line: &str) {
        let text = String::from_utf8(metrics.render().unwrap()).unwrap();
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }

    #[test]
    fn a_disk_is_asked_at_every_scrape() {
        let metrics = Metrics::new(Registry::new()).unwrap();
        let state = Arc::new(Mutex::new(DiskSnapshot::default()));
        let asked = Arc::clone(&state);
        metrics.watch_disk("local", move || asked.lock().clone());
        check(&metrics, "pinstripe_disk_bytes{tier=\"local\"} 0");
        state.lock().bytes = 9;
        state.lock().evictions = vec![("space", 3)];
        check(&metrics, "pinstripe_disk_bytes{tier=\"local\"} 9");
        check(
            &metrics,
            "pinstripe_disk_evictions_total{reason=\"space\",tier=\"local\"} 3",
        );
        check(
            &metrics,
            "pinstripe_disk_evictions_total{reason=\"space\",tier=\"local\"} 3",
        );
        state.lock().evictions = vec![("space", 5)];
        check(
            &metrics,
            "pinstripe_disk_evictions_total{reason=\"space\",tier=\"local\"} 5",
        );
    }
}
