//! The client against scripted bytes on a real socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{Request, Response};
use http_body_util::Full;
use tokio_rustls::TlsAcceptor;

use super::listener::{Listener, Step, say};
use super::{Client, ClientConfig, Guard, Transfer};
use crate::object::{Cause, Cut};

const SHORT: Duration = Duration::from_millis(500);
const LONG: Duration = Duration::from_secs(10);

fn config() -> ClientConfig {
    ClientConfig {
        connect: LONG,
        first_byte: LONG,
        idle: LONG,
        connections: 8,
        head_limit: 16 << 10,
        ca_pem: None,
    }
}

fn client(config: ClientConfig) -> Client {
    Client::new(config, Guard::Any).unwrap()
}

async fn get(client: &Client, url: &str) -> Result<Response<Transfer>, Cause> {
    client
        .send(Request::get(url).body(Full::<Bytes>::default()).unwrap())
        .await
}

/// The bytes that came, and what cut them.
async fn read(response: Response<Transfer>) -> (Vec<u8>, Option<Cause>) {
    let (mut bytes, mut body) = (Vec::new(), response.into_body());
    while let Some(chunk) = body.next().await {
        match chunk {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(Cut(cause)) => {
                assert!(body.next().await.is_none(), "nothing follows a cut");
                return (bytes, Some(cause));
            }
        }
    }
    (bytes, None)
}

/// What comes of an answer with these bytes, after which the server closes.
async fn check(answer: &'static str, expected: Result<(&str, Option<Cause>), Cause>) {
    let listener = Listener::start(|_| {
        let mut steps = say(answer);
        steps.push(Step::Close);
        steps
    })
    .await;
    let seen = match get(&client(config()), &format!("http://{}/", listener.address)).await {
        Ok(response) => Ok(read(response).await),
        Err(cause) => Err(cause),
    };
    let seen = seen
        .as_ref()
        .map(|(bytes, cut)| (std::str::from_utf8(bytes).unwrap(), *cut));
    assert_eq!(seen.map_err(|cause| *cause), expected, "{answer}");
}

#[tokio::test]
async fn a_body_ends_where_its_framing_says_or_is_cut() {
    check("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", Ok(("abc", None))).await;
    check("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Ok(("", None))).await;
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
        Ok(("abc", Some(Cause::Reset))),
    )
    .await;
    check("HTTP/1.0 200 OK\r\n\r\nabc", Ok(("abc", None))).await;
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    check(chunked, Ok(("abc", None))).await;
    let no_last_chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    check(no_last_chunk, Ok(("abc", Some(Cause::Reset)))).await;
    let no_chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nhello\r\n";
    check(no_chunk, Ok(("abc", Some(Cause::Malformed)))).await;
}

#[tokio::test]
async fn heads_are_malformed_too_large_or_missing() {
    check("hello\r\n\r\n", Err(Cause::Malformed)).await;
    check("HTTP/1.1 200 OK\r\nNo colon\r\n\r\n", Err(Cause::Malformed)).await;
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        Err(Cause::Malformed),
    )
    .await;
    check("HTTP/1.1 200 OK\r\nContent-", Err(Cause::Reset)).await;
    check("", Err(Cause::Reset)).await;
    check(
        "HTTP/1.1 103 Early\r\nX: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
        Ok(("a", None)),
    )
    .await;
    for size in [17 << 10, 80 << 10] {
        let head = format!(
            "HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n",
            "x".repeat(size)
        );
        check(head.leak(), Err(Cause::Malformed)).await;
    }
}

#[tokio::test]
async fn every_wait_is_bounded() {
    let listener = Listener::start(|head| {
        if head.contains("/silent") {
            return vec![Step::Hang];
        }
        let mut steps = say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
        steps.push(Step::Hang);
        steps
    })
    .await;
    let short = client(ClientConfig {
        first_byte: SHORT,
        idle: SHORT,
        ..config()
    });
    let silent = get(&short, &format!("http://{}/silent", listener.address)).await;
    assert_eq!(silent.unwrap_err(), Cause::Timeout);
    let stalled = get(&short, &format!("http://{}/stalls", listener.address))
        .await
        .unwrap();
    assert_eq!(read(stalled).await, (b"abc".to_vec(), Some(Cause::Timeout)));
}

#[tokio::test]
async fn a_slow_reader_is_not_a_silent_peer() {
    let listener = Listener::start(|_| say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")).await;
    let short = client(ClientConfig {
        idle: SHORT,
        ..config()
    });
    let response = get(&short, &format!("http://{}/", listener.address)).await.unwrap();
    tokio::time::sleep(SHORT * 2).await;
    assert_eq!(read(response).await, (b"abc".to_vec(), None));
}

#[tokio::test]
async fn a_permit_is_held_until_the_last_byte_or_the_drop() {
    let listener = Listener::start(|_| say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")).await;
    let url = format!("http://{}/", listener.address);
    let client = client(ClientConfig {
        connections: 1,
        connect: SHORT,
        ..config()
    });
    let held = get(&client, &url).await.unwrap();
    assert_eq!(get(&client, &url).await.unwrap_err(), Cause::Saturated);
    drop(held);
    let ended = get(&client, &url).await.unwrap();
    assert_eq!(read(ended).await.1, None);
    assert!(get(&client, &url).await.is_ok());
}

#[tokio::test]
async fn connections_are_used_again_after_a_proven_end_only() {
    let listener = Listener::start(|_| say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc")).await;
    let url = format!("http://{}/", listener.address);
    let client = client(config());
    for _ in 0..5 {
        assert_eq!(read(get(&client, &url).await.unwrap()).await.1, None);
    }
    assert_eq!((listener.heads().len(), listener.connections()), (5, 1));
}

#[tokio::test]
async fn a_pooled_connection_that_was_closed_is_not_an_error() {
    let listener = Listener::start(|_| {
        let mut steps = say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
        steps.push(Step::Close);
        steps
    })
    .await;
    let client = client(config());
    for _ in 0..5 {
        let response = get(&client, &format!("http://{}/", listener.address)).await.unwrap();
        assert_eq!(read(response).await, (b"abc".to_vec(), None));
        // The close follows the body; the test is about what was noticed, not about the race.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(listener.connections(), 5);
}

#[tokio::test]
async fn failures_to_connect_are_told_apart() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let refused = get(&client(config()), &format!("http://{free}/")).await;
    assert_eq!(refused.unwrap_err(), Cause::Refused);
    let unknown = get(&client(config()), "http://nothing.invalid/").await;
    assert_eq!(unknown.unwrap_err(), Cause::NoAddress);
    let listener = Listener::start(|_| vec![Step::Hang]).await;
    let public = Client::new(config(), Guard::Public { allow: Vec::new() }).unwrap();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let forbidden = get(&public, &format!("http://{host}:{}/", listener.address.port())).await;
        assert_eq!(forbidden.unwrap_err(), Cause::Forbidden, "{host}");
    }
    assert_eq!(listener.connections(), 0, "nothing was dialled");
}

/// A server with a certificate of its own making, and that certificate; it may want one of its clients.
fn tls(wants_certificates: bool) -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = if wants_certificates {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let config = builder.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

#[tokio::test]
async fn tls_trusts_its_ca_file_and_nobody_else() {
    let (acceptor, pem) = tls(false);
    let answer = |_: &str| say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
    let listener = Listener::start_with(answer, Some(acceptor)).await;
    let port = listener.address.port();
    let trusting = client(ClientConfig {
        ca_pem: Some(pem.into_bytes()),
        ..config()
    });
    let response = get(&trusting, &format!("https://localhost:{port}/")).await.unwrap();
    assert_eq!(read(response).await, (b"abc".to_vec(), None));
    let other_name = get(&trusting, &format!("https://127.0.0.1:{port}/")).await;
    assert_eq!(other_name.unwrap_err(), Cause::Tls);
    let strange = get(&client(config()), &format!("https://localhost:{port}/")).await;
    assert_eq!(strange.unwrap_err(), Cause::Tls);
}

/// The servers that a name leads to are dialled by address.
#[tokio::test]
async fn a_certificate_may_be_for_a_name_that_is_not_dialled() {
    let (acceptor, pem) = tls(false);
    let answer = |_: &str| say("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
    let listener = Listener::start_with(answer, Some(acceptor)).await;
    let url = format!("https://127.0.0.1:{}/", listener.address.port());
    let check = async |name: &str, expected: Option<Cause>| {
        let ca_pem = Some(pem.clone().into_bytes());
        let client = Client::speaking_with(Some(name), ClientConfig { ca_pem, ..config() }, Guard::Any).unwrap();
        assert_eq!(get(&client, &url).await.err(), expected, "{name}");
    };
    check("localhost", None).await;
    check("other.example", Some(Cause::Tls)).await;
}

/// In TLS 1.3 the server's refusal comes after the handshake, in place of an answer.
#[tokio::test]
async fn a_server_that_wants_our_certificate_is_a_matter_of_tls() {
    let (acceptor, pem) = tls(true);
    let listener = Listener::start_with(|_| say("never"), Some(acceptor)).await;
    let trusting = client(ClientConfig {
        ca_pem: Some(pem.into_bytes()),
        ..config()
    });
    let refused = get(&trusting, &format!("https://localhost:{}/", listener.address.port())).await;
    assert_eq!(refused.unwrap_err(), Cause::Tls);
}

#[tokio::test]
async fn a_server_without_tls_fails_the_handshake() {
    let listener = Listener::start(|_| say("never")).await;
    let short = client(ClientConfig {
        connect: SHORT,
        ..config()
    });
    let failed = get(&short, &format!("https://{}/", listener.address))
        .await
        .unwrap_err();
    assert!(matches!(failed, Cause::Tls | Cause::Timeout), "{failed:?}");
}

/// Answers the n-th request with what the script says of n.
async fn in_turn(script: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static) -> Listener {
    let turn = AtomicUsize::new(0);
    Listener::start(move |_| script(turn.fetch_add(1, Ordering::SeqCst))).await
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn a_kept_connection_that_breaks_costs_a_read_nothing() {
    let listener = in_turn(|turn| if turn == 1 { vec![Step::Close] } else { say(OK) }).await;
    let (client, url) = (client(config()), format!("http://{}/", listener.address));
    for _ in 0..2 {
        let (bytes, cut) = read(get(&client, &url).await.unwrap()).await;
        assert_eq!((&*bytes, cut), (b"ok".as_slice(), None));
    }
    assert_eq!((listener.heads().len(), listener.connections()), (3, 2));
}

#[tokio::test]
async fn a_fresh_connection_that_breaks_is_a_failure() {
    let listener = in_turn(|turn| if turn == 0 { say(OK) } else { vec![Step::Close] }).await;
    let (client, url) = (client(config()), format!("http://{}/", listener.address));
    read(get(&client, &url).await.unwrap()).await;
    // Once on the kept connection, once on a fresh one.
    assert_eq!(get(&client, &url).await.err(), Some(Cause::Reset));
    assert_eq!(listener.heads().len(), 3);
}

#[tokio::test]
async fn a_write_is_never_sent_twice() {
    let listener = in_turn(|turn| if turn == 0 { say(OK) } else { vec![Step::Close] }).await;
    let (client, url) = (client(config()), format!("http://{}/", listener.address));
    read(get(&client, &url).await.unwrap()).await;
    let post = Request::post(&url).body(Full::from("x")).unwrap();
    assert_eq!(client.send(post).await.err(), Some(Cause::Reset));
    assert_eq!(listener.heads().len(), 2);
}
