//! The S3 server against the AWS SDK, and its reads at the wire.

#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use http::header::CACHE_CONTROL;
use pinstripe_kit::client::Download;
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::raw::{End, Wire, get};
use pinstripe_kit::s3::{Object, Op, S3Options, S3Server, Store};
use std::time::Duration;

fn sdk(server: &S3Server, secret: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(
            &server.options().access_key,
            secret,
            None,
            None,
            "kit",
        ))
        .endpoint_url(server.url())
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http());
    Client::from_conf(config.build())
}

async fn start() -> (S3Server, Client) {
    let server = S3Server::start().await.unwrap();
    let client = sdk(&server, &server.options().secret_key);
    (server, client)
}

async fn public() -> S3Server {
    S3Server::start_with(S3Options {
        public_reads: true,
        ..S3Options::default()
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn what_was_put_comes_back_with_its_fields() {
    let (server, client) = start().await;
    let put = client
        .put_object()
        .bucket("box")
        .key("a b/ü+%20")
        .body(ByteStream::from_static(b"hello world"));
    let put = put
        .content_type("text/plain")
        .cache_control("max-age=5")
        .metadata("note", "x")
        .send()
        .await
        .unwrap();
    assert_eq!(put.e_tag(), Some("\"5eb63bbbe01eeed093cb22bb8f5acdc3\""));

    let got = client.get_object().bucket("box").key("a b/ü+%20").send().await.unwrap();
    assert_eq!(
        (got.content_type(), got.cache_control()),
        (Some("text/plain"), Some("max-age=5"))
    );
    assert_eq!((got.e_tag(), got.content_length()), (put.e_tag(), Some(11)));
    assert_eq!(got.metadata().unwrap().get("note").unwrap(), "x");
    // The SDK asked with a checksum mode, was given the one that it had uploaded, and verifies it as it reads.
    assert!(got.checksum_crc32().is_some());
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"hello world");

    let list = client.list_objects_v2().bucket("box").prefix("a").send().await.unwrap();
    assert_eq!(list.contents()[0].key(), Some("a b/ü+%20"));
    client
        .delete_object()
        .bucket("box")
        .key("a b/ü+%20")
        .send()
        .await
        .unwrap();
    let gone = client
        .get_object()
        .bucket("box")
        .key("a b/ü+%20")
        .send()
        .await
        .unwrap_err();
    assert_eq!(gone.code(), Some("NoSuchKey"));
    assert_eq!(server.counters().snapshot().op(Op::GetObject), 2);
}

#[tokio::test]
async fn a_wrong_signature_and_none_at_all_are_refused() {
    let (server, _) = start().await;
    server.put_bytes("box", "key", "x");
    let wrong = sdk(&server, "wrong")
        .get_object()
        .bucket("box")
        .key("key")
        .send()
        .await
        .unwrap_err();
    assert_eq!(wrong.code(), Some("SignatureDoesNotMatch"));
    let unsigned = get(server.addr(), "GET /box/key HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(unsigned.status(), 403);
}

#[tokio::test]
async fn conditional_reads_and_writes() {
    let (server, client) = start().await;
    let etag = server.put_bytes("box", "key", "one");
    let read = || client.get_object().bucket("box").key("key");
    assert!(read().if_match(&etag).send().await.is_ok());
    let pinned = read()
        .if_match("\"other\"")
        .range("bytes=0-1")
        .send()
        .await
        .unwrap_err();
    assert_eq!(pinned.code(), Some("PreconditionFailed"));
    let unchanged = read().if_none_match(&etag).send().await.unwrap_err();
    assert_eq!(unchanged.raw_response().unwrap().status().as_u16(), 304);
    let write = || {
        client
            .put_object()
            .bucket("box")
            .key("key")
            .body(ByteStream::from_static(b"two"))
    };
    assert_eq!(
        write().if_none_match("*").send().await.unwrap_err().code(),
        Some("PreconditionFailed")
    );
    assert!(write().if_match(&etag).send().await.is_ok());
    assert_eq!(
        write().if_match(&etag).send().await.unwrap_err().code(),
        Some("PreconditionFailed")
    );
    assert_eq!(server.counters().snapshot().precondition_failed(), 3);
}

#[tokio::test]
async fn a_multipart_upload_has_parts_and_their_tag() {
    let (_server, client) = start().await;
    let begun = client
        .create_multipart_upload()
        .bucket("box")
        .key("big")
        .content_type("x/y")
        .send()
        .await
        .unwrap();
    let id = begun.upload_id().unwrap();
    let mut parts = CompletedMultipartUpload::builder();
    for (number, len) in [(1, 5 << 20), (2, 3)] {
        let part = client
            .upload_part()
            .bucket("box")
            .key("big")
            .upload_id(id)
            .part_number(number);
        let part = part.body(ByteStream::from(vec![b'x'; len])).send().await.unwrap();
        let part = CompletedPart::builder()
            .part_number(number)
            .e_tag(part.e_tag().unwrap());
        parts = parts.parts(part.build());
    }
    let done = client
        .complete_multipart_upload()
        .bucket("box")
        .key("big")
        .upload_id(id);
    let done = done.multipart_upload(parts.build()).send().await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""), "{done:?}");
    let second = client
        .get_object()
        .bucket("box")
        .key("big")
        .part_number(2)
        .send()
        .await
        .unwrap();
    assert_eq!((second.parts_count(), second.content_length()), (Some(2), Some(3)));
    assert_eq!(second.content_range(), Some("bytes 5242880-5242882/5242883"));
    assert_eq!((second.e_tag(), second.content_type()), (done.e_tag(), Some("x/y")));
    let third = client
        .head_object()
        .bucket("box")
        .key("big")
        .part_number(3)
        .send()
        .await
        .unwrap_err();
    assert_eq!(third.raw_response().unwrap().status().as_u16(), 416);
}

#[tokio::test]
async fn versions_stay_readable() {
    let options = S3Options {
        store: Store::new(true),
        ..S3Options::default()
    };
    let server = S3Server::start_with(options).await.unwrap();
    let client = sdk(&server, &server.options().secret_key);
    server.put_bytes("box", "key", "one");
    let first = client.get_object().bucket("box").key("key").send().await.unwrap();
    server.put_bytes("box", "key", "two");
    let again = client
        .get_object()
        .bucket("box")
        .key("key")
        .version_id(first.version_id().unwrap());
    assert_eq!(again.send().await.unwrap().e_tag(), first.e_tag());
    assert!(
        client
            .delete_object()
            .bucket("box")
            .key("key")
            .send()
            .await
            .unwrap()
            .delete_marker()
            .unwrap()
    );
    assert_eq!(
        client
            .get_object()
            .bucket("box")
            .key("key")
            .send()
            .await
            .unwrap_err()
            .code(),
        Some("NoSuchKey")
    );
    let again = client
        .get_object()
        .bucket("box")
        .key("key")
        .version_id(first.version_id().unwrap());
    assert!(again.send().await.is_ok());
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
async fn a_presigned_url_and_an_empty_object_download() {
    let (server, client) = start().await;
    server.put_pattern("box", "key", Pattern::new(7, 1), 1000);
    server.put_bytes("box", "empty", "");
    for (key, size, revision) in [("key", 1000, Some(1)), ("empty", 0, None)] {
        let url = client.get_object().bucket("box").key(key);
        let url = url
            .presigned(PresigningConfig::expires_in(Duration::from_secs(60)).unwrap())
            .await
            .unwrap();
        let path = url.uri().split_once(&server.addr().to_string()).unwrap().1;
        let outcome = Download::new([server.addr()], path, 7).run().await;
        assert_eq!((outcome.size, outcome.verified), (Some(size), Ok(revision)));
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
    let counts = server.counters().snapshot();
    assert_eq!((counts.requests(), counts.status(200), counts.status(503)), (3, 2, 1));
    assert_eq!((counts.pinned, counts.unpinned, counts.in_flight), (0, 3, 0));
    server.stop().await;
    assert!(ask().await.is_err());
    let server = S3Server::start_with(server.options().clone()).await.unwrap();
    assert_eq!((server.addr(), ask().await.unwrap().status()), (addr, 200));
}
