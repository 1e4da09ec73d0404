//! Which objects' records are kept: those of what is used, and none that say nothing.

use super::*;

/// What one whole block takes.
const WHOLE: u64 = BLOCK + index::PAGE;

fn learnt(current: &Revision) -> Known {
    Known {
        current: Current::Is(current.tag.clone()),
        confirmed: SystemTime::UNIX_EPOCH + Duration::from_secs(5),
        head: Some(head(current, BLOCK)),
        former: Vec::new(),
    }
}

fn nothing(current: Current) -> Known {
    Known {
        current,
        confirmed: SystemTime::UNIX_EPOCH + Duration::from_secs(5),
        ..Known::UNKNOWN
    }
}

impl Bench {
    /// Fetches an object as a route does: nothing is known, something is learnt, a block is stored and read.
    async fn fetch(&self, a: &Revision) {
        self.disk().known(&a.key).await;
        self.disk().learn(&a.key, learnt(a));
        self.store(a, BLOCK, 0, Claim::Current).await.unwrap();
        self.disk().known(&a.key).await;
        self.check(a, BLOCK, 0).await.unwrap();
        self.settle().await;
    }

    /// Waits until all records are written.
    async fn settle(&self) {
        until(|| self.disk().shared.objects.are_written()).await;
    }

    fn has_record(&self, a: &Revision) -> bool {
        self.disk().shared.index.contains(Name::record(a.key.hash()))
    }

    fn record_exists(&self, a: &Revision) -> bool {
        self.root().join(Name::record(a.key.hash()).path()).exists()
    }
}

/// How a hot object is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Read,
    AtHand,
    Known,
    /// A discovery: the authority confirms what is known.
    Confirm,
}

async fn use_it(bench: &Bench, a: &Revision, how: Use) {
    match how {
        Use::Read => bench.check(a, BLOCK, 0).await.unwrap(),
        Use::AtHand => {
            let range = ByteRange::new(0, 99).unwrap();
            // The page cache is free not to have it.
            until(|| bench.disk().at_hand(a, BlockIndex::new(0), range).is_some()).await;
        }
        Use::Known => drop(bench.disk().known(&a.key).await),
        Use::Confirm => {
            let known = bench.disk().known(&a.key).await;
            bench.disk().learn(&a.key, known);
            bench.settle().await;
        }
    }
}

async fn check_survives(how: Use) {
    let mut bench = Bench::new(12 * WHOLE);
    let hot: Vec<Revision> = (0..4).map(|n| revision(&format!("/hot/{n}"), "1")).collect();
    bench.seconds.store(100, Ordering::Relaxed);
    for a in &hot {
        bench.fetch(a).await;
    }
    // Often, and never beyond the window of the time before.
    for _ in 0..5 {
        bench.seconds.fetch_add(4, Ordering::Relaxed);
        for a in &hot {
            use_it(&bench, a, how).await;
        }
    }
    for n in 0..60 {
        bench.fetch(&revision(&format!("/once/{n}"), "1")).await;
    }
    let kept = hot.iter().filter(|a| bench.has_record(a)).count();
    assert_eq!(kept, hot.len(), "{how:?}");
    bench.reopen();
    for a in &hot {
        assert_eq!(bench.disk().known(&a.key).await, learnt(a), "{how:?}");
    }
}

#[tokio::test]
async fn a_scan_does_not_drive_out_the_records_of_what_is_used() {
    for how in [Use::Read, Use::AtHand, Use::Known, Use::Confirm] {
        check_survives(how).await;
    }
}

#[tokio::test]
async fn what_is_asked_for_after_a_restart_is_used() {
    let mut bench = Bench::new(16 * index::PAGE);
    let hot = revision("/hot", "1");
    bench.disk().learn(&hot.key, learnt(&hot));
    bench.settle().await;
    bench.reopen();
    bench.walked().await;
    bench.seconds.store(100, Ordering::Relaxed);
    assert_eq!(bench.disk().known(&hot.key).await, learnt(&hot));
    for n in 0..40 {
        let once = revision(&format!("/once/{n}"), "1");
        bench.disk().learn(&once.key, learnt(&once));
        bench.settle().await;
    }
    assert!(bench.has_record(&hot));
}

/// Without it, nobody knows when the grace ends.
#[tokio::test]
async fn the_record_of_what_is_within_its_grace_stays() {
    let mut bench = Bench::new(12 * WHOLE);
    bench.config.policy = Policy {
        routes: vec![RouteTerms {
            name: RouteName::new("r"),
            grace: Duration::from_secs(900),
            quota: None,
        }],
        clock: Clock::fixed(SystemTime::UNIX_EPOCH + Duration::from_secs(10_000)),
        ..Policy::default()
    };
    bench.reopen();
    let (old, new) = (revision("/a", "1"), revision("/a", "2"));
    bench.fetch(&old).await;
    let known = Known {
        former: vec![(old.tag.clone(), bench.config.policy.clock.now())],
        ..learnt(&new)
    };
    bench.disk().learn(&old.key, known.clone());
    bench.settle().await;
    for from in [0, 60] {
        for n in from..from + 60 {
            bench.fetch(&revision(&format!("/once/{n}"), "1")).await;
        }
        bench.walked().await;
        bench.reopen();
        bench.walked().await;
        assert!(bench.has_record(&old) && bench.path(&old, 0).exists(), "{from}");
    }
    assert_eq!(bench.disk().known(&old.key).await, known);
}

#[tokio::test]
async fn what_says_nothing_takes_no_file() {
    let mut bench = Bench::new(8 * WHOLE);
    let kept = revision("/kept", "1");
    bench.fetch(&kept).await;
    for n in 0..200 {
        let weak = key(&format!("/weak/{n}"));
        let known = nothing(if n % 2 == 0 { Current::None } else { Current::Unknown });
        bench.disk().learn(&weak, known.clone());
        assert_eq!(bench.disk().known(&weak).await, known);
        bench.settle().await;
        assert_eq!(bench.disk().known(&weak).await, known);
    }
    let stats = bench.disk().stats();
    assert_eq!((stats.files, stats.blocks), (2, 1));
    bench.reopen();
    bench.walked().await;
    assert_eq!(bench.disk().stats().files, 2);
    assert_eq!(bench.disk().known(&key("/weak/0")).await, Known::UNKNOWN);
    assert_eq!(bench.disk().known(&kept.key).await, learnt(&kept));
}

#[tokio::test]
async fn what_said_something_and_says_nothing_any_more_goes() {
    let mut bench = Bench::new(8 * WHOLE);
    let a = revision("/a", "1");
    for n in 0..4 {
        bench.disk().learn(&a.key, learnt(&a));
        if n % 2 == 0 {
            bench.settle().await;
            assert!(bench.record_exists(&a));
        }
        if n >= 2 {
            // The walk need not have found it.
            bench.reopen();
        }
        bench.disk().learn(&a.key, nothing(Current::None));
        assert_eq!(bench.disk().known(&a.key).await, nothing(Current::None));
        bench.settle().await;
        assert!(!bench.record_exists(&a), "{n}");
        bench.reopen();
        assert_eq!(bench.disk().known(&a.key).await, Known::UNKNOWN);
        bench.walked().await;
        assert_eq!(bench.disk().stats().files, 0);
    }
}

/// Former revisions are how long ago they were current: that is worth a file.
#[tokio::test]
async fn what_was_is_kept() {
    let mut bench = Bench::new(8 * WHOLE);
    let a = revision("/a", "1");
    bench.disk().learn(&a.key, learnt(&a));
    let known = Known {
        former: vec![(a.tag.clone(), SystemTime::UNIX_EPOCH)],
        ..nothing(Current::None)
    };
    bench.disk().learn(&a.key, known.clone());
    bench.reopen();
    assert_eq!(bench.disk().known(&a.key).await, known);
}
