//! What S3's clients expect of S3, whether it or an HTTP server that speaks its dialect stands behind.

use http::header::{CACHE_CONTROL, HeaderName};
use pinstripe_kit::origin::{Act, Resource, Rule};
use pinstripe_kit::raw::Answer;
use pinstripe_kit::s3::{Object, S3Options, S3Server, Store};

use crate::stage::{BLOCK, SIZE, Stage, bytes, detail, is_part, is_whole, rev, tag};
use crate::support::{Sidecar, s3_config};

async fn server() -> (S3Server, Sidecar) {
    let server = S3Server::start().await.unwrap();
    server.put_pattern("bucket", "o", rev(1), SIZE);
    let sidecar = Sidecar::start(&s3_config(&server, "")).await;
    (server, sidecar)
}

#[track_caller]
fn is_xml(answer: &Answer, status: u16, code: &str) {
    let body = String::from_utf8_lossy(&answer.body);
    assert_eq!(
        (answer.status(), answer.field("content-type")),
        (status, Some("application/xml")),
        "{body}"
    );
    assert!(body.contains(&format!("<Code>{code}</Code>")), "{body}");
}

#[tokio::test]
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

#[tokio::test]
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

#[tokio::test]
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

#[tokio::test]
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

#[tokio::test]
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

#[tokio::test]
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

#[tokio::test]
async fn a_clients_signature_is_neither_looked_at_nor_passed_on() {
    let (server, sidecar) = server().await;
    let scope = "20260101/us-east-1/s3/aws4_request";
    let signed = format!(
        "GET /a/o; Range: bytes=0-9; Authorization: AWS4-HMAC-SHA256 Credential=THEIRS/{scope}, \
         SignedHeaders=host;range, Signature=bad; X-Amz-Date: 20260101T000000Z; X-Amz-Content-Sha256: UNSIGNED-PAYLOAD; \
         X-Amz-Security-Token: theirs; Amz-Sdk-Invocation-Id: 1; Cookie: a=b; X-Mine: 1"
    );
    is_part(&sidecar.get(&signed).await, 1, 0, 9);
    is_part(
        &sidecar
            .get(&format!(
                "GET /a/o?X-Amz-Credential=THEIRS&X-Amz-Signature=0; Range: bytes=9-9"
            ))
            .await,
        1,
        9,
        9,
    );
    for asked in server.counters().asked() {
        let heard = format!("{} {:?}", asked.uri, asked.headers);
        assert!(
            asked
                .field("authorization")
                .unwrap()
                .contains("Credential=kit-access-key/"),
            "{heard}"
        );
        assert!(!heard.contains("THEIRS") && !heard.contains("theirs"), "{heard}");
        assert!(
            asked.field("x-mine").is_none() && asked.field("cookie").is_none(),
            "{heard}"
        );
    }
}

#[tokio::test]
async fn a_signature_of_ours_that_is_refused_is_trouble_and_not_the_clients_fault() {
    let (store, options) = (Store::default(), S3Options::default());
    let address = {
        let server = S3Server::start_with(S3Options {
            store: store.clone(),
            ..options.clone()
        })
        .await
        .unwrap();
        server.put_pattern("bucket", "o", rev(1), 3 << 20);
        let sidecar = Sidecar::start(&s3_config(&server, "")).await;
        assert_eq!(sidecar.get("GET /a/o").await.status(), 200);
        sidecar.has_stored(3).await;
        let address = server.addr();
        server.stop().await;
        (address, sidecar)
    };
    let (address, sidecar) = address;
    let changed = S3Options {
        secret_key: "another".into(),
        store,
        address,
        ..options
    };
    let _server = S3Server::start_with(changed).await.unwrap();
    let answer = sidecar.get("GET /a/o; Range: bytes=0-9").await;
    assert_eq!((answer.status(), detail(&answer)), (206, "discovery-fallback"));
    let answer = sidecar.get("GET /a/none; Range: bytes=0-9").await;
    assert_eq!((answer.status(), detail(&answer)), (502, "own-credentials"));
}

#[tokio::test]
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

#[tokio::test]
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

#[tokio::test]
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
    }
    server.counters().idle().await;
    assert_eq!(server.counters().snapshot().requests(), 1);
}

#[tokio::test]
async fn an_unquoted_tag_is_the_same_as_its_quoted_form() {
    let stage = Stage::start().await;
    let bare = tag(1).trim_matches('"').to_owned();
    stage
        .origin
        .put("/o", Resource::pattern(rev(1), SIZE).tag(bare.clone()));
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
