//! What is refused before a service is asked.

use super::harness::{GET, house, text};

#[tokio::test]
async fn malformed_heads_get_a_status_and_a_reason_and_no_second_request() {
    let house = house(|request| panic!("{request:?}"));
    let check = async |head: &str, status: u16, reason: &str| {
        let mut wire = house.wire().await;
        let answer = wire.exchange(format!("{head}\r\n{GET}")).await.unwrap();
        assert_eq!(answer.status(), status, "{head:?}");
        let body = String::from_utf8_lossy(&answer.body);
        assert!(body.contains(reason), "{head:?} {body}");
        assert_eq!(answer.field("connection"), Some("close"), "{head:?}");
        assert!(wire.is_closed().await, "{head:?}");
    };
    let with = |line: &str| format!("GET / HTTP/1.1\r\nHost: h\r\n{line}\r\n");
    check(&with("Content-Length: 3\r\nTransfer-Encoding: chunked"), 400, "beside").await;
    check(&with("Transfer-Encoding: gzip, chunked"), 501, "not implemented").await;
    check(&with("Content-Length: 3\r\nContent-Length: 3"), 400, "more than one").await;
    check(&with("Host: h"), 400, "more than one Host").await;
    check("GET / HTTP/1.1\r\nX: y\r\n", 400, "Host field is missing").await;
    check("GET / HTTP/1.1\nHost: h\n", 400, "bare LF").await;
    check(&with("X: a\r\n b"), 400, "folded").await;
    check("GET /a b HTTP/1.1\r\nHost: h\r\n", 400, "percent-encoded").await;
    check("GET /\u{1} HTTP/1.1\r\nHost: h\r\n", 400, "percent-encoded").await;
    check("GET /<> HTTP/1.1\r\nHost: h\r\n", 400, "percent-encoded").await;
    check("GET a HTTP/1.1\r\nHost: h\r\n", 400, "neither a path").await;
    check("GET /a#b HTTP/1.1\r\nHost: h\r\n", 400, "fragment").await;
    check("GET /a/%2e%2e/b HTTP/1.1\r\nHost: h\r\n", 400, "dot segment").await;
    check("GET http://u@h/ HTTP/1.1\r\nHost: h\r\n", 400, "user information").await;
    check(&with("X_Y: z"), 400, "underscore").await;
    check(
        &with("Range: bytes=0-1\r\nRange: bytes=0-1"),
        400,
        "more than one Range",
    )
    .await;
    check(&with(&format!("X: {}", "x".repeat(64 << 10))), 431, "64 KiB").await;
    check("GET / HTTP/2.0\r\nHost: h\r\n", 505, "HTTP/1.1").await;
    check("\u{16}\u{3}\u{1}", 400, "not a token").await;
    house.counted("pinstripe_requests_total{class=\"refuse\",outcome=\"bare-lf\",route=\"-\"} 1");
}

#[tokio::test]
async fn a_refused_head_request_gets_no_body() {
    let house = house(|_| text("hello"));
    let answer = house.ask("HEAD /../a HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!((answer.status(), answer.field("content-length")), (400, Some("26")));
}

#[tokio::test]
async fn a_good_request_before_a_bad_one_is_answered() {
    let house = house(|_| text("hello"));
    let mut wire = house.wire().await;
    wire.send(format!("{GET}GET /../ HTTP/1.1\r\nHost: h\r\n\r\n{GET}"))
        .await
        .unwrap();
    assert_eq!(wire.answer(false).await.unwrap().status(), 200);
    assert_eq!(wire.answer(false).await.unwrap().status(), 400);
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn there_are_no_tunnels() {
    let house = house(|request| panic!("{request:?}"));
    let mut wire = house.wire().await;
    let connect = "CONNECT t.example:443 HTTP/1.1\r\nHost: other\r\n\r\n\u{16}\u{3}";
    let answer = wire.exchange(connect).await.unwrap();
    assert_eq!((answer.status(), answer.field("allow")), (405, Some("GET, HEAD")));
    assert_eq!(answer.field("connection"), Some("close"));
    assert!(answer.body.starts_with(b"no tunnels"));
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn a_malformed_body_of_an_ignored_upload_ends_the_connection() {
    let house = house(|_| text("hello"));
    let mut wire = house.wire().await;
    let bad = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n";
    let answer = wire.exchange(bad).await.unwrap();
    assert_eq!((answer.status(), answer.field("connection")), (200, Some("close")));
    assert!(wire.is_closed().await);
}
