//! One of the servers of a tier that has several.
//!
//! Owns: where it is, and whether it is asked. Never: asks it, but for a connection now and then.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use http::HeaderValue;
use http::uri::Authority;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::breaker::{Asked, Breaker};
use super::health::{Health, LeftOut};
use super::reach::Reach;
use super::resolve::Resolver;
use crate::config::BaseUrl;

/// Who hears of every time that a server is left out.
pub type OnLeftOut = Arc<dyn Fn(LeftOut) + Send + Sync>;

/// One server. Others can stand in for it, so it is left out where it is of no use.
pub struct Endpoint {
    /// Its URL, or that of the name which has its address.
    base: BaseUrl,
    authority: Authority,
    host_field: HeaderValue,
    reach: Reach,
    health: Mutex<Health>,
    breaker: Breaker,
    left_out: OnLeftOut,
}

impl Endpoint {
    pub(super) fn new(base: &BaseUrl, authority: &str, reach: Reach, left_out: OnLeftOut) -> Option<Arc<Self>> {
        Some(Arc::new(Self {
            base: base.clone(),
            authority: authority.parse().ok()?,
            host_field: HeaderValue::from_str(&base.authority()).ok()?,
            reach,
            health: Mutex::default(),
            breaker: Breaker::default(),
            left_out,
        }))
    }

    /// Where it is, for a URI.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// What it is told in Host.
    pub fn host_field(&self) -> &HeaderValue {
        &self.host_field
    }

    /// Its URL, or that of the name which has its address: whom its certificate is for.
    pub fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// The host or address to dial, and the port.
    pub fn dialled(&self) -> (&str, u16) {
        self.reach.place()
    }

    /// There was no connection to it.
    pub fn failed(&self) {
        if self.health.lock().failed(Instant::now()) {
            (self.left_out)(LeftOut::Connection);
        }
    }

    /// It is asked now.
    pub fn asked(&self) -> Asked {
        self.breaker.asked()
    }

    /// It answered, whatever it said.
    pub fn answered(&self) {
        self.breaker.alive();
        if self.health.lock().answered() {
            let (host, port) = self.dialled();
            tracing::info!(tier = self.reach.tier(), host, port, "a server answers again");
        }
    }

    /// There are bytes of an answer. They may be old ones, so one that is left out stays so.
    pub fn goes_on(&self) {
        self.breaker.alive();
    }

    /// A question about that object was waited for in vain.
    pub fn timed_out(&self, asked: Asked, object: impl Hash) {
        let now = Instant::now();
        self.breaker.timed_out(asked, object, now);
        let left_out = self.health.lock().timed_out(self.breaker.stands_still(now), now);
        if left_out {
            tracing::warn!(reason = self.trouble(), "a server is left out");
            (self.left_out)(LeftOut::Silence);
        }
    }

    /// Whether it may be asked now; see [`Health::admits`].
    pub(super) fn admits(&self, now: Instant) -> bool {
        self.health.lock().admits(now)
    }

    /// One line about the trouble, if there is any.
    pub(super) fn trouble(&self) -> Option<String> {
        let silent = || {
            self.health
                .lock()
                .is_silent()
                .then(|| self.reach.told("does not answer"))
        };
        self.reach.trouble().or_else(silent)
    }

    /// Tries to connect.
    pub(super) async fn check(&self, resolver: &Resolver) {
        let found = self.reach.attempt(resolver).await;
        match found {
            None => self.health.lock().connected(),
            Some(_) => self.failed(),
        }
        self.reach.note(found);
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("authority", &self.authority)
            .finish_non_exhaustive()
    }
}
