//! What everybody does: fill, read, learn, start again.

use super::*;

const SIZE: u64 = 3 * BLOCK + 1000;

#[tokio::test]
async fn what_is_stored_is_read_also_after_a_restart() {
    let mut bench = Bench::new(64 << 20);
    let a = revision("/a", "1");
    for index in 0..4 {
        assert_eq!(bench.store(&a, SIZE, index, Claim::Current).await, Ok(()));
        assert_eq!(bench.check(&a, SIZE, index).await, Ok(()));
    }
    assert_eq!(
        bench.read(&a, 5, 5).await.unwrap(),
        content(&a, ByteRange::new(5, 5).unwrap())
    );
    bench.reopen();
    for index in 0..4 {
        assert_eq!(bench.check(&a, SIZE, index).await, Ok(()));
    }
    assert_eq!(bench.disk().head(&a).await.unwrap(), head(&a, SIZE));
    assert_eq!(bench.read(&revision("/a", "2"), 0, 0).await, Err(Miss::Absent));
    bench.walked().await;
    assert_eq!(bench.disk().stats().files, 4);
    assert_eq!(bench.read(&revision("/a", "2"), 0, 0).await, Err(Miss::Absent));
}

#[tokio::test]
async fn every_range_is_right() {
    let bench = Bench::new(64 << 20);
    let a = revision("/a", "1");
    bench.store(&a, SIZE, 3, Claim::Current).await.unwrap();
    bench.store(&a, SIZE, 1, Claim::Current).await.unwrap();
    let granule = format::GRANULE;
    for (first, last) in [
        (BLOCK, BLOCK),
        (BLOCK + granule - 1, BLOCK + granule),
        (BLOCK + 1, 2 * BLOCK - 1),
        (2 * BLOCK - 1, 2 * BLOCK - 1),
        (3 * BLOCK + 999, 3 * BLOCK + 999),
        (3 * BLOCK, 3 * BLOCK + 999),
    ] {
        let read = bench.read(&a, first, last).await.unwrap();
        assert_eq!(read, content(&a, ByteRange::new(first, last).unwrap()));
    }
    assert_eq!(
        bench.read(&a, 3 * BLOCK + 1000, 3 * BLOCK + 1000).await,
        Err(Miss::Absent)
    );
    let span = BlockSpan::new(BlockIndex::new(0), BlockIndex::new(3)).unwrap();
    assert_eq!(bench.disk().holds(&a, span).await, [false, true, false, true]);
}

#[tokio::test]
async fn what_is_known_survives_a_restart() {
    let mut bench = Bench::new(64 << 20);
    let a = revision("/a", "2");
    let known = Known {
        current: Current::Is(a.tag.clone()),
        confirmed: SystemTime::UNIX_EPOCH + Duration::new(1_700_000_001, 5),
        head: Some(head(&a, 0)),
        former: vec![(tag("1"), SystemTime::UNIX_EPOCH)],
    };
    assert_eq!(bench.disk().known(&a.key).await, Known::UNKNOWN);
    bench.disk().learn(&a.key, known.clone());
    assert_eq!(bench.disk().known(&a.key).await, known);
    bench.reopen();
    assert_eq!(bench.disk().known(&a.key).await, known);
    assert_eq!(bench.disk().head(&a).await.unwrap(), head(&a, 0));
    bench.reopen();
    bench.walked().await;
    assert_eq!(bench.disk().known(&a.key).await, known);
    assert_eq!(bench.disk().known(&key("/b")).await, Known::UNKNOWN);
}

#[tokio::test]
async fn a_tail_reads_what_is_written_so_far() {
    let bench = Bench::new(64 << 20);
    let a = revision("/a", "1");
    let bytes = |first, last| content(&a, ByteRange::new(first, last).unwrap());
    let mut fill = bench
        .disk()
        .fill(&a, &head(&a, SIZE), BlockIndex::new(1), Claim::Current)
        .unwrap();
    let tail = fill.tail();
    let ask = |first, last| tail.read(ByteRange::new(first, last).unwrap());
    fill.offer(&bytes(BLOCK, BLOCK + 20_000)).unwrap();
    assert_eq!(
        ask(BLOCK + 7, 2 * BLOCK - 1).await.unwrap(),
        bytes(BLOCK + 7, BLOCK + 20_000)
    );
    let waiting = ask(BLOCK + 20_001, BLOCK + 20_001);
    fill.offer(&bytes(BLOCK + 20_001, 2 * BLOCK - 1)).unwrap();
    assert_eq!(waiting.await.unwrap(), bytes(BLOCK + 20_001, BLOCK + 20_001));
    fill.drained().await;
    assert_eq!(fill.finish().await, Ok(()));
    assert_eq!(ask(BLOCK, 2 * BLOCK - 1).await.unwrap(), bytes(BLOCK, 2 * BLOCK - 1));
    let dropped = bench
        .disk()
        .fill(&a, &head(&a, SIZE), BlockIndex::new(0), Claim::Current)
        .unwrap();
    let tail = dropped.tail();
    drop(dropped);
    assert_eq!(tail.read(ByteRange::new(0, 0).unwrap()).await, Err(Miss::GivenUp));
}
