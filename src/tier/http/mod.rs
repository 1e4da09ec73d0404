//! An HTTP server as an upstream: an artifact repository, a cache, another Pinstripe, or a forward proxy's target.
//!
//! Owns: what goes over the wire, and how an answer is read.
//! Never: follows a redirect, or forwards a condition beside its own. It asks twice only where a tier has several
//! servers, and the first gave no answer at all.

mod framing;
mod request;

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::{HeaderValue, Response, Uri};

use self::request::{Place, Root};
use super::hearing;
use super::upstream::{Answer, Upstream};
use crate::clock::Clock;
use crate::net::{Client, ClientConfig, Endpoints, Guard, TlsFault, Transfer, Unanswered};
use crate::object::{Cause, Found, Heard, Question};

/// Where a tier's objects live.
#[derive(Clone, Debug)]
pub enum Base {
    /// Below one URL of the operator: scheme, authority and a path that every key is put behind.
    Fixed(Uri),
    /// At several servers, each of which is asked for its share.
    Several(Arc<Endpoints>),
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
        let (place, name) = match &config.base {
            Base::Fixed(url) => (Place::Fixed(Root::new(url).ok_or(HttpTierFault::Url)?), None),
            Base::Several(endpoints) => (Place::Several(Arc::clone(endpoints)), endpoints.common_name()),
            Base::Request => (Place::Target, None),
        };
        Ok(Self {
            place,
            via: config.via,
            client: Client::speaking_with(name, config.client, config.guard)?,
            clock: config.clock,
        })
    }

    async fn exchange(&self, question: &Question) -> Answer {
        let root = match &self.place {
            Place::Fixed(root) => Some(root.clone()),
            Place::Target => question.key.target().and_then(Root::of_target),
            Place::Several(endpoints) => return self.exchange_with_one_of(endpoints, question).await,
        };
        let request = root.and_then(|root| request::build(root, &self.via, question));
        match request {
            None => Answer::bare(hearing::unaskable(self.clock.now())),
            Some(request) => self.heard(question, self.client.send(request).await),
        }
    }

    /// Asks the server whose share it is, or who stands in for it. An answer stands, whatever it says.
    async fn exchange_with_one_of(&self, endpoints: &Endpoints, question: &Question) -> Answer {
        let candidates = endpoints.candidates(question.key.path(), question.key.query());
        let (mut outcome, mut patient) = (Err(Cause::NoAddress), true);
        let candidates = match candidates.await {
            Ok(candidates) => candidates,
            Err(cause) => return self.heard(question, Err(cause)),
        };
        for endpoint in candidates {
            let request = request::build(Root::of_endpoint(&endpoint), &self.via, question);
            let Some(request) = request else {
                return Answer::bare(hearing::unaskable(self.clock.now()));
            };
            let asked = endpoint.asked();
            let unanswered = match self.client.deliver(request).await {
                Ok(response) => {
                    endpoint.answered();
                    return self.heard(question, Ok(response)).noting(move || endpoint.goes_on());
                }
                Err(unanswered) => unanswered,
            };
            if unanswered.unconnected {
                endpoint.failed();
            } else if unanswered.cause == Cause::Timeout {
                endpoint.timed_out(asked, &question.key);
            }
            // A connection that breaks may be an old one, and says little about the next.
            outcome = Err(unanswered.cause);
            if !may_ask_another(&unanswered, &mut patient) {
                break;
            }
        }
        self.heard(question, outcome)
    }

    fn heard(&self, question: &Question, outcome: Result<Response<Transfer>, Cause>) -> Answer {
        match outcome {
            Err(cause) => Answer::bare(Heard::failed(cause)),
            Ok(response) => {
                let (mut head, transfer) = response.into_parts();
                if !framing::settle(&mut head.headers) {
                    return Answer::bare(Heard::failed(Cause::Malformed));
                }
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

/// Questions are GET and HEAD, so one that was lost with its server may be put to another (RFC 9110 9.2.2), and so may one
/// that was waited for in vain, for that once: somebody waits, and it may be the object that takes so long. Who was heard is
/// not gone.
fn may_ask_another(unanswered: &Unanswered, patient: &mut bool) -> bool {
    match unanswered {
        Unanswered { unconnected: true, .. } => true,
        Unanswered { cause, .. } if *cause == Cause::Timeout => std::mem::take(patient),
        Unanswered { cause, .. } => *cause == Cause::Reset,
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
