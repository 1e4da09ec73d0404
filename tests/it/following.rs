//! Readers of blocks in flight: nobody is paced by another, nothing is fetched twice, and a transfer that nobody reads
//! ends.

use futures_util::future::join_all;
use pinstripe_kit::client::Download;
use pinstripe_kit::gate::Gate;
use pinstripe_kit::origin::{Act, Origin, Resource, Rule};
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::raw::{End, Wire};
use pinstripe_kit::s3::S3Server;

use crate::stage::{SIZE, Stage, bytes, tag};
use crate::support::{Sidecar, head, http_config, s3_config};

const BLOCK: u64 = 64 << 10;
const ONE: Pattern = Pattern::new(7, 1);

async fn origin_with(size: u64) -> Origin {
    let origin = Origin::start().await.unwrap();
    origin.put("/x", Resource::pattern(ONE, size));
    origin
}

fn pinned(range: &str) -> String {
    format!("GET /x; If-Match: {}; Range: bytes={range}", ONE.etag())
}

/// As [`http_config`], without a disk and with the smallest window.
fn diskless(url: &str) -> String {
    http_config(url, "")
        .replace("[local, origin]", "[origin]")
        .lines()
        .filter(|line| !line.contains("  local:"))
        .map(|line| format!("{line}\n"))
        .collect::<String>()
        + "limits: { window: 64KiB }\n"
}

async fn whole_body(wire: &mut Wire, request: &str, size: u64) {
    wire.send(request).await.unwrap();
    assert_eq!(wire.head().await.unwrap().status, 200);
    rest_of_body(wire, size).await;
}

async fn rest_of_body(wire: &mut Wire, size: u64) {
    let mut at = 0;
    while at < size {
        let (bytes, end) = wire.up_to(usize::try_from((size - at).min(1 << 20)).unwrap()).await;
        assert_eq!(end, End::Complete, "at {at}");
        ONE.verify(at, &bytes).unwrap();
        at += u64::try_from(bytes.len()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_slower_than_the_origin_costs_one_question() {
    let size = 32 << 20;
    let origin = origin_with(size).await;
    let sidecar = Sidecar::start(&diskless(&origin.url())).await;
    let mut wire = Wire::connect(sidecar.address).await.unwrap();
    whole_body(&mut wire, &head(sidecar.address, "GET /x"), size).await;
    assert_eq!(origin.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_fetches_no_body() {
    let origin = origin_with(1 << 20).await;
    let sidecar = Sidecar::start(&http_config(&origin.url(), "")).await;
    assert_eq!(sidecar.get("HEAD /x").await.status(), 200);
    // Whatever runs on behalf of it has ended after this.
    sidecar.stop().await;
    let methods: Vec<_> = origin.requests().into_iter().map(|request| request.method).collect();
    assert_eq!(methods, ["HEAD"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pinned_read_of_what_must_not_be_stored_is_served() {
    let origin = Origin::start().await.unwrap();
    origin.put(
        "/x",
        Resource::pattern(ONE, 4 * BLOCK).field("Cache-Control", "no-store"),
    );
    let sidecar = Sidecar::start(&http_config(&origin.url(), "")).await;
    for _ in 0..2 {
        let answer = sidecar.get(&pinned("10-99999")).await;
        assert_eq!((answer.status(), answer.end), (206, End::Complete), "{:?}", answer.head);
        assert_eq!(answer.head.content_range(), Some((10, 99_999, 4 * BLOCK)));
        assert_eq!(answer.body, ONE.bytes(10..100_000));
    }
    assert_eq!(origin.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hole_may_be_closed_by_an_answer_that_must_not_be_stored() {
    let stage = Stage::start().await;
    stage.fill_pinned(1, 0, 9).await;
    // Each with a field that only one answer in two has, as load balancers add it.
    stage
        .origin
        .script(Rule::any().act(Act::field("Set-Cookie", "server=1")));
    for (range, end) in [("0-", SIZE), ("0-99999", 100_000)] {
        stage.origin.forget();
        let answer = stage
            .get(&format!("GET /o; If-Match: {}; Range: bytes={range}", tag(1)))
            .await;
        assert_eq!((answer.status(), answer.end), (206, End::Complete), "{:?}", answer.head);
        assert_eq!(answer.body, bytes(1, 0..end));
        // The hole; and as its answer may not be joined with what is here, all that is wanted in one answer.
        assert_eq!(stage.origin.requests().len(), 2, "{range}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hole_is_asked_for_once() {
    let size = 32 * BLOCK;
    let origin = origin_with(size).await;
    let sidecar = Sidecar::start(&http_config(&origin.url(), "")).await;
    assert_eq!(sidecar.get(&pinned("0-9")).await.status(), 206);
    let answer = sidecar.get(&pinned("0-")).await;
    assert_eq!((answer.status(), answer.end), (206, End::Complete), "{:?}", answer.head);
    assert_eq!(answer.body, ONE.bytes(0..size));
    let requests = origin.requests();
    let ranges: Vec<_> = requests.iter().filter_map(|request| request.field("Range")).collect();
    assert_eq!(ranges, ["bytes=0-65535", "bytes=65536-2097151"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_that_nobody_reads_ends_with_the_block() {
    let size = 512 << 20;
    let server = S3Server::start().await.unwrap();
    server.put_pattern("bucket", "x", ONE, size);
    let sidecar = Sidecar::start(&s3_config(&server, "")).await;
    let mut wire = Wire::connect(sidecar.address).await.unwrap();
    wire.send(head(sidecar.address, "GET /a/x")).await.unwrap();
    assert_eq!(wire.head().await.unwrap().status, 200);
    let (begun, _) = wire.up_to(100).await;
    assert_eq!(begun, ONE.bytes(0..100));
    wire.reset().unwrap();
    server.counters().idle().await;
    // What fits into buffers on the way, and not the rest.
    let sent = server.counters().snapshot().body_bytes;
    assert!(sent < size / 4, "{sent}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_gets_at_the_same_time_fetch_once() {
    let size = 48 << 20;
    let origin = origin_with(size).await;
    // A disk that keeps up, however busy the machine is.
    let config = http_config(&origin.url(), ", parallel: 1") + "limits: { fills: 256MiB }\n";
    let sidecar = Sidecar::start(&config).await;
    let address = sidecar.address;
    join_all((0..6).map(|_| async move {
        let mut wire = Wire::connect(address).await.unwrap();
        whole_body(&mut wire, &head(address, "GET /x"), size).await;
    }))
    .await;
    let sent: u64 = origin.requests().iter().map(|request| request.body_sent()).sum();
    assert!(
        sent < size + size / 5,
        "{sent} bytes for {size}: {}",
        origin.requests().len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_first_client_does_not_pace_a_fast_second_one() {
    // More than sockets take on the way.
    let size = 96 << 20;
    for config in [http_config, |url: &str, _: &str| diskless(url)] {
        let origin = origin_with(size).await;
        let sidecar = Sidecar::start(&config(&origin.url(), "")).await;
        let mut slow = Wire::connect(sidecar.address).await.unwrap();
        slow.send(head(sidecar.address, "GET /x")).await.unwrap();
        assert_eq!(slow.head().await.unwrap().status, 200);
        let mut fast = Wire::connect(sidecar.address).await.unwrap();
        whole_body(&mut fast, &head(sidecar.address, "GET /x"), size).await;
        // The slow one goes on where it was, and gets the same.
        rest_of_body(&mut slow, size).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_takes_nothing_from_those_who_stay() {
    let size = 4 << 20;
    let origin = origin_with(size).await;
    let gate = Gate::closed();
    let at = size / 2 + 1000;
    origin.script(Rule::on("/x").act(Act::Stall { at, gate: gate.clone() }));
    let sidecar = Sidecar::start(&http_config(&origin.url(), "")).await;
    let request = head(sidecar.address, "GET /x");
    let mut first = Wire::connect(sidecar.address).await.unwrap();
    first.send(&request).await.unwrap();
    assert_eq!(first.head().await.unwrap().status, 200);
    gate.waiting(1).await;
    let mut second = Wire::connect(sidecar.address).await.unwrap();
    second.send(&request).await.unwrap();
    assert_eq!(second.head().await.unwrap().status, 200);
    first.reset().unwrap();
    gate.open();
    rest_of_body(&mut second, size).await;
    let bodies = origin.requests().into_iter().filter(|request| request.body_sent() > 0);
    assert_eq!(bodies.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_takes_little_does_not_slow_a_download_down() {
    let size = 64 << 20;
    let origin = origin_with(size).await;
    let config = http_config(&origin.url(), "") + "limits: { fills: 1MiB }\n";
    let sidecar = Sidecar::start(&config).await;
    for connections in [1, 8] {
        let outcome = Download {
            connections,
            ..Download::new([sidecar.address], "/x", 7)
        }
        .run()
        .await;
        assert_eq!(outcome.verified, Ok(Some(1)), "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_that_ignores_ranges_is_asked_for_its_bytes_once() {
    let size = 256 * BLOCK;
    let origin = origin_with(size).await;
    origin.script(Rule::on("/x").act(Act::Ignore("Range".parse().unwrap())));
    let sidecar = Sidecar::start(&http_config(&origin.url(), "")).await;
    let sidecar = &sidecar;
    join_all((0..50).map(|reader| async move {
        // Scattered, and none at a border.
        let first = (reader * 37 % 50) * (size / 50) + reader;
        let answer = sidecar
            .get(&format!("GET /x; Range: bytes={first}-{}", first + 99_999))
            .await;
        assert_eq!((answer.status(), answer.end), (206, End::Complete), "{:?}", answer.head);
        ONE.verify(first, &answer.body).unwrap();
    }))
    .await;
    let sent: u64 = origin.requests().iter().map(|request| request.body_sent()).sum();
    assert!(sent <= size, "{sent} bytes for {size}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parallel_download_from_an_origin_that_ignores_ranges_is_one_transfer() {
    let size = 24 << 20;
    let origin = origin_with(size).await;
    origin.script(Rule::on("/x").act(Act::Ignore("Range".parse().unwrap())));
    let sidecar = Sidecar::start(&http_config(&origin.url(), "")).await;
    let download = Download {
        chunk: 1 << 20,
        ..Download::new([sidecar.address], "/x", 7)
    };
    let outcome = download.run().await;
    assert_eq!(outcome.verified, Ok(Some(1)), "{outcome:?}");
    let sent: u64 = origin.requests().iter().map(|request| request.body_sent()).sum();
    assert!(sent <= size, "{sent} bytes for {size}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_agents_cost_one_transfer() {
    let size = 24 << 20;
    let origin = origin_with(size).await;
    // A disk that keeps up, however busy the machine is.
    let config = http_config(&origin.url(), "") + "limits: { fills: 256MiB }\n";
    let sidecar = Sidecar::start(&config).await;
    // Its revision is known, so that a discovery that had to wait for a second, and is asked beside another, brings nothing.
    sidecar.get("GET /x; Range: bytes=0-0").await;
    let address = sidecar.address;
    let outcomes = join_all((0..16).map(|_| async move { Download::new([address], "/x", 7).run().await })).await;
    for outcome in outcomes {
        assert_eq!(outcome.verified, Ok(Some(1)), "{outcome:?}");
    }
    let requests = origin.requests();
    let sent: u64 = requests.iter().map(|request| request.body_sent()).sum();
    let ranges = requests
        .iter()
        .map(|request| (request.field("Range"), request.body_sent()));
    let ranges: Vec<_> = ranges.collect();
    assert!(sent <= size + size / 50, "{sent} bytes for {size}: {ranges:?}");
}
