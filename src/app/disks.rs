//! Opens the disk tiers.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::{StartError, Surroundings};
use crate::clock::Clock;
use crate::config::{self, Config, Route, Size, TierName};
use crate::metrics::{DiskSnapshot, Metrics};
use crate::tier::disk::{Disk, DiskConfig, Label, Policy, RouteTerms, open_files_limit};

/// Disks by the names of their tiers.
pub(super) type Disks = HashMap<TierName, Arc<Disk>>;

/// Opens every disk that a route uses. The budgets of memory and of descriptors are shared out evenly.
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
            open_files: open_files_limit() / share,
            policy: policy(config, tier, &surroundings.clock),
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

/// What the routes that share a disk ask of it.
fn policy(config: &Config, disk: &config::Disk, clock: &Clock) -> Policy {
    let of_it = |route: &&Route| route.store.as_ref().is_some_and(|store| store.name == disk.name);
    let routes = config.routes.iter().filter(of_it).map(|route| RouteTerms {
        name: route.name.clone(),
        grace: route.grace,
        quota: route.quota.map(Size::bytes),
    });
    Policy {
        routes: routes.collect(),
        clock: clock.clone(),
        min_free: disk.min_free.map(Size::bytes),
        entries: u64::try_from(disk.entries.get()).unwrap_or(u64::MAX),
    }
}

fn snapshot(disk: &Disk) -> DiskSnapshot {
    let stats = disk.stats();
    DiskSnapshot {
        bytes: stats.bytes,
        blocks: stats.blocks,
        capacity: stats.capacity,
        volume_free: stats.volume_free,
        index: stats.index_bytes,
        foreign: stats.foreign,
        complete: stats.index_complete,
        evictions: stats.evicted.iter().map(|(why, n)| (why.label(), *n)).collect(),
        faults: stats.faults.iter().map(|(kind, n)| (kind.label(), *n)).collect(),
        verified: stats.verified.iter().map(|(what, n)| (what.label(), *n)).collect(),
    }
}
