//! Requests that are passed on as they came, and answers as they come.
//!
//! Owns: what the upstream is sent instead of what the client sent, the pin rule (`semantics.md`, Pass), and the turn.
//! Never: resolves a name (Pingora would block on it and panic), stores, retries what is not safe to repeat.

use std::time::Duration;

use futures_util::future::BoxFuture;
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, StatusCode, Version};
use parking_lot::Mutex;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::ALPN;
use pingora::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};
use pingora::{Error, Result};

use super::errors::Fault;
use super::service::{Answered, Hop, PassTo};
use crate::config::TierTimeouts;
use crate::net::{Turn, Turns};
use crate::object::{Cause, ETag, StrongETag, hop_by_hop, is_hop_by_hop};

/// A request that is being passed on.
pub(super) struct Passing {
    /// Taken when it is first awaited. Pingora wants its contexts to be `Sync`, which futures need not be.
    resolving: Mutex<Option<Resolving>>,
    path_and_query: Box<str>,
    via: HeaderValue,
    pin: Option<Vec<StrongETag>>,
    timeouts: TierTimeouts,
    turns: Turns,
    turn: Option<Turn>,
    fwd: &'static str,
    detail: &'static str,
    answered: OnAnswer,
    method: Method,
    client_version: Version,
    hops: Vec<Hop>,
    tried: usize,
}

type Resolving = BoxFuture<'static, Result<Vec<Hop>, Cause>>;

/// Tells at last, also if the request is dropped.
struct OnAnswer(Option<Answered>);

/// How many addresses are tried before the client is told.
pub(super) const MAX_HOPS: usize = 3;
/// How long an upstream's connection is kept for the next request: less than servers usually keep it.
const KEPT: Duration = Duration::from_secs(30);

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

impl Passing {
    pub(super) fn new(to: PassTo, request: &RequestHeader) -> Self {
        Self {
            resolving: Mutex::new(Some(to.hops)),
            path_and_query: to.path_and_query,
            via: to.via,
            pin: to.pin,
            timeouts: to.timeouts,
            turns: to.turns,
            turn: None,
            fwd: to.fwd,
            detail: to.detail,
            answered: OnAnswer(to.answered),
            method: request.method.clone(),
            client_version: request.version,
            hops: Vec::new(),
            tried: 0,
        }
    }

    /// To be taken from before anything else.
    pub(super) fn turns(&self) -> Turns {
        self.turns.clone()
    }

    pub(super) fn begin(&mut self, turn: Turn) {
        self.turn = Some(turn);
    }

    /// Nothing more goes to the upstream, or comes from it.
    pub(super) fn end(&mut self) {
        self.turn = None;
    }

    /// How long a connection, and the resolving before it, may take.
    pub(super) fn patience(&self) -> Duration {
        self.timeouts.connect
    }

    /// RFC 9211's `fwd`.
    pub(super) fn fwd(&self) -> &'static str {
        self.fwd
    }

    pub(super) fn detail(&self) -> &'static str {
        self.detail
    }

    /// Where the request goes, to be awaited before the first address is tried.
    pub(super) fn hops(&mut self) -> Resolving {
        let resolving = self.resolving.get_mut().take();
        resolving.unwrap_or_else(|| Box::pin(std::future::ready(Err(Cause::NoAddress))))
    }

    /// Whether there are addresses already, from an attempt before.
    pub(super) fn resolved(&self) -> bool {
        !self.hops.is_empty()
    }

    pub(super) fn resolve(&mut self, hops: Vec<Hop>) {
        self.hops = hops;
        self.hops.truncate(MAX_HOPS);
    }

    /// The peer for the next attempt.
    pub(super) fn peer(&self) -> Option<HttpPeer> {
        let hop = self.hops.get(self.tried)?;
        let mut peer = match &hop.tls {
            None => HttpPeer::new(hop.address, false, String::new()),
            // Without a name Pingora would verify nothing.
            Some(tls) if tls.name.is_empty() => return None,
            Some(tls) => HttpPeer::new(hop.address, true, tls.name.to_string()),
        };
        if let Some(roots) = hop.tls.as_ref().and_then(|tls| tls.roots.as_ref()) {
            roots.trusted_by(&mut peer);
        }
        let timeouts = self.timeouts;
        let options = &mut peer.options;
        options.connection_timeout = Some(timeouts.connect);
        options.total_connection_timeout = Some(timeouts.connect);
        // Pingora has one timeout for every read of an answer, its first as its last.
        options.read_timeout = Some(timeouts.first_byte.max(timeouts.idle));
        options.write_timeout = Some(timeouts.idle);
        options.idle_timeout = Some(KEPT);
        options.verify_cert = true;
        options.verify_hostname = true;
        options.alpn = ALPN::H1;
        options.http_upstream_request_policy = HttpUpstreamRequestPolicy::deny_upgrades();
        Some(peer)
    }

    /// The last address could not be reached; whether there is another one.
    pub(super) fn unreachable(&mut self) -> bool {
        self.tried += 1;
        self.tried < self.hops.len()
    }

    /// Hop-by-hop fields are gone already.
    pub(super) fn request(&self, request: &mut RequestHeader) -> Result<()> {
        request.set_raw_path(self.path_and_query.as_bytes())?;
        if let Some(hop) = self.hops.get(self.tried) {
            request.insert_header(header::HOST, hop.host.clone())?;
        }
        request.append_header(header::VIA, self.via.clone())?;
        Ok(())
    }

    /// Tells of an answer, before anything of it goes on.
    pub(super) fn tell(&mut self, answer: &ResponseHeader) -> Option<BoxFuture<'static, ()>> {
        let last = !answer.status.is_informational();
        last.then(|| self.answered.tell(Some(answer.status))).flatten()
    }

    /// Tells that there will be none, if it was not told otherwise.
    pub(super) fn tell_none(&mut self) -> Option<BoxFuture<'static, ()>> {
        self.answered.tell(None)
    }

    /// Looks at an answer's head before anything of it goes on.
    pub(super) fn admit(&mut self, answer: &ResponseHeader) -> Result<(), Fault> {
        if answer.status.is_informational() {
            return Ok(());
        }
        let Some(tags) = &self.pin else { return Ok(()) };
        if self.method != Method::GET || !answer.status.is_success() {
            return Ok(());
        }
        let tag = answer
            .headers
            .get(header::ETAG)
            .and_then(|tag| ETag::parse(tag.as_bytes()));
        let listed = tag
            .as_ref()
            .and_then(ETag::strong)
            .is_some_and(|tag| tags.contains(tag));
        if listed { Ok(()) } else { Err(Fault::PinIgnored) }
    }

    /// The head as the client gets it.
    pub(super) fn answer(&self, answer: &mut ResponseHeader, instance: &str) -> Result<()> {
        let connection = hop_by_hop(&answer.headers);
        let gone: Vec<HeaderName> = answer
            .headers
            .keys()
            .filter(|name| is_hop_by_hop(name) || connection.contains(name))
            // Pingora frames the body by it.
            .filter(|name| **name != header::TRANSFER_ENCODING)
            .cloned()
            .collect();
        for name in &gone {
            answer.remove_header(name);
        }
        if self.client_version == Version::HTTP_10 {
            // Which has no chunks: up to the connection's end.
            answer.remove_header(&header::TRANSFER_ENCODING);
        }
        answer.append_header(header::VIA, via(answer.version, instance))?;
        answer.set_version(Version::HTTP_11);
        let Self { fwd, detail, .. } = self;
        let status = answer.status.as_u16();
        let cache_status = format!("{instance}; fwd={fwd}; fwd-status={status}; detail={detail}");
        answer.append_header(CACHE_STATUS, cache_status)?;
        Ok(())
    }
}

impl OnAnswer {
    fn tell(&mut self, status: Option<StatusCode>) -> Option<BoxFuture<'static, ()>> {
        self.0.take().map(|answered| answered(status))
    }
}

impl Drop for OnAnswer {
    fn drop(&mut self) {
        drop(self.tell(None));
    }
}

fn via(received: Version, instance: &str) -> String {
    let version = if received == Version::HTTP_10 { "1.0" } else { "1.1" };
    format!("{version} {instance}")
}

/// Whether an attempt that never reached the upstream may be repeated at the next address.
pub(super) fn retry(mut error: Box<Error>, again: bool) -> Box<Error> {
    error.set_retry(again);
    error
}

/// Cache-Status of what is answered in place of an upstream.
pub(super) fn failed_cache_status(instance: &str, fwd: &str, label: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{instance}; fwd={fwd}; detail={label}")).ok()
}
