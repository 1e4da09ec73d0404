//! What S3's clients expect of S3, whether it or an HTTP server that speaks its dialect stands behind.

use http::header::{CACHE_CONTROL, HeaderName};
use pinstripe_kit::raw::Answer;
use pinstripe_kit::s3::{Object, S3Options, S3Server, Store};

use crate::stage::{BLOCK, SIZE, Stage, is_part, is_whole, resource, rev, tag};
use crate::support::{Sidecar, s3_config};

pub(crate) async fn server() -> (S3Server, Sidecar) {
    let server = S3Server::start().await.unwrap();
    server.put_pattern("bucket", "o", rev(1), SIZE);
    let sidecar = Sidecar::start(&s3_config(&server, "")).await;
    (server, sidecar)
}

#[track_caller]
pub(crate) fn is_xml(answer: &Answer, status: u16, code: &str) {
    let body = String::from_utf8_lossy(&answer.body);
    assert_eq!(
        (answer.status(), answer.field("content-type")),
        (status, Some("application/xml")),
        "{body}"
    );
    assert!(body.contains(&format!("<Code>{code}</Code>")), "{body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_with_a_range_is_told_the_range_and_sent_nothing() {
    let (server, sidecar) = server().await;
    let length = SIZE.to_string();
    for request in ["HEAD /a/o", "HEAD /a/o; If-Match: {tag}"] {
        let request = request.replace("{tag}", &tag(1));
        for (range, expected) in [
            ("bytes=5-9", (5, 9)),
            ("bytes=-7", (SIZE - 7, SIZE - 1)),
            ("bytes=0-", (0, SIZE - 1)),
        ] {
            let answer = sidecar.get(&format!("{request}; Range: {range}")).await;
            let (first, last) = expected;
            assert_eq!((answer.status(), answer.body.len()), (206, 0), "{request}");
            assert_eq!(answer.head.content_range(), Some((first, last, SIZE)));
            assert_eq!(answer.field("content-length"), Some(&*(last - first + 1).to_string()));
        }
        let answer = sidecar.get(&format!("{request}; Range: bytes={SIZE}-")).await;
        assert_eq!((answer.status(), answer.body.len()), (416, 0));
        let answer = sidecar.get(&request).await;
        assert_eq!((answer.status(), answer.field("content-length")), (200, Some(&*length)));
    }
    server.counters().idle().await;
    assert_eq!(server.counters().snapshot().body_bytes, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_object_is_known_by_its_416() {
    let (server, sidecar) = server().await;
    server.put_bytes("bucket", "e", "");
    for _ in 0..2 {
        let answer = sidecar.get("GET /a/e; Range: bytes=0-8388607").await;
        is_xml(&answer, 416, "InvalidRange");
        assert_eq!(answer.field("content-range"), Some("bytes */0"));
        assert!(String::from_utf8_lossy(&answer.body).contains("<ActualObjectSize>0</ActualObjectSize>"));
        for request in ["GET /a/e", "GET /a/e?partNumber=1"] {
            let answer = sidecar.get(request).await;
            assert_eq!((answer.status(), answer.body.len()), (200, 0), "{request}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_are_xml_and_nothing_to_a_head() {
    let (server, sidecar) = server().await;
    is_xml(&sidecar.get("GET /a/none").await, 404, "NoSuchKey");
    is_xml(&sidecar.get("GET /a/none; Range: bytes=0-9").await, 404, "NoSuchKey");
    is_xml(
        &sidecar.get("GET /a/o; If-Match: \"x\"").await,
        412,
        "PreconditionFailed",
    );
    is_xml(
        &sidecar.get("GET /a/o; Cache-Control: only-if-cached").await,
        504,
        "InternalError",
    );
    for (status, code) in [
        (http::StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
        (http::StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
    ] {
        server.refuse_next(1, status);
        is_xml(&sidecar.get("GET /a/o; Range: bytes=0-9").await, status.as_u16(), code);
    }
    server.refuse_next(1, http::StatusCode::FORBIDDEN);
    let denied = sidecar.get("GET /a/o; Range: bytes=0-9").await;
    is_xml(&denied, 403, "AccessDenied");
    for request in ["HEAD /a/none", "HEAD /a/o; If-Match: \"x\""] {
        assert_eq!(sidecar.get(request).await.body.len(), 0, "{request}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_reads_are_answered() {
    let (server, sidecar) = server().await;
    for request in [
        "PUT /a/o",
        "DELETE /a/o",
        "POST /a/o?uploads",
        "PATCH /a/o",
        "OPTIONS /a/o",
    ] {
        let answer = sidecar.get(&format!("{request}; Content-Length: 0")).await;
        is_xml(&answer, 405, "MethodNotAllowed");
        assert_eq!(answer.field("allow"), Some("GET, HEAD"));
    }
    for query in [
        "acl",
        "tagging",
        "torrent",
        "uploads",
        "list-type=2",
        "versions",
        "attributes",
    ] {
        is_xml(&sidecar.get(&format!("GET /a/o?{query}")).await, 501, "NotImplemented");
    }
    is_xml(&sidecar.get("GET /a/").await, 501, "NotImplemented");
    let shapes = [
        "GET /a/o?response-content-type=text%2Fplain",
        "GET /a/o; x-amz-server-side-encryption-customer-algorithm: AES256",
        "GET /a/o; Range: bytes=0-1,5-6",
        "GET /a/o; If-Match: W/\"x\"",
    ];
    for request in shapes {
        is_xml(&sidecar.get(request).await, 405, "MethodNotAllowed");
    }
    assert_eq!(server.counters().snapshot().requests(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_are_compared_with_what_is_served() {
    let (server, sidecar) = server().await;
    let one = tag(1);
    for _ in 0..2 {
        for request in [
            "GET /a/o",
            "GET /a/o; Range: bytes=0-9",
            "HEAD /a/o",
            "GET /a/o; If-Match: {tag}",
        ] {
            let request = format!("{}; If-None-Match: {one}", request.replace("{tag}", &one));
            let answer = sidecar.get(&request).await;
            assert_eq!(
                (answer.status(), answer.body.len(), answer.field("etag")),
                (304, 0, Some(&*one)),
                "{request}"
            );
        }
    }
    server.put_pattern("bucket", "o", rev(2), SIZE);
    is_whole(&sidecar.get(&format!("GET /a/o; If-None-Match: {one}")).await, 2);
    let since = sidecar
        .get("HEAD /a/o")
        .await
        .field("last-modified")
        .unwrap()
        .to_owned();
    assert_eq!(
        sidecar
            .get(&format!("GET /a/o; If-Modified-Since: {since}"))
            .await
            .status(),
        304
    );
    assert_eq!(sidecar.get("GET /a/none; If-Match: *").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_is_an_object_of_its_own() {
    let options = S3Options {
        store: Store::new(true),
        ..S3Options::default()
    };
    let server = S3Server::start_with(options).await.unwrap();
    let sidecar = Sidecar::start(&s3_config(&server, "")).await;
    for n in [1, 2] {
        server.put_pattern("bucket", "o", rev(n), SIZE);
    }
    is_whole(&sidecar.get("GET /a/o").await, 2);
    let versions = [("version-00000001", 1), ("version-00000002", 2)];
    for (version, n) in versions {
        let answer = sidecar
            .get(&format!("GET /a/o?versionId={version}; Range: bytes=0-9"))
            .await;
        is_part(&answer, n, 0, 9);
        assert_eq!(answer.field("x-amz-version-id"), Some(version));
    }
    is_part(&sidecar.get("GET /a/o; Range: bytes=0-9").await, 2, 0, 9);
    is_xml(&sidecar.get("GET /a/o?versionId=none").await, 404, "NoSuchVersion");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_stored_with_an_object_is_told_with_it() {
    let (server, sidecar) = server().await;
    let object = Object::pattern(rev(1), SIZE)
        .field(CACHE_CONTROL, "max-age=60".parse().unwrap())
        .field(HeaderName::from_static("content-encoding"), "gzip".parse().unwrap())
        .field(HeaderName::from_static("x-amz-meta-build"), "7".parse().unwrap());
    server.store().put("bucket", "meta", object);
    for _ in 0..2 {
        let answer = sidecar.get("GET /a/meta").await;
        is_whole(&answer, 1);
        let told = [answer.field("x-amz-meta-build"), answer.field("content-encoding")];
        assert_eq!(told, [Some("7"), Some("gzip")]);
        assert!(answer.field("x-amz-request-id").is_none() && answer.field("server").is_none());
        sidecar.has_stored(1).await;
    }
    server.counters().idle().await;
    assert_eq!(server.counters().snapshot().requests(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unquoted_tag_is_the_same_as_its_quoted_form() {
    let stage = Stage::start().await;
    let bare = tag(1).trim_matches('"').to_owned();
    stage.origin.put("/o", resource(1).tag(bare.clone()));
    let first = stage.get("GET /o; Range: bytes=0-9").await;
    assert_eq!((first.status(), first.field("etag")), (206, Some(&*bare)));
    for pin in [tag(1), bare.clone()] {
        let answer = stage
            .get(&format!(
                "GET /o; Range: bytes={}-{}; If-Match: {pin}",
                2 * BLOCK,
                2 * BLOCK
            ))
            .await;
        assert_eq!(
            (answer.status(), answer.field("etag")),
            (206, Some(&*bare)),
            "{:?}",
            answer.head
        );
    }
    assert_eq!(
        stage.get(&format!("GET /o; If-None-Match: {}", tag(1))).await.status(),
        304
    );
    assert_eq!(stage.get(&format!("GET /o; If-None-Match: {bare}")).await.status(), 304);
}
