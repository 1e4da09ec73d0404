//! What is known of files besides their names after a restart: their routes, and until when grace lasts.

use super::*;

/// What one whole block takes.
const WHOLE: u64 = BLOCK + index::PAGE;

fn of_route(route: &str, path: &str, name: &str) -> Revision {
    let authority = AuthorityId::new(["s3", "bucket"]);
    Revision {
        key: ObjectKey::new(&RouteName::new(route), &authority, None, path, None),
        tag: tag(name),
    }
}

fn terms(name: &str, grace: u64, quota: Option<u64>) -> RouteTerms {
    RouteTerms {
        name: RouteName::new(name),
        grace: Duration::from_secs(grace),
        quota,
    }
}

impl Bench {
    fn with_routes(capacity: u64, routes: Vec<RouteTerms>) -> Self {
        let mut bench = Self::new(capacity);
        bench.set_routes(routes);
        bench
    }

    fn set_routes(&mut self, routes: Vec<RouteTerms>) {
        self.config.policy = Policy {
            routes,
            clock: Clock::fixed(SystemTime::UNIX_EPOCH + Duration::from_secs(10_000)),
            ..Policy::default()
        };
        self.reopen();
    }

    /// The process ends and another begins after so many seconds.
    async fn restart_after(&mut self, seconds: u64) {
        self.walked().await;
        self.disk = None;
        self.begin_after(seconds).await;
    }

    /// A killed process has told nothing at its end.
    async fn kill_after(&mut self, seconds: u64) {
        self.walked().await;
        let told = std::fs::read(self.root().join("popular")).unwrap();
        self.disk = None;
        std::fs::write(self.root().join("popular"), told).unwrap();
        self.begin_after(seconds).await;
    }

    async fn begin_after(&mut self, seconds: u64) {
        let clock = &self.config.policy.clock;
        clock.set(clock.now() + Duration::from_secs(seconds));
        self.seconds.store(0, Ordering::Relaxed);
        self.reopen();
        self.walked().await;
    }

    async fn scan(&self, route: &str, blocks: u64) {
        for n in 0..blocks {
            let once = of_route(route, &format!("/scan/{n}"), "1");
            self.store(&once, BLOCK, 0, Claim::Current).await.unwrap();
        }
    }

    async fn left(&self, revisions: &[Revision]) -> usize {
        let span = BlockSpan::new(BlockIndex::new(0), BlockIndex::new(0)).unwrap();
        let mut held = 0;
        for a in revisions {
            held += usize::from(self.disk().holds(a, span).await == [true]);
        }
        held
    }
}

/// Two objects whose first revision is within its grace, and other data beside it.
async fn graced() -> (Bench, Vec<Revision>) {
    let bench = Bench::with_routes(12 * WHOLE, vec![terms("r", 900, None)]);
    let old: Vec<Revision> = (0..2).map(|n| revision(&format!("/graced/{n}"), "1")).collect();
    for a in &old {
        bench.store(a, BLOCK, 0, Claim::Current).await.unwrap();
        let known = Known {
            current: Current::Is(tag("2")),
            former: vec![(a.tag.clone(), bench.config.policy.clock.now())],
            ..Known::UNKNOWN
        };
        bench.disk().learn(&a.key, known);
    }
    for n in 0..8 {
        let other = revision(&format!("/other/{n}"), "1");
        bench.store(&other, BLOCK, 0, Claim::Current).await.unwrap();
    }
    until(|| bench.disk().shared.objects.are_written()).await;
    (bench, old)
}

#[tokio::test]
async fn grace_goes_on_after_a_restart() {
    let (mut bench, old) = graced().await;
    bench.restart_after(300).await;
    bench.scan("r", 30).await;
    assert_eq!(bench.left(&old).await, 2);
    // And again, where nobody asked for it.
    bench.restart_after(300).await;
    bench.scan("r", 30).await;
    assert_eq!(bench.left(&old).await, 2);
    // 600 of 900 seconds are over.
    bench.seconds.store(301, Ordering::Relaxed);
    bench.scan("r", 5).await;
    assert_eq!((bench.left(&old).await, bench.evicted(Evicted::Former)), (0, 2));
}

#[tokio::test]
async fn grace_ends_while_nobody_runs() {
    let (mut bench, old) = graced().await;
    bench.restart_after(901).await;
    bench.scan("r", 5).await;
    assert_eq!((bench.left(&old).await, bench.evicted(Evicted::Former)), (0, 2));
}

#[tokio::test]
async fn a_clock_that_goes_back_makes_no_grace_longer() {
    let (mut bench, old) = graced().await;
    bench.disk = None;
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    bench.config.policy.clock.set(long_ago);
    bench.begin_after(0).await;
    bench.seconds.store(901, Ordering::Relaxed);
    bench.scan("r", 5).await;
    assert_eq!((bench.left(&old).await, bench.evicted(Evicted::Former)), (0, 2));
}

#[tokio::test]
async fn quotas_hold_after_a_restart() {
    let routes = || vec![terms("bulk", 0, Some(3 * WHOLE)), terms("good", 0, None)];
    let good: Vec<Revision> = (0..8).map(|n| of_route("good", &format!("/{n}"), "1")).collect();
    for killed in [false, true] {
        let mut bench = Bench::with_routes(12 * WHOLE, routes());
        for a in &good {
            bench.store(a, BLOCK, 0, Claim::Current).await.unwrap();
        }
        if killed {
            // Nothing was used, but it is told all the same.
            bench.walked().await;
            let told = bench.root().join("popular");
            let _ = std::fs::remove_file(&told);
            bench.seconds.store(60, Ordering::Relaxed);
            bench.disk().shared.watch.wake();
            until(|| told.exists()).await;
            bench.kill_after(5).await;
        } else {
            bench.restart_after(5).await;
        }
        bench.scan("bulk", 40).await;
        assert_eq!(
            (bench.left(&good).await, bench.evicted(Evicted::Unproven)),
            (8, 0),
            "{killed}"
        );
        // By name, wherever the configuration has it now.
        let [bulk, good_terms] = routes().try_into().unwrap();
        bench.set_routes(vec![terms("new", 0, None), good_terms, bulk]);
        bench.walked().await;
        bench.scan("bulk", 80).await;
        assert_eq!(bench.left(&good).await, 8);
        // What a route that is gone had goes first.
        bench.set_routes(vec![terms("bulk", 0, Some(8 * WHOLE))]);
        bench.walked().await;
        bench.scan("bulk", 120).await;
        assert_eq!((bench.left(&good).await, bench.evicted(Evicted::Unproven)), (0, 8));
    }
}

/// What was learnt before the walk found it counts more than what was told.
#[tokio::test]
async fn a_newer_word_stands() {
    let (mut bench, old) = graced().await;
    bench.disk = None;
    let index = Arc::new(index::Index::new(
        index::Terms {
            capacity: 12 * WHOLE,
            files: 100,
            block_size: BLOCK,
            routes: &bench.config.policy.routes,
        },
        Arc::default(),
        bench.clock(),
    ));
    let told = std::fs::read(bench.root().join("popular")).unwrap();
    let told = format::Popularity::decode(&told).unwrap();
    index.remember(told, Duration::from_secs(10_000));
    let route = index.route(old[0].key.encoded());
    let hash = |a: &Revision| RevisionHash::of(a, bench.config.block_size);
    index.rank(hash(&old[0]), index::Order::Wanted, route);
    // A pin asks for another block of the other: that makes it no less dear.
    let missing = Name::block(hash(&old[1]), BlockIndex::new(1)).unwrap();
    let pin = index.reserve(missing, route, BLOCK, Claim::Pinned).unwrap();
    for a in &old {
        assert!(index.found(Name::block(hash(a), BlockIndex::new(0)).unwrap(), WHOLE));
    }
    drop(pin);
    index.completed();
    let told = index.popular(BLOCK, Duration::ZERO).unwrap();
    let standing = |a| {
        told.revisions
            .iter()
            .find(|of| of.hash == hash(a))
            .map(|of| of.standing)
    };
    assert_eq!(standing(&old[0]), Some(format::Standing::Wanted));
    assert_eq!(standing(&old[1]), Some(format::Standing::Graced { until: 900 }));
}
