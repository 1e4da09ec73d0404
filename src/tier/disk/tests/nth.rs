//! The n-th system call fails, for every n and in every way, until what is done passes untouched. What is read meanwhile
//! is right or a miss; afterwards everything works, and nothing is left behind.

use std::sync::atomic::{AtomicBool, AtomicUsize};

use rustix::io::Errno;

use super::faulty::{Faulty, Verdict};
use super::*;

const SIZE: u64 = 2 * BLOCK + 20_000;

const ERRORS: [Errno; 11] = [
    Errno::IO,
    Errno::NOSPC,
    Errno::ROFS,
    Errno::MFILE,
    Errno::INTR,
    Errno::ACCESS,
    Errno::NOENT,
    Errno::STALE,
    Errno::DQUOT,
    Errno::AGAIN,
    Errno::NOTDIR,
];

/// How long a call goes on failing.
#[derive(Clone, Copy, Debug)]
enum Extent {
    One,
    /// That one and all that follow, as of a disk that dies.
    AllFrom,
}

/// Lets the calls up to the n-th through. Whether any was not.
fn fail(files: &Faulty, nth: usize, verdict: Verdict, extent: Extent) -> Arc<AtomicBool> {
    let (calls, failed) = (AtomicUsize::new(0), Arc::new(AtomicBool::new(false)));
    let tell = Arc::clone(&failed);
    files.set(move |_| {
        let call = calls.fetch_add(1, Ordering::SeqCst);
        let fails = match extent {
            Extent::One => call == nth,
            Extent::AllFrom => call >= nth,
        };
        if !fails {
            return Verdict::Go;
        }
        tell.store(true, Ordering::SeqCst);
        verdict.clone()
    });
    failed
}

fn known(revision: &Revision) -> Known {
    Known {
        current: Current::Is(revision.tag.clone()),
        confirmed: SystemTime::UNIX_EPOCH + Duration::from_secs(5),
        head: Some(head(revision, SIZE)),
        former: Vec::new(),
    }
}

/// Everything that a store is asked for. Each answer is right or a miss.
async fn use_it(bench: &Bench, old: &Revision, new: &Revision, context: &str) {
    let span = BlockSpan::new(BlockIndex::new(0), BlockIndex::new(2)).unwrap();
    for index in 0..3 {
        let _ = bench.check(old, SIZE, index).await;
    }
    let found = bench.disk().known(&old.key).await;
    assert!(found == Known::UNKNOWN || found == known(old), "{found:?}");
    if let Ok(found) = bench.disk().head(old).await {
        assert_eq!(found, head(old, SIZE));
    }
    bench.disk().learn(&new.key, known(new));
    for index in 0..3 {
        let _ = bench.store(new, SIZE, index, Claim::Current).await;
        let _ = bench.check(new, SIZE, index).await;
    }
    assert_eq!(bench.disk().known(&new.key).await, known(new));
    bench.disk().holds(new, span).await;
    bench.disk().forget(old);
    for index in 0..3 {
        assert!(bench.check(old, SIZE, index).await.is_err(), "{context}");
    }
}

/// The device is well again: all is as it should be.
async fn is_well(bench: &mut Bench, new: &Revision, context: &str) {
    bench.seconds.fetch_add(10, Ordering::Relaxed);
    for index in 0..3 {
        assert_eq!(bench.store(new, SIZE, index, Claim::Current).await, Ok(()), "{context}");
        assert_eq!(bench.check(new, SIZE, index).await, Ok(()), "{context}");
    }
    assert_eq!(bench.disk().usable(), Usable::Ok, "{context}");
    bench.disk().learn(&new.key, known(new));
    bench.reopen();
    bench.walked().await;
    assert!(bench.list("tmp").is_empty(), "{context}");
    assert_eq!(bench.disk().known(&new.key).await, known(new), "{context}");
    for index in 0..3 {
        assert_eq!(bench.check(new, SIZE, index).await, Ok(()), "{context}");
    }
    assert_eq!(bench.disk().stats().backlog, 0);
}

/// Runs with the n-th call failing. Whether there was one.
async fn run(nth: usize, verdict: Verdict, extent: Extent) -> bool {
    let context = format!("{nth} {verdict:?} {extent:?}");
    let mut bench = Bench::new(64 << 20);
    let (old, new) = (revision("/a", "old"), revision("/b", "new"));
    bench.disk().learn(&old.key, known(&old));
    for index in 0..3 {
        bench.store(&old, SIZE, index, Claim::Current).await.unwrap();
    }
    // Opened anew, so that nothing is open yet; the walk is on its way.
    let files = bench.reopen_faulty(|_| Verdict::Go);
    let failed = fail(&files, nth, verdict, extent);
    use_it(&bench, &old, &new, &context).await;
    let happened = failed.load(Ordering::SeqCst);
    files.set(|_| Verdict::Go);
    // Whoever was told of a full device a moment ago would still evict what comes now.
    let shared = &bench.disk().shared;
    let rests = || shared.live.load(Ordering::Relaxed) == 0 && shared.objects.are_written();
    until(|| rests() && shared.index.is_settled()).await;
    is_well(&mut bench, &new, &context).await;
    happened
}

/// For every n, until nothing fails. How many there were.
async fn every_n(verdict: Verdict, extent: Extent) -> usize {
    let mut nth = 0;
    while run(nth, verdict.clone(), extent).await {
        nth += 1;
    }
    assert!(nth > 20, "{verdict:?} met only {nth} calls");
    nth
}

#[tokio::test]
async fn whichever_call_fails_in_whichever_way() {
    let verdicts = ERRORS.map(Verdict::Fail).into_iter();
    let verdicts = verdicts.chain([Verdict::Short(0), Verdict::Short(1)]);
    let mut runs = 0;
    for verdict in verdicts {
        runs += every_n(verdict, Extent::One).await;
    }
    println!("n-th call: {runs} runs with one call failed, 0 wrong bytes, all well afterwards");
}

#[tokio::test]
async fn from_whichever_call_on_the_disk_is_dead() {
    let mut runs = 0;
    for errno in [Errno::IO, Errno::ROFS, Errno::NOSPC, Errno::NOENT] {
        runs += every_n(Verdict::Fail(errno), Extent::AllFrom).await;
    }
    println!("n-th call: {runs} runs with a disk that died at a call, 0 wrong bytes, all well afterwards");
}
