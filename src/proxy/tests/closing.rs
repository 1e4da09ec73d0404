//! Deadlines, caps and shutdown.

use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use pinstripe_kit::gate::Gate;
use pinstripe_kit::raw::End;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::interval;

use super::harness::{GET, answer, config, house, house_with, later, piece, sized, text};
use crate::proxy::Bound;

/// No test waits as long; what ends after it did not end by its deadline.
const LONG: &str = "timeouts: {head: 1h, keep_alive: 1h, read: 1h, write: 1h}";

#[tokio::test]
async fn every_head_has_one_deadline() {
    let house = house_with(
        "timeouts: {head: 200ms, keep_alive: 1h, read: 1h, write: 1h}",
        "",
        |_| text("hello"),
    );
    let mut wire = house.wire().await;
    wire.send("GET / HT").await.unwrap();
    let answer = wire.answer(false).await.unwrap();
    assert_eq!((answer.status(), answer.field("connection")), (408, Some("close")));
    assert!(wire.is_closed().await);
    // The second head of a connection; that bytes come does not prolong it.
    let mut io = TcpStream::connect(house.address).await.unwrap();
    io.write_all(GET.as_bytes()).await.unwrap();
    let (mut reads, mut writes) = io.split();
    let mut seen = Vec::new();
    while !seen.ends_with(b"hello") {
        reads.read_buf(&mut seen).await.unwrap();
    }
    let dribble = async {
        let mut often = interval(Duration::from_millis(20));
        while writes.write_all(b"X").await.is_ok() {
            often.tick().await;
        }
        std::future::pending::<()>().await;
    };
    seen.clear();
    tokio::select! {
        () = dribble => {}
        read = reads.read_buf(&mut seen) => assert!(read.unwrap() > 0),
    }
    assert!(seen.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&seen));
    // A connection that says nothing.
    assert!(house.wire().await.is_closed().await);
}

#[tokio::test]
async fn idle_connections_are_closed_without_a_word() {
    let house = house_with(
        "timeouts: {head: 1h, keep_alive: 100ms, read: 1h, write: 1h}",
        "",
        |_| text("hello"),
    );
    let mut wire = house.wire().await;
    assert_eq!(wire.exchange(GET).await.unwrap().status(), 200);
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_let_go() {
    let (dropped, mut was_dropped) = mpsc::channel::<()>(1);
    let house = house_with(
        "timeouts: {head: 1h, keep_alive: 1h, read: 1h, write: 200ms}",
        "",
        move |_| {
            let dropped = dropped.clone();
            let endless = stream::repeat_with(move || {
                let _held = &dropped;
                piece(vec![0; 64 << 10])
            });
            answer(sized(200, 1 << 40, endless.boxed()))
        },
    );
    let mut wire = house.wire().await;
    wire.send(GET).await.unwrap();
    wire.head().await.unwrap();
    let stop = house.stop.clone();
    house.close().await;
    assert!(stop.is_cancelled());
    assert!(was_dropped.recv().await.is_none());
}

#[tokio::test]
async fn an_upload_that_stops_is_let_go() {
    let house = house_with(
        "timeouts: {head: 1h, keep_alive: 1h, read: 200ms, write: 1h}",
        "",
        |_| text("hello"),
    );
    let mut wire = house.wire().await;
    let answer = wire
        .exchange("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")
        .await
        .unwrap();
    assert_eq!(answer.status(), 408);
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn connections_over_the_cap_are_told_so() {
    let house = house_with("max_connections: 1", "", |_| text("hello"));
    let mut first = house.wire().await;
    assert_eq!(first.exchange(GET).await.unwrap().status(), 200);
    let refused = house.ask(GET).await;
    assert_eq!((refused.status(), refused.field("retry-after")), (503, Some("1")));
    assert_eq!(refused.end, End::Complete);
    house.counted("pinstripe_connections_refused_total 1");
    assert_eq!(first.exchange(GET).await.unwrap().status(), 200);
    drop(first);
    while house.metrics.connections_open.get() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(house.ask(GET).await.status(), 200);
}

#[tokio::test]
async fn requests_over_the_cap_are_told_so_and_keep_their_connection() {
    let gate = Gate::closed();
    let held = gate.clone();
    let house = house_with("", "limits: {requests: 1}", move |_| {
        let gate = held.clone();
        later(async move {
            gate.pass().await;
            sized(200, 2, stream::iter([piece("ok")]).boxed())
        })
    });
    let mut first = house.wire().await;
    first.send(GET).await.unwrap();
    gate.waiting(1).await;
    let mut second = house.wire().await;
    let refused = second.exchange(GET).await.unwrap();
    assert_eq!(
        (refused.status(), refused.field("connection")),
        (503, Some("keep-alive"))
    );
    gate.open();
    assert_eq!(first.answer(false).await.unwrap().status(), 200);
    assert_eq!(second.exchange(GET).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_connection_carries_so_many_requests() {
    let house = house_with("max_requests_per_connection: 2", "", |_| text("hello"));
    let mut wire = house.wire().await;
    wire.send(GET.repeat(3)).await.unwrap();
    assert_eq!(
        wire.answer(false).await.unwrap().field("connection"),
        Some("keep-alive")
    );
    assert_eq!(wire.answer(false).await.unwrap().field("connection"), Some("close"));
    assert!(wire.is_closed().await);
}

#[tokio::test]
async fn shutdown_waits_for_answers_and_for_nothing_else() {
    let gate = Gate::closed();
    let held = gate.clone();
    let mut house = house_with(LONG, "shutdown: 1h", move |request| {
        let gate = held.clone();
        let is_held = request.target.path() == Some("/held");
        let rest = stream::once(async move {
            if is_held {
                gate.pass().await;
            }
            piece("rest")
        });
        answer(sized(200, 8, stream::iter([piece("some")]).chain(rest).boxed()))
    });
    let mut idle = house.wire().await;
    assert_eq!(idle.exchange(GET).await.unwrap().status(), 200);
    let mut partial = house.wire().await;
    partial.send("GET / HT").await.unwrap();
    let mut running = house.wire().await;
    running.send("GET /held HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    let head = running.head().await.unwrap();
    gate.waiting(1).await;
    house.stop.cancel();
    assert!(idle.is_closed().await);
    assert!(partial.is_closed().await);
    assert!(pinstripe_kit::raw::get(house.address, GET).await.is_err());
    gate.open();
    let (body, end) = running.body(&head, false).await.unwrap();
    assert_eq!((&*body, end), (b"somerest".as_slice(), End::Complete));
    house.ended().await;
    assert!(running.is_closed().await);
}

#[tokio::test]
async fn shutdown_is_bounded() {
    let mut house = house_with(LONG, "shutdown: 100ms", |_| later(std::future::pending()));
    let mut wire = house.wire().await;
    wire.send(GET).await.unwrap();
    while house.metrics.requests_in_flight.get() == 0 {
        tokio::task::yield_now().await;
    }
    house.stop.cancel();
    house.ended().await;
    assert!(wire.is_closed().await);
    assert_eq!(house.metrics.requests_in_flight.get(), 0);
    assert_eq!(house.metrics.connections_open.get(), 0);
}

#[tokio::test]
async fn answers_that_begin_during_shutdown_say_that_they_are_the_last() {
    let gate = Gate::closed();
    let held = gate.clone();
    let mut house = house(move |_| {
        let gate = held.clone();
        later(async move {
            gate.pass().await;
            sized(200, 2, stream::iter([piece("ok")]).boxed())
        })
    });
    let mut wire = house.wire().await;
    wire.send(GET.repeat(2)).await.unwrap();
    gate.waiting(1).await;
    house.stop.cancel();
    while pinstripe_kit::raw::get(house.address, GET).await.is_ok() {}
    gate.open();
    assert_eq!(wire.answer(false).await.unwrap().field("connection"), Some("close"));
    assert!(wire.is_closed().await);
    house.ended().await;
}

#[tokio::test]
async fn an_address_in_use_is_an_error() {
    let house = house(|_| text("hello"));
    let mut taken = config("", "").listen[0].clone();
    taken.address = house.address;
    assert!(Bound::new(&taken).is_err());
}
