//! The pooled HTTP/1.1 client of one tier.
//!
//! Owns: its connections, its limits, its timeouts, and what a failure is called.
//! Never: decides what is asked, follows a redirect, or sends a request again that may have been heard.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::cause;
use super::connect::Connector;
use super::guard::Guard;
use super::roots::{TlsFault, tls_config};
use super::transfer::Transfer;
use crate::object::Cause;

/// Below the five seconds for which the least patient servers (Node, Apache) keep a connection, so that a request
/// rarely meets one that is being closed.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// The most that hyper reads at once, thus the largest chunk of a body, and the largest buffer of a connection. It
/// adapts from 8 KiB up; below the size from which allocators ask the kernel for every buffer.
const READ_BUFFER: usize = 64 << 10;

/// How upstreams of one tier are talked to.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientConfig {
    /// Bounds the wait for a permit, and then resolving, connecting and the TLS handshake together.
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
    permits: Arc<Semaphore>,
    config: Arc<ClientConfig>,
}

impl Client {
    /// A client that dials what the guard permits. Nothing is connected yet.
    pub fn new(config: ClientConfig, guard: Guard) -> Result<Self, TlsFault> {
        let connector = Connector::new(guard, config.connect, tls_config(config.ca_pem.as_deref())?);
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
            permits: Arc::new(Semaphore::new(config.connections)),
            config: Arc::new(config),
        })
    }

    /// Sends one request with an absolute URI and a Host field, and waits for the final response head.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Transfer>, Cause> {
        let permit = self.permit().await?;
        let response = self.exchange(request).await?;
        if head_size(response.headers()) > self.config.head_limit {
            return Err(Cause::Malformed);
        }
        Ok(response.map(|body| Transfer::new(body, permit, self.config.idle)))
    }

    /// The pool has no limit of its own.
    async fn permit(&self) -> Result<OwnedSemaphorePermit, Cause> {
        let waiting = Arc::clone(&self.permits).acquire_owned();
        let acquired = timeout(self.config.connect, waiting).await;
        acquired.ok().and_then(Result::ok).ok_or(Cause::Saturated)
    }

    /// The connector bounds how long there is no connection; from then on the first byte is waited for.
    async fn exchange(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Cause> {
        let mut captured = capture_connection(&mut request);
        let connected = async { drop(captured.wait_for_connection_metadata().await) };
        let mut response = pin!(self.inner.request(request));
        let outcome = tokio::select! {
            biased;
            outcome = &mut response => outcome,
            () = connected => {
                timeout(self.config.first_byte, response).await.map_err(|_| Cause::Timeout)?
            }
        };
        outcome.map_err(|error| cause::of_exchange(&error))
    }
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
