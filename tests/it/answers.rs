//! What every answer carries, and what none does.

use std::time::Duration;

use pinstripe_kit::origin::{Act, Origin, Resource, Rule};
use pinstripe_kit::raw;
use pinstripe_kit::raw::Answer;

use crate::stage::{BLOCK, SIZE, Stage, config, detail, is_part, is_whole, pinned, ranged, resource, tag};
use crate::support::Sidecar;

fn status(answer: &Answer) -> &str {
    answer.field("cache-status").unwrap()
}

#[tokio::test]
async fn cache_status_says_where_an_answer_is_from() {
    let stage = Stage::start().await;
    let fetched = stage.get(&ranged(0, 9)).await;
    assert_eq!(
        status(&fetched),
        "pinstripe; fwd=uri-miss; fwd-status=206; stored; detail=fetched"
    );
    stage.sidecar.has_stored(1).await;
    let validated = stage.get(&ranged(0, 9)).await;
    assert_eq!(
        status(&validated),
        "pinstripe; fwd=stale; fwd-status=304; detail=validated"
    );
    let hit = stage.get(&pinned(1, 0, 9)).await;
    assert_eq!(status(&hit), "pinstripe; hit; detail=disk");
    let joined = stage.get(&pinned(1, 0, BLOCK)).await;
    assert_eq!(
        status(&joined),
        "pinstripe; fwd=partial; fwd-status=206; stored; detail=joined"
    );
    let missed = stage.get(&pinned(2, 0, 9)).await;
    assert_eq!(
        status(&missed),
        "pinstripe; fwd=miss; fwd-status=412; detail=pin-mismatch"
    );
    let asked = stage.get("GET /o; Cache-Control: no-cache").await;
    assert!(
        status(&asked).starts_with("pinstripe; fwd=request; fwd-status="),
        "{}",
        status(&asked)
    );
    let passed = stage.get("POST /w; Content-Length: 0").await;
    assert_eq!(status(&passed), "pinstripe; fwd=method; fwd-status=201; detail=method");
}

#[tokio::test]
async fn the_name_in_it_is_the_instances_and_what_others_said_stays() {
    let origin = Origin::start().await.unwrap();
    let said = resource(1).field("Cache-Status", "near; hit").field("Via", "1.1 near");
    origin.put("/o", said);
    let yaml = format!("instance: left\n{}", config(&origin.url(), "", ""));
    let sidecar = Sidecar::start(&yaml).await;
    // What was said of another answer than this is not replayed.
    let answer = sidecar.get(&ranged(0, 9)).await;
    assert_eq!(
        status(&answer),
        "left; fwd=uri-miss; fwd-status=206; stored; detail=fetched"
    );
    origin.put(
        "/o",
        resource(1)
            .untagged()
            .field("Cache-Status", "near; hit")
            .field("Via", "1.1 near"),
    );
    let answer = sidecar.get("GET /o; Cache-Control: no-cache").await;
    let lines: Vec<_> = answer.head.headers.get_all("cache-status").iter().collect();
    assert!(
        lines[0] == "near; hit" && lines[1].to_str().unwrap().starts_with("left; "),
        "{lines:?}"
    );
    let via: Vec<_> = answer
        .head
        .headers
        .get_all("via")
        .iter()
        .map(|line| line.to_str().unwrap())
        .collect();
    assert_eq!(via.join(", "), "1.1 near, 1.1 left");
    let asked = origin.requests();
    assert!(asked[0].field("via").unwrap().starts_with("1.1 left"));
}

#[tokio::test]
async fn age_is_told_and_grows() {
    let stage = Stage::start().await;
    stage.origin.put("/o", resource(1).field("Age", "100"));
    let age = |answer: &Answer| answer.field("age").unwrap().parse::<u64>().unwrap();
    let fresh = stage.get(&ranged(0, 9)).await;
    assert_eq!(age(&fresh), 100);
    assert_eq!(fresh.head.headers.get_all("age").iter().count(), 1);
    stage.sidecar.has_stored(1).await;
    stage.clock.set(stage.clock.now() + Duration::from_secs(30));
    assert_eq!(age(&stage.get(&pinned(1, 0, 9)).await), 130);
}

#[tokio::test]
async fn ranges_are_offered_even_if_the_origin_does_not() {
    let stage = Stage::start().await;
    stage.origin.script(Rule::any().act(Act::lacks("Accept-Ranges")));
    for request in [ranged(0, 9), "GET /o".to_owned(), pinned(1, 0, 9), "HEAD /o".to_owned()] {
        assert_eq!(
            stage.get(&request).await.field("accept-ranges"),
            Some("bytes"),
            "{request}"
        );
    }
}

#[tokio::test]
async fn fields_of_other_bytes_are_left_out() {
    let own = [
        "content-md5",
        "content-digest",
        "x-amz-checksum-crc32",
        "x-amz-checksum-sha256",
    ];
    let digested = own
        .iter()
        .fold(resource(1), |resource, name| resource.field(*name, "AAAA"));
    let stage = Stage::start().await;
    stage.origin.put("/o", digested);
    let none = |answer: &Answer| assert!(own.iter().all(|name| answer.field(name).is_none()), "{:?}", answer.head);
    let all = |answer: &Answer| assert!(own.iter().all(|name| answer.field(name).is_some()), "{:?}", answer.head);
    // What came with a part of the bytes is not said of another part, nor of all.
    let answer = stage.get(&ranged(3, 9)).await;
    none(&answer);
    let head = stage.get("HEAD /o").await;
    all(&head);
    none(&stage.get(&ranged(0, 9)).await);
    none(&stage.get(&pinned(1, 0, BLOCK)).await);
    let whole = stage.get("GET /o; Cache-Control: no-cache").await;
    is_whole(&whole, 1);
    stage.sidecar.has_stored(5).await;
    none(&stage.get(&pinned(1, 0, SIZE - 2)).await);
    // One that is passed on as it came keeps what came with it.
    let weak = resource(1).tag("W/\"w\"").field("Content-MD5", "AAAA");
    stage.origin.put("/o", weak);
    assert_eq!(stage.get("GET /o").await.field("content-md5"), Some("AAAA"));
    assert_eq!(stage.get(&ranged(3, 9)).await.field("content-md5"), None);
}

#[tokio::test]
async fn nothing_of_a_connection_leaks() {
    let stage = Stage::start().await;
    let hops = [
        ("Connection", "x-internal, keep-alive"),
        ("X-Internal", "secret"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Authenticate", "Basic"),
        ("Trailer", "x-t"),
        ("Upgrade", "h2c"),
        ("TE", "trailers"),
    ];
    let with = |resource| {
        hops.iter().fold(resource, |resource: Resource, (name, value)| {
            resource.field(*name, *value)
        })
    };
    stage.origin.put("/o", with(resource(1)));
    stage.origin.put("/weak", with(resource(1).untagged()));
    let gone = Act::answer(404, &hops, "no");
    stage.origin.script(Rule::on("/gone").act(gone));
    let requests = [
        ranged(0, 9),
        ranged(0, 9),
        pinned(1, 0, 9),
        "GET /o".into(),
        "HEAD /o".into(),
        "GET /weak".into(),
        "GET /gone".into(),
    ];
    for request in requests {
        let answer = stage.get(&request).await;
        for name in ["x-internal", "proxy-authenticate", "trailer", "upgrade", "te"] {
            assert_eq!(answer.field(name), None, "{request} {name}");
        }
        assert_ne!(answer.field("keep-alive"), Some("timeout=5"));
        assert!(!answer.field("connection").unwrap_or("").contains("x-internal"));
    }
    let client = format!(
        "{}; Connection: x-mine; X-Mine: 1; TE: trailers; Keep-Alive: 9",
        ranged(2 * BLOCK, 2 * BLOCK)
    );
    stage.origin.forget();
    stage.get(&client).await;
    for asked in stage.origin.requests() {
        assert!(
            ["x-mine", "te", "keep-alive"]
                .iter()
                .all(|name| asked.field(name).is_none()),
            "{:?}",
            asked.headers
        );
    }
}

#[tokio::test]
async fn a_head_and_a_304_have_no_body() {
    let stage = Stage::start().await;
    stage
        .origin
        .script(Rule::on("/teapot").act(Act::answer(418, &[], "short and stout")));
    let requests = [
        "HEAD /o".to_owned(),
        format!("HEAD /o; If-Match: {}", tag(1)),
        format!("HEAD /o; If-Match: {}", tag(2)),
        "HEAD /none".into(),
        "HEAD /teapot".into(),
        "HEAD /o; Authorization: x".into(),
        format!("GET /o; If-None-Match: {}", tag(1)),
        "HEAD /../o".into(),
    ];
    for request in requests {
        let mut wire = raw::Wire::connect(stage.sidecar.address).await.unwrap();
        let last = "; Connection: close";
        wire.send(crate::support::head(stage.sidecar.address, &format!("{request}{last}")))
            .await
            .unwrap();
        wire.head().await.unwrap();
        assert!(wire.is_closed().await, "{request}");
    }
}

#[tokio::test]
async fn one_connection_serves_request_after_request() {
    let stage = Stage::start().await;
    let mut wire = raw::Wire::connect(stage.sidecar.address).await.unwrap();
    let requests = [
        ranged(0, 9),
        "GET /none".to_owned(),
        pinned(2, 0, 9),
        ranged(SIZE, SIZE),
        "HEAD /o".into(),
        pinned(1, 0, 9),
    ];
    for (request, expected) in requests.iter().zip([206, 404, 412, 416, 200, 206]) {
        let answer = wire
            .exchange(crate::support::head(stage.sidecar.address, request))
            .await
            .unwrap();
        assert_eq!(answer.status(), expected, "{request}");
    }
}

#[tokio::test]
async fn requests_are_counted_by_route_class_and_outcome() {
    let stage = Stage::start().await;
    is_part(&stage.get(&ranged(0, 9)).await, 1, 0, 9);
    stage.sidecar.has_stored(1).await;
    is_part(&stage.get(&ranged(0, 9)).await, 1, 0, 9);
    is_part(&stage.get(&pinned(1, 0, 9)).await, 1, 0, 9);
    assert_eq!(stage.get(&pinned(2, 0, 9)).await.status(), 412);
    stage.get("GET /none").await;
    stage.get("POST /w; Content-Length: 0").await;
    let counted = [
        ("discovery", "fetched"),
        ("discovery", "validated"),
        ("pinned", "disk"),
        ("pinned", "pin-mismatch"),
        ("whole", "not-found"),
        ("pass", "method"),
    ];
    for (class, outcome) in counted {
        let name = format!("pinstripe_requests_total{{class=\"{class}\",outcome=\"{outcome}\",route=\"artifacts\"}}");
        stage.sidecar.counted(&name, 1).await;
    }
    assert_eq!(
        stage
            .sidecar
            .count("pinstripe_discoveries_total{detail=\"validated\"}")
            .await,
        1
    );
    assert_eq!(stage.sidecar.count("pinstripe_pin_mismatches_total").await, 1);
    assert_eq!(
        stage
            .sidecar
            .count("pinstripe_tier_requests_total{outcome=\"not-modified\",tier=\"origin\"}")
            .await,
        1
    );
    assert_eq!(
        stage.sidecar.count("pinstripe_sent_bytes_total{source=\"disk\"}").await,
        20
    );
    let page = stage.sidecar.metrics().await;
    assert!(!page.contains("/none") && !page.contains(tag(1).trim_matches('"')));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_say_why() {
    let stage = Stage::start().await;
    let check = async |request: &str, status: u16, why: &str| {
        let answer = stage.get(request).await;
        assert_eq!((answer.status(), detail(&answer)), (status, why), "{request}");
    };
    check("GET http://elsewhere.example/x", 403, "forbidden-host").await;
    check("CONNECT elsewhere.example:443", 405, "connect").await;
    check("GET /o; If-Match: \"x", 400, "if-match").await;
    check("GET /a/../b", 400, "dot-segment").await;
    check("GET /o; Range: bytes=0-1; Range: bytes=0-1", 400, "two-ranges").await;
}
