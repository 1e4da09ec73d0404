//! A volume of 64 MiB that is told to hold ten times as much: no request fails.
//!
//! The volume is a tmpfs in a mount namespace of the process' own. Where the kernel lets nobody make one, this test says
//! so, and the one in `src/tier/disk/tests/full.rs`, whose door to the file system is full after as many bytes, stands
//! alone.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::iter;
use pinstripe_kit::client::Download;
use pinstripe_kit::origin::{Origin, Resource};
use pinstripe_kit::pattern::Pattern;

use crate::process::Process;
use crate::sum;
use crate::support::{get, http_config};

const OBJECTS: u32 = 40;
const SIZE: u64 = 16 << 20;
const AT_ONCE: usize = 4;
const USEFUL_WITHIN: Duration = Duration::from_secs(60);

/// Runs what follows with a tmpfs on a directory.
fn on_tmpfs(directory: &Path) -> Vec<String> {
    let script = "mount -t tmpfs -o size=64m,mode=0700 pinstripe \"$0\" && exec \"$@\"";
    let words = ["unshare", "--map-root-user", "--mount", "sh", "-c", script];
    let words = words.into_iter().map(str::to_owned);
    words.chain([directory.display().to_string()]).collect()
}

fn can_mount(directory: &Path) -> bool {
    let words = on_tmpfs(directory);
    let tried = Command::new(&words[0]).args(&words[1..]).arg("true").output();
    tried.is_ok_and(|tried| tried.status.success())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_volume_that_is_far_too_small_fails_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let volume = folder.path().join("volume");
    std::fs::create_dir(&volume).unwrap();
    if !can_mount(&volume) {
        println!("small volume: nothing can be mounted here, so this was not tested");
        return;
    }
    let origin = Origin::start().await.unwrap();
    for object in 0..OBJECTS {
        origin.put(format!("/{object}"), Resource::pattern(Pattern::new(object, 1), SIZE));
    }
    let config = http_config(&origin.url(), "")
        .replace("capacity: 1GiB", "capacity: 640MiB")
        .replace("block_size: 64KiB", "block_size: 1MiB")
        .replace("{disk}", &volume.join("cache").display().to_string());
    let process = Process::start_by(&on_tmpfs(&volume), folder.path(), &config).await;
    let address = process.address;
    let order = (0..OBJECTS).chain(OBJECTS - 8..OBJECTS);
    let downloads = iter(order).map(|object| read(address, object));
    let requests: Vec<u64> = downloads.buffer_unordered(AT_ONCE).collect().await;
    let metrics = metrics(&process).await;
    let held = sum(&metrics, "pinstripe_disk_bytes");
    let full = sum(&metrics, "pinstripe_disk_faults_total{kind=\"no-space\"");
    println!(
        "small volume: {} requests, 0 failed; {} MiB told to be held on 64 MiB, met as full {full} times; {} MiB served from it",
        requests.iter().sum::<u64>(),
        held >> 20,
        from_disk(&metrics) >> 20
    );
    let before = from_disk(&metrics);
    tokio::time::timeout(USEFUL_WITHIN, until_more_from_disk(&process, before))
        .await
        .expect("the volume is of use again once the load is over");
}

/// Downloads an object and compares it. Returns the requests that it took, of which none may fail.
async fn read(address: SocketAddr, object: u32) -> u64 {
    let download = Download {
        chunk: 1 << 20,
        connections: 4,
        ..Download::new([address], format!("/{object}"), object)
    };
    let outcome = download.run().await;
    assert_eq!(outcome.verified, Ok(Some(1)), "{outcome:?}");
    let failed = outcome.statuses.iter().filter(|(status, _)| **status >= 400);
    assert_eq!(failed.count(), 0, "{outcome:?}");
    outcome.statuses.values().sum()
}

/// What the load left is chance: the eight objects that are read twice are twice the volume. But a full volume is tried again
/// by what is read, and one object has space there.
async fn until_more_from_disk(process: &Process, before: u64) {
    while from_disk(&metrics(process).await) <= before {
        read(process.address, 0).await;
    }
}

async fn metrics(process: &Process) -> String {
    let answer = get(process.admin, "GET /metrics").await;
    String::from_utf8(answer.body.to_vec()).unwrap()
}

fn from_disk(metrics: &str) -> u64 {
    sum(metrics, "pinstripe_sent_bytes_total{source=\"disk\"}")
}
