//! What was popular before a restart, and what becomes of the file that says so.

use super::*;

/// What one whole block takes.
const WHOLE: u64 = BLOCK + index::PAGE;

fn numbered(n: u64) -> Revision {
    revision("/a", &n.to_string())
}

/// A full disk of eight revisions, of which the last three were used again.
async fn used() -> Bench {
    let bench = Bench::new(8 * WHOLE);
    for n in 0..8 {
        bench.store(&numbered(n), BLOCK, 0, Claim::Current).await.unwrap();
    }
    bench.walked().await;
    bench.seconds.store(100, Ordering::Relaxed);
    for n in 5..8 {
        bench.check(&numbered(n), BLOCK, 0).await.unwrap();
    }
    bench
}

/// Which are left after as many others have come as fit besides those three.
async fn left(bench: &Bench) -> Vec<u64> {
    bench.walked().await;
    for n in 0..5 {
        let other = revision("/b", &n.to_string());
        bench.store(&other, BLOCK, 0, Claim::Current).await.unwrap();
    }
    let span = BlockSpan::new(BlockIndex::new(0), BlockIndex::new(0)).unwrap();
    let mut left = Vec::new();
    for n in 0..8 {
        if bench.disk().holds(&numbered(n), span).await == [true] {
            left.push(n);
        }
    }
    left
}

#[tokio::test]
async fn what_was_popular_is_not_evicted_first() {
    let mut bench = used().await;
    // Also when nobody asks for anything between two restarts.
    for _ in 0..2 {
        bench.reopen();
        bench.walked().await;
    }
    assert_eq!(left(&bench).await, [5, 6, 7]);
    assert_eq!(bench.evicted(Evicted::Unproven), 5);
}

#[tokio::test]
async fn a_killed_process_has_told_what_was_popular() {
    let mut bench = used().await;
    bench.disk().shared.watch.wake();
    until(|| bench.root().join("popular").exists()).await;
    let told = std::fs::read(bench.root().join("popular")).unwrap();
    bench.disk = None;
    std::fs::write(bench.root().join("popular"), told).unwrap();
    bench.reopen();
    assert_eq!(left(&bench).await, [5, 6, 7]);
}

#[tokio::test]
async fn a_file_that_does_not_check_is_as_good_as_none() {
    let damage = |path: &Path| {
        let mut bytes = std::fs::read(path).unwrap();
        bytes[20] ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    let remove = |path: &Path| std::fs::remove_file(path).unwrap();
    let replace = |path: &Path| {
        std::fs::remove_file(path).unwrap();
        std::fs::create_dir(path).unwrap();
    };
    check_changed(damage, 1).await;
    check_changed(remove, 0).await;
    check_changed(replace, 1).await;
}

async fn check_changed(change: impl Fn(&Path), faults: u64) {
    let mut bench = used().await;
    bench.disk = None;
    change(&bench.root().join("popular"));
    bench.reopen();
    bench.walked().await;
    assert_eq!(bench.fault(Fault::Damaged), faults);
    assert_eq!(left(&bench).await.len(), 3);
}

#[tokio::test]
async fn what_routes_that_are_gone_had_is_not_popular() {
    let mut bench = used().await;
    let policy = |route: &str| Policy {
        routes: vec![RouteTerms {
            name: RouteName::new(route),
            grace: Duration::ZERO,
            quota: None,
        }],
        ..Policy::default()
    };
    bench.config.policy = policy("r");
    bench.reopen();
    bench.walked().await;
    bench.seconds.store(200, Ordering::Relaxed);
    for n in 0..3 {
        bench.check(&numbered(n), BLOCK, 0).await.unwrap();
    }
    bench.config.policy = policy("another");
    bench.reopen();
    // Those that were popular before there were routes are still of an unknown one.
    assert_eq!(left(&bench).await, [5, 6, 7]);
}
