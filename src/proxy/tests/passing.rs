//! Requests that are passed on.

use std::net::SocketAddr;
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use pinstripe_kit::raw::End;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::harness::{GET, House, Upstream, house, upstream};
use crate::config::TierTimeouts;
use crate::net::Turns;
use crate::object::{Cause, StrongETag};
use crate::proxy::{Action, Answered, Hop, PassTo};

pub(super) fn to(addresses: Result<Vec<SocketAddr>, Cause>) -> PassTo {
    let hop = |address| Hop {
        address,
        tls: None,
        host: HeaderValue::from_static("up.example"),
    };
    let hops = addresses.map(|addresses| addresses.into_iter().map(hop).collect());
    PassTo {
        hops: Box::pin(std::future::ready(hops)),
        path_and_query: "/base/a?b".into(),
        pin: None,
        timeouts: TierTimeouts {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(5),
            idle: Duration::from_secs(5),
        },
        turns: Turns::new(1, Duration::from_secs(5)),
        fwd: "method",
        detail: "method",
        via: HeaderValue::from_static("1.1 pinstripe"),
        answered: None,
    }
}

/// An edge that passes everything to that address.
fn passing(address: SocketAddr) -> House {
    house(move |_| Action::Pass(Box::new(to(Ok(vec![address])))))
}

pub(super) async fn passed(script: Vec<(&'static str, &'static str)>) -> (House, Upstream) {
    let upstream = upstream(script).await;
    (passing(upstream.address), upstream)
}

pub(super) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: \"e\"\r\n\r\nok";

#[tokio::test]
async fn requests_and_answers_go_on_as_they_came() {
    let answer = "HTTP/1.1 201 Created\r\nContent-Length: 2\r\nX-Own: 1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
                  Connection: close, X-Hop\r\nX-Hop: 2\r\n\
                  Keep-Alive: timeout=5\r\nVia: 1.1 inner\r\nCache-Status: inner; hit\r\n\r\nok";
    let (house, upstream) = passed(vec![("0\r\n\r\n", answer)]).await;
    let mut wire = house.wire().await;
    let request = "POST /a?b HTTP/1.1\r\nHost: h\r\nX-Mine: 1\r\nConnection: X-Hop\r\nX-Hop: 2\r\nTE: trailers\r\n\
                   Proxy-Authorization: Basic x\r\nProxy-Connection: keep-alive\r\nUpgrade: websocket\r\n\
                   Transfer-Encoding: chunked\r\n\r\n";
    wire.send(request).await.unwrap();
    wire.send("5\r\nhello\r\n").await.unwrap();
    wire.send("6\r\n world\r\n0\r\n\r\n").await.unwrap();
    let answer = wire.answer(false).await.unwrap();
    assert_eq!((answer.status(), &*answer.body), (201, b"ok".as_slice()));
    assert_eq!((answer.field("x-own"), answer.field("x-hop")), (Some("1"), None));
    assert_eq!(
        (answer.field("keep-alive"), answer.field("connection")),
        (None, Some("keep-alive"))
    );
    assert_eq!(answer.field("date"), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
    let all = |name: &str| {
        answer
            .head
            .headers
            .get_all(name)
            .iter()
            .map(|v| v.to_str().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(all("via"), ["1.1 inner", "1.1 pinstripe"]);
    let own = "pinstripe; fwd=method; fwd-status=201; detail=method";
    assert_eq!(all("cache-status"), ["inner; hit", own]);

    let heard = upstream.heard().await.remove(0).to_lowercase();
    let (head, body) = heard.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("post /base/a?b http/1.1\r\n"), "{head}");
    for line in [
        "host: up.example",
        "x-mine: 1",
        "via: 1.1 pinstripe",
        "transfer-encoding: chunked",
    ] {
        assert_eq!(head.lines().filter(|l| *l == line).count(), 1, "{line} in {head}");
    }
    for gone in ["x-hop", "te:", "proxy-", "upgrade", "connection"] {
        assert!(!head.lines().any(|line| line.starts_with(gone)), "{gone} in {head}");
    }
    assert_eq!(body, "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
    house.counted("pinstripe_requests_total{class=\"whole\",outcome=\"method\",route=\"-\"} 1");
    house.counted("pinstripe_sent_bytes_total{source=\"upstream\"} 2");
}

#[tokio::test]
async fn a_client_that_waits_to_be_told_to_continue_is_told_by_the_upstream() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let house = passing(listener.local_addr().unwrap());
    let mut wire = house.wire().await;
    wire.send("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        .await
        .unwrap();
    let (mut io, _) = listener.accept().await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        io.read_buf(&mut seen).await.unwrap();
    }
    assert!(
        String::from_utf8_lossy(&seen)
            .to_lowercase()
            .contains("expect: 100-continue")
    );
    io.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
    // Told at once, before the final answer is there.
    assert!(wire.up_to(25).await.0.ends_with(b"\r\n\r\n"));
    wire.send("hello").await.unwrap();
    while !seen.ends_with(b"hello") {
        io.read_buf(&mut seen).await.unwrap();
    }
    io.write_all(OK.as_bytes()).await.unwrap();
    assert_eq!(wire.answer(false).await.unwrap().status(), 200);
}

#[tokio::test]
async fn large_bodies_stream_both_ways() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let house = passing(listener.local_addr().unwrap());
    let body: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let echo = async {
        let (mut io, _) = listener.accept().await.unwrap();
        let mut seen = Vec::new();
        let end = loop {
            assert!(io.read_buf(&mut seen).await.unwrap() > 0);
            if let Some(end) = seen.windows(4).position(|w| w == b"\r\n\r\n") {
                break end + 4;
            }
        };
        while seen.len() < end + body.len() {
            assert!(io.read_buf(&mut seen).await.unwrap() > 0);
        }
        io.write_all(head.as_bytes()).await.unwrap();
        io.write_all(&seen[end..]).await.unwrap();
    };
    let request = format!("PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut wire = house.wire().await;
    let asked = wire.exchange([request.as_bytes(), &body].concat());
    let ((), answer) = tokio::join!(echo, asked);
    let answer = answer.unwrap();
    assert_eq!((answer.status(), answer.end), (200, End::Complete));
    assert_eq!(answer.body, body);
}

#[tokio::test]
async fn a_pin_is_kept_although_nothing_is_stored() {
    let check = async |method: &str, tag: &str, answer: &'static str, status: u16| {
        let upstream = upstream(vec![("\r\n\r\n", answer)]).await;
        let address = upstream.address;
        let tag = StrongETag::parse(tag.as_bytes()).unwrap();
        let house = house(move |_| {
            let pin = Some(vec![StrongETag::parse(b"\"other\"").unwrap(), tag.clone()]);
            Action::Pass(Box::new(PassTo {
                pin,
                ..to(Ok(vec![address]))
            }))
        });
        let mut wire = house.wire().await;
        let seen = wire
            .exchange(format!("{method} /a HTTP/1.1\r\nHost: h\r\n\r\n"))
            .await
            .unwrap();
        assert_eq!(seen.status(), status, "{method} {answer}");
        if status == 412 {
            assert!(String::from_utf8_lossy(&seen.body).contains("another revision"));
            assert_eq!((seen.field("etag"), seen.end), (None, End::Complete));
            assert_eq!(
                seen.field("cache-status"),
                Some("pinstripe; fwd=method; detail=pin-ignored")
            );
        }
    };
    let weak = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: W/\"e\"\r\n\r\nok";
    let bare = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let partial =
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\nETag: \"x\"\r\n\r\nok";
    let missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nok";
    check("GET", "\"e\"", OK, 200).await;
    check("GET", "e", OK, 200).await;
    check("GET", "\"f\"", OK, 412).await;
    check("GET", "\"e\"", weak, 412).await;
    check("GET", "\"e\"", bare, 412).await;
    check("GET", "\"e\"", partial, 412).await;
    check("GET", "\"e\"", missing, 404).await;
    check("DELETE", "\"e\"", bare, 200).await;
}

#[tokio::test]
async fn bodies_without_a_length_arrive() {
    let until_close = "HTTP/1.1 200 OK\r\n\r\nhello";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let old = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    for (answer, request, end) in [
        (until_close, GET, End::Complete),
        (chunked, GET, End::Complete),
        (old, GET, End::Complete),
        (
            chunked,
            "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            End::Closed,
        ),
        (until_close, "GET /a HTTP/1.0\r\n\r\n", End::Closed),
    ] {
        let (house, _upstream) = passed(vec![("\r\n\r\n", answer)]).await;
        let seen = house.ask(request).await;
        assert_eq!(
            (&*seen.body, seen.end),
            (b"hello".as_slice(), end),
            "{answer:?} {request:?}"
        );
        assert!(seen.head.raw.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    }
}

#[tokio::test]
async fn heads_have_no_bodies() {
    let (house, _upstream) = passed(vec![("\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")]).await;
    let mut wire = house.wire().await;
    let answer = wire.exchange("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    assert_eq!((answer.status(), answer.field("content-length")), (200, Some("5")));
    assert_eq!(answer.field("connection"), Some("keep-alive"));
}

#[tokio::test]
async fn the_service_is_told_what_the_upstream_answered() {
    let (told, mut was_told) = mpsc::channel(9);
    let upstream = upstream(vec![("\r\n\r\n", OK), ("\r\n\r\n", "")]).await;
    let address = upstream.address;
    let house = house(move |_| {
        let told = told.clone();
        let answered = Some(Box::new(move |status: Option<StatusCode>| {
            told.try_send(status.map(|status| status.as_u16())).unwrap();
            Box::pin(std::future::ready(())) as futures_util::future::BoxFuture<'static, ()>
        }) as Answered);
        Action::Pass(Box::new(PassTo {
            answered,
            ..to(Ok(vec![address]))
        }))
    });
    assert_eq!(house.ask("DELETE /a HTTP/1.1\r\nHost: h\r\n\r\n").await.status(), 200);
    assert_eq!(was_told.recv().await.unwrap(), Some(200));
    assert_eq!(house.ask("DELETE /a HTTP/1.1\r\nHost: h\r\n\r\n").await.status(), 502);
    assert_eq!(was_told.recv().await.unwrap(), None);
}
