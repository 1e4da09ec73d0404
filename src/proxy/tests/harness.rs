//! An edge on a port of its own, and pieces to make services of.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt};
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use pinstripe_kit::raw::{Answer, Wire};
use prometheus::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::metrics::{Metrics, Source};
use crate::proxy::{Abort, Action, Bound, Decision, Front, Piece, Reply, ReplyBody, Request, Service};

type Decide = Box<dyn Fn(Request<'_>) -> Action + Send + Sync>;

struct Closure(Decide);

impl Service for Closure {
    fn decide(&self, request: Request<'_>) -> Decision {
        Decision {
            route: None,
            class: "whole",
            action: self.0(request),
        }
    }
}

/// An edge that runs.
pub(super) struct House {
    pub(super) address: SocketAddr,
    pub(super) metrics: Arc<Metrics>,
    pub(super) stop: CancellationToken,
    running: JoinSet<()>,
}

impl House {
    pub(super) async fn wire(&self) -> Wire {
        Wire::connect(self.address).await.unwrap()
    }

    /// One request on a connection of its own.
    pub(super) async fn ask(&self, request: &str) -> Answer {
        self.wire().await.exchange(request).await.unwrap()
    }

    /// Stops it, and waits until it has ended.
    pub(super) async fn close(mut self) {
        self.stop.cancel();
        self.ended().await;
    }

    pub(super) async fn ended(&mut self) {
        while self.running.join_next().await.is_some() {}
    }

    #[track_caller]
    pub(super) fn counted(&self, line: &str) {
        let text = String::from_utf8(self.metrics.render().unwrap()).unwrap();
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
}

/// An edge with the defaults.
pub(super) fn house(decide: impl Fn(Request<'_>) -> Action + Send + Sync + 'static) -> House {
    house_with("", "", decide)
}

/// An edge with more lines for its listener, and more sections.
pub(super) fn house_with(
    listener: &str,
    sections: &str,
    decide: impl Fn(Request<'_>) -> Action + Send + Sync + 'static,
) -> House {
    let config = config(listener, sections);
    let metrics = Arc::new(Metrics::new(Registry::new()).unwrap());
    let bound = Bound::new(&config.listen[0]).unwrap();
    let address = bound.address().unwrap();
    let stop = CancellationToken::new();
    let front = Front::new(&config, Closure(Box::new(decide)), &metrics);
    let mut running = JoinSet::new();
    running.spawn(front.run(vec![bound], stop.clone()));
    House {
        address,
        metrics,
        stop,
        running,
    }
}

pub(super) fn config(listener: &str, sections: &str) -> Config {
    let text = format!(
        "listen:\n  - address: 127.0.0.1:0\n    {listener}\nadmin: {{address: 127.0.0.1:0}}\n{sections}\n\
         tiers: {{up: {{http: {{url: http://127.0.0.1:1}}}}}}\n\
         routes: [{{name: r, match: {{path: /}}, tiers: [up]}}]\n"
    );
    Config::parse(&text, &|_| None).unwrap_or_else(|faults| panic!("{faults:?}\n{text}"))
}

/// 200 with that body.
pub(super) fn text(body: impl Into<Bytes>) -> Action {
    let body = body.into();
    answer(sized(200, body.len() as u64, stream::iter([piece(body)]).boxed()))
}

pub(super) fn answer(reply: Reply) -> Action {
    Action::Answer(Box::pin(std::future::ready(reply)))
}

pub(super) fn later(reply: impl Future<Output = Reply> + Send + 'static) -> Action {
    Action::Answer(Box::pin(reply) as BoxFuture<'static, Reply>)
}

pub(super) fn sized(status: u16, length: u64, body: BoxStream<'static, Result<Piece, Abort>>) -> Reply {
    unsized_(status, body).with(header::CONTENT_LENGTH, HeaderValue::from(length))
}

pub(super) fn unsized_(status: u16, body: BoxStream<'static, Result<Piece, Abort>>) -> Reply {
    Reply {
        status: StatusCode::from_u16(status).unwrap(),
        fields: HeaderMap::from_iter([(HeaderName::from_static("x-made"), HeaderValue::from_static("here"))]),
        body: ReplyBody::Pieces(body),
        outcome: "disk",
        notable: false,
    }
}

pub(super) fn piece(bytes: impl Into<Bytes>) -> Result<Piece, Abort> {
    Ok(Piece {
        bytes: bytes.into(),
        source: Source::Disk,
    })
}

/// A server that answers each connection in turn: it reads up to a text, then says another, and then closes.
/// What it read is returned at the end.
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    heard: JoinSet<Vec<String>>,
}

pub(super) async fn upstream(script: Vec<(&'static str, &'static str)>) -> Upstream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut heard = JoinSet::new();
    heard.spawn(async move {
        let mut all = Vec::new();
        for (until, says) in script {
            let (mut io, _) = listener.accept().await.unwrap();
            let mut seen = Vec::new();
            while !String::from_utf8_lossy(&seen).contains(until) {
                assert!(
                    io.read_buf(&mut seen).await.unwrap() > 0,
                    "{:?}",
                    String::from_utf8_lossy(&seen)
                );
            }
            io.write_all(says.as_bytes()).await.unwrap();
            io.shutdown().await.unwrap();
            all.push(String::from_utf8(seen).unwrap());
        }
        all
    });
    Upstream { address, heard }
}

impl Upstream {
    pub(super) async fn heard(mut self) -> Vec<String> {
        self.heard.join_next().await.unwrap().unwrap()
    }
}

pub(super) const GET: &str = "GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n";
