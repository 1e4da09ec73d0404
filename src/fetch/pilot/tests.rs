//! Transfers that nobody reads.

use std::time::SystemTime;

use futures_util::stream;
use http::HeaderMap;
use prometheus::Registry;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::*;
use crate::clock::Clock;
use crate::config::Role;
use crate::fetch::route::Parts;
use crate::metrics::Metrics;
use crate::object::{AuthorityId, BlockSize, CacheControl, Method, ObjectKey, ObjectSize, RouteName, StrongETag};
use crate::object::{Heard, TakenFrom, Target};
use crate::plan::{Asked, Terms, Tier, Told};
use crate::request::{Kind, Read, Unless};
use crate::tier::memory::Memory;

const SIZE: u64 = 2 * BlockSize::MIN;

fn route(store: Arc<Memory>) -> Arc<Route> {
    let terms = Terms {
        near: 0,
        role: Role::Origin,
        s3_dialect: false,
        http_authority: true,
        nearest: false,
        grace: Duration::ZERO,
        block_size: BlockSize::new(BlockSize::MIN).unwrap(),
        parallel: 1,
    };
    Route::new(Parts {
        name: RouteName::new("r"),
        terms,
        store,
        keeps: true,
        upstreams: Vec::new(),
        connections: 1,
        instance: "pinstripe".into(),
        window: 1 << 20,
        clock: Clock::fixed(SystemTime::UNIX_EPOCH),
        metrics: Arc::new(Metrics::new(Registry::new()).unwrap()),
        tasks: TaskTracker::new(),
    })
}

fn course() -> Course {
    let tag = StrongETag::parse(b"\"a\"").unwrap();
    let key = ObjectKey::new(&RouteName::new("r"), &AuthorityId::new(["a"]), None, "/o", None);
    let size = ObjectSize::new(SIZE);
    let request = Request {
        key: key.clone(),
        query: None,
        read: Read {
            method: Method::Get,
            kind: Kind::Pinned(vec![tag.clone()]),
            target: Target::Whole,
            unless: Unless::default(),
            control: CacheControl::default(),
        },
        fields: Arc::default(),
        fingerprint: [0; 16],
    };
    Course {
        request,
        revision: Revision { key, tag: tag.clone() },
        head: Arc::new(Head::new(
            tag,
            size,
            &HeaderMap::new(),
            SystemTime::UNIX_EPOCH,
            TakenFrom::Whole,
        )),
        range: size.whole().unwrap(),
        reach: Reach::All,
        claim: Claim::Current,
        used: Use::default(),
    }
}

/// So many bytes, and then one more every few seconds.
fn drips(first: usize) -> Body {
    let first = stream::iter([Ok(Bytes::from(vec![0; first]))]);
    let rest = stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        Some((Ok(Bytes::from_static(b"x")), ()))
    });
    Box::pin(first.chain(rest))
}

/// Runs a transfer whose reader leaves at once; how long it took, and whether the first block is stored.
async fn left_alone(body: Body) -> (Duration, bool) {
    let store = Arc::new(Memory::new(BlockSize::new(BlockSize::MIN).unwrap()));
    let (flight, course) = (Flight::new(1 << 20), course());
    let told = Told {
        tier: Tier::new(0),
        asked: Asked::free(Method::Get, Target::Whole),
        heard: Heard::failed(Cause::Reset),
        own: false,
    };
    let reader = flight.follow(0);
    flight.take_off(told, course.range, Use::default());
    drop(reader);
    let (started, revision) = (Instant::now(), course.revision.clone());
    let route = route(Arc::clone(&store));
    Pilot::new(route, flight, course, vec![BlockIndex::new(0)])
        .run(body)
        .await;
    let took = started.elapsed();
    tokio::task::yield_now().await;
    let first = ByteRange::new(0, 0).unwrap();
    let read = crate::tier::store::BlockStore::read(&*store, &revision, BlockIndex::new(0), first).await;
    (took, read.is_ok())
}

#[tokio::test(start_paused = true)]
async fn what_drips_for_nobody_is_given_up() {
    let (took, stored) = left_alone(drips(10)).await;
    assert!(took <= Duration::from_secs(14), "{took:?}");
    assert!(!stored);
}

#[tokio::test(start_paused = true)]
async fn what_comes_is_kept_for_those_to_come() {
    let block = usize::try_from(BlockSize::MIN).unwrap();
    let (_, stored) = left_alone(drips(block + 10)).await;
    assert!(stored);
}
