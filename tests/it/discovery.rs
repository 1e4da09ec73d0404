//! A discovery is answered by the authority's word, with local bytes where it allows (rows 10–18).

use pinstripe_kit::gate::Gate;
use pinstripe_kit::origin::{Act, Resource, Rule};

use crate::stage::{BLOCK, SIZE, Stage, bytes, detail, is_part, parameter, ranged, resource, tag};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validated_discovery_sends_local_bytes_and_fetches_none() {
    let stage = Stage::start().await;
    stage.fill().await;
    let answer = stage.get(&ranged(5, 99)).await;
    is_part(&answer, 1, 5, 99);
    assert_eq!(detail(&answer), "validated");
    assert_eq!(parameter(&answer, "fwd-status"), Some("304"));
    let asked = stage.origin.requests();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].field("if-none-match"), Some(&*tag(1)));
    assert_eq!(asked[0].field("cache-control"), Some("no-cache"));
    assert!(asked[0].field("range").is_some());
    assert_eq!(asked[0].body_sent(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_validated_discovery_lacks_is_fetched_by_its_pin() {
    let stage = Stage::start().await;
    stage.fill_pinned(1, 0, 99).await;
    // Nothing is known to be current yet, so this brings its own bytes.
    let first = stage.get(&ranged(0, 99)).await;
    is_part(&first, 1, 0, 99);
    stage.origin.forget();
    let answer = stage.get(&ranged(10, 2 * BLOCK)).await;
    is_part(&answer, 1, 10, 2 * BLOCK);
    assert_eq!(detail(&answer), "joined");
    let asked = stage.origin.requests();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(asked[0].field("if-none-match"), Some(&*tag(1)));
    assert_eq!(asked[0].body_sent(), 0);
    assert_eq!(asked[1].field("if-match"), Some(&*tag(1)));
    assert_eq!(
        asked[1].field("range"),
        Some(&*format!("bytes={BLOCK}-{}", 3 * BLOCK - 1))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_revision_is_told_at_once_and_brings_its_own_bytes() {
    let stage = Stage::start().await;
    stage.fill().await;
    stage.put(2);
    let answer = stage.get(&ranged(7, 99)).await;
    is_part(&answer, 2, 7, 99);
    assert_eq!(stage.origin.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_304_that_names_another_tag_is_asked_anew_without_a_condition() {
    let stage = Stage::start().await;
    stage.fill().await;
    let lie = Rule::on("/o").with("If-None-Match").act(Act::field("ETag", tag(2)));
    stage.origin.script(lie);
    stage.origin.script(Rule::on("/o"));
    let answer = stage.get(&ranged(7, 99)).await;
    is_part(&answer, 1, 7, 99);
    let asked = stage.origin.requests();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[1].field("if-none-match"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmed_revision_that_is_gone_a_moment_later_is_asked_anew() {
    let stage = Stage::start().await;
    let first = stage.get(&ranged(0, 99)).await;
    is_part(&first, 1, 0, 99);
    stage.origin.forget();
    // It is overwritten between the 304 and the fetch of what is missing.
    for status in [412, 404] {
        let rule = Rule::on("/o").with("If-Match").times(1);
        stage.origin.script(rule.act(Act::status(status)));
        let answer = stage.get(&ranged(0, BLOCK)).await;
        is_part(&answer, 1, 0, BLOCK);
        let asked = stage.origin.requests();
        assert_eq!(asked.len(), 3, "{status}: {asked:?}");
        assert!(asked[2].field("if-none-match").is_none() && asked[2].field("if-match").is_none());
        stage.origin.forget();
        stage.origin.repent();
        stage.put(1);
        if status == 412 {
            // Let the next round lack a block again.
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ignored_range_is_sliced_and_fetched_once_for_all_who_wait() {
    let stage = Stage::start().await;
    let told = Gate::closed();
    let ignores = || Rule::on("/o").act(Act::Ignore(http::header::RANGE));
    stage
        .origin
        .script(ignores().times(1).act(Act::HoldAnswer(told.clone())));
    stage.origin.script(ignores());
    let begun = tokio::time::Instant::now();
    let early = stage.get_later(&ranged(0, 99)).await;
    told.waiting(1).await;
    stage.put(2);
    let ranges = [0, BLOCK + 7, 3 * BLOCK, SIZE - 9];
    let waiting = stage.sidecar.get_all(ranges.map(|first| ranged(first, first + 8)));
    let opening = async {
        stage.sidecar.counted("pinstripe_discoveries_waiting", 5).await;
        told.open();
    };
    let (answers, ()) = tokio::join!(waiting, opening);
    for (answer, first) in answers.iter().zip(ranges) {
        is_part(answer, 2, first, first + 8);
    }
    is_part(&early.answer().await, 1, 0, 99);
    // Who waits for a second is asked for beside the one in flight.
    let most = 2 + usize::try_from(begun.elapsed().as_secs()).unwrap();
    assert!(stage.origin.requests().len() <= most, "{:?}", stage.origin.requests());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ignored_range_that_lies_outside_is_416() {
    let stage = Stage::start().await;
    stage
        .origin
        .script(Rule::on("/o").act(Act::Ignore(http::header::RANGE)));
    let answer = stage.get(&ranged(SIZE, SIZE + 9)).await;
    assert_eq!(answer.status(), 416);
    assert_eq!(answer.field("content-range"), Some(&*format!("bytes */{SIZE}")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ignored_range_without_a_length_is_passed_on_whole() {
    let stage = Stage::start().await;
    let rule = Rule::on("/o").act(Act::Ignore(http::header::RANGE)).act(Act::Chunked);
    stage.origin.script(rule);
    let answer = stage.get(&ranged(7, 99)).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.body == bytes(1, 0..SIZE));
    assert_eq!(stage.sidecar.stored().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_weak_tag_is_passed_on_and_what_was_current_is_forgotten() {
    let stage = Stage::start().await;
    stage.fill().await;
    for weak in ["W/\"x\"", ""] {
        let changed = resource(2);
        let changed = if weak.is_empty() {
            changed.untagged()
        } else {
            changed.tag(weak)
        };
        stage.origin.put("/o", changed);
        let answer = stage.get(&ranged(7, 99)).await;
        assert_eq!(answer.status(), 206);
        assert_eq!(answer.head.content_range(), Some((7, 99, SIZE)));
        assert_eq!(answer.field("etag").unwrap_or(""), weak);
        assert!(answer.body == bytes(2, 7..100));
        assert_eq!(detail(&answer), "passed-on");
        stage.origin.script(Rule::any().act(Act::status(503)));
        assert_eq!(stage.get(&ranged(7, 99)).await.status(), 503);
        stage.origin.repent();
    }
    assert_eq!(stage.sidecar.stored().await, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_outside_is_416_with_the_length_wherever_it_is_learnt() {
    let stage = Stage::start().await;
    let beyond = format!("GET /o; Range: bytes={}-", 6 * BLOCK);
    let length = format!("bytes */{SIZE}");
    let answer = stage.get(&beyond).await;
    assert_eq!((answer.status(), answer.field("content-range")), (416, Some(&*length)));
    // The length is not named, so it is asked for.
    stage.origin.forget();
    stage
        .origin
        .script(Rule::on("/o").method("GET").act(Act::lacks("Content-Range")));
    let answer = stage.get(&beyond).await;
    assert_eq!((answer.status(), answer.field("content-range")), (416, Some(&*length)));
    let asked = stage.origin.requests();
    assert_eq!(asked.last().unwrap().method, "HEAD");
    stage.origin.repent();
    let answer = stage.get("GET /o; Range: bytes=-0").await;
    assert_eq!((answer.status(), answer.field("content-range")), (416, Some(&*length)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_object_has_no_ranges() {
    let stage = Stage::start().await;
    stage.origin.put("/e", Resource::bytes("").tag("\"e\""));
    for request in [
        "GET /e; Range: bytes=0-99",
        "GET /e; Range: bytes=0-",
        "GET /e; Range: bytes=-5",
    ] {
        let answer = stage.get(request).await;
        assert_eq!(
            (answer.status(), answer.field("content-range")),
            (416, Some("bytes */0")),
            "{request}"
        );
    }
    for _ in 0..2 {
        let answer = stage.get("GET /e").await;
        assert_eq!((answer.status(), answer.body.len()), (200, 0));
        let answer = stage.get("GET /e; Range: bytes=0-99").await;
        assert_eq!(
            (answer.status(), answer.field("content-range")),
            (416, Some("bytes */0"))
        );
        let answer = stage.get("HEAD /e").await;
        assert_eq!((answer.status(), answer.field("content-length")), (200, Some("0")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_asks_without_a_condition_and_its_fields_are_the_new_ones() {
    let stage = Stage::start().await;
    stage.fill().await;
    stage.origin.put("/o", resource(1).field("X-Build", "7"));
    let answer = stage.get("HEAD /o; Range: bytes=0-9").await;
    assert_eq!((answer.status(), answer.body.len()), (200, 0));
    assert_eq!(answer.field("content-length"), Some(&*SIZE.to_string()));
    assert_eq!(answer.field("content-range"), None);
    let asked = stage.origin.requests();
    assert_eq!((asked.len(), &*asked[0].method), (1, "HEAD"));
    assert!(asked[0].field("if-none-match").is_none() && asked[0].field("range").is_none());
    let pin = format!("HEAD /o; If-Match: {}", tag(1));
    let replayed = stage.get(&pin).await;
    assert_eq!(replayed.field("x-build"), Some("7"));
    assert_eq!(
        stage.origin.requests().len(),
        1,
        "{replayed:?} {:?}",
        stage.origin.requests()
    );
}
