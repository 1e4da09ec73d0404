//! A volume that others fill: what is evicted, and what is refused.

use super::faulty::{Faulty, faulty};
use super::room::Room;
use super::*;

const FILES: u64 = 2000;

/// Says that so much is free, and looks.
async fn say(bench: &Bench, files: &Faulty, free_bytes: u64, free_files: u64) {
    until(|| bench.disk().shared.index.is_settled()).await;
    *files.volume.lock() = Some(Room {
        bytes: 1 << 40,
        free_bytes,
        files: FILES,
        free_files,
    });
    bench.disk().shared.look();
    assert_eq!(bench.disk().stats().volume_free, free_bytes);
}

async fn filled(min_free: u64) -> (Bench, Faulty, Vec<Revision>) {
    let (mut bench, _) = faulty();
    let revisions: Vec<Revision> = (0..20).map(|n| revision("/a", &n.to_string())).collect();
    for a in &revisions {
        bench.store(a, BLOCK, 0, Claim::Current).await.unwrap();
    }
    bench.config.policy.min_free = Some(min_free);
    let files = bench.reopen_faulty(|_| faulty::Verdict::Go);
    bench.walked().await;
    // The thread looks once, and then not for an hour.
    until(|| bench.disk().stats().volume_free > 0).await;
    (bench, files, revisions)
}

#[tokio::test]
async fn a_volume_that_others_fill_is_left_to_them() {
    let (bench, files, revisions) = filled(16 * BLOCK).await;
    let new = revision("/b", "1");
    say(&bench, &files, 16 * BLOCK, FILES).await;
    assert_eq!(bench.disk().usable(), Usable::Ok);
    say(&bench, &files, 16 * BLOCK - 1, FILES).await;
    // Up to 20 blocks' worth: 4 and a byte, and a block with its footer is a little more than a block.
    assert_eq!(bench.evicted(Evicted::NoSpace), 4);
    assert_eq!(bench.disk().usable(), Usable::Degraded(Degraded::Short));
    assert_eq!(bench.store(&new, BLOCK, 0, Claim::Current).await, Err(GaveUp::NoSpace));
    assert_eq!(bench.fills(FillEnd::GaveUp(GaveUp::NoSpace)), 1);
    let served = futures_util::future::join_all(revisions.iter().map(|a| bench.check(a, BLOCK, 0))).await;
    assert_eq!(served.iter().filter(|served| served.is_ok()).count(), 16);
    // What is above the low mark is not enough yet.
    say(&bench, &files, 20 * BLOCK - 1, FILES).await;
    assert_eq!(bench.evicted(Evicted::NoSpace), 5);
    assert_eq!(bench.store(&new, BLOCK, 0, Claim::Current).await, Err(GaveUp::NoSpace));
    say(&bench, &files, 20 * BLOCK, FILES).await;
    assert_eq!(bench.disk().usable(), Usable::Ok);
    assert_eq!(bench.store(&new, BLOCK, 0, Claim::Current).await, Ok(()));
}

#[tokio::test]
async fn so_are_its_inodes() {
    let (bench, files, _) = filled(0).await;
    say(&bench, &files, 1, FILES / 100).await;
    assert_eq!(bench.disk().stats().files, 20);
    say(&bench, &files, 2, FILES / 100 - 1).await;
    assert_eq!(bench.evicted(Evicted::NoSpace), 6);
}

#[tokio::test]
async fn when_nothing_is_left_to_evict_nothing_is_stored() {
    let (bench, files, _) = filled(u64::MAX).await;
    say(&bench, &files, 1, FILES).await;
    until(|| bench.disk().stats().files == 0).await;
    assert_eq!(
        bench.store(&revision("/b", "1"), BLOCK, 0, Claim::Current).await,
        Err(GaveUp::NoSpace)
    );
}

#[tokio::test]
async fn a_full_device_has_the_volume_looked_at() {
    let (bench, files, _) = filled(16 * BLOCK).await;
    *files.volume.lock() = Some(Room {
        free_bytes: 7,
        ..Room::default()
    });
    files.fail(faulty::Call::Create, rustix::io::Errno::NOSPC);
    let new = revision("/b", "1");
    assert_eq!(bench.store(&new, BLOCK, 0, Claim::Current).await, Err(GaveUp::NoSpace));
    until(|| bench.disk().stats().volume_free == 7).await;
    until(|| bench.disk().usable() != Usable::Ok).await;
    bench.seconds.fetch_add(60, Ordering::Relaxed);
    assert_eq!(bench.disk().usable(), Usable::Degraded(Degraded::Short));
}
