//! A download that goes on gets the rest of its revision, or all of the new one, never something between (rows 24–26).

use std::time::Duration;

use pinstripe_kit::origin::{Act, Rule};
use pinstripe_kit::s3::S3Server;

use crate::stage::{BLOCK, SIZE, Stage, detail, is_part, is_whole, ranged, resource, rev, tag};
use crate::support::{Sidecar, s3_config};

/// `GET /o` from a position to the end, if it is still that revision.
fn from(n: u32, first: u64) -> String {
    format!("GET /o; Range: bytes={first}-; If-Range: {}", tag(n))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_here_is_served_without_a_question() {
    let stage = Stage::with("", ", grace: 10m").await;
    stage.fill().await;
    let answer = stage.get(&from(1, BLOCK + 5)).await;
    is_part(&answer, 1, BLOCK + 5, SIZE - 1);
    assert_eq!((detail(&answer), stage.origin.requests().len()), ("disk", 0));
    // The tag names the bytes, so a former revision will do, for its grace.
    stage.put(2);
    is_part(&stage.get(&ranged(0, 9)).await, 2, 0, 9);
    stage.origin.forget();
    is_part(&stage.get(&from(1, 9)).await, 1, 9, SIZE - 1);
    assert_eq!(stage.origin.requests().len(), 0);
    stage.clock.set(stage.clock.now() + Duration::from_secs(601));
    is_whole(&stage.get(&from(1, 9)).await, 2);
    let outside = stage
        .get(&format!("GET /o; Range: bytes={SIZE}-; If-Range: {}", tag(2)))
        .await;
    assert_eq!(
        (outside.status(), outside.field("content-range")),
        (416, Some(&*format!("bytes */{SIZE}")))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_here_is_asked_for_with_the_tag() {
    let stage = Stage::start().await;
    is_part(&stage.get(&from(1, BLOCK + 5)).await, 1, BLOCK + 5, SIZE - 1);
    let asked = stage.origin.requests();
    assert_eq!((asked.len(), asked[0].field("if-range")), (1, Some(&*tag(1))));
    assert_eq!(asked[0].field("if-match"), None);
    // An If-Range may be answered from a disk on the way: it says nothing of what is current.
    stage.origin.forget();
    is_part(&stage.get(&ranged(2 * BLOCK, 2 * BLOCK)).await, 1, 2 * BLOCK, 2 * BLOCK);
    assert_eq!(stage.origin.requests()[0].field("if-none-match"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_no_cache_it_is_asked_for_in_any_case() {
    let stage = Stage::start().await;
    stage.fill().await;
    stage.put(2);
    is_whole(&stage.get(&format!("{}; Cache-Control: no-cache", from(1, 9))).await, 2);
    assert_eq!(stage.origin.requests()[0].field("cache-control"), Some("no-cache"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_revision_comes_whole_and_is_current() {
    let stage = Stage::start().await;
    stage.put(2);
    let answer = stage.get(&from(1, BLOCK)).await;
    is_whole(&answer, 2);
    assert_eq!(stage.origin.requests().len(), 1);
    stage.sidecar.has_stored(5).await;
    stage.origin.stop().await;
    is_part(&stage.get(&ranged(0, 9)).await, 2, 0, 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_server_that_ignores_if_range_no_part_is_believed() {
    let lies = [
        Act::field("X", "other"),
        Act::field("ETag", format!("W/{}", tag(1))),
        Act::lacks("ETag"),
    ];
    for lie in lies {
        let stage = Stage::start().await;
        stage.put(2);
        let ignores = Rule::any().with("If-Range").act(Act::Ignore(http::header::IF_RANGE));
        stage.origin.script(ignores.act(lie));
        is_whole(&stage.get(&from(1, BLOCK)).await, 2);
        let asked = stage.origin.requests();
        assert_eq!(asked.len(), 2);
        assert!(asked[1].field("range").is_none() && asked[1].field("if-range").is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_is_told_and_not_hidden_by_a_stale_whole() {
    let stage = Stage::start().await;
    stage.fill().await;
    stage
        .origin
        .script(Rule::any().times(1).act(Act::answer(503, &[("Retry-After", "9")], "")));
    let answer = stage.get(&from(2, 9)).await;
    assert_eq!((answer.status(), answer.field("retry-after")), (503, Some("9")));
    stage.origin.script(Rule::any().times(1).act(Act::status(404)));
    assert_eq!(stage.get(&from(2, 9)).await.status(), 404);
    stage.origin.stop().await;
    assert_eq!(stage.get(&from(2, 9)).await.status(), 502);
    let only = stage
        .get(&format!("{}; Cache-Control: only-if-cached", from(2, 9)))
        .await;
    assert_eq!(only.status(), 504);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_that_are_none_are_whole_downloads() {
    let stage = Stage::start().await;
    stage.origin.put("/o", resource(1).field("Cache-Control", "max-age=60"));
    stage.fill().await;
    let one = tag(1);
    is_whole(
        &stage.get(&format!("GET /o; Range: bytes=5-9; If-Range: W/{one}")).await,
        1,
    );
    is_whole(&stage.get(&format!("GET /o; If-Range: {one}")).await, 1);
    let head = stage.get(&format!("HEAD /o; Range: bytes=5-9; If-Range: {one}")).await;
    assert_eq!(
        (head.status(), head.field("content-length")),
        (200, Some(&*SIZE.to_string()))
    );
    stage.origin.forget();
    // Beside a pin it decides between the range and the whole of what is pinned.
    let both = |if_range: &str| format!("GET /o; Range: bytes=5-9; If-Match: {one}; If-Range: {if_range}");
    is_part(&stage.get(&both(&one)).await, 1, 5, 9);
    is_whole(&stage.get(&both("\"x\"")).await, 1);
    is_whole(&stage.get(&both(&format!("W/{one}"))).await, 1);
    assert_eq!(stage.origin.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_date_is_the_origins_to_judge() {
    let stage = Stage::start().await;
    stage.fill().await;
    let modified = stage.get("HEAD /o").await.field("last-modified").unwrap().to_owned();
    stage.origin.forget();
    let answer = stage
        .get(&format!("GET /o; Range: bytes=5-9; If-Range: {modified}"))
        .await;
    assert_eq!(
        (answer.status() == 206 || answer.status() == 200, detail(&answer)),
        (true, "if-range-date")
    );
    let asked = stage.origin.requests();
    assert_eq!(
        (asked[0].field("if-range"), asked[0].field("range")),
        (Some(&*modified), Some("bytes=5-9"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_is_asked_by_if_match_and_then_plainly() {
    let server = S3Server::start().await.unwrap();
    let old = server.put_pattern("bucket", "o", rev(1), SIZE);
    let sidecar = Sidecar::start(&s3_config(&server, "")).await;
    let rest = format!("GET /a/o; Range: bytes=9-; If-Range: {old}");
    is_part(&sidecar.get(&rest).await, 1, 9, SIZE - 1);
    let asked = server.counters().asked();
    assert_eq!((asked.len(), asked[0].field("if-match")), (1, Some(&*old)));
    let cold = Sidecar::start(&s3_config(&server, "")).await;
    server.put_pattern("bucket", "o", rev(2), SIZE);
    server.counters().reset();
    is_whole(&cold.get(&rest).await, 2);
    let asked = server.counters().asked();
    assert_eq!(asked.len(), 2);
    assert!(asked[1].field("if-match").is_none() && asked[1].field("range").is_none());
}
