//! Serving while the walk has not found anything yet.

use rustix::io::Errno;

use super::faulty::{Call, Faulty, Gate, Verdict};
use super::*;

const SIZE: u64 = 3 * BLOCK;

/// A disk that was filled and opened again, whose walk does not get anywhere before the gate opens.
async fn unwalked(revisions: &[&Revision]) -> (Bench, Faulty, Arc<Gate>) {
    let mut bench = Bench::new(64 << 20);
    for a in revisions {
        for index in 0..3 {
            bench.store(a, SIZE, index, Claim::Current).await.unwrap();
        }
        let known = Known {
            current: Current::Is(a.tag.clone()),
            head: Some(head(a, SIZE)),
            ..Known::UNKNOWN
        };
        bench.disk().learn(&a.key, known);
    }
    let gate = Arc::new(Gate::default());
    let hang = Arc::clone(&gate);
    let files = bench.reopen_faulty(move |call| {
        let walks = std::thread::current().name() == Some("disk-walk");
        if walks && call == Call::List {
            Verdict::Hang(Arc::clone(&hang))
        } else {
            Verdict::Go
        }
    });
    (bench, files, gate)
}

async fn held(bench: &Bench, a: &Revision) -> Vec<bool> {
    let span = BlockSpan::new(BlockIndex::new(0), BlockIndex::new(3)).unwrap();
    bench.disk().holds(a, span).await
}

#[tokio::test]
async fn everything_is_served_at_once() {
    let (a, b, c) = (revision("/a", "1"), revision("/b", "1"), revision("/c", "1"));
    let (bench, _, gate) = unwalked(&[&a, &b, &c]).await;
    assert_eq!(bench.disk().stats().files, 0);
    assert_eq!(bench.check(&a, SIZE, 1).await, Ok(()));
    assert_eq!(held(&bench, &b).await, [true, true, true, false]);
    assert_eq!(bench.disk().shared.head_of_block(&c).await, Ok(head(&c, SIZE)));
    assert_eq!(bench.disk().known(&c.key).await.current, Current::Is(c.tag.clone()));
    assert_eq!(bench.disk().known(&key("/d")).await, Known::UNKNOWN);
    assert_eq!(held(&bench, &revision("/d", "1")).await, [false; 4]);
    assert!(!bench.disk().stats().index_complete);
    gate.open();
    bench.walked().await;
    assert_eq!(bench.disk().stats().files, 12);
}

#[tokio::test]
async fn what_is_forgotten_is_not_found() {
    let (a, b) = (revision("/a", "1"), revision("/a", "2"));
    let (mut bench, _, gate) = unwalked(&[&a, &b]).await;
    bench.disk().forget(&a);
    assert_eq!(bench.check(&a, SIZE, 1).await, Err(Miss::Absent));
    assert_eq!(bench.disk().head(&a).await, Err(Miss::Absent));
    assert_eq!(held(&bench, &a).await, [false; 4]);
    assert_eq!(held(&bench, &b).await, [true, true, true, false]);
    // Nor after the next start, if that comes before the walk has come to it.
    gate.open();
    bench.reopen();
    assert_eq!(bench.check(&a, SIZE, 1).await, Err(Miss::Absent));
    assert_eq!(bench.check(&b, SIZE, 1).await, Ok(()));
}

#[tokio::test]
async fn what_is_stored_after_being_forgotten_is_found() {
    let a = revision("/a", "1");
    let (bench, files, gate) = unwalked(&[&a]).await;
    let (walk, unlink) = (Arc::clone(&gate), Arc::new(Gate::default()));
    let hang = Arc::clone(&unlink);
    files.set(move |call| match call {
        Call::List => Verdict::Hang(Arc::clone(&walk)),
        Call::Remove => Verdict::Hang(Arc::clone(&hang)),
        _ => Verdict::Go,
    });
    bench.disk().forget(&a);
    assert_eq!(bench.check(&a, SIZE, 0).await, Err(Miss::Absent));
    assert_eq!(bench.store(&a, BLOCK, 0, Claim::Current).await, Ok(()));
    assert_eq!(bench.check(&a, BLOCK, 0).await, Ok(()));
    gate.open();
    unlink.open();
    bench.walked().await;
    until(|| !bench.path(&a, 1).exists() && !bench.path(&a, 2).exists()).await;
    assert_eq!(bench.check(&a, BLOCK, 0).await, Ok(()));
    assert_eq!(held(&bench, &a).await, [true, false, false, false]);
}

#[tokio::test]
async fn what_is_in_unreadable_directories_is_served() {
    let mut bench = Bench::new(64 << 20);
    let a = revision("/a", "1");
    bench.store(&a, SIZE, 0, Claim::Current).await.unwrap();
    let mut calls = 0;
    bench.reopen_faulty(move |call| {
        // The first two are the sweep of the start and the root.
        calls += u32::from(call == Call::List);
        if call == Call::List && calls % 8 == 3 {
            Verdict::Fail(Errno::IO)
        } else {
            Verdict::Go
        }
    });
    until(|| bench.fault(Fault::Io) == 32).await;
    bench.seconds.fetch_add(60, Ordering::Relaxed);
    assert_eq!(bench.check(&a, SIZE, 0).await, Ok(()));
    assert!(!bench.disk().stats().index_complete);
    assert_eq!(bench.disk().stats().files, 1);
}

#[tokio::test]
async fn a_directory_that_could_not_be_read_is_read_later() {
    let a = revision("/a", "1");
    let mut bench = stored(&a, SIZE).await;
    let files = bench.reopen_faulty(|call| match call {
        Call::List if std::thread::current().name() == Some("disk-walk") => Verdict::Fail(Errno::ACCESS),
        _ => Verdict::Go,
    });
    until(|| bench.disk().shared.unread.lock().len() == 256).await;
    assert!(!bench.disk().stats().index_complete);
    files.set(|_| Verdict::Go);
    bench.disk().shared.try_again();
    assert!(bench.disk().stats().index_complete);
    assert_eq!(bench.disk().stats().files, 3);
}
