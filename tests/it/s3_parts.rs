//! Parts of objects that were uploaded in parts, by number.

use pinstripe_kit::origin::{Act, Rule};
use pinstripe_kit::s3::Object;

use crate::s3_dialect::{is_xml, server};
use crate::stage::{Stage, bytes, detail, is_part, is_whole, rev, tag};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_are_asked_by_number_and_then_known() {
    let (server, sidecar) = server().await;
    // Blocks of 1 MiB: parts 1 and 3 are blocks, what lies between two parts is not.
    let size = (5 << 20) + 77;
    let etag = server
        .store()
        .put("bucket", "parts", Object::pattern(rev(1), size).in_parts(1 << 20));
    let ranges: Vec<_> = (0..6_u64).map(|n| (n << 20, size.min((n + 1) << 20) - 1)).collect();
    for round in 0..2 {
        for (n, (first, last)) in ranges.iter().enumerate() {
            let pin = if n == 0 {
                String::new()
            } else {
                format!("; If-Match: {etag}")
            };
            let answer = sidecar.get(&format!("GET /a/parts?partNumber={}{pin}", n + 1)).await;
            assert_eq!(answer.status(), 206, "{:?}", answer.head);
            assert_eq!(answer.head.content_range(), Some((*first, *last, size)));
            assert_eq!(
                (answer.field("etag"), answer.field("x-amz-mp-parts-count")),
                (Some(&*etag), Some("6"))
            );
            assert!(answer.body == bytes(1, *first..last + 1));
        }
        server.counters().idle().await;
        let counts = server.counters().snapshot();
        if round == 0 {
            assert_eq!(counts.requests(), 6);
            sidecar.has_stored(6).await;
        } else {
            // The discovery is confirmed, and the pinned parts are here.
            assert_eq!((counts.requests(), counts.body_bytes), (7, size));
        }
    }
    let answer = sidecar
        .get(&format!("GET /a/parts?partNumber=2; If-Match: \"{}\"", "0".repeat(32)))
        .await;
    is_xml(&answer, 412, "PreconditionFailed");
    assert_eq!(sidecar.get("GET /a/parts?partNumber=7").await.status(), 416);
    for malformed in ["partNumber=0", "partNumber=x", "partNumber=1&partNumber=2"] {
        is_xml(
            &sidecar.get(&format!("GET /a/parts?{malformed}")).await,
            400,
            "InvalidArgument",
        );
    }
    is_xml(
        &sidecar.get("GET /a/parts?partNumber=1; Range: bytes=0-1").await,
        400,
        "InvalidArgument",
    );
    let head = sidecar.get("HEAD /a/parts?partNumber=2").await;
    assert_eq!((head.status(), head.field("content-length")), (206, Some("1048576")));
    assert_eq!((head.field("x-amz-mp-parts-count"), head.body.len()), (Some("6"), 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parts_own_tag_names_no_revision() {
    let stage = Stage::with("", ", dialect: s3").await;
    is_whole(&stage.get("GET /o").await, 1);
    stage.sidecar.has_stored(5).await;
    // Ceph.
    let part = [
        ("ETag", "\"0123\""),
        ("Content-Range", "bytes 0-4/263144"),
        ("x-amz-mp-parts-count", "3"),
    ];
    stage.origin.script(Rule::any().act(Act::answer(206, &part, "abcde")));
    for _ in 0..2 {
        let answer = stage.get("GET /o?partNumber=1").await;
        assert_eq!((answer.status(), &*answer.body), (206, &b"abcde"[..]));
        assert_eq!((answer.field("etag"), detail(&answer)), (Some("\"0123\""), "passed-on"));
    }
    stage.origin.stop().await;
    is_part(&stage.get("GET /o; Range: bytes=0-9").await, 1, 0, 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_knows_no_parts_is_handed_on() {
    let stage = Stage::with("", ", dialect: s3").await;
    // It looks at paths only, and ignores the query: 200, and all of it.
    for request in [
        "GET /o?partNumber=1".to_owned(),
        format!("GET /o?partNumber=1; If-Match: {}", tag(1)),
    ] {
        for _ in 0..2 {
            is_whole(&stage.get(&request).await, 1);
        }
    }
}
