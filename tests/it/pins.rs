//! A pin gets the revision that it names, from disk where that is here, and never any other (rows 1–8).

use std::time::Duration;

use http::header::{IF_MATCH, RANGE};
use pinstripe_kit::gate::Gate;
use pinstripe_kit::origin::{Act, Rule};
use pinstripe_kit::raw::{End, Wire};

use crate::stage::{BLOCK, SIZE, Stage, bytes, detail, is_part, is_whole, parameter, pinned, ranged, tag};
use crate::support::head;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_here_is_served_without_a_question() {
    let stage = Stage::start().await;
    stage.fill().await;
    let one = tag(1);
    for (first, last) in [(0, 0), (5, 99), (BLOCK - 1, BLOCK), (0, SIZE - 1), (SIZE - 1, SIZE - 1)] {
        let answer = stage.get(&pinned(1, first, last)).await;
        is_part(&answer, 1, first, last);
        assert_eq!((detail(&answer), parameter(&answer, "hit")), ("disk", Some("")));
    }
    // The last range of many clients is open, or ends beyond the end.
    for range in [
        format!("{}-", 3 * BLOCK),
        "-1000".to_owned(),
        format!("{}-99999999", 4 * BLOCK),
    ] {
        let answer = stage
            .get(&format!("GET /o; Range: bytes={range}; If-Match: {one}"))
            .await;
        let (first, ..) = answer.head.content_range().unwrap();
        is_part(&answer, 1, first, SIZE - 1);
    }
    is_whole(&stage.get(&format!("GET /o; If-Match: {one}")).await, 1);
    is_whole(
        &stage
            .get(&format!("GET /o; If-Match: \"x\"; If-Match: W/\"y\", {one}"))
            .await,
        1,
    );
    is_whole(
        &stage.get(&format!("GET /o; If-Match: {}", one.trim_matches('"'))).await,
        1,
    );
    let outside = stage.get(&pinned(1, SIZE, SIZE)).await;
    assert_eq!(
        (outside.status(), outside.field("content-range")),
        (416, Some(&*format!("bytes */{SIZE}")))
    );
    let known = stage
        .get(&format!("GET /o; If-Match: {one}; If-None-Match: W/{one}"))
        .await;
    assert_eq!((known.status(), known.body.len(), detail(&known)), (304, 0, "disk"));
    let only = stage
        .get(&format!("{}; Cache-Control: only-if-cached", pinned(1, 0, 9)))
        .await;
    is_part(&only, 1, 0, 9);
    let anyway = stage
        .get(&format!("{}; Cache-Control: no-cache", pinned(1, 0, 9)))
        .await;
    is_part(&anyway, 1, 0, 9);
    assert_eq!(stage.origin.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_wants_only_the_head() {
    let stage = Stage::start().await;
    stage.fill_pinned(1, 0, 99).await;
    let answer = stage
        .get(&format!("HEAD /o; If-Match: {}; Range: bytes=0-9", tag(1)))
        .await;
    assert_eq!(
        (answer.status(), answer.field("content-length")),
        (200, Some(&*SIZE.to_string()))
    );
    assert_eq!((answer.body.len(), stage.origin.requests().len()), (0, 0));
    let answer = stage.get(&format!("HEAD /o; If-Match: {}", tag(2))).await;
    assert_eq!((answer.status(), answer.body.len()), (412, 0));
    stage.put(2);
    let answer = stage.get(&format!("HEAD /o; If-Match: {}", tag(2))).await;
    assert_eq!((answer.status(), answer.field("etag")), (200, Some(&*tag(2))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_asked_for_once_and_joined() {
    let stage = Stage::start().await;
    stage.fill_pinned(1, 0, 99).await;
    let gate = Gate::closed();
    stage.origin.script(Rule::on("/o").act(Act::Stall {
        at: 0,
        gate: gate.clone(),
    }));
    let mut wire = Wire::connect(stage.sidecar.address).await.unwrap();
    let ask = head(stage.sidecar.address, &pinned(1, 9, 3 * BLOCK));
    wire.send(ask).await.unwrap();
    let answer = wire.head().await.unwrap();
    assert_eq!(
        (answer.status, answer.content_range()),
        (206, Some((9, 3 * BLOCK, SIZE)))
    );
    // The bytes that are here are sent before those that are not have come.
    let (local, _) = wire.up_to(usize::try_from(BLOCK).unwrap() - 9).await;
    assert!(local == bytes(1, 9..BLOCK));
    gate.open();
    let (rest, end) = wire.up_to(usize::try_from(2 * BLOCK).unwrap() + 1).await;
    assert!(end == End::Complete && rest == bytes(1, BLOCK..3 * BLOCK + 1));
    let asked = stage.origin.requests();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].field("if-match"), Some(&*tag(1)));
    assert_eq!(
        asked[0].field("range"),
        Some(&*format!("bytes={BLOCK}-{}", 4 * BLOCK - 1))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_412_to_what_is_missing_leaves_the_other_tags() {
    let stage = Stage::start().await;
    stage.fill_pinned(1, 0, 99).await;
    stage.put(2);
    let both = |first: u64, last: u64| format!("{}; If-Match: {}, {}", ranged(first, last), tag(1), tag(2));
    let answer = stage.get(&both(0, BLOCK)).await;
    is_part(&answer, 2, 0, BLOCK);
    let asked = stage.origin.requests();
    assert_eq!(asked[0].field("if-match"), Some(&*tag(1)));
    assert_eq!(asked[1].field("if-match"), Some(&*tag(2)));
    assert_eq!(asked.len(), 2);
    // What is here of the listed ones comes first.
    is_part(&stage.get(&both(0, 99)).await, 1, 0, 99);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tags_that_are_partly_here_and_both_gone_are_412() {
    let stage = Stage::start().await;
    stage.fill_pinned(1, 0, 99).await;
    stage.put(2);
    stage.fill_pinned(2, 0, 99).await;
    stage.put(3);
    let answer = stage
        .get(&format!("{}; If-Match: {}, {}", ranged(0, BLOCK), tag(1), tag(2)))
        .await;
    assert_eq!((answer.status(), detail(&answer)), (412, "pin-mismatch"));
    assert!(stage.origin.requests().len() <= 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_server_that_ignores_the_pin_no_other_byte_is_passed_on() {
    let stage = Stage::start().await;
    stage.put(2);
    let ignores = || Rule::on("/o").act(Act::Ignore(IF_MATCH));
    let weak = Act::field("ETag", format!("W/{}", tag(1)));
    let range = Act::Ignore(RANGE);
    let cases = [
        ignores(),
        ignores().act(range.clone()),
        ignores().act(weak.clone()),
        ignores().act(Act::lacks("ETag")),
        ignores().act(range.clone()).act(weak),
        ignores().act(range).act(Act::Chunked),
    ];
    for rule in cases {
        stage.origin.script(rule.clone());
        for request in [pinned(1, 0, 99), format!("GET /o; If-Match: {}", tag(1))] {
            let answer = stage.get(&request).await;
            assert_eq!(
                (answer.status(), detail(&answer)),
                (412, "pin-ignored"),
                "{request} {rule:?}"
            );
            assert!(answer.body.len() < 200 && !answer.body.windows(16).any(|w| w == bytes(2, 0..16)));
        }
        stage.origin.repent();
    }
    let refused = "pinstripe_splices_refused_total{kind=\"if-match\"}";
    assert_eq!(stage.sidecar.count(refused).await, 12);
    assert_eq!(stage.sidecar.stored().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ignored_range_is_sliced() {
    let stage = Stage::start().await;
    stage.origin.script(Rule::on("/o").act(Act::Ignore(RANGE)));
    for (first, last) in [(BLOCK + 5, BLOCK + 99), (0, 0), (SIZE - 1, SIZE - 1)] {
        is_part(&stage.get(&pinned(1, first, last)).await, 1, first, last);
    }
    let answer = stage.get(&pinned(1, SIZE, SIZE)).await;
    assert_eq!(
        (answer.status(), answer.field("content-range")),
        (416, Some(&*format!("bytes */{SIZE}")))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_416_tells_a_length_only_if_it_is_the_pinned_revisions() {
    let stage = Stage::start().await;
    let beyond = |n| pinned(n, 9 * BLOCK, 9 * BLOCK);
    let answer = stage.get(&beyond(1)).await;
    assert_eq!((answer.status(), answer.field("content-range")), (416, None));
    stage.origin.script(Rule::on("/o").act(Act::field("ETag", tag(1))));
    let answer = stage.get(&beyond(1)).await;
    assert_eq!(
        (answer.status(), answer.field("content-range")),
        (416, Some(&*format!("bytes */{SIZE}")))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn absence_is_404_unless_another_revision_is_known() {
    let stage = Stage::with(", role: cache", "").await;
    stage.fill().await;
    stage.origin.delete("/o");
    assert_eq!(stage.get(&pinned(2, 0, 99)).await.status(), 412);
    assert_eq!(
        stage.get("GET /none; Range: bytes=0-9; If-Match: \"x\"").await.status(),
        404
    );
    let stage = Stage::start().await;
    stage.fill().await;
    stage.origin.delete("/o");
    assert_eq!(stage.get(&pinned(2, 0, 99)).await.status(), 404);
    // The origin's word counts, also when it is given to a pin: nothing is current any more.
    stage.origin.script(Rule::any().act(Act::status(503)));
    assert_eq!(stage.get(&ranged(0, 99)).await.status(), 503);
    is_part(&stage.get(&pinned(1, 0, 99)).await, 1, 0, 99);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_is_never_told_as_404_or_412() {
    let stage = Stage::with(", timeouts: { first_byte: 300ms }", "").await;
    stage.fill().await;
    for status in [429, 500, 502, 503, 504] {
        let refusal = Act::answer(status, &[("Retry-After", "3")], "");
        stage.origin.script(Rule::any().times(1).act(refusal));
        let answer = stage.get(&pinned(2, 0, 99)).await;
        assert_eq!((answer.status(), answer.field("retry-after")), (status, Some("3")));
    }
    for (trouble, told) in [(Act::Silence, 504), (Act::Reset, 502), (Act::status(408), 504)] {
        stage.origin.script(Rule::any().act(trouble));
        assert_eq!(stage.get(&pinned(2, 0, 99)).await.status(), told);
        stage.origin.repent();
    }
    stage.origin.stop().await;
    assert_eq!(stage.get(&pinned(2, 0, 99)).await.status(), 502);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_former_revision_answers_pins_for_its_grace_and_no_longer() {
    let stage = Stage::with("", ", grace: 10m").await;
    stage.fill().await;
    let begun = stage.clock.now();
    stage.put(2);
    is_part(&stage.get(&ranged(0, 99)).await, 2, 0, 99);
    stage.origin.forget();
    stage.clock.set(begun + Duration::from_secs(599));
    is_part(&stage.get(&pinned(1, 0, SIZE - 1)).await, 1, 0, SIZE - 1);
    assert_eq!(stage.origin.requests().len(), 0);
    stage.clock.set(begun + Duration::from_secs(601));
    let answer = stage.get(&pinned(1, 0, 99)).await;
    assert_eq!((answer.status(), detail(&answer)), (412, "pin-mismatch"));
    // The authority may still have it.
    stage.put(1);
    is_part(&stage.get(&pinned(1, 0, 99)).await, 1, 0, 99);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_what_lies_before_an_unsatisfiable_range_is_told_so_together() {
    let stage = Stage::start().await;
    let modified = "Sun, 06 Nov 1994 08:49:37 GMT";
    let (tag, total) = (tag(1), format!("bytes */{SIZE}"));
    let fields = [("ETag", &*tag), ("Last-Modified", modified), ("Content-Range", &*total)];
    let gate = Gate::closed();
    let refusal = Act::answer(416, &fields, "");
    stage
        .origin
        .script(Rule::any().act(Act::Hold(gate.clone())).act(refusal));
    let request = format!("{}; If-Modified-Since: {modified}", pinned(1, 2 * SIZE, 2 * SIZE));
    let (first, second, ()) = tokio::join!(stage.get(&request), stage.get(&request), async {
        stage.sidecar.counted("pinstripe_requests_in_flight", 2).await;
        gate.open();
    });
    assert_eq!((first.status(), second.status()), (304, 304));
    assert_eq!(second.field("etag"), Some(&*tag));
}
