//! Answers from here: framing, batching, aborts, leaving clients.

use futures_util::stream::{self, StreamExt};
use http::header;
use http::{HeaderMap, HeaderValue};
use pinstripe_kit::gate::Gate;
use pinstripe_kit::raw::End;
use tokio::sync::mpsc;

use super::harness::{GET, answer, house, later, piece, sized, text, unsized_};
use crate::metrics::Source;
use crate::proxy::{Abort, Action, Piece, Reply};

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let house = house(|request| text(request.target.path().unwrap().to_owned()));
    let mut wire = house.wire().await;
    for n in 0..100 {
        let answer = wire
            .exchange(format!("GET /{n} HTTP/1.1\r\nHost: h\r\n\r\n"))
            .await
            .unwrap();
        assert_eq!((answer.status(), &*answer.body), (200, format!("/{n}").as_bytes()));
        assert_eq!(answer.field("connection"), Some("keep-alive"));
        assert_eq!(answer.field("x-made"), Some("here"));
    }
    house.counted("pinstripe_requests_total{class=\"whole\",outcome=\"disk\",route=\"-\"} 100");
    house.counted("pinstripe_requests_in_flight 0");
    house.counted("pinstripe_connections_open 1");
    house.counted("pinstripe_sent_bytes_total{source=\"disk\"} 290");
    house.close().await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let house = house(|request| text(format!("{} {}", request.method, request.target.path().unwrap())));
    let mut wire = house.wire().await;
    let chunked = "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\n\r\n";
    let put = "PUT /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nGET /";
    wire.send(format!("{GET}{put}\r\n{GET}{chunked}")).await.unwrap();
    for expected in ["GET /a", "PUT /b", "GET /a", "POST /c"] {
        let answer = wire.answer(false).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer.body), expected);
    }
}

#[tokio::test]
async fn a_small_answer_is_one_write() {
    let house = house(|_| text(vec![b'x'; 4 << 10]));
    let mut wire = house.wire().await;
    for writes in 1..4 {
        assert_eq!(wire.exchange(GET).await.unwrap().body.len(), 4 << 10);
        assert_eq!(house.metrics.client_writes.get(), writes);
    }
}

#[tokio::test]
async fn what_is_there_is_not_held_back_by_what_is_not() {
    let gate = Gate::closed();
    let held = gate.clone();
    let house = house(move |_| {
        let gate = held.clone();
        let rest = stream::once(async move {
            gate.pass().await;
            piece("rest")
        });
        answer(sized(200, 8, stream::iter([piece("some")]).chain(rest).boxed()))
    });
    let mut wire = house.wire().await;
    wire.send(GET).await.unwrap();
    let head = wire.head().await.unwrap();
    assert_eq!(head.field("content-length"), Some("8"));
    assert_eq!(&*wire.up_to(4).await.0, b"some");
    gate.open();
    assert_eq!(&*wire.up_to(4).await.0, b"rest");
    assert_eq!(wire.exchange(GET).await.unwrap().end, End::Complete);
}

#[tokio::test]
async fn large_bodies_arrive_whole() {
    let body: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let sent = body.clone();
    let house = house(move |_| {
        let pieces: Vec<_> = sent.chunks(99_999).map(|part| piece(part.to_vec())).collect();
        answer(sized(200, sent.len() as u64, stream::iter(pieces).boxed()))
    });
    let mut wire = house.wire().await;
    for _ in 0..3 {
        assert_eq!(wire.exchange(GET).await.unwrap().body, body);
    }
}

#[tokio::test]
async fn some_answers_have_no_body() {
    let house = house(|request| {
        let status = request.target.path().unwrap().trim_start_matches('/').parse().unwrap();
        match status {
            200 => text("hello"),
            0 => text(""),
            status => answer(unsized_(status, stream::iter([piece("never")]).boxed())),
        }
    });
    let mut wire = house.wire().await;
    let head = wire.exchange("HEAD /200 HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    assert_eq!((head.status(), head.field("content-length")), (200, Some("5")));
    for status in [304, 204] {
        let answer = wire
            .exchange(format!("GET /{status} HTTP/1.1\r\nHost: h\r\n\r\n"))
            .await
            .unwrap();
        assert_eq!((answer.status(), answer.field("transfer-encoding")), (status, None));
    }
    let empty = wire.exchange("GET /0 HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    assert_eq!(empty.field("content-length"), Some("0"));
    let body = wire.exchange("GET /200 HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    assert_eq!(&*body.body, b"hello");
}

#[tokio::test]
async fn old_clients_are_served() {
    let house = house(|request| match request.target.path() {
        Some("/sized") => text("hello"),
        _ => answer(unsized_(200, stream::iter([piece("hel"), piece("lo")]).boxed())),
    });
    let closes = house.ask("GET /sized HTTP/1.0\r\n\r\n").await;
    assert_eq!(
        (&*closes.body, closes.field("connection")),
        (b"hello".as_slice(), Some("close"))
    );
    let mut wire = house.wire().await;
    for _ in 0..2 {
        let kept = wire
            .exchange("GET /sized HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            .await
            .unwrap();
        assert_eq!(kept.field("connection"), Some("keep-alive"));
    }
    let chunked = house.ask("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!(
        (&*chunked.body, chunked.field("transfer-encoding")),
        (b"hello".as_slice(), Some("chunked"))
    );
    let until_close = house.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
    assert_eq!(
        (&*until_close.body, until_close.end),
        (b"hello".as_slice(), End::Closed)
    );
    assert_eq!(until_close.field("transfer-encoding"), None);
}

#[tokio::test]
async fn what_cannot_be_finished_is_aborted() {
    let house = house(|request| {
        let cut = stream::iter([piece("some"), Err(Abort("cut"))]).boxed();
        match request.target.path().unwrap() {
            "/cut" => answer(sized(200, 8, cut)),
            "/chunks" => answer(unsized_(200, cut)),
            "/short" => answer(sized(200, 8, stream::iter([piece("some")]).boxed())),
            "/long" => answer(sized(200, 4, stream::iter([piece("some"), piece("more")]).boxed())),
            other => panic!("{other}"),
        }
    });
    let check = async |request: &str, body: &str, end: End| {
        let answer = house.ask(request).await;
        assert_eq!((answer.status(), answer.end), (200, end), "{request}");
        assert!(body.as_bytes().starts_with(&answer.body), "{request}");
    };
    check("GET /cut HTTP/1.1\r\nHost: h\r\n\r\n", "some", End::Cut).await;
    check("GET /short HTTP/1.1\r\nHost: h\r\n\r\n", "some", End::Cut).await;
    check("GET /chunks HTTP/1.1\r\nHost: h\r\n\r\n", "some", End::Cut).await;
    // Only the connection's end delimits it, so it must not look like one.
    check("GET /chunks HTTP/1.0\r\n\r\n", "some", End::Cut).await;
    let mut wire = house.wire().await;
    wire.send("GET /long HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    wire.head().await.unwrap();
    assert_eq!(&*wire.up_to(4).await.0, b"some");
    assert!(wire.is_closed().await);
    house.counted("pinstripe_requests_total{class=\"whole\",outcome=\"aborted\",route=\"-\"} 5");
}

/// Tells when it is dropped.
struct Guard(mpsc::Sender<()>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.try_send(()).unwrap();
    }
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_answer_along() {
    let (dropped, mut was_dropped) = mpsc::channel(9);
    let (started, mut has_started) = mpsc::channel(9);
    let house = house(move |request| {
        let (guard, started) = (Guard(dropped.clone()), started.clone());
        let endless = stream::once(async move {
            started.send(()).await.unwrap();
            let _guard = guard;
            std::future::pending().await
        });
        if request.target.path() == Some("/body") {
            return answer(sized(200, 8, stream::iter([piece("some")]).chain(endless).boxed()));
        }
        let mut endless = endless.boxed();
        later(async move {
            let _: Option<Result<Piece, Abort>> = endless.next().await;
            unreachable!()
        })
    });
    for path in ["/head", "/body"] {
        let mut wire = house.wire().await;
        wire.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n{GET}"))
            .await
            .unwrap();
        has_started.recv().await.unwrap();
        drop(wire);
        was_dropped.recv().await.unwrap();
    }
    house.close().await;
}

#[tokio::test]
async fn small_bodies_are_ignored_and_large_ones_end_the_connection() {
    let house = house(|_| text("hello"));
    let with_body = |size: usize| {
        let body = "x".repeat(size);
        format!("GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n\r\n{body}")
    };
    let mut wire = house.wire().await;
    for _ in 0..2 {
        let answer = wire.exchange(with_body(60_000)).await.unwrap();
        assert_eq!(
            (&*answer.body, answer.field("connection")),
            (b"hello".as_slice(), Some("keep-alive"))
        );
    }
    let answer = wire.exchange(with_body(1 << 20)).await.unwrap();
    assert_eq!(
        (&*answer.body, answer.field("connection")),
        (b"hello".as_slice(), Some("close"))
    );
    let expects = "PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    let answer = house.ask(expects).await;
    assert_eq!((answer.status(), answer.head.interim.len()), (200, 0));
    assert_eq!(answer.field("connection"), Some("close"));
}

#[tokio::test]
async fn the_service_sees_what_was_asked() {
    let house = house(|request| {
        let host = request.fields["host"].to_str().unwrap().to_owned();
        text(format!(
            "{:?} {host} {:?}",
            request.target,
            request.host.map(|host| &host.host)
        ))
    });
    let check = async |request: &str, expected: &str| {
        assert_eq!(
            String::from_utf8_lossy(&house.ask(request).await.body),
            expected,
            "{request}"
        );
    };
    check(GET, "Origin { path: \"/a\", query: Some(\"b\") } h Some(\"h\")").await;
    check(
        "GET HTTP://T.example:81/a HTTP/1.1\r\nHost: proxy\r\n\r\n",
        "Absolute { origin: TargetOrigin { secure: false, host: \"t.example\", port: 81 }, path: \"/a\", query: None } \
         t.example:81 Some(\"proxy\")",
    )
    .await;
}

#[tokio::test]
async fn dates_are_those_of_the_origin() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let house = house(move |request| match request.target.path() {
        Some("/a") => answer(
            sized(200, 2, stream::iter([piece("ok")]).boxed()).with(header::DATE, HeaderValue::from_static(date)),
        ),
        _ => text("hello"),
    });
    let mut wire = house.wire().await;
    assert_eq!(wire.exchange(GET).await.unwrap().field("date"), Some(date));
    let new = wire.exchange("GET /b HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    assert!(new.field("date").is_some_and(|new| new != date));
}

#[tokio::test]
async fn text_says_what_it_is() {
    let house = house(|_| answer(Reply::text(http::StatusCode::NOT_FOUND, "no-route", "no route matches")));
    let mut wire = house.wire().await;
    for _ in 0..2 {
        let answer = wire.exchange(GET).await.unwrap();
        assert_eq!(
            (answer.status(), &*answer.body),
            (404, b"no route matches\n".as_slice())
        );
        assert_eq!(answer.field("connection"), Some("keep-alive"));
    }
    let generated = Source::Generated;
    house.counted(&format!(
        "pinstripe_sent_bytes_total{{source=\"{}\"}} 34",
        generated.as_str()
    ));
    let fields: HeaderMap = wire.exchange(GET).await.unwrap().head.headers;
    assert!(!fields.contains_key("server"));
    let _: fn(Reply) -> Action = answer;
}
