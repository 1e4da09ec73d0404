//! A tier that takes one request at a time: nobody waits for what only it could give back itself.
#![expect(clippy::disallowed_methods, reason = "files are damaged from outside")]

use std::path::Path;

use pinstripe::clock::Clock;
use pinstripe_kit::origin::{Origin, Resource};

use crate::stage::{BLOCK, config, rev, tag};
use crate::support::Sidecar;

const SIZE: u64 = 3 << 20;
const STORED: u64 = 8;
const STORES: &str = "pinstripe_fills_total{outcome=\"stored\"}";
const NARROW: &str = ", limits: { connections: 1 }, timeouts: { connect: 200ms }";

/// Flips a bit of the block with those bytes, wherever it is.
fn damage(folder: &Path, block: &[u8]) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.fold(false, |found, path| {
        if path.is_dir() {
            return damage(&path, block) || found;
        }
        let mut bytes = std::fs::read(&path).unwrap();
        if !bytes.starts_with(block) {
            return found;
        }
        bytes[100] ^= 1;
        std::fs::write(path, bytes).unwrap();
        true
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_block_is_fetched_although_what_follows_has_the_only_turn() {
    let origin = Origin::start().await.unwrap();
    origin.put("/o", Resource::pattern(rev(1), SIZE));
    let config = config(&origin.url(), NARROW, "");
    let sidecar = Sidecar::start(&config).await;
    let first = sidecar
        .get(&format!("GET /o; Range: bytes=0-{}", STORED * BLOCK - 1))
        .await;
    assert_eq!(first.status(), 206);
    sidecar
        .counted("pinstripe_fills_total{outcome=\"stored\"}", STORED)
        .await;
    let disk = sidecar.stop().await;
    assert!(damage(disk.path(), &rev(1).bytes(3 * BLOCK..4 * BLOCK)));
    let sidecar = Sidecar::start_on(disk, &config, Clock::system()).await;
    is_whole(&sidecar).await;
}

/// The first hole is larger than the memory of a flight.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_hole_waits_until_the_first_was_read() {
    let origin = Origin::start().await.unwrap();
    origin.put("/o", Resource::pattern(rev(1), SIZE));
    let sidecar = Sidecar::start(&config(&origin.url(), NARROW, "")).await;
    assert_eq!(sidecar.get("HEAD /o").await.status(), 200);
    let (first, last) = (30 * BLOCK, 31 * BLOCK - 1);
    let stored = format!("GET /o; Range: bytes={first}-{last}; If-Match: {}", tag(1));
    assert_eq!(sidecar.get(&stored).await.status(), 206);
    sidecar.counted(STORES, 1).await;
    is_whole(&sidecar).await;
}

async fn is_whole(sidecar: &Sidecar) {
    let whole = sidecar.get("GET /o").await;
    assert_eq!(whole.status(), 200);
    rev(1).verify(0, &whole.body).unwrap();
    assert_eq!(u64::try_from(whole.body.len()).unwrap(), SIZE);
}
