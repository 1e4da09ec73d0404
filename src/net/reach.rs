//! Whether an upstream's endpoint can be reached at all: what `/readyz` and the log say of it. No decision depends on
//! this, but whom to ask first where a tier has several servers; requests find out by themselves.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::guard::Guard;
use super::resolve::Resolver;
use crate::object::Cause;

/// How often an endpoint is tried. A connection that is closed at once costs the server next to nothing.
const PERIOD: Duration = Duration::from_secs(10);

/// The endpoint of a tier, watched.
#[derive(Debug)]
pub struct Reach {
    tier: String,
    host: String,
    port: u16,
    within: Duration,
    state: Mutex<Option<Cause>>,
}

impl Reach {
    /// An endpoint about which nothing is known yet.
    pub fn new(tier: &str, host: &str, port: u16, within: Duration) -> Self {
        Self {
            tier: tier.to_owned(),
            host: host.to_owned(),
            port,
            within,
            state: Mutex::new(None),
        }
    }

    /// One line about the trouble, if there is any.
    pub fn trouble(&self) -> Option<String> {
        let cause = (*self.state.lock())?;
        Some(self.told(&format!("cannot be reached ({})", cause.label())))
    }

    /// Tries again and again, until it is dropped.
    pub async fn watch(self: Arc<Self>) {
        let resolver = Resolver::new(self.within);
        loop {
            self.note(self.attempt(&resolver).await);
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// That tier and that endpoint, and what there is to say of it.
    pub(super) fn told(&self, what: &str) -> String {
        format!("tier {}: {}:{} {what}", self.tier, self.host, self.port)
    }

    /// Whose endpoint it is.
    pub(super) fn tier(&self) -> &str {
        &self.tier
    }

    /// The host and the port that are dialled.
    pub(super) fn place(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// What an attempt found is so from now on.
    pub(super) fn note(&self, found: Option<Cause>) {
        let before = std::mem::replace(&mut *self.state.lock(), found);
        match (before, found) {
            (None, Some(_)) => tracing::warn!(reason = self.trouble(), "an upstream is out of reach"),
            (Some(_), None) => {
                let (tier, host, port) = (&self.tier, &self.host, self.port);
                tracing::info!(tier, host, port, "an upstream is back in reach");
            }
            _ => {}
        }
    }

    /// Tries once: why it cannot be reached, if so.
    pub(super) async fn attempt(&self, resolver: &Resolver) -> Option<Cause> {
        // The operator named this endpoint.
        let addresses = match resolver.resolve(&self.host, self.port, &Guard::Any).await {
            Ok(addresses) => addresses,
            Err(cause) => return Some(cause),
        };
        match timeout(self.within, TcpStream::connect(addresses.as_slice())).await {
            Ok(Ok(_)) => None,
            Ok(Err(_)) => Some(Cause::Refused),
            Err(_) => Some(Cause::Timeout),
        }
    }
}
