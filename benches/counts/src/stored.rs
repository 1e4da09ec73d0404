//! Reading what the disk holds, when the file is open and its bytes are in the page cache.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use pinstripe::clock::Clock;
use pinstripe::fetch::{Download, Parts, Route};
use pinstripe::metrics::Metrics;
use pinstripe::object::{BlockIndex, BlockSize, Current, RouteName};
use pinstripe::tier::disk::{Disk, DiskConfig, Policy};
use pinstripe::tier::store::{BlockStore, Claim, Known};
use prometheus::Registry;
use tokio::runtime::Builder;
use tokio_util::task::TaskTracker;

use super::Call;
use super::object::{self, SIZE, TERMS};

pub(crate) fn crc_16k(_: &Path) -> Result<Call> {
    crc(16 << 10)
}

pub(crate) fn crc_64k(_: &Path) -> Result<Call> {
    crc(64 << 10)
}

/// What a granule is compared with, by the crate that the disk has it from.
fn crc(length: usize) -> Result<Call> {
    let bytes = pattern(length);
    Ok(Box::new(move |_| {
        black_box(crc_fast::crc64_nvme(black_box(&bytes)));
    }))
}

pub(crate) fn disk_4k(folder: &Path) -> Result<Call> {
    disk(folder, 4 << 10)
}

pub(crate) fn disk_64k(folder: &Path) -> Result<Call> {
    disk(folder, 64 << 10)
}

fn disk(folder: &Path, length: u64) -> Result<Call> {
    let disk = store(folder)?;
    let (revision, range) = (object::revision()?, object::range(length)?);
    let read = move || disk.at_hand(black_box(&revision), BlockIndex::new(0), black_box(range));
    read().context("it is not at hand")?;
    Ok(Box::new(move |_| drop(black_box(read()))))
}

pub(crate) fn route_4k(folder: &Path) -> Result<Call> {
    let parts = Parts {
        name: RouteName::new("models"),
        terms: TERMS,
        store: store(folder)?,
        keeps: true,
        upstreams: Vec::new(),
        connections: 1,
        instance: "pinstripe".into(),
        window: 256 << 10,
        clock: Clock::fixed(object::now()),
        metrics: Arc::new(Metrics::new(Registry::new())?),
        tasks: TaskTracker::new(),
    };
    let (route, key) = (Route::new(parts), object::key(object::PATH));
    let range = object::range(4 << 10)?;
    let mut download = Download::of(&route, key, object::read(range)?).context("it is no chunk")?;
    let mut answer = move || download.at_hand(black_box(range));
    answer().context("it is not at hand")?;
    Ok(Box::new(move |_| drop(black_box(answer()))))
}

/// A disk that holds the object, knows it to be current, and has its file open.
fn store(folder: &Path) -> Result<Arc<Disk>> {
    let runtime = Builder::new_current_thread().enable_time().build()?;
    let disk = Arc::new(open(folder, 1 << 30)?);
    let (revision, head) = (object::revision()?, object::head()?);
    let known = Known {
        current: Current::Is(object::tag()?),
        confirmed: object::received(),
        head: Some(Arc::clone(&head)),
        former: Vec::new(),
    };
    disk.learn(&revision.key, known);
    let first = BlockIndex::new(0);
    runtime.block_on(async {
        let mut fill = disk.fill(&revision, &head, first, Claim::Current)?;
        fill.offer(&Bytes::from(pattern(SIZE.try_into()?)))?;
        fill.finish().await?;
        disk.read(&revision, first, object::range(4 << 10)?).await?;
        Ok(disk)
    })
}

/// It never hears that time goes by: uses would count again.
pub(crate) fn open(folder: &Path, capacity: u64) -> Result<Disk> {
    let config = DiskConfig {
        path: folder.to_owned(),
        capacity,
        block_size: BlockSize::DEFAULT,
        fill_budget: 64 << 20,
        read_budget: 16 << 20,
        open_files: 1024,
        policy: Policy::default(),
    };
    Ok(Disk::open(&config, Arc::new(|| Duration::from_secs(1)))?)
}

fn pattern(length: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(length).collect()
}
