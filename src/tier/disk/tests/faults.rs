//! Devices that fail, fill up or hang: misses and fills that are given up, and nothing else.

use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use rustix::io::Errno;

use super::faulty::{Call, Gate, Verdict, faulty};
use super::*;

#[tokio::test]
async fn reads_that_would_wait_go_to_a_blocking_thread() {
    let (bench, files) = faulty();
    let a = revision("/a", "1");
    bench.store(&a, BLOCK, 0, Claim::Current).await.unwrap();
    bench.check(&a, BLOCK, 0).await.unwrap();
    let before = bench.disk().stats().reads_waited;
    let verdicts = [
        Verdict::Fail(Errno::AGAIN),
        Verdict::Fail(Errno::OPNOTSUPP),
        Verdict::Short(0),
        Verdict::Short(1),
        Verdict::Short(16 << 10),
        Verdict::Short(20_000),
    ];
    for (n, verdict) in verdicts.into_iter().enumerate() {
        files.set(move |call| {
            if call == Call::ReadNow {
                verdict.clone()
            } else {
                Verdict::Go
            }
        });
        bench.check(&a, BLOCK, 0).await.unwrap();
        let waited = bench.disk().stats().reads_waited - before;
        assert_eq!(waited, format::wide(n + 1));
    }
}

#[tokio::test]
async fn a_device_that_fails_to_read_is_a_miss_and_then_left_alone() {
    let (bench, files) = faulty();
    let a = revision("/a", "1");
    // The third is missing: nobody but us reads what is not complete.
    for index in 0..2 {
        bench.store(&a, 3 * BLOCK, index, Claim::Current).await.unwrap();
    }
    bench.check(&a, 3 * BLOCK, 0).await.unwrap();
    files.set(|call| match call {
        Call::ReadNow | Call::Read => Verdict::Fail(Errno::IO),
        _ => Verdict::Go,
    });
    assert_eq!(bench.check(&a, 3 * BLOCK, 0).await, Err(Miss::Fault));
    assert_eq!(bench.check(&a, 3 * BLOCK, 1).await, Err(Miss::Fault));
    assert_eq!(bench.fault(Fault::Io), 2);
    assert_eq!(bench.disk().usable(), Usable::Ok);
    for _ in 2..8 {
        assert_eq!(bench.check(&a, 3 * BLOCK, 0).await, Err(Miss::Fault));
    }
    assert_eq!(bench.disk().usable(), Usable::Degraded(Degraded::Failing));
    assert_eq!(bench.store(&a, 3 * BLOCK, 0, Claim::Current).await, Err(GaveUp::Fault));
    files.set(|_| Verdict::Go);
    assert_eq!(bench.check(&a, 3 * BLOCK, 1).await, Err(Miss::Fault));
    assert_eq!(bench.fault(Fault::Io), 8);
    bench.seconds.fetch_add(3, Ordering::Relaxed);
    assert_eq!(bench.check(&a, 3 * BLOCK, 1).await, Ok(()));
    assert_eq!(bench.check(&a, 3 * BLOCK, 0).await, Ok(()));
    assert_eq!(bench.disk().usable(), Usable::Ok);
}

#[tokio::test]
async fn a_fill_survives_short_writes_and_ends_with_failed_ones() {
    for what in [Call::Create, Call::Write, Call::Publish] {
        let (bench, files) = faulty();
        let a = revision("/a", "1");
        files.set(|call| {
            if call == Call::Write {
                Verdict::Short(1000)
            } else {
                Verdict::Go
            }
        });
        assert_eq!(bench.store(&a, BLOCK, 0, Claim::Current).await, Ok(()));
        assert_eq!(bench.check(&a, BLOCK, 0).await, Ok(()));
        files.fail(what, Errno::IO);
        let b = revision("/b", "1");
        let mut fill = bench
            .disk()
            .fill(&b, &head(&b, BLOCK), BlockIndex::new(0), Claim::Current)
            .unwrap();
        let tail = fill.tail();
        fill.offer(&content(&b, ByteRange::at(0, BLOCK).unwrap())).unwrap();
        assert_eq!(fill.finish().await, Err(GaveUp::Fault), "{what:?}");
        assert_eq!(tail.read(ByteRange::at(0, 1).unwrap()).await, Err(Miss::GivenUp));
        assert_eq!(bench.check(&b, BLOCK, 0).await, Err(Miss::Absent));
        until(|| bench.list("tmp").is_empty() && bench.disk().stats().files == 1).await;
        until(|| bench.disk().stats().bytes == BLOCK + index::PAGE).await;
        assert_eq!(bench.disk().stats().backlog, 0);
        assert_eq!(bench.fills(FillEnd::GaveUp(GaveUp::Fault)), 1);
    }
}

#[tokio::test]
async fn a_full_device_makes_space_and_pauses() {
    let (bench, files) = faulty();
    let a = revision("/a", "1");
    for index in 0..100 {
        bench.store(&a, 200 * BLOCK, index, Claim::Current).await.unwrap();
    }
    files.fail(Call::Write, Errno::NOSPC);
    let begun: Vec<_> = (100..104)
        .map(|n| {
            bench
                .disk()
                .fill(&a, &head(&a, 200 * BLOCK), BlockIndex::new(n), Claim::Current)
                .unwrap()
        })
        .collect();
    for (n, mut fill) in (100..).zip(begun) {
        // Some of them notice before they are finished.
        let _ = fill.offer(&content(&a, ByteRange::at(n * BLOCK, BLOCK).unwrap()));
        assert_eq!(fill.finish().await, Err(GaveUp::NoSpace));
    }
    assert_eq!(bench.disk().usable(), Usable::Degraded(Degraded::Full));
    assert_eq!(
        bench.store(&a, 200 * BLOCK, 104, Claim::Current).await,
        Err(GaveUp::NoSpace)
    );
    // A hundredth of 64 MiB is not quite ten blocks.
    assert_eq!(bench.evicted(Evicted::NoSpace), 10);
    files.set(|_| Verdict::Go);
    bench.seconds.fetch_add(2, Ordering::Relaxed);
    assert_eq!(bench.store(&a, 200 * BLOCK, 104, Claim::Current).await, Ok(()));
    assert_eq!(bench.disk().usable(), Usable::Ok);
    until(|| bench.list("tmp").is_empty()).await;
}

#[tokio::test]
async fn a_file_that_hangs_delays_nobody_else() {
    let (bench, files) = faulty();
    let gate = Arc::new(Gate::default());
    let hung = Arc::new(AtomicBool::new(false));
    let (hangs, hang) = (Arc::clone(&hung), Arc::clone(&gate));
    files.set(move |call| {
        if call == Call::Write && !hangs.swap(true, Ordering::Relaxed) {
            return Verdict::Hang(Arc::clone(&hang));
        }
        Verdict::Go
    });
    let a = revision("/a", "1");
    let mut slow = bench
        .disk()
        .fill(&a, &head(&a, BLOCK), BlockIndex::new(0), Claim::Current)
        .unwrap();
    slow.offer(&content(&a, ByteRange::at(0, BLOCK).unwrap())).unwrap();
    let drained = slow.drained();
    until(|| hung.load(Ordering::Relaxed)).await;
    for n in 0..20 {
        let b = revision("/b", &n.to_string());
        assert_eq!(bench.store(&b, BLOCK, 0, Claim::Current).await, Ok(()));
    }
    assert_eq!(slow.backlog(), BLOCK);
    gate.open();
    drained.await;
    assert_eq!(slow.backlog(), 0);
}

#[tokio::test]
async fn over_budget_is_for_good() {
    let (bench, files) = faulty();
    let gate = Arc::new(Gate::default());
    let hang = Arc::clone(&gate);
    files.set(move |call| match call {
        Call::Write => Verdict::Hang(Arc::clone(&hang)),
        _ => Verdict::Go,
    });
    let a = revision("/a", "1");
    let size = bench.config.fill_budget * 2;
    let piece = content(&a, ByteRange::at(0, BLOCK).unwrap());
    let mut fills = Vec::new();
    let gave_up = loop {
        let index = BlockIndex::new(format::wide(fills.len()));
        let mut fill = bench.disk().fill(&a, &head(&a, size), index, Claim::Current).unwrap();
        if let Err(why) = fill.offer(&piece) {
            break (fill, why);
        }
        fills.push(fill);
    };
    assert_eq!(gave_up.1, GaveUp::OverBudget);
    assert!(bench.disk().stats().backlog <= bench.config.fill_budget);
    let mut fill = gave_up.0;
    let first = ByteRange::at(format::wide(fills.len()) * BLOCK, 1).unwrap();
    assert_eq!(fill.offer(&piece), Err(GaveUp::OverBudget));
    assert_eq!(fill.tail().read(first).await, Err(Miss::GivenUp));
    gate.open();
    assert_eq!(fill.finish().await, Err(GaveUp::OverBudget));
    drop(fills);
    until(|| bench.disk().stats().backlog == 0 && bench.list("tmp").is_empty()).await;
    until(|| bench.disk().stats().bytes == 0).await;
}

#[tokio::test]
async fn lengths_must_match() {
    let bench = Bench::new(64 << 20);
    let a = revision("/a", "1");
    let piece = |length| content(&a, ByteRange::at(0, length).unwrap());
    let fill = || {
        bench
            .disk()
            .fill(&a, &head(&a, BLOCK + 10), BlockIndex::new(0), Claim::Current)
            .unwrap()
    };
    let mut short = fill();
    short.offer(&piece(BLOCK - 1)).unwrap();
    assert_eq!(short.finish().await, Err(GaveUp::Length));
    let mut long = fill();
    long.offer(&piece(BLOCK)).unwrap();
    assert_eq!(long.offer(&Bytes::new()), Ok(()));
    assert_eq!(long.offer(&piece(1)), Err(GaveUp::Length));
    assert_eq!(long.finish().await, Err(GaveUp::Length));
    assert_eq!(bench.check(&a, BLOCK + 10, 0).await, Err(Miss::Absent));
    let outside = bench
        .disk()
        .fill(&a, &head(&a, BLOCK), BlockIndex::new(1), Claim::Current);
    assert_eq!(outside.err(), Some(GaveUp::Length));
    assert_eq!(bench.fills(FillEnd::GaveUp(GaveUp::Length)), 3);
    until(|| bench.list("tmp").is_empty() && bench.disk().stats().bytes == 0).await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let bench = Bench::new(64 << 20);
    let a = revision("/a", "1");
    let mut fields = HeaderMap::new();
    fields.insert("x-amz-meta-long", "x".repeat(5000).parse().unwrap());
    let (size, received) = (ObjectSize::new(BLOCK), SystemTime::UNIX_EPOCH);
    let large = Arc::new(Head::new(a.tag.clone(), size, &fields, received, TakenFrom::Whole));
    let refused = bench.disk().fill(&a, &large, BlockIndex::new(0), Claim::Current);
    assert_eq!(refused.err(), Some(GaveUp::HeadTooLarge));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_hangs_is_a_miss() {
    let (bench, files) = faulty();
    let a = revision("/a", "1");
    bench.store(&a, BLOCK, 0, Claim::Current).await.unwrap();
    let gate = Arc::new(Gate::default());
    let hang = Arc::clone(&gate);
    files.set(move |call| match call {
        Call::Open => Verdict::Hang(Arc::clone(&hang)),
        _ => Verdict::Go,
    });
    let mut read = Box::pin(bench.check(&a, BLOCK, 0));
    assert!(futures_util::poll!(&mut read).is_pending());
    tokio::time::advance(Duration::from_secs(6)).await;
    assert_eq!(read.await, Err(Miss::Fault));
    assert_eq!(bench.fault(Fault::Slow), 1);
    gate.open();
    assert_eq!(bench.check(&a, BLOCK, 0).await, Ok(()));
}

#[tokio::test]
async fn a_record_that_cannot_be_written_is_unknown_after_a_restart() {
    let (mut bench, files) = faulty();
    let a = revision("/a", "1");
    let known = |seconds| Known {
        current: Current::Is(a.tag.clone()),
        confirmed: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
        ..Known::UNKNOWN
    };
    bench.disk().learn(&a.key, known(1));
    let path = bench.root().join(Name::record(a.key.hash()).path());
    until(|| path.exists()).await;
    files.fail(Call::Write, Errno::NOSPC);
    bench.disk().learn(&a.key, known(2));
    assert_eq!(bench.disk().known(&a.key).await, known(2));
    until(|| !path.exists()).await;
    bench.reopen();
    assert_eq!(bench.disk().known(&a.key).await, Known::UNKNOWN);
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        6 => Just(Verdict::Go),
        1 => Just(Verdict::Fail(Errno::IO)),
        1 => Just(Verdict::Fail(Errno::NOSPC)),
        1 => Just(Verdict::Fail(Errno::AGAIN)),
        1 => (0..40_000usize).prop_map(Verdict::Short),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever fails when: what is read is right or a miss, and in the end nothing is left behind.
    #[test]
    fn faults_never_show(verdicts in prop::collection::vec(verdict(), 1..60), blocks in prop::collection::vec(0..4u64, 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (mut bench, files) = faulty();
            let a = revision("/a", "1");
            let mut next = verdicts.into_iter().cycle();
            // A write that does nothing at all would be one more failure; the others may do as little as they like.
            files.set(move |call| match next.next().unwrap_or(Verdict::Go) {
                Verdict::Short(length) if call == Call::Write => Verdict::Short(length.max(1)),
                verdict => verdict,
            });
            for index in blocks {
                bench.seconds.fetch_add(1, Ordering::Relaxed);
                let _ = bench.store(&a, 4 * BLOCK, index, Claim::Current).await;
                let _ = bench.check(&a, 4 * BLOCK, index).await;
                let _ = bench.disk().head(&a).await.map(|found| assert_eq!(found, head(&a, 4 * BLOCK)));
            }
            files.set(|_| Verdict::Go);
            bench.reopen();
            bench.walked().await;
            assert!(bench.list("tmp").is_empty());
            let span = BlockSpan::new(BlockIndex::new(0), BlockIndex::new(3)).unwrap();
            let held = bench.disk().holds(&a, span).await;
            for (index, held) in (0..).zip(held) {
                let expected = if held { Ok(()) } else { Err(Miss::Absent) };
                assert_eq!(bench.check(&a, 4 * BLOCK, index).await, expected);
            }
        });
    }
}
