//! The pooled HTTP/1.1 client of one tier.
//!
//! Owns: its connections, its limits, its timeouts, and what a failure is called.
//! Never: decides what is asked, or follows a redirect. A request is sent again only where RFC 9112 9.3.1
//! says so: a GET or HEAD, on a kept connection that broke and was most likely about to be closed.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::timeout;

use super::cause;
use super::connect::Connector;
use super::dialled::was_used;
use super::guard::Guard;
use super::roots::{TlsFault, tls_config};
use super::transfer::Transfer;
use super::turns::Turns;
use crate::object::Cause;

/// Below the five seconds for which the least patient servers (Node, Apache) keep a connection, so that a request
/// rarely meets one that is being closed.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// The most that hyper reads at once, thus the largest chunk of a body, and the largest buffer of a connection. It
/// adapts from 8 KiB up; below the size from which allocators ask the kernel for every buffer.
const READ_BUFFER: usize = 64 << 10;

/// How many kept connections in a row may turn out closed before a request counts as failed.
const STALE_CONNECTIONS: usize = 2;

/// How upstreams of one tier are talked to.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientConfig {
    /// Bounds the wait for a turn, and then resolving, connecting and the TLS handshake together.
    pub connect: Duration,
    /// From the request to the end of the response head.
    pub first_byte: Duration,
    /// Silence in the middle of a body.
    pub idle: Duration,
    /// Requests in flight, each counted until the last byte of its body.
    pub connections: usize,
    /// Bytes of a response head. It has at most 100 lines, which is hyper's own bound.
    pub head_limit: usize,
    /// Certificates that are trusted besides the machine's own.
    pub ca_pem: Option<Vec<u8>>,
}

/// A client; clones share connections and limits.
#[derive(Clone)]
pub struct Client {
    inner: legacy::Client<Connector, Full<Bytes>>,
    turns: Turns,
    config: Arc<ClientConfig>,
}

impl Client {
    /// A client that dials what the guard permits. Nothing is connected yet.
    pub fn new(config: ClientConfig, guard: Guard) -> Result<Self, TlsFault> {
        Self::speaking_with(None, config, guard)
    }

    /// As [`Client::new`]; certificates are to be for `name` in place of the host of each request.
    pub fn speaking_with(name: Option<&str>, config: ClientConfig, guard: Guard) -> Result<Self, TlsFault> {
        let tls = tls_config(config.ca_pem.as_deref())?;
        let connector = Connector::new(guard, config.connect, tls, name);
        // hyper spawns a task for each connection and ends it with the connection; no other place here spawns.
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(config.connections)
            // Sent again is only what was never written, because the pooled connection turned out closed.
            .retry_canceled_requests(true)
            // Buffer and head share a bound in hyper; a lower limit on heads is checked by `send`.
            .http1_max_buf_size(config.head_limit.max(READ_BUFFER))
            .build(connector);
        Ok(Self {
            inner,
            turns: Turns::new(config.connections, config.connect),
            config: Arc::new(config),
        })
    }

    /// Sends one request with an absolute URI and a Host field, and waits for the final response head.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Transfer>, Cause> {
        self.deliver(request).await.map_err(|unanswered| unanswered.cause)
    }

    /// As [`Client::send`]; tells also whether there was a connection.
    pub async fn deliver(&self, request: Request<Full<Bytes>>) -> Result<Response<Transfer>, Unanswered> {
        let there = |cause| Unanswered {
            cause,
            unconnected: false,
        };
        // The pool has no limit of its own.
        let turn = self.turns.take().await.map_err(there)?;
        let response = self.exchange(request).await?;
        if head_size(response.headers()) > self.config.head_limit {
            return Err(there(Cause::Malformed));
        }
        Ok(response.map(|body| Transfer::new(body, turn, self.config.idle)))
    }

    /// Kept connections may all have been closed at once, so that one after the other breaks; a fresh one that breaks is
    /// a failure.
    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Unanswered> {
        let repeatable = matches!(*request.method(), Method::GET | Method::HEAD);
        for _ in 0..if repeatable { STALE_CONNECTIONS } else { 0 } {
            match self.attempt(again(&request)).await {
                Err((Cause::Reset, Connection::Kept)) => {}
                outcome => return outcome.map_err(Unanswered::from),
            }
        }
        self.attempt(request).await.map_err(Unanswered::from)
    }

    /// The connector bounds how long there is no connection; from then on the first byte is waited for.
    async fn attempt(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Incoming>, (Cause, Connection)> {
        let mut captured = capture_connection(&mut request);
        let watched = captured.clone();
        let connected = async { drop(captured.wait_for_connection_metadata().await) };
        let mut response = pin!(self.inner.request(request));
        let outcome = tokio::select! {
            biased;
            outcome = &mut response => Some(outcome),
            () = connected => timeout(self.config.first_byte, response).await.ok(),
        };
        let connection = if was_used(&watched) {
            Connection::Kept
        } else {
            Connection::Fresh
        };
        match outcome {
            Some(Ok(response)) => Ok(response),
            // A kept connection that closed before anything was written counts for nothing.
            Some(Err(error)) => Err(match cause::of_connecting(&error) {
                Some(cause) => (cause, Connection::None),
                None => (cause::of_exchange(&error), connection),
            }),
            None => Err((Cause::Timeout, connection)),
        }
    }
}

/// What a request went out on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Connection {
    Kept,
    Fresh,
    None,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// What happened.
    pub cause: Cause,
    /// Whether it is that there was no connection.
    pub unconnected: bool,
}

impl From<(Cause, Connection)> for Unanswered {
    fn from((cause, connection): (Cause, Connection)) -> Self {
        Self {
            cause,
            unconnected: connection == Connection::None,
        }
    }
}

/// The same request, to be sent once more.
fn again(request: &Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    let mut again = Request::new(request.body().clone());
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.headers_mut() = request.headers().clone();
    again
}

/// About as many bytes as the head had on the wire.
fn head_size(fields: &HeaderMap) -> usize {
    let lines = fields.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    lines.sum()
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("connect", &self.connect)
            .field("first_byte", &self.first_byte)
            .field("idle", &self.idle)
            .field("connections", &self.connections)
            .field("head_limit", &self.head_limit)
            .field("ca_pem", &self.ca_pem.as_ref().map(Vec::len))
            .finish()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
