//! The S3 server's reads at the wire, and its gates.

#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use http::header::CACHE_CONTROL;
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::raw::{End, Wire, get};
use pinstripe_kit::s3::{Object, S3Options, S3Server};

async fn public() -> S3Server {
    S3Server::start_with(S3Options {
        public_reads: true,
        ..S3Options::default()
    })
    .await
    .unwrap()
}

/// One line per question: target and fields, the status, and what the head or body must hold.
#[tokio::test]
async fn reads_at_the_wire() {
    let server = public().await;
    let store = server.store();
    let etag = store.put(
        "box",
        "ten",
        Object::bytes("0123456789").field(CACHE_CONTROL, "max-age=9".parse().unwrap()),
    );
    store.put("box", "empty", Object::bytes(""));
    let parts = store.put("box", "parts", Object::pattern(Pattern::new(1, 1), 10).in_parts(4));
    let mut wire = Wire::connect(server.addr()).await.unwrap();
    let table = [
        ("GET ten", "", 200, "content-length: 10"),
        ("GET ten", "Range: bytes=2-3", 206, "content-range: bytes 2-3/10"),
        ("GET ten", "Range: bytes=-3", 206, "content-range: bytes 7-9/10"),
        ("GET ten", "Range: bytes=5-", 206, "content-length: 5"),
        ("GET ten", "Range: bytes=0-1,3-4", 200, "content-length: 10"),
        ("GET ten", "Range: bytes=4-3", 200, "content-length: 10"),
        ("GET ten", "Range: bytes=10-", 416, "content-range: bytes */10"),
        (
            "GET ten",
            "Range: bytes=10-",
            416,
            "<ActualObjectSize>10</ActualObjectSize>",
        ),
        ("HEAD ten", "Range: bytes=2-3", 206, "content-range: bytes 2-3/10"),
        ("HEAD ten", "Range: bytes=2-3", 206, "content-length: 2"),
        ("HEAD ten", "Range: bytes=10-", 416, "content-range: bytes */10"),
        ("HEAD ten", "", 200, "content-length: 10"),
        ("HEAD none", "", 404, ""),
        ("GET none", "If-Match: \"x\"", 404, "<Code>NoSuchKey</Code>"),
        ("GET empty", "", 200, "content-length: 0"),
        (
            "GET empty",
            "Range: bytes=0-7",
            416,
            "<ActualObjectSize>0</ActualObjectSize>",
        ),
        ("GET empty", "Range: bytes=0-7", 416, "content-type: application/xml"),
        ("GET empty?partNumber=1", "", 200, "content-length: 0"),
        ("GET ten?partNumber=1", "", 206, "content-range: bytes 0-9/10"),
        ("GET ten?partNumber=2", "", 416, "<Code>InvalidPartNumber</Code>"),
        ("GET ten?partNumber=0", "", 400, "<Code>InvalidArgument</Code>"),
        (
            "GET ten?partNumber=1",
            "Range: bytes=0-1",
            400,
            "<Code>InvalidRequest</Code>",
        ),
        ("GET parts?partNumber=3", "", 206, "content-range: bytes 8-9/10"),
        ("HEAD parts?partNumber=2", "", 206, "x-amz-mp-parts-count: 3"),
        ("GET parts", "", 200, "etag: \"000000010000000170696e7374726970-3\""),
        (
            "GET ten",
            "If-Match: \"x\", \"781e5e245d69b566979b86e28d23f2c7\"",
            200,
            "",
        ),
        ("GET ten", "If-Match: *", 200, ""),
        ("GET ten", "If-Match: \"x\"", 412, "<Code>PreconditionFailed</Code>"),
        (
            "GET ten",
            "If-Match: \"x\"\r\nRange: bytes=10-",
            412,
            "<Condition>If-Match</Condition>",
        ),
        (
            "GET ten",
            "If-None-Match: \"781e5e245d69b566979b86e28d23f2c7\"",
            304,
            "cache-control: max-age=9",
        ),
        (
            "HEAD ten",
            "If-None-Match: W/\"781e5e245d69b566979b86e28d23f2c7\"",
            304,
            "etag: \"781e",
        ),
        ("GET ten", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT", 304, ""),
        (
            "GET ten",
            "If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT",
            412,
            "If-Unmodified-Since",
        ),
        ("GET ten?response-content-type=a%2Fb", "", 200, "content-type: a/b"),
        ("GET ten?x-id=GetObject", "", 200, "accept-ranges: bytes"),
        ("GET ten?acl", "", 403, ""),
        ("HEAD ten?tagging", "", 403, ""),
    ];
    assert_eq!(
        (etag.as_str(), parts.len()),
        ("\"781e5e245d69b566979b86e28d23f2c7\"", 36)
    );
    for (line, fields, status, holds) in table {
        let (method, target) = line.split_once(' ').unwrap();
        let fields = if fields.is_empty() {
            String::new()
        } else {
            format!("{fields}\r\n")
        };
        let answer = wire
            .exchange(format!("{method} /box/{target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n"))
            .await
            .unwrap();
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&answer.head.raw),
            String::from_utf8_lossy(&answer.body)
        );
        assert_eq!(
            (answer.status(), answer.end),
            (status, End::Complete),
            "{line} {fields} {text}"
        );
        assert!(text.contains(holds), "{line} {fields} lacks {holds}: {text}");
        let bare = method == "HEAD" || status == 304;
        assert!(!bare || answer.body.is_empty(), "{line} {fields} has a body");
        assert_eq!(
            status == 304,
            answer.field("content-length").is_none(),
            "{line} {fields}: {text}"
        );
    }
}

#[tokio::test]
async fn gates_refusals_and_restarts() {
    let server = public().await;
    server.put_bytes("box", "key", "one");
    let addr = server.addr();
    let ask = || get(addr, "GET /box/key HTTP/1.1\r\nHost: x\r\n\r\n");
    // An answer that is decided tells of what was, even if it comes late.
    server.answers().close();
    let overwrite = async {
        server.answers().waiting(1).await;
        assert_eq!(server.counters().snapshot().in_flight, 1);
        server.put_bytes("box", "key", "two");
        server.answers().open();
    };
    let (answer, ()) = tokio::join!(ask(), overwrite);
    assert_eq!(answer.unwrap().body, "one");
    server.refuse_next(1, http::StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ask().await.unwrap().status(), 503);
    assert_eq!(ask().await.unwrap().body, "two");
    server.counters().idle().await;
    let counts = server.counters().snapshot();
    assert_eq!((counts.requests(), counts.status(200), counts.status(503)), (3, 2, 1));
    assert_eq!((counts.pinned, counts.unpinned, counts.in_flight), (0, 3, 0));
    let last = server.counters().asked().pop().unwrap();
    assert_eq!((last.uri.path(), last.field("host")), ("/box/key", Some("x")));
    server.stop().await;
    assert!(ask().await.is_err());
    let server = S3Server::start_with(server.options().clone()).await.unwrap();
    assert_eq!((server.addr(), ask().await.unwrap().status()), (addr, 200));
}
