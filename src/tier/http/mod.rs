//! An HTTP server as an upstream: an artifact repository, a cache, another Pinstripe, or a forward proxy's target.
//!
//! Owns: what goes over the wire, and how an answer is read.
//! Never: follows a redirect, asks twice, or forwards a condition beside its own.

mod request;

use std::fmt;

use futures_util::future::BoxFuture;
use http::{HeaderValue, Uri};

use self::request::{Place, Root};
use super::hearing;
use super::upstream::{Answer, Upstream};
use crate::clock::Clock;
use crate::net::{Client, ClientConfig, Guard, TlsFault};
use crate::object::{Found, Heard, Question};

/// Where a tier's objects live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// Below one URL of the operator: scheme, authority and a path that every key is put behind.
    Fixed(Uri),
    /// Where the request itself says, `url: request`: the key has a target.
    Request,
}

/// What makes an HTTP tier.
#[derive(Debug)]
pub struct HttpTierConfig {
    /// Where its objects live.
    pub base: Base,
    /// What it may dial.
    pub guard: Guard,
    /// Timeouts and limits.
    pub client: ClientConfig,
    /// What this process adds to Via (RFC 9110 7.6.3).
    pub via: HeaderValue,
    /// When answers are received.
    pub clock: Clock,
}

/// Why an HTTP tier cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpTierFault {
    /// The base URL cannot be one.
    #[error("the URL must be http:// or https:// with a host and at most a path")]
    Url,
    /// The CA file cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsFault),
}

/// An HTTP server, asked with the client's own fields.
pub struct HttpTier {
    place: Place,
    via: HeaderValue,
    client: Client,
    clock: Clock,
}

impl HttpTier {
    /// A tier; nothing is connected yet.
    pub fn new(config: HttpTierConfig) -> Result<Self, HttpTierFault> {
        let place = match &config.base {
            Base::Fixed(url) => Place::Fixed(Root::new(url).ok_or(HttpTierFault::Url)?),
            Base::Request => Place::Target,
        };
        Ok(Self {
            place,
            via: config.via,
            client: Client::new(config.client, config.guard)?,
            clock: config.clock,
        })
    }

    async fn exchange(&self, question: &Question) -> Answer {
        let Some(request) = request::build(&self.place, &self.via, question) else {
            return Answer::bare(hearing::unaskable(self.clock.now()));
        };
        match self.client.send(request).await {
            Err(cause) => Answer::bare(Heard::failed(cause)),
            Ok(response) => {
                let (head, transfer) = response.into_parts();
                let heard = hearing::hear(Found {
                    status: head.status,
                    fields: head.headers,
                    received: self.clock.now(),
                });
                let body = hearing::body(&heard, question.method, transfer);
                Answer { heard, body }
            }
        }
    }
}

impl Upstream for HttpTier {
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Answer> {
        Box::pin(self.exchange(question))
    }
}

impl fmt::Debug for HttpTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTier")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
