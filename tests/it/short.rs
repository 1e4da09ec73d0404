//! The short way: chunks that are at hand are answered as on the long way, in their order among others, and counted.

use http::HeaderMap;
use pinstripe_kit::raw::{Answer, Wire};

use crate::stage::{BLOCK, SIZE, Stage, bytes, is_part, pinned, ranged, tag};
use crate::support::head;

/// With all blocks in open files.
async fn warm() -> Stage {
    let stage = Stage::start().await;
    stage.fill().await;
    for block in 0..SIZE.div_ceil(BLOCK) {
        stage.get(&pinned(1, block * BLOCK, block * BLOCK)).await;
    }
    stage
}

async fn wire(stage: &Stage) -> Wire {
    Wire::connect(stage.sidecar.address).await.unwrap()
}

/// Pingora says how the connection goes on, the short way leaves it at what HTTP/1.1 says.
fn was_short(answer: &Answer) -> bool {
    answer.field("connection").is_none()
}

/// Without what is of one connection.
fn fields(answer: &Answer) -> HeaderMap {
    let mut fields = answer.head.headers.clone();
    fields.remove("connection");
    fields
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_answers_as_the_long_way_does() {
    let stage = warm().await;
    let mut wire = wire(&stage).await;
    let chunk = |first, last, more: &str| format!("{}{more}", pinned(1, first, last));
    for (short, request) in [
        (true, chunk(0, 0, "")),
        (true, chunk(10, 4105, "")),
        (true, chunk(BLOCK, 2 * BLOCK - 1, "")),
        (true, chunk(SIZE - 1, SIZE - 1, "")),
        (true, chunk(5, 9, "; If-None-Match: \"other\"")),
        (true, chunk(5, 9, "; Connection: keep-alive")),
        (true, chunk(5, 9, "; Cache-Control: no-cache")),
        (true, chunk(5, 9, &format!("; If-Range: {}", tag(1)))),
        (false, chunk(5, 9, &format!("; If-None-Match: {}", tag(1)))),
        (false, chunk(BLOCK - 1, BLOCK, "")),
        (false, chunk(SIZE - 1, SIZE, "")),
        (false, chunk(SIZE, SIZE, "")),
        (false, chunk(5, 9, "; If-Range: \"other\"")),
        (false, chunk(5, 9, "; Expect: 100-continue")),
        (false, chunk(5, 9, "; Authorization: Basic eA==")),
        (false, chunk(5, 9, "; Range: bytes=0-1")),
        (false, chunk(5, 9, "; Connection: keep-alive; Connection: close")),
        (false, format!("HEAD /o; Range: bytes=0-1; If-Match: {}", tag(1))),
        (false, format!("{}; If-Match: {}, \"other\"", ranged(5, 9), tag(1))),
        (false, format!("{}; If-Match: \"x", ranged(5, 9))),
    ] {
        let raw = head(stage.sidecar.address, &request);
        let answer = match wire.exchange(&raw).await {
            Ok(answer) => answer,
            Err(error) => panic!("{request}: {error}"),
        };
        assert_eq!(was_short(&answer), short, "{request}: {:?}", answer.head);
        if answer.field("connection") == Some("close") {
            wire = self::wire(&stage).await;
        }
        let long = stage.get(&format!("{request}; Connection: close")).await;
        assert!(!was_short(&long), "{request}");
        assert_eq!(answer.status(), long.status(), "{request}");
        assert_eq!(fields(&answer), fields(&long), "{request}");
        assert_eq!(answer.body, long.body, "{request}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_chunks_are_answered_in_order_among_others() {
    let stage = warm().await;
    let mut wire = wire(&stage).await;
    let address = stage.sidecar.address;
    let chunks: Vec<u64> = (0..40).map(|n| n * 37 % 60_000).collect();
    let mut all = String::new();
    for first in &chunks {
        all += &head(address, &pinned(1, *first, first + 99));
        all += &head(address, "GET /nothing; Via: 1.1 x; Range: bytes=0-1");
        all += &head(address, &pinned(1, BLOCK + first, BLOCK + first + 9));
    }
    wire.send(all).await.unwrap();
    for first in chunks {
        is_part(&wire.answer(false).await.unwrap(), 1, first, first + 99);
        assert_eq!(wire.answer(false).await.unwrap().status(), 404);
        is_part(&wire.answer(false).await.unwrap(), 1, BLOCK + first, BLOCK + first + 9);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_counts_what_it_answers() {
    let stage = warm().await;
    let requests = "pinstripe_requests_total{class=\"pinned\",outcome=\"disk\",route=\"artifacts\"}";
    let sent = "pinstripe_sent_bytes_total{source=\"disk\"}";
    // A byte of each block was read, and is counted after it was sent.
    stage.sidecar.counted(sent, SIZE.div_ceil(BLOCK)).await;
    let before = (stage.sidecar.count(requests).await, stage.sidecar.count(sent).await);
    let mut wire = wire(&stage).await;
    for _ in 0..10 {
        let answer = wire
            .exchange(head(stage.sidecar.address, &pinned(1, 7, 106)))
            .await
            .unwrap();
        assert!(was_short(&answer));
        assert_eq!(answer.body, bytes(1, 7..107));
    }
    // The last one is counted after it was sent.
    stage.sidecar.counted(requests, before.0 + 10).await;
    assert_eq!(stage.sidecar.count(sent).await, before.1 + 1000);
    assert_eq!(stage.sidecar.count("pinstripe_requests_in_flight").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grace_ends_it() {
    let stage = warm().await;
    let mut wire = wire(&stage).await;
    let chunk = head(stage.sidecar.address, &pinned(1, 0, 9));
    assert!(was_short(&wire.exchange(&chunk).await.unwrap()));
    stage.put(2);
    // What is current has moved on, and a pin is served as long as grace lasts; then it is the authority's to refuse.
    assert_eq!(stage.get(&ranged(0, 9)).await.status(), 206);
    assert!(was_short(&wire.exchange(&chunk).await.unwrap()));
    stage
        .clock
        .set(stage.clock.now() + std::time::Duration::from_secs(16 * 60));
    assert_eq!(wire.exchange(&chunk).await.unwrap().status(), 412);
}
