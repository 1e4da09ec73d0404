//! A disk that was sick is found well: by the first answer, whatever it is about, and without any request.

use rustix::io::Errno;

use super::faulty::{Call, Faulty, Verdict, faulty};
use super::*;

/// What is known of an object, worth a record.
fn one() -> Known {
    Known {
        current: Current::Is(tag("1")),
        ..Known::UNKNOWN
    }
}

/// Reads are given up, and what the directory holds was not found: the walk failed everywhere. By now the device is well.
async fn was_sick_from_the_start() -> Bench {
    let mut bench = Bench::new(64 << 20);
    let a = revision("/a", "1");
    bench.store(&a, BLOCK, 0, Claim::Current).await.unwrap();
    bench.disk().learn(&a.key, one());
    let mut lists = 0;
    let files = bench.reopen_faulty(move |call| {
        lists += u32::from(call == Call::List);
        // The first is that of `tmp/`, without which there is no start.
        match call {
            Call::List if lists > 1 => Verdict::Fail(Errno::IO),
            _ => Verdict::Go,
        }
    });
    // The root, and all directories in it.
    until(|| bench.fault(Fault::Io) >= 257).await;
    assert_eq!(bench.disk().usable(), Usable::Degraded(Degraded::Failing));
    files.set(|_| Verdict::Go);
    bench.seconds.fetch_add(3, Ordering::Relaxed);
    bench
}

#[tokio::test]
async fn that_nothing_is_there_is_an_answer() {
    let bench = was_sick_from_the_start().await;
    assert_eq!(bench.disk().known(&key("/cold")).await, Known::UNKNOWN);
    assert_eq!(bench.disk().usable(), Usable::Ok);
    let bench = was_sick_from_the_start().await;
    assert_eq!(bench.check(&revision("/cold", "1"), BLOCK, 0).await, Err(Miss::Absent));
    assert_eq!(bench.disk().usable(), Usable::Ok);
}

#[tokio::test]
async fn so_is_a_record_and_a_list() {
    let a = revision("/a", "1");
    let bench = was_sick_from_the_start().await;
    bench.disk().known(&a.key).await;
    assert_eq!(bench.disk().usable(), Usable::Ok);
    let bench = was_sick_from_the_start().await;
    let span = BlockSpan::new(BlockIndex::new(0), BlockIndex::new(0)).unwrap();
    assert_eq!(bench.disk().holds(&a, span).await, [true]);
    assert_eq!(bench.disk().usable(), Usable::Ok);
}

/// Writing is given up.
async fn cannot_write() -> (Bench, Faulty) {
    let (bench, files) = faulty();
    bench.walked().await;
    files.fail(Call::Create, Errno::ACCESS);
    for n in 0..8 {
        let a = revision("/a", &n.to_string());
        assert_eq!(bench.store(&a, BLOCK, 0, Claim::Current).await, Err(GaveUp::Fault));
    }
    assert_eq!(bench.disk().usable(), Usable::Degraded(Degraded::Unwritable));
    (bench, files)
}

#[tokio::test]
async fn a_record_that_was_written_says_that_writing_works() {
    let (bench, files) = cannot_write().await;
    files.set(|_| Verdict::Go);
    bench.disk().learn(&key("/a"), one());
    until(|| bench.disk().shared.objects.are_written()).await;
    assert_eq!(bench.disk().usable(), Usable::Ok);
}

/// Its volume is full.
async fn met_full(bench: &Bench, files: &Faulty, a: &Revision) {
    // It looks once at the start, and then as often as it is told.
    until(|| bench.disk().stats().volume_free > 0).await;
    files.fail(Call::Write, Errno::NOSPC);
    *files.volume.lock() = Some(room::Room {
        free_bytes: 7,
        ..room::Room::default()
    });
    assert_eq!(bench.store(a, BLOCK, 0, Claim::Current).await, Err(GaveUp::NoSpace));
    // The thread was told, and has tried and looked: from here on it sleeps.
    until(|| bench.disk().stats().volume_free == 7).await;
}

#[tokio::test]
async fn a_full_volume_is_full_until_a_block_is_stored() {
    let (bench, files) = faulty();
    let a = revision("/a", "1");
    met_full(&bench, &files, &a).await;
    files.set(|_| Verdict::Go);
    bench.seconds.fetch_add(9, Ordering::Relaxed);
    assert_eq!(bench.disk().usable(), Usable::Degraded(Degraded::Full));
    // A record is small, and fits where no block does.
    bench.disk().learn(&a.key, one());
    until(|| bench.disk().shared.objects.are_written()).await;
    assert_eq!(bench.disk().usable(), Usable::Degraded(Degraded::Full));
    assert_eq!(bench.store(&a, BLOCK, 0, Claim::Current).await, Ok(()));
    assert_eq!(bench.disk().usable(), Usable::Ok);
}

#[tokio::test]
async fn a_disk_that_is_given_back_is_found_well_without_a_request() {
    let (bench, files) = cannot_write().await;
    let trial = || {
        bench.seconds.fetch_add(2, Ordering::Relaxed);
        bench.disk().shared.try_degraded();
        bench.disk().usable()
    };
    assert_eq!(trial(), Usable::Degraded(Degraded::Unwritable));
    assert_eq!(bench.fault(Fault::Denied), 9);
    // Each part of it counts.
    for call in [Call::Write, Call::Read, Call::Discard] {
        files.fail(call, Errno::IO);
        assert_ne!(trial(), Usable::Ok, "{call:?}");
    }
    files.set(|_| Verdict::Go);
    // Its pause is not over.
    bench.disk().shared.try_degraded();
    assert_ne!(bench.disk().usable(), Usable::Ok);
    assert_eq!(trial(), Usable::Ok);
    assert_eq!(
        bench.store(&revision("/a", "1"), BLOCK, 0, Claim::Current).await,
        Ok(())
    );
}

#[tokio::test]
async fn a_full_volume_is_tried_and_nothing_is_evicted_for_that() {
    let (bench, files) = faulty();
    let old = revision("/old", "1");
    for index in 0..20 {
        bench.store(&old, 20 * BLOCK, index, Claim::Current).await.unwrap();
    }
    met_full(&bench, &files, &revision("/a", "1")).await;
    let evicted = bench.evicted(Evicted::NoSpace);
    for _ in 0..3 {
        bench.seconds.fetch_add(2, Ordering::Relaxed);
        bench.disk().shared.try_degraded();
        assert_eq!(bench.disk().usable(), Usable::Degraded(Degraded::Full));
    }
    assert_eq!(
        (bench.fault(Fault::NoSpace), bench.evicted(Evicted::NoSpace)),
        (4, evicted)
    );
    // Whoever stores a block is not held up by that: those are who evict.
    let b = revision("/b", "1");
    let begun = bench
        .disk()
        .fill(&b, &head(&b, BLOCK), BlockIndex::new(0), Claim::Current);
    assert_eq!(begun.map(drop), Ok(()));
    files.set(|_| Verdict::Go);
    bench.seconds.fetch_add(2, Ordering::Relaxed);
    bench.disk().shared.try_degraded();
    assert_eq!(bench.disk().usable(), Usable::Ok);
    until(|| bench.list("tmp").is_empty()).await;
}

#[tokio::test]
async fn a_sick_disk_that_is_found_full_is_full() {
    let (bench, files) = cannot_write().await;
    files.fail(Call::Create, Errno::NOSPC);
    bench.seconds.fetch_add(2, Ordering::Relaxed);
    bench.disk().shared.try_degraded();
    assert_eq!(bench.disk().usable(), Usable::Degraded(Degraded::Full));
    files.set(|_| Verdict::Go);
    let a = revision("/a", "1");
    assert_eq!(bench.store(&a, BLOCK, 0, Claim::Current).await, Ok(()));
    assert_eq!(bench.disk().usable(), Usable::Ok);
}

#[tokio::test]
async fn a_disk_that_is_well_is_not_tried() {
    let (bench, files) = faulty();
    bench.walked().await;
    until(|| bench.disk().stats().volume_free > 0).await;
    files.set(|call| panic!("{call:?}"));
    bench.seconds.fetch_add(9, Ordering::Relaxed);
    bench.disk().shared.try_degraded();
    files.set(|_| Verdict::Go);
}
