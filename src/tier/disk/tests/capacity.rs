//! Who is evicted, and who may evict.

use super::*;

/// What one whole block takes: data, table, footer, in pages.
const WHOLE: u64 = BLOCK + index::PAGE;

fn learnt(current: &Revision, former: &[&Revision]) -> Known {
    Known {
        current: Current::Is(current.tag.clone()),
        confirmed: SystemTime::UNIX_EPOCH,
        head: None,
        former: former.iter().map(|a| (a.tag.clone(), SystemTime::UNIX_EPOCH)).collect(),
    }
}

impl Bench {
    /// Which of the first blocks of a revision are here.
    async fn held(&self, a: &Revision, blocks: u64) -> Vec<u64> {
        let span = BlockSpan::new(BlockIndex::new(0), BlockIndex::new(blocks - 1)).unwrap();
        let held = self.disk().holds(a, span).await;
        (0..blocks)
            .zip(held)
            .filter_map(|(n, held)| held.then_some(n))
            .collect()
    }

    async fn store_all(&self, a: &Revision, blocks: u64, claim: Claim) {
        for index in 0..blocks {
            self.store(a, blocks * BLOCK, index, claim).await.unwrap();
        }
    }

    /// What the files really take.
    fn on_disk(&self) -> u64 {
        let directories = self.list("").into_iter().filter(|name| name.len() == 2);
        let files = directories.flat_map(|d| self.list(&d).into_iter().map(move |f| format!("{d}/{f}")));
        files
            .map(|f| std::fs::metadata(self.root().join(f)).map_or(0, |m| m.len()))
            .sum()
    }
}

#[tokio::test]
async fn the_capacity_is_kept() {
    let bench = Bench::new(10 * WHOLE);
    for n in 0..40 {
        let a = revision("/a", &n.to_string());
        assert_eq!(bench.store(&a, BLOCK, 0, Claim::Current).await, Ok(()));
        let stats = bench.disk().stats();
        assert!(stats.bytes <= stats.capacity);
    }
    assert_eq!(bench.disk().stats().files, 10);
    assert_eq!(bench.evicted(Evicted::Capacity), 30);
    until(|| bench.on_disk() <= 10 * WHOLE).await;
}

#[tokio::test]
async fn space_in_flight_counts() {
    let bench = Bench::new(2 * WHOLE);
    let fill = |n: u64| {
        let a = revision("/a", &n.to_string());
        bench
            .disk()
            .fill(&a, &head(&a, BLOCK), BlockIndex::new(0), Claim::Current)
    };
    let (first, second) = (fill(1).unwrap(), fill(2).unwrap());
    assert_eq!(fill(3).err(), Some(GaveUp::NoSpace));
    assert_eq!(bench.disk().stats().bytes, 2 * WHOLE);
    drop(first);
    until(|| bench.disk().stats().bytes == WHOLE).await;
    assert!(fill(3).is_ok());
    drop(second);
}

#[tokio::test]
async fn former_revisions_go_first() {
    let bench = Bench::new(6 * WHOLE + index::PAGE);
    let (old, new, other) = (revision("/a", "1"), revision("/a", "2"), revision("/b", "1"));
    bench.store_all(&other, 2, Claim::Current).await;
    bench.store_all(&old, 2, Claim::Current).await;
    bench.disk().learn(&old.key, learnt(&new, &[&old]));
    bench.store_all(&new, 2, Claim::Current).await;
    assert_eq!(bench.held(&old, 2).await, [0, 1]);
    bench.store(&new, 4 * BLOCK, 2, Claim::Current).await.unwrap();
    bench.store(&new, 4 * BLOCK, 3, Claim::Current).await.unwrap();
    assert!(bench.held(&old, 2).await.is_empty());
    assert_eq!(bench.held(&other, 2).await, [0, 1]);
    assert_eq!(bench.evicted(Evicted::Former), 2);
}

#[tokio::test]
async fn revisions_within_their_grace_go_last() {
    let mut bench = Bench::new(4 * WHOLE + 2 * index::PAGE);
    bench.config.policy = Policy {
        routes: vec![RouteTerms {
            name: RouteName::new("r"),
            grace: Duration::from_secs(900),
            quota: None,
        }],
        clock: Clock::fixed(SystemTime::UNIX_EPOCH + Duration::from_secs(300)),
        ..Policy::default()
    };
    bench.reopen();
    let (old, new) = (revision("/a", "1"), revision("/a", "2"));
    let (other, more) = (revision("/b", "1"), revision("/c", "1"));
    bench.store_all(&old, 2, Claim::Current).await;
    bench.disk().learn(&old.key, learnt(&new, &[&old]));
    bench.store_all(&other, 2, Claim::Current).await;
    // It stopped being current at 0, so 600 of 900 seconds are left.
    bench.seconds.store(599, Ordering::Relaxed);
    bench.store_all(&more, 2, Claim::Current).await;
    assert!(bench.held(&other, 2).await.is_empty());
    assert_eq!(bench.held(&old, 2).await, [0, 1]);
    // Space allowing: fills of current revisions take it when there is nothing else.
    let fill = |n: u64| {
        let index = BlockIndex::new(n);
        bench.disk().fill(&more, &head(&more, 9 * BLOCK), index, Claim::Current)
    };
    let fills: Vec<_> = (2..5).map(|n| fill(n).unwrap()).collect();
    assert_eq!(bench.held(&old, 2).await, [1]);
    drop(fills);
    until(|| bench.disk().stats().bytes <= WHOLE + 2 * index::PAGE).await;
    bench.seconds.store(600, Ordering::Relaxed);
    bench.store_all(&other, 4, Claim::Current).await;
    assert!(bench.held(&old, 2).await.is_empty());
    assert_eq!(bench.held(&other, 4).await, [0, 1, 2, 3]);
    assert_eq!(bench.evicted(Evicted::Former), 1);
}

#[tokio::test]
async fn a_revision_that_is_current_again_is_wanted_again() {
    let bench = Bench::new(4 * WHOLE + index::PAGE);
    let (a, b) = (revision("/a", "1"), revision("/a", "2"));
    bench.store_all(&a, 2, Claim::Current).await;
    bench.store_all(&b, 2, Claim::Current).await;
    bench.disk().learn(&a.key, learnt(&b, &[&a]));
    bench.disk().learn(&a.key, learnt(&a, &[&b]));
    bench
        .store(&revision("/c", "1"), BLOCK, 0, Claim::Current)
        .await
        .unwrap();
    assert_eq!(bench.held(&a, 2).await, [0, 1]);
    assert_eq!(bench.held(&b, 2).await, [1]);
}

#[tokio::test]
async fn pins_take_what_no_current_revision_wants() {
    let bench = Bench::new(4 * WHOLE);
    let (current, former, pinned) = (revision("/a", "2"), revision("/a", "1"), revision("/a", "0"));
    bench.store_all(&current, 3, Claim::Current).await;
    assert_eq!(bench.store(&former, 2 * BLOCK, 0, Claim::Pinned).await, Ok(()));
    assert_eq!(bench.store(&pinned, 2 * BLOCK, 0, Claim::Pinned).await, Ok(()));
    assert!(bench.held(&former, 1).await.is_empty());
    let first = bench
        .disk()
        .fill(&former, &head(&former, 9 * BLOCK), BlockIndex::new(0), Claim::Pinned);
    assert!(first.is_ok());
    assert_eq!(
        bench.store(&former, 9 * BLOCK, 1, Claim::Pinned).await,
        Err(GaveUp::NoSpace)
    );
    drop(first);
    assert_eq!(bench.held(&current, 3).await, [0, 1, 2]);
}

#[tokio::test]
async fn what_is_used_stays() {
    let bench = Bench::new(8 * WHOLE);
    let popular = revision("/popular", "1");
    bench.store_all(&popular, 2, Claim::Current).await;
    bench.seconds.store(60, Ordering::Relaxed);
    for n in 0..100 {
        for index in 0..2 {
            bench.check(&popular, 2 * BLOCK, index).await.unwrap();
        }
        bench.seconds.fetch_add(20, Ordering::Relaxed);
        // A download reads what it stored a moment ago: that proves nothing.
        let once = revision("/once", &n.to_string());
        bench.store(&once, BLOCK, 0, Claim::Current).await.unwrap();
        bench.check(&once, BLOCK, 0).await.unwrap();
    }
    assert_eq!(bench.held(&popular, 2).await, [0, 1]);
}

#[tokio::test]
async fn a_scan_in_pieces_does_not_drive_out_what_is_used() {
    let bench = Bench::new(20 * WHOLE);
    let popular = revision("/popular", "1");
    bench.store_all(&popular, 10, Claim::Current).await;
    bench.seconds.store(60, Ordering::Relaxed);
    for index in 0..10 {
        bench.check(&popular, 10 * BLOCK, index).await.unwrap();
    }
    for n in 0..100 {
        bench.seconds.fetch_add(1, Ordering::Relaxed);
        let once = revision("/once", &n.to_string());
        bench.store(&once, BLOCK, 0, Claim::Current).await.unwrap();
        for piece in 0..16 {
            bench.read(&once, piece * 4096, piece * 4096 + 4095).await.unwrap();
        }
    }
    let held = bench.held(&popular, 10).await.len();
    assert!(held >= 9, "{held}");
}

#[tokio::test]
async fn files_of_another_block_size_count_and_go_first() {
    let mut bench = Bench::new(8 * WHOLE);
    let a = revision("/a", "1");
    bench.store_all(&a, 4, Claim::Current).await;
    bench.disk = None;
    bench.config.block_size = BlockSize::new(2 * BLOCK).unwrap();
    bench.reopen();
    bench.walked().await;
    assert_eq!(bench.disk().stats().files, 4);
    assert_eq!(bench.check(&a, 4 * BLOCK, 0).await, Err(Miss::Absent));
    let large = 2 * BLOCK + index::PAGE;
    for index in 0..3 {
        assert_eq!(bench.store(&a, 6 * BLOCK, index, Claim::Current).await, Ok(()));
    }
    assert_eq!(bench.evicted(Evicted::Unproven), 2);
    assert_eq!(bench.held(&a, 3).await, [0, 1, 2]);
    assert_eq!(bench.disk().stats().bytes, 3 * large + 2 * WHOLE);
}

#[tokio::test]
async fn what_is_read_after_a_restart_is_proven() {
    let mut bench = Bench::new(8 * WHOLE);
    let (used, unused) = (revision("/used", "1"), revision("/unused", "1"));
    bench.store_all(&used, 4, Claim::Current).await;
    bench.store_all(&unused, 4, Claim::Current).await;
    bench.reopen();
    bench.walked().await;
    bench.check(&used, 4 * BLOCK, 2).await.unwrap();
    let new = revision("/new", "1");
    bench.store_all(&new, 4, Claim::Current).await;
    assert_eq!(bench.held(&used, 4).await, [0, 1, 2, 3]);
    assert!(bench.held(&unused, 4).await.is_empty());
}

#[tokio::test]
async fn forgotten_revisions_are_gone_with_their_fills() {
    for walked in [false, true] {
        let mut bench = Bench::new(64 << 20);
        let (a, b) = (revision("/a", "1"), revision("/a", "2"));
        bench.store_all(&a, 3, Claim::Current).await;
        bench.store_all(&b, 3, Claim::Current).await;
        bench.reopen();
        if walked {
            bench.walked().await;
        }
        bench.check(&a, 3 * BLOCK, 0).await.unwrap();
        let mut fill = bench
            .disk()
            .fill(&a, &head(&a, 3 * BLOCK), BlockIndex::new(0), Claim::Current)
            .unwrap();
        fill.offer(&content(&a, ByteRange::at(0, BLOCK).unwrap())).unwrap();
        bench.disk().forget(&a);
        for index in 0..3 {
            assert_eq!(bench.check(&a, 3 * BLOCK, index).await, Err(Miss::Absent));
        }
        assert_eq!(fill.finish().await, Err(GaveUp::Forgotten));
        assert_eq!(bench.check(&a, 3 * BLOCK, 0).await, Err(Miss::Absent));
        // Its bytes may be stored anew.
        assert_eq!(bench.store(&a, BLOCK, 0, Claim::Current).await, Ok(()));
        assert_eq!(bench.check(&a, BLOCK, 0).await, Ok(()));
        bench.walked().await;
        until(|| !bench.path(&a, 1).exists() && !bench.path(&a, 2).exists()).await;
        assert_eq!(bench.check(&a, BLOCK, 0).await, Ok(()));
        assert_eq!(bench.held(&b, 3).await, [0, 1, 2]);
    }
}

#[tokio::test]
async fn records_count_and_are_bounded() {
    let bench = Bench::new(64 * index::PAGE);
    for n in 0..200 {
        let a = revision(&format!("/{n}"), "1");
        bench.disk().learn(&a.key, learnt(&a, &[]));
    }
    until(|| bench.evicted(Evicted::Capacity) == 136).await;
    let stats = bench.disk().stats();
    assert_eq!((stats.files, stats.bytes), (64, 64 * index::PAGE));
    until(|| bench.on_disk() <= 64 * index::PAGE).await;
}

/// What cannot be removed takes space that nothing else may then have beyond a little, and is removed as soon as it can be.
#[tokio::test]
async fn what_cannot_be_unlinked_is_tried_again() {
    let mut bench = Bench::new(8 * (BLOCK + index::PAGE));
    let files = bench.reopen_faulty(|_| faulty::Verdict::Go);
    bench.walked().await;
    files.fail(faulty::Call::Remove, rustix::io::Errno::BUSY);
    let blocks = || {
        let directories = bench.list("").into_iter().filter(|name| name.len() == 2);
        directories.map(|directory| bench.list(&directory).len()).sum::<usize>()
    };
    let mut stored = 0;
    for n in 0..100 {
        let a = revision(&format!("/{n}"), "1");
        stored += usize::from(bench.store(&a, BLOCK, 0, Claim::Current).await.is_ok());
    }
    assert!((8..50).contains(&stored) && blocks() == stored, "{stored}");
    files.set(|_| faulty::Verdict::Go);
    bench.disk().shared.try_again();
    until(|| blocks() <= 8).await;
    let a = revision("/new", "1");
    // The device was sick of it, and is tried again after a while.
    bench.seconds.fetch_add(10, Ordering::Relaxed);
    bench.store(&a, BLOCK, 0, Claim::Current).await.unwrap();
}
