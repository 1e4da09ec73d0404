//! Opens the disk tiers.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::{StartError, Surroundings};
use crate::config::{Config, TierName};
use crate::metrics::{DiskSnapshot, Metrics};
use crate::tier::disk::{Disk, DiskConfig, Label};

/// Disks by the names of their tiers.
pub(super) type Disks = HashMap<TierName, Arc<Disk>>;

/// Opens every disk that a route uses. The budgets of memory are shared out evenly.
pub(super) fn open(config: &Config, surroundings: &Surroundings, metrics: &Metrics) -> Result<Disks, StartError> {
    let mut disks = Disks::new();
    let share = u64::try_from(config.disks().len()).unwrap_or(1).max(1);
    for tier in config.disks() {
        let settings = DiskConfig {
            path: tier.path.clone(),
            capacity: tier.capacity.bytes(),
            block_size: tier.block_size,
            fill_budget: config.limits.fills.bytes() / share,
            read_budget: config.limits.read_buffers.bytes() / share,
        };
        let started = Instant::now();
        let now = Arc::new(move || started.elapsed());
        let disk = match surroundings.slow_disks {
            None => Disk::open(&settings, now),
            Some(rate) => Disk::open_slowed(&settings, rate, now),
        };
        let disk = Arc::new(disk.map_err(|error| StartError::Disk(tier.name.clone(), error))?);
        let watched = Arc::downgrade(&disk);
        metrics.watch_disk(tier.name.as_str(), move || {
            watched.upgrade().map(|disk| snapshot(&disk)).unwrap_or_default()
        });
        disks.insert(tier.name.clone(), disk);
    }
    Ok(disks)
}

fn snapshot(disk: &Disk) -> DiskSnapshot {
    let stats = disk.stats();
    DiskSnapshot {
        bytes: stats.bytes,
        blocks: stats.files,
        capacity: stats.capacity,
        evictions: stats.evicted.iter().map(|(why, n)| (why.label(), *n)).collect(),
        faults: stats.faults.iter().map(|(kind, n)| (kind.label(), *n)).collect(),
        verified: stats.verified.iter().map(|(what, n)| (what.label(), *n)).collect(),
    }
}
