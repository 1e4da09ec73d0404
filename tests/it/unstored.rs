//! What must not be stored, or cannot be blocks, is passed on and leaves nothing behind.

use pinstripe_kit::origin::{Act, Resource, Rule};
use pinstripe_kit::raw::Wire;

use crate::stage::{BLOCK, SIZE, Stage, bytes, detail, is_part, is_whole, pinned, ranged, resource, rev, tag};
use crate::support;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_forbid_it_are_asked_for_every_time() {
    let stage = Stage::start().await;
    let fields = [
        ("Cache-Control", "no-store"),
        ("Cache-Control", "max-age=60, private"),
        ("Cache-Control", "private=\"x-build\""),
        ("Set-Cookie", "a=b"),
        ("Vary", "User-Agent"),
        ("Vary", "Accept-Encoding, *"),
        ("Content-Encoding", "gzip"),
    ];
    for (name, value) in fields {
        stage.origin.put("/o", resource(1).field(name, value));
        stage.origin.forget();
        for _ in 0..2 {
            is_part(&stage.get(&ranged(9, BLOCK + 9)).await, 1, 9, BLOCK + 9);
            is_whole(&stage.get("GET /o").await, 1);
            is_part(&stage.get(&pinned(1, 9, 99)).await, 1, 9, 99);
            let head = stage.get("HEAD /o").await;
            assert_eq!((head.status(), head.field(name)), (200, Some(value)));
        }
        let asked = stage.origin.requests();
        assert_eq!(asked.len(), 8, "{name}: {value}: {asked:?}");
        // Nothing stands in for it, either.
        stage.origin.script(Rule::any().act(Act::status(503)));
        assert_eq!(stage.get(&ranged(9, 99)).await.status(), 503);
        stage.origin.repent();
    }
    assert_eq!(stage.sidecar.stored().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_vary_by_what_we_ask_with_is_stored() {
    let stage = Stage::start().await;
    let varies = resource(1).field("Vary", "Accept-Encoding").field("Vary", "origin");
    stage.origin.put("/o", varies);
    stage.fill().await;
    let answer = stage
        .get(&format!("{}; Accept-Encoding: gzip; Origin: http://x", ranged(0, 99)))
        .await;
    is_part(&answer, 1, 0, 99);
    let asked = stage.origin.requests();
    assert_eq!((asked.len(), asked[0].body_sent()), (1, 0));
    assert_eq!(
        (asked[0].field("accept-encoding"), asked[0].field("origin")),
        (Some("identity"), None)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_must_not_be_stored_is_passed_on() {
    let stage = Stage::start().await;
    for _ in 0..2 {
        let answer = stage.get("GET /o; Cache-Control: no-store").await;
        is_whole(&answer, 1);
        assert_eq!(detail(&answer), "no-store");
    }
    assert_eq!((stage.origin.requests().len(), stage.sidecar.stored().await), (2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_tag_or_a_length_nothing_is_stored() {
    let stage = Stage::start().await;
    let cases = [
        Rule::any().act(Act::lacks("ETag")),
        Rule::any().act(Act::field("ETag", "W/\"x\"")),
        Rule::any().act(Act::field("ETag", "\"not a tag")),
        Rule::any().act(Act::edit(|reply| {
            reply.fields.push(("ETag".into(), "\"second\"".into()))
        })),
        Rule::any().act(Act::Chunked),
        Rule::any().act(Act::UntilClose),
    ];
    for rule in cases {
        stage.origin.script(rule);
        let answer = stage.get("GET /o").await;
        assert_eq!(answer.status(), 200);
        assert!(answer.body == bytes(1, 0..SIZE));
        stage.origin.repent();
    }
    assert_eq!(stage.sidecar.stored().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pinned_answer_that_must_not_be_stored_is_passed_on_whole() {
    let stage = Stage::start().await;
    stage.origin.put("/o", resource(1).field("Cache-Control", "private"));
    for _ in 0..2 {
        is_part(&stage.get(&pinned(1, 9, 99)).await, 1, 9, 99);
    }
    assert_eq!(stage.origin.requests().len(), 2);
    // Also where some of it was stored before it said so.
    stage.put(1);
    stage.fill_pinned(1, 0, 99).await;
    stage.origin.put("/o", resource(1).field("Set-Cookie", "a=b"));
    is_part(&stage.get(&pinned(1, 9, 2 * BLOCK)).await, 1, 9, 2 * BLOCK);
    is_part(&stage.get(&ranged(9, 2 * BLOCK)).await, 1, 9, 2 * BLOCK);
    assert_eq!(stage.sidecar.stored().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_must_not_be_stored_fills_holes_without_being_stored() {
    let stage = Stage::start().await;
    for block in [1, 3] {
        is_part(
            &stage.get(&ranged(block * BLOCK, block * BLOCK)).await,
            1,
            block * BLOCK,
            block * BLOCK,
        );
    }
    stage.sidecar.has_stored(2).await;
    stage
        .origin
        .script(Rule::on("/o").with("If-Match").act(Act::field("Set-Cookie", "a=b")));
    for first in [0, BLOCK, 2 * BLOCK] {
        is_part(&stage.get(&pinned(1, first, SIZE - 1)).await, 1, first, SIZE - 1);
        is_part(&stage.get(&ranged(first, SIZE - 1)).await, 1, first, SIZE - 1);
    }
    // A discovery that has to be asked anew brings its own bytes, which may be stored.
    is_part(&stage.get(&ranged(0, 2 * BLOCK)).await, 1, 0, 2 * BLOCK);
    assert!(stage.origin.requests().len() < 30, "{}", stage.origin.requests().len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_more_blocks_than_are_kept_is_passed_on() {
    let stage = Stage::start().await;
    for size in [(BLOCK << 21) + 1, 1 << 62] {
        stage.origin.put("/o", Resource::pattern(rev(1), size).tag(tag(1)));
        stage.origin.forget();
        let length = size.to_string();
        for _ in 0..2 {
            let head = stage.get("HEAD /o").await;
            assert_eq!((head.status(), head.field("content-length")), (200, Some(&*length)));
            for range in [ranged(9, 99), pinned(1, 9, 99)] {
                let answer = stage.get(&range).await;
                assert_eq!(answer.head.content_range(), Some((9, 99, size)), "{range}");
                assert_eq!(answer.body, bytes(1, 9..100), "{range}");
            }
            for whole in ["GET /o", "GET /o; Range: bytes=0-"] {
                let mut wire = Wire::connect(stage.sidecar.address).await.unwrap();
                wire.send(support::head(stage.sidecar.address, whole)).await.unwrap();
                let head = wire.head().await.unwrap();
                assert_eq!(head.field("content-length"), Some(&*length), "{whole}");
            }
        }
        assert!(stage.origin.requests().len() >= 10);
    }
    assert_eq!(stage.sidecar.stored().await, 0);
    stage
        .origin
        .put("/o", Resource::pattern(rev(2), BLOCK << 21).tag(tag(2)));
    assert_eq!(stage.get(&ranged(9, 99)).await.body, bytes(2, 9..100));
    let stored = "pinstripe_fills_total{outcome=\"stored\"}";
    stage.sidecar.counted(stored, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_length_beside_chunks_cuts_nothing() {
    let stage = Stage::start().await;
    let answer = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n\
        a\r\n0123456789\r\n0\r\n\r\n";
    stage.origin.script(Rule::any().act(Act::Garbage(answer.into())));
    for request in ["GET /o", "GET /o; Range: bytes=0-99"] {
        let answer = stage.get(request).await;
        assert_eq!((answer.status(), &*answer.body), (200, &b"0123456789"[..]), "{request}");
    }
}
