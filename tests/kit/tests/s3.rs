//! The S3 server against the AWS SDK.

#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use pinstripe_kit::client::Download;
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::raw::get;
use pinstripe_kit::s3::{Op, S3Options, S3Server, Store};
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
