//! The admin listener: metrics and health, for operators and orchestrators.
//!
//! Owns: `/metrics`, `/healthz`, `/readyz`.
//! Never: shares a listener or a connection with clients, or asks anything that can take long.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::socket::bind;
use crate::metrics::Metrics;

/// The admin listener, bound and not yet accepting.
#[derive(Debug)]
pub struct Admin {
    socket: TcpListener,
}

/// Whether clients are to be sent here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// All is well.
    Ready,
    /// Requests are answered, if worse than usual: a disk tier that failed, for example. Still 200.
    Degraded(Vec<String>),
    /// Requests are not answered.
    NotReady(Vec<String>),
}

/// Asked at every `/readyz`; cheap.
pub type AskReady = Arc<dyn Fn() -> Readiness + Send + Sync>;

/// Scrapers and probes are a handful; more wait in the backlog.
const CONNECTIONS: usize = 32;
const HEAD: Duration = Duration::from_secs(5);
const HEAD_BYTES: usize = 16 << 10;
/// Of a whole connection, however it is used: then a scraper connects anew.
const CONNECTION: Duration = Duration::from_secs(10);
const BREATHER: Duration = Duration::from_millis(50);

impl Admin {
    /// Binds; port 0 takes any.
    pub fn new(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { socket: bind(address)? })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Answers until `stop`, to be given after the last client is served: an operator wants to see the end as well.
    pub async fn run(self, metrics: Arc<Metrics>, ready: AskReady, stop: CancellationToken) {
        let answers = Answers { metrics, ready };
        let free = Arc::new(Semaphore::new(CONNECTIONS));
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(_) = tasks.join_next() => {}
                Ok(permit) = Arc::clone(&free).acquire_owned() => {
                    let accepted = tokio::select! {
                        () = stop.cancelled() => break,
                        accepted = self.socket.accept() => accepted,
                    };
                    let answers = answers.clone();
                    match accepted {
                        Ok((io, _)) => {
                            tasks.spawn(async move {
                                let _permit = permit;
                                answers.serve(io).await;
                            });
                        }
                        Err(_) => sleep(BREATHER).await,
                    }
                }
            }
        }
        tasks.shutdown().await;
    }
}

#[derive(Clone)]
struct Answers {
    metrics: Arc<Metrics>,
    ready: AskReady,
}

impl Answers {
    async fn serve(self, io: TcpStream) {
        let service = service_fn(move |request| {
            let answer = self.answer(&request);
            async { Ok::<_, Infallible>(answer) }
        });
        let mut server = http1::Builder::new();
        server.timer(TokioTimer::new());
        server.header_read_timeout(HEAD).max_buf_size(HEAD_BYTES);
        // A scraper that left needs no line in the log. One that takes nothing must not keep probes out.
        let served = server.serve_connection(TokioIo::new(io), service);
        let _ = tokio::time::timeout(CONNECTION, served).await;
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut answer = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD");
            answer
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match request.uri().path() {
            "/metrics" => self.metrics(),
            "/healthz" => text(StatusCode::OK, "alive"),
            "/readyz" => self.readiness(),
            _ => text(StatusCode::NOT_FOUND, "here are /metrics, /healthz and /readyz"),
        }
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        match self.metrics.render() {
            Ok(rendered) => answer(StatusCode::OK, Metrics::CONTENT_TYPE, rendered.into()),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }

    fn readiness(&self) -> Response<Full<Bytes>> {
        match (self.ready)() {
            Readiness::Ready => text(StatusCode::OK, "ready"),
            Readiness::Degraded(why) => text(StatusCode::OK, &format!("degraded: {}", why.join("; "))),
            Readiness::NotReady(why) => text(
                StatusCode::SERVICE_UNAVAILABLE,
                &format!("not ready: {}", why.join("; ")),
            ),
        }
    }
}

fn text(status: StatusCode, line: &str) -> Response<Full<Bytes>> {
    answer(status, "text/plain; charset=utf-8", Bytes::from(format!("{line}\n")))
}

fn answer(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let fields = answer.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use pinstripe_kit::raw;
    use prometheus::Registry;

    #[tokio::test]
    async fn operators_are_answered() {
        let admin = Admin::new(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = admin.address().unwrap();
        let metrics = Arc::new(Metrics::new(Registry::new()).unwrap());
        let state = Arc::new(Mutex::new(Readiness::Ready));
        let asked = Arc::clone(&state);
        let ready: AskReady = Arc::new(move || asked.lock().clone());
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        running.spawn(admin.run(metrics, ready, stop.clone()));

        let check = async |request: &str, status: u16, body: &str| {
            let answer = raw::get(address, format!("{request} HTTP/1.1\r\nHost: h\r\n\r\n"))
                .await
                .unwrap();
            assert_eq!(answer.status(), status, "{request}");
            let seen = String::from_utf8_lossy(&answer.body);
            assert!(seen.contains(body), "{request} {seen}");
        };
        check("GET /healthz", 200, "alive").await;
        check("HEAD /healthz", 200, "").await;
        check("GET /metrics", 200, "pinstripe_build_info").await;
        check("GET /readyz?verbose", 200, "ready\n").await;
        *state.lock() = Readiness::Degraded(vec!["disk local: no space".to_owned()]);
        check("GET /readyz", 200, "degraded: disk local: no space").await;
        *state.lock() = Readiness::NotReady(vec!["stopping".to_owned()]);
        check("GET /readyz", 503, "not ready: stopping").await;
        check("GET /", 404, "/metrics").await;
        check("POST /metrics", 405, "only GET").await;

        stop.cancel();
        while running.join_next().await.is_some() {}
        assert!(
            raw::get(address, "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
                .await
                .is_err()
        );
    }
}
