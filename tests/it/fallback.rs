//! What a discovery gets when the authority has nothing to say, or says that there is nothing (rows 8, 9, 15–18).

use std::time::Duration;

use pinstripe_kit::origin::{Act, Rule};
use pinstripe_kit::raw::Answer;

use crate::stage::{BLOCK, SIZE, Stage, detail, is_part, pinned, ranged, resource, tag};

const FALLBACKS: &str = "pinstripe_discovery_fallbacks_total";

/// Short waits: these tests wait for the end of some.
const HASTY: &str = ", timeouts: { first_byte: 300ms, idle: 300ms }";

#[track_caller]
fn is_fallback(answer: &Answer) {
    is_part(answer, 1, 0, 99);
    assert_eq!(detail(answer), "discovery-fallback");
}

/// How an authority can be in trouble, and what a client is told that cannot be helped.
fn troubles() -> Vec<(Act, u16)> {
    let mut troubles: Vec<_> = [429, 500, 502, 503, 504]
        .map(|status| (Act::status(status), status))
        .into();
    troubles.push((Act::status(408), 504));
    troubles.push((Act::Reset, 502));
    troubles.push((Act::Close, 502));
    troubles.push((Act::Silence, 504));
    troubles
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_trouble_a_complete_revision_stands_in_and_says_so() {
    let stage = Stage::with(HASTY, "").await;
    stage.fill().await;
    for (trouble, _) in troubles() {
        stage.origin.script(Rule::any().act(trouble));
        is_fallback(&stage.get(&ranged(0, 99)).await);
        let head = stage.get("HEAD /o").await;
        assert_eq!((head.status(), detail(&head)), (200, "discovery-fallback"));
        stage.origin.repent();
    }
    stage.origin.stop().await;
    is_fallback(&stage.get(&ranged(0, 99)).await);
    assert_eq!(stage.sidecar.count(FALLBACKS).await, 19);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_trouble_an_incomplete_revision_stands_in_for_nothing() {
    let stage = Stage::with(HASTY, "").await;
    is_part(&stage.get(&ranged(0, 3 * BLOCK)).await, 1, 0, 3 * BLOCK);
    for (trouble, told) in troubles() {
        stage.origin.script(Rule::any().act(trouble.clone()));
        // Also of what nothing is stored.
        for request in [
            ranged(0, 99),
            "HEAD /o".to_owned(),
            "GET /none; Range: bytes=0-9".to_owned(),
        ] {
            let answer = stage.get(&request).await;
            assert_eq!(answer.status(), told, "{request} {trouble:?}");
        }
        stage.origin.repent();
    }
    stage.origin.stop().await;
    assert_eq!(stage.get(&ranged(0, 99)).await.status(), 502);
    assert_eq!(stage.sidecar.count(FALLBACKS).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_after_is_told_in_either_form() {
    let stage = Stage::start().await;
    let seconds = Act::answer(429, &[("Retry-After", "7")], "");
    stage.origin.script(Rule::any().times(1).act(seconds));
    let answer = stage.get(&ranged(0, 99)).await;
    assert_eq!((answer.status(), answer.field("retry-after")), (429, Some("7")));
    let date = httpdate::fmt_http_date(stage.clock.now() + Duration::from_secs(100));
    stage.origin.script(
        Rule::any()
            .times(1)
            .act(Act::answer(503, &[("Retry-After", &date)], "")),
    );
    let answer = stage.get(&ranged(0, 99)).await;
    let seconds: u64 = answer.field("retry-after").unwrap().parse().unwrap();
    assert!(answer.status() == 503 && (99..=100).contains(&seconds), "{seconds}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_stale_answer_where_the_origin_forbids_it() {
    let stage = Stage::start().await;
    for bar in ["must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=0"] {
        stage.origin.put("/o", resource(1).field("Cache-Control", bar));
        assert_eq!(stage.get("GET /o; Cache-Control: no-cache").await.status(), 200);
        stage.origin.script(Rule::any().act(Act::status(503)));
        assert_eq!(stage.get(&ranged(0, 99)).await.status(), 503, "{bar}");
        stage.origin.repent();
    }
    // Fresh is another matter.
    let fresh = resource(1).field("Cache-Control", "must-revalidate, max-age=60");
    stage.origin.put("/o", fresh);
    is_part(&stage.get(&ranged(0, 99)).await, 1, 0, 99);
    stage.sidecar.has_stored(5).await;
    stage.origin.script(Rule::any().act(Act::status(503)));
    is_fallback(&stage.get(&ranged(0, 99)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_404_of_an_origin_is_never_hidden_but_pins_go_on() {
    let stage = Stage::start().await;
    stage.fill().await;
    for (status, request) in [
        (404, ranged(0, 99)),
        (410, "HEAD /o".to_owned()),
        (404, "GET /o".to_owned()),
    ] {
        stage.origin.script(Rule::any().times(1).act(Act::status(status)));
        let answer = stage.get(&request).await;
        assert_eq!((answer.status(), detail(&answer)), (status, "not-found"), "{request}");
        // It is gone: even in trouble nothing stands in for it.
        stage.origin.script(Rule::any().times(1).act(Act::status(503)));
        assert_eq!(stage.get(&ranged(0, 99)).await.status(), 503);
        stage.origin.forget();
        is_part(&stage.get(&pinned(1, 0, SIZE - 1)).await, 1, 0, SIZE - 1);
        assert_eq!(stage.origin.requests().len(), 0);
        // It is back.
        is_part(&stage.get(&ranged(0, 99)).await, 1, 0, 99);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_404_of_a_cache_is_a_miss() {
    let stage = Stage::with(", role: cache", "").await;
    is_part(&stage.get(&ranged(0, 99)).await, 1, 0, 99);
    stage.origin.script(Rule::any().act(Act::status(404)));
    // Incomplete: what it lacks could not be fetched.
    let answer = stage.get(&ranged(0, 99)).await;
    assert_eq!((answer.status(), detail(&answer)), (404, "not-found"));
    stage.origin.repent();
    stage.fill_rest().await;
    stage.origin.script(Rule::any().act(Act::status(404)));
    is_fallback(&stage.get(&ranged(0, 99)).await);
    let whole = stage.get("GET /o").await;
    assert_eq!((whole.status(), detail(&whole)), (200, "discovery-fallback"));
    assert_eq!(stage.get("GET /none; Range: bytes=0-9").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_of_the_client_is_never_masked() {
    let stage = Stage::start().await;
    stage.fill().await;
    for status in [401, 403] {
        let refusal = Act::answer(
            status,
            &[("WWW-Authenticate", "Basic realm=r"), ("X-Why", "you")],
            "who are you\n",
        );
        stage.origin.script(Rule::any().act(refusal));
        for request in [ranged(0, 99), "GET /o".to_owned(), pinned(2, 0, 99)] {
            let answer = stage.get(&request).await;
            assert_eq!(
                (answer.status(), &*answer.body),
                (status, &b"who are you\n"[..]),
                "{request}"
            );
            assert_eq!((answer.field("x-why"), detail(&answer)), (Some("you"), "passed-on"));
        }
        assert_eq!(stage.get("HEAD /o").await.status(), status);
        stage.origin.repent();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_statuses_are_passed_on_and_teach_nothing() {
    let stage = Stage::start().await;
    stage.fill().await;
    for status in [301, 302, 307, 308, 400, 405, 451, 501, 505, 204] {
        let act = Act::answer(
            status,
            &[("Location", "/elsewhere")],
            if status == 204 { "" } else { "see there\n" },
        );
        stage.origin.script(Rule::any().act(act));
        for request in [ranged(0, 99), "GET /o".to_owned(), "HEAD /o".to_owned()] {
            let answer = stage.get(&request).await;
            assert_eq!((answer.status(), detail(&answer)), (status, "passed-on"), "{request}");
            assert_eq!(answer.field("location"), Some("/elsewhere"));
        }
        let answer = stage.get(&pinned(2, 0, 99)).await;
        assert_eq!(answer.status(), if status == 204 { 502 } else { status });
        stage.origin.repent();
        stage.origin.script(Rule::any().times(1).act(Act::status(503)));
        is_fallback(&stage.get(&ranged(0, 99)).await);
    }
    let total = Rule::any().act(Act::content_range(|first, last, _| format!("bytes {first}-{last}/*")));
    stage.put(2);
    stage.origin.script(total);
    let answer = stage.get(&ranged(7, 99)).await;
    assert_eq!(
        (answer.status(), answer.field("content-range")),
        (206, Some("bytes 7-99/*"))
    );
    assert_eq!((answer.field("etag"), answer.body.len()), (Some(&*tag(2)), 93));
}
