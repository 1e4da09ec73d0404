//! Plain GETs follow RFC 9111, by explicit freshness only (rows 19–23).

use std::time::Duration;

use pinstripe_kit::origin::{Act, Resource, Rule};

use crate::stage::{BLOCK, SIZE, Stage, detail, is_part, is_whole, parameter, pinned, ranged, resource, tag};

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Revision 1 with that Cache-Control, all of it stored.
async fn stored_with(control: &str) -> Stage {
    let stage = Stage::start().await;
    stage.origin.put("/o", controlled(1, control));
    stage.fill().await;
    stage
}

fn controlled(n: u32, control: &str) -> Resource {
    resource(n).field("Cache-Control", control)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_fresh_is_served_without_a_question_until_it_is_not() {
    let stage = stored_with("max-age=60").await;
    let begun = stage.clock.now();
    stage.clock.set(begun + secs(50));
    let answer = stage.get("GET /o").await;
    is_whole(&answer, 1);
    assert_eq!((detail(&answer), parameter(&answer, "hit")), ("disk", Some("")));
    let age: u64 = answer.field("age").unwrap().parse().unwrap();
    assert!((50..=51).contains(&age), "{age}");
    assert_eq!(stage.origin.requests().len(), 0);
    stage.clock.set(begun + secs(61));
    let answer = stage.get("GET /o").await;
    is_whole(&answer, 1);
    assert_eq!(
        (detail(&answer), parameter(&answer, "fwd-status")),
        ("validated", Some("304"))
    );
    let asked = stage.origin.requests();
    assert_eq!((asked.len(), asked[0].body_sent()), (1, 0));
    assert_eq!(asked[0].field("if-none-match"), Some(&*tag(1)));
    assert_eq!(asked[0].field("cache-control"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmation_makes_fresh_again() {
    let stage = stored_with("max-age=60").await;
    let begun = stage.clock.now();
    stage.clock.set(begun + secs(61));
    // The origin's Date is the wall's, which stands still for this purpose.
    let date = httpdate::fmt_http_date(stage.clock.now());
    stage.origin.script(Rule::any().act(Act::field("Date", date)));
    is_whole(&stage.get("GET /o").await, 1);
    stage.clock.set(begun + secs(120));
    is_whole(&stage.get("GET /o").await, 1);
    assert_eq!(stage.origin.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_fresh_by_a_guess() {
    let stage = Stage::start().await;
    let old = stage.clock.now() - secs(400 * 24 * 3600);
    stage.origin.put("/o", resource(1).modified(Some(old)));
    stage.fill().await;
    for _ in 0..2 {
        is_whole(&stage.get("GET /o").await, 1);
    }
    assert_eq!(stage.origin.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn directives_of_the_client_are_heard() {
    let stage = stored_with("max-age=60").await;
    stage.clock.set(stage.clock.now() + secs(10));
    let asks = ["no-cache", "max-age=5", "max-age=0", "min-fresh=55"];
    for control in asks {
        let answer = stage.get(&format!("GET /o; Cache-Control: {control}")).await;
        is_whole(&answer, 1);
        assert_eq!(stage.origin.requests().len(), 1, "{control}");
        stage.origin.forget();
    }
    is_whole(&stage.get("GET /o; Pragma: no-cache").await, 1);
    assert_eq!(stage.origin.requests().len(), 1);
    for control in ["max-age=30", "min-fresh=20", "only-if-cached", "max-stale"] {
        is_whole(&stage.get(&format!("GET /o; Cache-Control: {control}")).await, 1);
    }
    assert_eq!(stage.origin.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_if_cached_asks_nobody() {
    let stage = stored_with("max-age=60").await;
    stage.clock.set(stage.clock.now() + secs(61));
    for request in [
        "GET /o",
        "GET /none",
        "HEAD /o",
        "GET /o; Range: bytes=0-9",
        "GET /o; Range: bytes=0-9; If-Match: \"x\"",
    ] {
        let answer = stage.get(&format!("{request}; Cache-Control: only-if-cached")).await;
        assert_eq!((answer.status(), detail(&answer)), (504, "only-if-cached"), "{request}");
    }
    assert_eq!(stage.origin.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clients_validators_are_ours_to_compare() {
    let stage = stored_with("max-age=60").await;
    let modified = stage.get("HEAD /o").await.field("last-modified").unwrap().to_owned();
    stage.origin.forget();
    let one = tag(1);
    let same = [
        format!("GET /o; If-None-Match: {one}"),
        format!("GET /o; If-None-Match: \"x\"; If-None-Match: W/{one}"),
        "GET /o; If-None-Match: *".to_owned(),
        format!("GET /o; If-Modified-Since: {modified}"),
    ];
    let others = [
        "GET /o; If-None-Match: \"x\"".to_owned(),
        format!("GET /o; If-None-Match: \"x\"; If-Modified-Since: {modified}"),
        "GET /o; If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT".to_owned(),
        "GET /o; If-Modified-Since: yesterday".to_owned(),
    ];
    for stale in [false, true] {
        for request in &same {
            let answer = stage.get(request).await;
            assert_eq!((answer.status(), answer.body.len()), (304, 0), "{request}");
            assert_eq!(answer.field("etag"), Some(&*one));
            assert!(answer.field("content-type").is_none() && answer.field("content-length").is_none());
        }
        for request in &others {
            is_whole(&stage.get(request).await, 1);
        }
        if !stale {
            assert_eq!(stage.origin.requests().len(), 0);
            stage.clock.set(stage.clock.now() + secs(100));
        }
    }
    // Stored or not, what goes up is never what the client has.
    stage.put(2);
    let answer = stage.get(&format!("GET /o; If-None-Match: {}", tag(2))).await;
    assert_eq!((answer.status(), answer.field("etag")), (304, Some(&*tag(2))));
    let asked = stage.origin.requests();
    assert!(
        asked.iter().all(|asked| asked.field("if-none-match") == Some(&*one)),
        "{asked:?}"
    );
    assert!(asked.iter().all(|asked| asked.field("if-modified-since").is_none()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_revision_replaces_the_former() {
    let stage = Stage::start().await;
    stage.fill().await;
    stage.put(2);
    is_whole(&stage.get("GET /o").await, 2);
    assert_eq!(stage.origin.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_partly_here_is_confirmed_and_joined() {
    let stage = Stage::start().await;
    for block in [0, 2] {
        is_part(
            &stage.get(&ranged(block * BLOCK, block * BLOCK)).await,
            1,
            block * BLOCK,
            block * BLOCK,
        );
    }
    stage.sidecar.has_stored(2).await;
    stage.origin.forget();
    let answer = stage.get("GET /o").await;
    is_whole(&answer, 1);
    assert_eq!(detail(&answer), "joined");
    let asked = stage.origin.requests();
    let ranges: Vec<_> = asked.iter().map(|asked| asked.field("range").unwrap_or("")).collect();
    let rest = format!("bytes={}-{}", 3 * BLOCK, SIZE - 1);
    assert_eq!(ranges, ["", &format!("bytes={BLOCK}-{}", 2 * BLOCK - 1), &rest]);
    assert!(asked[0].body_sent() == 0 && asked[1..].iter().all(|a| a.field("if-match") == Some(&*tag(1))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmed_revision_that_is_gone_is_asked_for_plainly() {
    let stage = Stage::start().await;
    is_part(&stage.get(&ranged(0, 0)).await, 1, 0, 0);
    stage.origin.script(Rule::any().with("If-Match").act(Act::status(412)));
    is_whole(&stage.get("GET /o").await, 1);
    stage.origin.forget();
    assert_eq!(stage.origin.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stale_answers_in_trouble_are_those_that_the_rfcs_allow() {
    let cases = [
        ("max-age=1", "GET /o", 503),
        ("max-age=1, stale-if-error=100", "GET /o", 200),
        ("max-age=1, stale-if-error=100, must-revalidate", "GET /o", 503),
        ("max-age=1, stale-if-error=3", "GET /o", 503),
        ("max-age=1", "GET /o; Cache-Control: stale-if-error=100", 200),
        ("max-age=1, stale-if-error=100", "GET /o; Cache-Control: no-cache", 503),
        ("stale-if-error=100", "GET /o", 200),
        ("s-maxage=1, stale-if-error=100", "GET /o", 503),
    ];
    for (control, request, expected) in cases {
        let stage = stored_with(control).await;
        stage.clock.set(stage.clock.now() + secs(10));
        stage.origin.script(Rule::any().act(Act::status(503)));
        let answer = stage.get(request).await;
        assert_eq!(answer.status(), expected, "{control} {request}");
        if expected == 200 {
            is_whole(&answer, 1);
            assert_eq!(detail(&answer), "stale");
        }
        stage.origin.stop().await;
        // Nobody is there: RFC 9111 4.2.4 allows a stale answer without stale-if-error.
        let forbidden = control.contains("must") || control.contains("s-max") || request.contains("no-cache");
        assert_eq!(
            stage.get(request).await.status(),
            if forbidden { 502 } else { 200 },
            "{control} {request}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incomplete_revision_is_no_stale_answer() {
    let stage = Stage::start().await;
    stage.origin.put("/o", controlled(1, "max-age=60, stale-if-error=60"));
    is_part(&stage.get(&ranged(0, 3 * BLOCK)).await, 1, 0, 3 * BLOCK);
    stage.origin.stop().await;
    assert_eq!(stage.get("GET /o").await.status(), 502);
    is_part(&stage.get(&pinned(1, 0, 3 * BLOCK)).await, 1, 0, 3 * BLOCK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_that_says_nothing_is_ignored() {
    let stage = stored_with("max-age=60").await;
    for range in ["bytes=9-3", "items=0-9", "bytes=", "bytes=0-9,,x", "bytes=0-,1-,2-"] {
        is_whole(&stage.get(&format!("GET /o; Range: {range}")).await, 1);
    }
    is_part(&stage.get("GET /o; Range: BYTES=3-9").await, 1, 3, 9);
    let answer = stage.get("GET /o; Range: bytes=0-9; Range: bytes=3-9").await;
    assert_eq!(answer.status(), 400);
}
