//! A request as the origin received it, and the list of all of them.

use crate::raw::{headers, invalid};
use crate::wire::{End, Framing, Kept, Wire};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tokio::sync::watch;

/// How much of a body is kept; all of it is read and counted.
const KEPT_BODY: usize = 1 << 20;
const MAX_FIELDS: usize = 256;

/// A request, kept for the test to look at. Clones share what becomes of the answer.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// From 0, in the order in which the origin had read them; unique in this origin.
    pub sequence: u64,
    /// Of the connection that it came on.
    pub connection: u64,
    pub method: String,
    /// As it stands in the request line.
    pub target: String,
    /// The 1 of HTTP/1.1.
    pub minor: u8,
    pub headers: HeaderMap,
    /// The head as it came, to the empty line.
    pub head: Bytes,
    /// The first MiB of the body, without its framing.
    pub body: Bytes,
    pub body_length: u64,
    pub(super) sent: Arc<Sent>,
}

#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) bytes: AtomicU64,
    pub(super) abandoned: watch::Sender<bool>,
}

impl Recorded {
    /// The target without its query, and without the authority of an absolute form.
    #[must_use]
    pub fn path(&self) -> &str {
        let path = self.path_and_query();
        path.split_once('?').map_or(path, |(path, _)| path)
    }

    #[must_use]
    pub fn path_and_query(&self) -> &str {
        let authority = self.target.split_once("://").map(|(_, rest)| rest);
        authority
            .and_then(|rest| rest.find('/').and_then(|at| rest.get(at..)))
            .unwrap_or(&self.target)
    }

    /// The first line of a field, if it is text.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Bytes of the answer's body that the socket has taken so far.
    #[must_use]
    pub fn body_sent(&self) -> u64 {
        self.sent.bytes.load(Relaxed)
    }

    /// Whether the client closed while its answer was held or stalled, or while it was sent.
    #[must_use]
    pub fn abandoned(&self) -> bool {
        *self.sent.abandoned.borrow()
    }

    /// Resolves when the client has closed so.
    pub async fn left(&self) {
        // Fails only when the sender is gone, and `self` holds it.
        let _ = self.sent.abandoned.subscribe().wait_for(|left| *left).await;
    }

    /// RFC 9112, 9.3
    pub(super) fn keeps_alive(&self) -> bool {
        let says = |option: &str| {
            self.field(CONNECTION.as_str())
                .is_some_and(|value| value.eq_ignore_ascii_case(option))
        };
        if self.minor == 0 {
            says("keep-alive")
        } else {
            !says("close")
        }
    }

    /// Reads the next request, and bids a client that waits for it to go on with the body (9110 10.1.1).
    pub(super) async fn read(wire: &mut Wire, connection: u64) -> io::Result<Self> {
        let (head, mut request) = wire.parse(parse).await?;
        if request
            .field(EXPECT.as_str())
            .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
        {
            wire.send("HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let mut body = Kept::up_to(KEPT_BODY);
        if wire.receive(request.framing(), &mut body).await? == End::Cut {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (request.connection, request.head) = (connection, head);
        (request.body, request.body_length) = (body.bytes.freeze(), body.length);
        Ok(request)
    }

    fn framing(&self) -> Framing {
        if self.headers.contains_key(TRANSFER_ENCODING) {
            return Framing::Chunked;
        }
        Framing::Length(
            self.field(CONTENT_LENGTH.as_str())
                .and_then(|length| length.parse().ok())
                .unwrap_or(0),
        )
    }
}

fn parse(bytes: &[u8]) -> io::Result<Option<(usize, Recorded)>> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(length) = request.parse(bytes).map_err(invalid)? else {
        return Ok(None);
    };
    let recorded = Recorded {
        sequence: 0,
        connection: 0,
        method: request.method.unwrap_or_default().to_owned(),
        target: request.path.unwrap_or_default().to_owned(),
        minor: request.version.unwrap_or_default(),
        headers: headers(request.headers)?,
        head: Bytes::new(),
        body: Bytes::new(),
        body_length: 0,
        sent: Arc::default(),
    };
    Ok(Some((length, recorded)))
}

/// All requests since the start, or since it was cleared.
#[derive(Debug, Default)]
pub(super) struct Records {
    list: watch::Sender<Vec<Recorded>>,
    next: AtomicU64,
}

impl Records {
    pub(super) fn add(&self, request: &mut Recorded) {
        self.list.send_modify(|list| {
            request.sequence = self.next.fetch_add(1, Relaxed);
            list.push(request.clone());
        });
    }

    pub(super) fn clear(&self) {
        self.list.send_modify(Vec::clear);
    }

    pub(super) fn all(&self) -> Vec<Recorded> {
        self.list.borrow().clone()
    }

    /// Resolves when `n` are in the list.
    pub(super) async fn at_least(&self, n: usize) -> Vec<Recorded> {
        let mut list = self.list.subscribe();
        list.wait_for(|list| list.len() >= n)
            .await
            .map(|list| list.clone())
            .unwrap_or_default()
    }
}
