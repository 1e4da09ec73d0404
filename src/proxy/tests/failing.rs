//! Upstreams that fail, or cannot be trusted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pinstripe_kit::raw::End;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::harness::{GET, house, upstream};
use super::passing::{OK, passed, to};
use crate::config::TierTimeouts;
use crate::object::Cause;
use crate::proxy::{Action, Hop, PassTo, Roots, Tls};

#[tokio::test]
async fn upstreams_that_fail_are_told_apart() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = (silent.local_addr().unwrap(), silent);
    let check = async |target: fn(SocketAddr, SocketAddr) -> PassTo, status: u16, label: &str| {
        let (refused, waits) = (closed, silent.0);
        let house = house(move |_| Action::Pass(Box::new(target(refused, waits))));
        let answer = house.ask(GET).await;
        assert_eq!(
            (answer.status(), answer.field("connection")),
            (status, Some("close")),
            "{label}"
        );
        assert!(answer.body.ends_with(b"\n") && answer.end == End::Complete, "{label}");
        assert_eq!(
            answer.field("cache-status"),
            Some(&*format!("pinstripe; fwd=method; detail={label}"))
        );
        house.counted(&format!(
            "pinstripe_requests_total{{class=\"whole\",outcome=\"{label}\",route=\"-\"}} 1"
        ));
    };
    check(|refused, _| to(Ok(vec![refused; 9])), 502, "refused").await;
    check(|_, _| to(Ok(Vec::new())), 502, "no-address").await;
    check(|_, _| to(Err(Cause::NoAddress)), 502, "no-address").await;
    check(|_, _| to(Err(Cause::Forbidden)), 403, "forbidden-address").await;
    check(
        |_, waits| {
            let soon = Duration::from_millis(100);
            let timeouts = TierTimeouts {
                connect: soon,
                first_byte: soon,
                idle: soon,
            };
            PassTo {
                timeouts,
                ..to(Ok(vec![waits]))
            }
        },
        504,
        "timeout",
    )
    .await;
    check(
        |_, _| {
            let soon = Duration::from_millis(100);
            let timeouts = TierTimeouts {
                connect: soon,
                first_byte: soon,
                idle: soon,
            };
            PassTo {
                timeouts,
                hops: Box::pin(std::future::pending()),
                ..to(Ok(Vec::new()))
            }
        },
        504,
        "timeout",
    )
    .await;
}

#[tokio::test]
async fn tls_is_verified() {
    let issued = rcgen::generate_simple_self_signed(["up.example".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(issued.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![issued.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        loop {
            let (io, _) = listener.accept().await.unwrap();
            // Clients that do not trust us end the handshake.
            let Ok(mut io) = acceptor.accept(io).await else {
                continue;
            };
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\n") && io.read_buf(&mut seen).await.unwrap() > 0 {}
            io.write_all(OK.as_bytes()).await.unwrap();
            io.shutdown().await.unwrap();
        }
    });
    let own_root = issued.cert.der().clone();
    let check = async |name: &'static str, own: bool, status: u16, outcome: &str| {
        let roots = own.then(|| Roots::new(std::slice::from_ref(&own_root)));
        let house = house(move |_| {
            let tls = Some(Tls {
                name: name.into(),
                roots: roots.clone(),
            });
            let host = http::HeaderValue::from_static("up.example");
            let hop = Hop { address, tls, host };
            Action::Pass(Box::new(PassTo {
                hops: Box::pin(std::future::ready(Ok(vec![hop]))),
                ..to(Ok(Vec::new()))
            }))
        });
        assert_eq!(house.ask(GET).await.status(), status, "{name} {own}");
        house.counted(&format!(
            "pinstripe_requests_total{{class=\"whole\",outcome=\"{outcome}\",route=\"-\"}} 1"
        ));
    };
    check("up.example", true, 200, "method").await;
    check("other.example", true, 502, "tls").await;
    check("up.example", false, 502, "tls").await;
    check("", true, 502, "no-address").await;
}

#[tokio::test]
async fn answers_that_are_none_are_bad_gateways() {
    for answer in ["", "HTTP/1.1 200 OK\r\n", "SSH-2.0-x\r\n\r\n"] {
        let (house, _upstream) = passed(vec![("\r\n\r\n", answer)]).await;
        assert_eq!(house.ask(GET).await.status(), 502, "{answer:?}");
    }
}

#[tokio::test]
async fn the_next_address_is_tried() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let upstream = upstream(vec![("hello", OK)]).await;
    let addresses = vec![closed, closed, upstream.address];
    let house = house(move |_| Action::Pass(Box::new(to(Ok(addresses.clone())))));
    let answer = house
        .ask("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
        .await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn what_an_upstream_cuts_is_cut() {
    for (head, client) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome", GET),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n",
            GET,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n",
            "GET /a HTTP/1.0\r\n\r\n",
        ),
    ] {
        let (house, _upstream) = passed(vec![("\r\n\r\n", head)]).await;
        let answer = house.ask(client).await;
        assert_eq!((answer.status(), answer.end), (200, End::Cut), "{head} {client}");
        assert!(b"some".starts_with(&answer.body), "{head}");
        house.counted("pinstripe_requests_total{class=\"whole\",outcome=\"reset\",route=\"-\"} 1");
    }
}
