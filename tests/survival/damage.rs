//! Bits flipped, files cut, files swapped, all over a cache that is in use: no wrong byte is served, and what is lost is
//! fetched anew.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use pinstripe_kit::origin::{Origin, Resource};
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::raw::{End, Wire};

use crate::random::Random;
use crate::support::{Sidecar, head, http_config};
use crate::{rounds, sum};

const OBJECTS: u32 = 16;
const BLOCK: u64 = 64 << 10;
/// Eight whole blocks and a short one.
const SIZE: u64 = 8 * BLOCK + 20_000;
/// How many times damage is done before everything is read.
const BATCH: u64 = 50;

fn pattern(object: u32) -> Pattern {
    Pattern::new(object, 1)
}

/// Every file that is published.
fn files(root: &Path) -> Vec<PathBuf> {
    let directories = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let directories = directories.filter(|path| path.is_dir() && !path.ends_with("tmp"));
    let files = directories.flat_map(|path| std::fs::read_dir(path).unwrap());
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Does damage of a kind. Files that vanish meanwhile are being removed or replaced.
fn inflict(random: &mut Random, files: &[PathBuf]) -> std::io::Result<()> {
    let path = random.pick(files);
    let length = std::fs::metadata(path)?.len().max(1);
    match random.below(8) {
        0 => {
            let file = std::fs::OpenOptions::new().write(true).open(path)?;
            file.set_len(random.below(length))
        }
        1 => {
            let (other, aside) = (random.pick(files), path.with_extension("aside"));
            std::fs::rename(path, &aside)?;
            let swapped = std::fs::rename(other, path);
            // If they are the same, or the other is gone.
            let back = if other.exists() || swapped.is_err() {
                path
            } else {
                other
            };
            std::fs::rename(aside, back).and(swapped)
        }
        _ => {
            let file = std::fs::OpenOptions::new().read(true).write(true).open(path)?;
            let at = random.below(length);
            let mut byte = [0];
            file.read_exact_at(&mut byte, at)?;
            byte[0] ^= 1 << random.below(8);
            file.write_all_at(&byte, at)
        }
    }
}

/// Reads every object in ranges, pinned, so that all of it comes from disk if it can.
async fn read_back(sidecar: &Sidecar) {
    let mut wire = Wire::connect(sidecar.address).await.unwrap();
    for object in 0..OBJECTS {
        let pattern = pattern(object);
        for first in (0..SIZE).step_by(200_000) {
            let last = (first + 199_999).min(SIZE - 1);
            let request = format!(
                "GET /{object}; Range: bytes={first}-{last}; If-Match: {}",
                pattern.etag()
            );
            let answer = wire.exchange(head(sidecar.address, &request)).await.unwrap();
            assert_eq!((answer.status(), answer.end), (206, End::Complete), "{:?}", answer.head);
            assert_eq!(answer.head.content_range(), Some((first, last, SIZE)));
            pattern.verify(first, &answer.body).unwrap();
        }
    }
}

/// Reads until all blocks are on disk: they are stored a moment after they were sent.
async fn until_all_is_there(sidecar: &Sidecar, root: &Path) {
    let blocks = u64::from(OBJECTS) * SIZE.div_ceil(BLOCK);
    let is_block = |path: &PathBuf| path.extension().is_none();
    while u64::try_from(files(root).iter().filter(|path| is_block(path)).count()).unwrap() < blocks {
        read_back(sidecar).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_damaged_what_it_serves_is_right() {
    let rounds = rounds("PINSTRIPE_DAMAGE", 10_000);
    let mut random = Random::new();
    let origin = Origin::start().await.unwrap();
    for object in 0..OBJECTS {
        origin.put(format!("/{object}"), Resource::pattern(pattern(object), SIZE));
    }
    let config = http_config(&origin.url(), "");
    let mut sidecar = Sidecar::start(&config).await;
    let (mut done, mut met, mut batch) = (0, 0, 0);
    let mut damage = |files: &[PathBuf]| {
        let times = BATCH.min(rounds - done);
        for _ in 0..times {
            // What is gone by now is not damaged.
            let _ = inflict(&mut random, files);
        }
        done += times;
        done < rounds
    };
    loop {
        let root = sidecar.disk.path().join("cache");
        until_all_is_there(&sidecar, &root).await;
        let goes_on = damage(&files(&root));
        read_back(&sidecar).await;
        if !goes_on {
            break;
        }
        // So far under files that are open; now under files that are found at a start.
        batch += 1;
        if batch % 4 == 0 {
            met += sum(&sidecar.metrics().await, "pinstripe_disk_faults_total");
            let disk = sidecar.stop().await;
            damage(&files(&disk.path().join("cache")));
            sidecar = Sidecar::start_on(disk, &config, pinstripe::clock::Clock::system()).await;
            read_back(&sidecar).await;
        }
    }
    met += sum(&sidecar.metrics().await, "pinstripe_disk_faults_total");
    println!("damage: {rounds} times, {met} met by readers, 0 wrong bytes");
    assert!(met > rounds / 20, "only {met} of {rounds} were met");
}
