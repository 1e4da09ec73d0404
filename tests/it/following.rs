//! Readers of blocks in flight: nobody is paced by another, nothing is fetched twice, and a transfer that nobody reads
//! ends.

use futures_util::future::join_all;
use pinstripe_kit::origin::{Act, Origin, Resource, Rule};
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::raw::{End, Wire};
use pinstripe_kit::s3::S3Server;

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
    let head = wire.head().await.unwrap();
    assert_eq!(head.status, 200);
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
    let size = 4 * BLOCK;
    let origin = origin_with(size).await;
    let sidecar = Sidecar::start(&http_config(&origin.url(), "")).await;
    assert_eq!(sidecar.get(&pinned("0-9")).await.status(), 206);
    // Each with a field that only one answer in two has, as load balancers add it.
    origin.script(Rule::on("/x").act(Act::field("Set-Cookie", "server=1")));
    for range in ["0-", "0-99999"] {
        let answer = sidecar.get(&pinned(range)).await;
        assert_eq!((answer.status(), answer.end), (206, End::Complete), "{:?}", answer.head);
        ONE.verify(0, &answer.body).unwrap();
    }
    // Once the hole, once all that is wanted in one answer that may be handed on.
    assert_eq!(origin.requests().len(), 5);
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
    let sidecar = Sidecar::start(&http_config(&origin.url(), "")).await;
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
