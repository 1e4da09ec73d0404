//! `kill -9` in the middle of eight downloads, again and again: what is read back is right.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join_all;
use pinstripe_kit::origin::{Origin, Resource};
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::raw::Wire;
use tokio::sync::Notify;

use crate::process::Process;
use crate::random::Random;
use crate::support::{get, head, http_config};
use crate::{rounds, sum};

const OBJECTS: u32 = 8;
/// Seventeen blocks of 64 KiB, the last one short.
const SIZE: u64 = (1 << 20) + 12_345;

/// What has come so far of all downloads, and how much it is when the process is killed.
struct Tide {
    received: AtomicU64,
    enough: u64,
    reached: Notify,
}

impl Tide {
    fn rise(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap();
        if self.received.fetch_add(bytes, Ordering::Relaxed) + bytes >= self.enough {
            self.reached.notify_one();
        }
    }
}

/// Reads until the end, which is the process' own.
async fn read(address: SocketAddr, object: u32, tide: Arc<Tide>) {
    // The end may come before any of this has.
    let Ok(mut wire) = Wire::connect(address).await else {
        return;
    };
    let request = head(address, &format!("GET /{object}; Connection: close"));
    if wire.send(request).await.is_err() {
        return;
    }
    loop {
        let (bytes, _) = wire.up_to(16 << 10).await;
        if bytes.is_empty() {
            return;
        }
        tide.rise(bytes.len());
    }
}

/// Reads all objects, from disk as far as they are there.
async fn everything_is_right(address: SocketAddr, round: u32) {
    let check = |object| async move {
        let answer = get(address, &format!("GET /{object}")).await;
        let pattern = Pattern::new(object, round);
        assert_eq!(answer.status(), 200, "{:?}", answer.head);
        assert_eq!(answer.field("etag"), Some(&*pattern.etag()));
        assert_eq!(answer.body.len(), usize::try_from(SIZE).unwrap());
        pattern.verify(0, &answer.body).unwrap();
    };
    join_all((0..OBJECTS).map(check)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_it_is_killed_what_it_serves_is_right() {
    let rounds = u32::try_from(rounds("PINSTRIPE_KILLS", 200)).unwrap();
    let mut random = Random::new();
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await.unwrap();
    // Space for a few revisions, so that eviction is among what is killed.
    let config = http_config(&origin.url(), "").replace("capacity: 1GiB", "capacity: 48MiB");
    let (mut from_disk, mut faults) = (0, 0);
    for round in 0..=rounds {
        let process = Process::start(folder.path(), &config).await;
        if let Some(before) = round.checked_sub(1) {
            everything_is_right(process.address, before).await;
            let metrics = get(process.admin, "GET /metrics").await;
            let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
            from_disk += sum(&metrics, "pinstripe_sent_bytes_total{source=\"disk\"}");
            faults += sum(&metrics, "pinstripe_disk_faults_total");
        }
        for object in 0..OBJECTS {
            let pattern = Pattern::new(object, round);
            origin.put(format!("/{object}"), Resource::pattern(pattern, SIZE));
        }
        let tide = Arc::new(Tide {
            received: AtomicU64::new(0),
            enough: random.below(u64::from(OBJECTS) * SIZE),
            reached: Notify::new(),
        });
        let reading = join_all((0..OBJECTS).map(|object| read(process.address, object, tide.clone())));
        tokio::pin!(reading);
        tokio::select! {
            _ = &mut reading => {}
            () = tide.reached.notified() => {}
        }
        process.kill().await;
        reading.await;
    }
    println!(
        "kills: {rounds} of {rounds} times everything read back was right; {} MiB of it from disk, {faults} torn files met",
        from_disk >> 20
    );
    assert!(from_disk > 0, "nothing survived a kill, so that nothing was tested");
}
