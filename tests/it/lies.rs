//! Answers that contradict their question or what is known are worth nothing (row 27).

use http::header::{IF_MATCH, IF_NONE_MATCH};
use pinstripe_kit::gate::Gate;
use pinstripe_kit::origin::{Act, Resource, Rule};
use pinstripe_kit::raw::Answer;

use crate::stage::{BLOCK, SIZE, Stage, bytes, detail, is_part, is_whole, pinned, ranged, rev, tag};

#[track_caller]
fn is_refused(answer: &Answer, context: &str) {
    assert_eq!(
        (answer.status(), detail(answer)),
        (502, "lie"),
        "{context}: {:?}",
        answer.head
    );
    let body = &answer.body;
    assert!(
        body.len() < 200 && !body.windows(16).any(|word| word == bytes(1, 0..16)),
        "{context}"
    );
}

/// Ways to lie in a 206.
fn lies() -> Vec<(&'static str, Act)> {
    vec![
        (
            "first byte",
            Act::content_range(|first, last, total| format!("bytes {}-{last}/{total}", first + 1)),
        ),
        (
            "last byte",
            Act::content_range(|first, last, total| format!("bytes {first}-{}/{total}", last - 1)),
        ),
        (
            "beyond",
            Act::content_range(|first, last, total| format!("bytes {first}-{}/{total}", last + 1)),
        ),
        (
            "total",
            Act::content_range(|first, last, total| format!("bytes {first}-{last}/{}", total - BLOCK)),
        ),
        (
            "unit",
            Act::content_range(|first, last, total| format!("items {first}-{last}/{total}")),
        ),
        ("nonsense", Act::field("Content-Range", "bytes */7")),
        ("absent", Act::lacks("Content-Range")),
        (
            "twice",
            Act::edit(|reply| {
                let range = reply.get("Content-Range").unwrap().to_owned();
                reply.fields.push(("Content-Range".to_owned(), range));
            }),
        ),
        ("length", Act::field("Content-Length", "7")),
        ("other range", Act::Serve(0..99)),
        ("multipart", Act::Multipart(vec![0..10, 20..30])),
    ]
}

#[tokio::test]
async fn a_206_that_lies_is_502_and_its_connection_is_dropped() {
    let stage = Stage::start().await;
    let last = SIZE - 1;
    for (name, lie) in lies() {
        for request in [
            ranged(4 * BLOCK, last),
            pinned(1, 4 * BLOCK, last),
            "GET /o; Range: bytes=-9".to_owned(),
        ] {
            let gate = Gate::closed();
            let held = Rule::any().times(1).act(lie.clone()).act(Act::Stall { at: 1, gate });
            stage.origin.script(held);
            stage.origin.forget();
            is_refused(&stage.get(&request).await, &format!("{name} {request}"));
            let asked = stage.origin.requests();
            assert_eq!(asked.len(), 1, "{name} {request}");
            asked[0].left().await;
        }
    }
    assert_eq!(stage.sidecar.stored().await, 0);
    // From a server that is honest again, all is well.
    is_part(&stage.get(&ranged(4 * BLOCK, last)).await, 1, 4 * BLOCK, last);
}

#[tokio::test]
async fn a_206_to_a_question_without_a_range_is_refused() {
    let stage = Stage::start().await;
    stage.origin.script(Rule::any().act(Act::Serve(0..SIZE)));
    is_refused(&stage.get("GET /o").await, "whole");
    is_refused(
        &stage.get(&format!("GET /o; If-Match: {}", tag(1))).await,
        "pinned whole",
    );
    is_refused(&stage.get("HEAD /o").await, "head");
}

#[tokio::test]
async fn what_is_here_does_not_stand_in_for_a_lie() {
    let stage = Stage::start().await;
    stage.fill().await;
    for (name, lie) in lies() {
        if name == "total" {
            continue;
        }
        stage
            .origin
            .script(Rule::any().act(Act::Ignore(IF_NONE_MATCH)).act(lie));
        is_refused(&stage.get(&ranged(4 * BLOCK, SIZE - 1)).await, name);
        stage.origin.repent();
    }
    is_part(&stage.get(&pinned(1, 0, 99)).await, 1, 0, 99);
}

#[tokio::test]
async fn a_304_or_412_that_nobody_asked_for_is_an_error() {
    let stage = Stage::start().await;
    for status in [304, 412] {
        stage.origin.script(Rule::any().act(Act::status(status)));
        for request in [ranged(0, 9), "GET /o".to_owned(), "HEAD /o".to_owned()] {
            assert_eq!(stage.get(&request).await.status(), 502, "{status} {request}");
        }
        stage.origin.repent();
    }
    stage.origin.script(Rule::any().act(Act::status(304)));
    assert_eq!(stage.get(&pinned(1, 0, 9)).await.status(), 502);
    stage.origin.repent();
    stage.origin.script(Rule::any().act(Act::status(416)));
    assert_eq!(stage.get("GET /o").await.status(), 502);
}

#[tokio::test]
async fn answers_that_are_not_http_are_errors() {
    let stage = Stage::start().await;
    let garbage = [
        "hello\r\n\r\n",
        "HTTP/1.1 two hundred\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ];
    for bytes in garbage {
        stage.origin.script(Rule::any().act(Act::Garbage(bytes.into())));
        for request in [ranged(0, 9), pinned(1, 0, 9), "GET /o".to_owned()] {
            let answer = stage.get(&request).await;
            assert!(
                answer.status() == 502 || bytes.contains("gzip"),
                "{request} {bytes:?} {:?}",
                answer.head
            );
        }
        stage.origin.repent();
    }
    stage.origin.script(Rule::any().act(Act::oversized_head(200_000)));
    assert_eq!(stage.get(&ranged(0, 9)).await.status(), 502);
}

#[tokio::test]
async fn interim_answers_are_not_the_answer() {
    let stage = Stage::start().await;
    stage
        .origin
        .script(Rule::any().act(Act::early_hints()).act(Act::Interim(100, Vec::new())));
    is_part(&stage.get(&ranged(0, 9)).await, 1, 0, 9);
    is_whole(&stage.get("GET /o").await, 1);
}

/// Whether anything of revision 1 is still here: an only-if-cached pin asks nobody.
async fn is_here(stage: &Stage) -> bool {
    let pin = format!("{}; Cache-Control: only-if-cached", pinned(1, 0, 99));
    stage.get(&pin).await.status() == 206
}

#[tokio::test]
async fn a_contradicted_length_drops_what_is_stored() {
    let grown = || Resource::pattern(rev(1), SIZE + 16).tag(tag(1));
    let questions = [
        ranged(0, 99),
        "GET /o".to_owned(),
        "HEAD /o".to_owned(),
        pinned(1, 5, SIZE),
    ];
    for (n, request) in questions.into_iter().enumerate() {
        let stage = Stage::start().await;
        if n == 3 {
            // A pin asks only for what is not here.
            stage.fill_pinned(1, 0, 99).await;
        } else {
            stage.fill().await;
        }
        assert!(is_here(&stage).await);
        stage.origin.put("/o", grown());
        stage
            .origin
            .script(Rule::any().act(Act::Ignore(IF_NONE_MATCH)).act(Act::Ignore(IF_MATCH)));
        is_refused(&stage.get(&request).await, &request);
        assert!(!is_here(&stage).await, "{request}");
    }
}
