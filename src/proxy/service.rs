//! The seam between the edge and whoever decides: one call per request.
//!
//! Owns: what a request looks like from within, and the two ways to answer one.
//! Never: names Pingora, so that neither side knows the other.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, StatusCode};

use super::roots::Roots;
use crate::config::TierTimeouts;
use crate::fetch;
use crate::metrics::{RouteMetrics, Source};
use crate::net::Turns;
use crate::object::{Cause, StrongETag};
use crate::request::{HostPort, RequestTarget};

/// Decides what becomes of requests.
pub trait Service: Send + Sync + 'static {
    /// Called once for every well-formed request but CONNECT. Never waits: that is for the answer's future, which is
    /// dropped when the client leaves.
    fn decide(&self, request: Request<'_>) -> Decision;

    /// The download that a request is a chunk of, if answers to it may be at hand: all of them in memory or in the page
    /// cache. Never waits; `None` says nothing about what [`Service::decide`] will. What is returned holds for every
    /// request of the same client with the same head but for other numbers in its Range.
    fn download(&self, _request: Request<'_>) -> Option<Download> {
        None
    }
}

/// A well-formed request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target, in the form in which it came.
    pub target: &'a RequestTarget,
    /// The Host field as it came, also where the target replaces it.
    pub host: Option<&'a HostPort>,
    /// The fields. Host is the target's authority where that has one.
    pub fields: &'a HeaderMap,
    /// Who asks.
    pub client: SocketAddr,
    /// Whether it came to a listener that is also a forward proxy.
    pub forward: bool,
}

/// What becomes of a request.
#[derive(Debug)]
pub struct Decision {
    /// Whose metrics it counts in; `None` where no route matched.
    pub route: Option<Arc<RouteMetrics>>,
    /// The class, as a metric label and log field.
    pub class: &'static str,
    /// The way to an answer.
    pub action: Action,
}

/// A download in chunks whose answers may be at hand.
#[derive(Debug)]
pub struct Download {
    /// Whose metrics they count in.
    pub route: Arc<RouteMetrics>,
    /// The class, as a metric label and log field.
    pub class: &'static str,
    /// Has the answers.
    pub chunks: fetch::Download,
}

/// The ways to an answer.
pub enum Action {
    /// None: the request is refused, with this.
    Refuse(Reply),
    /// From here. The future is polled until it is ready or the client leaves.
    Answer(BoxFuture<'static, Reply>),
    /// From an upstream, as it comes.
    Pass(Box<PassTo>),
}

/// An answer.
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// All fields. Content-Length bounds the body; without it the body is chunked.
    pub fields: HeaderMap,
    /// The body; not polled where the method or the status have none.
    pub body: ReplyBody,
    /// The outcome, as a metric label and log field.
    pub outcome: &'static str,
    /// Whether it is worth a line in the log although its status is no error: a fallback, a mismatch.
    pub notable: bool,
}

/// A body. What ends before its length, or with an [`Abort`], aborts the client's connection.
pub enum ReplyBody {
    /// All of it.
    Whole(Piece),
    /// Pieces in order.
    Pieces(BoxStream<'static, Result<Piece, Abort>>),
}

/// Some bytes of a body.
#[derive(Clone, Debug)]
pub struct Piece {
    /// At least one, else the piece is skipped.
    pub bytes: Bytes,
    /// Where they were read.
    pub source: Source,
}

/// A body cannot be continued. The reason goes to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abort(pub &'static str);

/// Where and how a request is passed on.
pub struct PassTo {
    /// Whom to try, in this order, until there is a connection.
    pub hops: BoxFuture<'static, Result<Vec<Hop>, Cause>>,
    /// What follows the first line's method; begins with a slash.
    pub path_and_query: Box<str>,
    /// What this process adds to Via; by it a loop is known.
    pub via: HeaderValue,
    /// The tags of If-Match: a 2xx to a GET must carry one of them.
    pub pin: Option<Vec<StrongETag>>,
    /// The bounds of its waits.
    pub timeouts: TierTimeouts,
    /// Of which it takes one, before anything else, until it has ended.
    pub turns: Turns,
    /// RFC 9211's `fwd`: `method`, `request` or `bypass`.
    pub fwd: &'static str,
    /// The `detail` of Cache-Status; also the outcome of an answer that was passed on.
    pub detail: &'static str,
    /// Told the status of the final answer, once its head is there; `None` if there will be none.
    pub answered: Option<Answered>,
}

/// Called once with the status that an upstream answered, or with `None`. What it returns is awaited before the client
/// hears of the answer; dropped, what it stands for is done all the same.
pub type Answered = Box<dyn FnOnce(Option<StatusCode>) -> BoxFuture<'static, ()> + Send + Sync>;

/// A server to which a request may be passed on.
#[derive(Clone, Debug)]
pub struct Hop {
    /// Its address, which is already allowed.
    pub address: SocketAddr,
    /// `None`: no TLS.
    pub tls: Option<Tls>,
    /// The Host field.
    pub host: HeaderValue,
}

/// With whom to speak TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The name that the certificate must be for; an IPv6 address without brackets. Never empty.
    pub name: Box<str>,
    /// Whom to trust, where that is not just the machine's roots.
    pub roots: Option<Roots>,
}

impl Reply {
    /// One line of plain text.
    pub fn text(status: StatusCode, outcome: &'static str, text: &str) -> Self {
        let body = Bytes::from(format!("{text}\n"));
        let mut fields = HeaderMap::with_capacity(4);
        fields.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        fields.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        let piece = Piece {
            bytes: body,
            source: Source::Generated,
        };
        Self {
            status,
            fields,
            body: ReplyBody::Whole(piece),
            outcome,
            notable: false,
        }
    }

    /// The same with one more field.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.fields.insert(name, value);
        self
    }
}

impl From<fetch::Reply> for Reply {
    fn from(reply: fetch::Reply) -> Self {
        let fetch::Reply {
            status,
            fields,
            body,
            account,
        } = reply;
        let body = match body {
            fetch::Body::Empty => ReplyBody::EMPTY,
            fetch::Body::Bytes(bytes, source) => ReplyBody::Whole(Piece { bytes, source }),
            body @ (fetch::Body::Revision(_) | fetch::Body::Relayed(_)) => ReplyBody::Pieces(pieces(body)),
        };
        Self {
            status,
            fields,
            body,
            outcome: account.detail.label(),
            notable: account.detail.is_trouble(),
        }
    }
}

fn pieces(body: fetch::Body) -> BoxStream<'static, Result<Piece, Abort>> {
    Box::pin(stream::unfold(body, |mut body| async {
        let next = body.chunk().await?;
        let next = next.map(|(bytes, source)| Piece { bytes, source });
        Some((next.map_err(|abort| Abort(abort.0.label())), body))
    }))
}

impl ReplyBody {
    /// Nothing.
    pub const EMPTY: Self = Self::Whole(Piece {
        bytes: Bytes::new(),
        source: Source::Generated,
    });
}

impl fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(piece) => f.debug_tuple("Whole").field(&piece.bytes.len()).finish(),
            Self::Pieces(_) => f.write_str("Pieces"),
        }
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuse(reply) => f.debug_tuple("Refuse").field(reply).finish(),
            Self::Answer(_) => f.write_str("Answer"),
            Self::Pass(to) => f.debug_tuple("Pass").field(to).finish(),
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PassTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PassTo")
            .field("path_and_query", &self.path_and_query)
            .field("detail", &self.detail)
            .finish_non_exhaustive()
    }
}
