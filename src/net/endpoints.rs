//! The servers of a tier that has several, each with its share of the objects.
//!
//! Owns: who they are, as listed or as a name resolves, and whom to ask for an object. Never: asks.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::{Mutex, RwLock};
use tokio::time::Instant;

use super::endpoint::{Endpoint, OnLeftOut};
use super::guard::Guard;
use super::reach::Reach;
use super::resolve::Resolver;
use super::ring::{Order, Ring};
use crate::config::BaseUrl;
use crate::object::Cause;

/// How many are asked at most, one after the other as long as none can be reached: two may be away at the same time, and
/// who waits for more of them would rather hear of it.
const ATTEMPTS: usize = 3;

/// How many addresses of one name become endpoints. Each is dialled every few seconds.
const MOST: usize = 256;

/// How often they are dialled, and their name is looked up. Short beside the life of a process, long beside the cost of
/// a connection from each of a thousand sidecars.
const PERIOD: Duration = Duration::from_secs(5);

/// The servers of one tier.
pub struct Endpoints {
    tier: String,
    /// What the operator wrote: the URL of a name, or one of the list. Scheme and path are those of all.
    base: BaseUrl,
    /// Whether the name of `base` is looked up, again and again.
    spread: bool,
    within: Duration,
    resolver: Resolver,
    unresolved: Mutex<Option<Cause>>,
    left_out: OnLeftOut,
    around: RwLock<Arc<Around>>,
}

/// Those that there are at the moment.
struct Around {
    endpoints: Vec<Arc<Endpoint>>,
    ring: Ring,
}

/// Whom to ask for an object, one after the other until one can be reached.
pub struct Candidates {
    around: Arc<Around>,
    order: Order,
    left_out: VecDeque<Arc<Endpoint>>,
    attempts: usize,
}

impl Endpoints {
    /// Those of a list, which differ in host or port and in nothing else. `None` if there is none.
    pub fn listed(tier: &str, urls: &[BaseUrl], within: Duration, left_out: OnLeftOut) -> Option<Self> {
        let endpoints = urls.iter().filter_map(|url| {
            let reach = Reach::new(tier, url.host(), url.port(), within);
            Endpoint::new(url, &url.authority(), reach, left_out.clone())
        });
        let around = Around::new(endpoints.collect());
        Some(Self::with(tier, urls.first()?, false, within, left_out, around))
    }

    /// All addresses that the host of a URL has. They are looked up when the first is needed.
    pub fn spread(tier: &str, url: &BaseUrl, within: Duration, left_out: OnLeftOut) -> Self {
        Self::with(tier, url, true, within, left_out, Around::new(Vec::new()))
    }

    fn with(tier: &str, base: &BaseUrl, spread: bool, within: Duration, left_out: OnLeftOut, around: Around) -> Self {
        Self {
            tier: tier.to_owned(),
            base: base.clone(),
            spread,
            within,
            resolver: Resolver::new(within),
            unresolved: Mutex::new(None),
            left_out,
            around: RwLock::new(Arc::new(around)),
        }
    }

    /// A URL with the scheme and the path of all.
    pub fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// The host of all certificates, where it is not the one that is dialled.
    pub fn common_name(&self) -> Option<&str> {
        self.spread.then(|| self.base.host())
    }

    /// Whom to ask for the object that this path and query name. Waits for nothing but the first answer of a name server.
    pub async fn candidates(&self, path: &str, query: Option<&str>) -> Result<Candidates, Cause> {
        let mut around = self.around.read().clone();
        if around.endpoints.is_empty() {
            self.look_up().await?;
            around = self.around.read().clone();
        }
        let object = [path.as_bytes(), b"?", query.unwrap_or_default().as_bytes()].concat();
        Ok(Candidates {
            order: around.ring.order(&object),
            around,
            left_out: VecDeque::new(),
            attempts: ATTEMPTS,
        })
    }

    /// A line for each that is in trouble.
    pub fn troubles(&self) -> Vec<String> {
        let unresolved = self.unresolved.lock().map(|cause| {
            let (tier, host) = (&self.tier, self.base.host());
            format!("tier {tier}: {host} is not resolved ({})", cause.label())
        });
        let around = self.around.read().clone();
        let of_each = around.endpoints.iter().filter_map(|endpoint| endpoint.trouble());
        unresolved.into_iter().chain(of_each).collect()
    }

    /// Looks up and dials again and again, until it is dropped.
    pub async fn watch(self: Arc<Self>) {
        loop {
            if self.spread {
                // The last good answer stands.
                let _ = self.look_up().await;
            }
            let around = self.around.read().clone();
            join_all(around.endpoints.iter().map(|endpoint| endpoint.check(&self.resolver))).await;
            tokio::time::sleep(PERIOD).await;
        }
    }

    async fn look_up(&self) -> Result<(), Cause> {
        // The operator named this host.
        let resolving = self.resolver.resolve(self.base.host(), self.base.port(), &Guard::Any);
        let found = resolving.await;
        let cause = found.as_ref().err().copied();
        let before = std::mem::replace(&mut *self.unresolved.lock(), cause);
        if let (Some(cause), None) = (cause, before) {
            tracing::warn!(tier = self.tier, reason = cause.label(), "a name is not resolved");
        }
        self.settle(found?.into_iter().map(|address| address.to_string()).collect());
        Ok(())
    }

    /// From now on these are all; of those that were there before, what is known stays known.
    fn settle(&self, mut found: Vec<String>) {
        found.sort();
        found.dedup();
        found.truncate(MOST);
        let mut around = self.around.write();
        let known = |name: &str| {
            around
                .endpoints
                .iter()
                .find(|known| *known.authority() == *name)
                .cloned()
        };
        let endpoints: Vec<_> = found
            .iter()
            .filter_map(|name| known(name).or_else(|| self.at_address(name)))
            .collect();
        if !Iterator::eq(names(&endpoints), names(&around.endpoints)) {
            tracing::info!(
                tier = self.tier,
                endpoints = endpoints.len(),
                "a name has other addresses"
            );
            *around = Arc::new(Around::new(endpoints));
        }
    }

    fn at_address(&self, address: &str) -> Option<Arc<Endpoint>> {
        let (host, port) = address.rsplit_once(':')?;
        let reach = Reach::new(&self.tier, host, port.parse().ok()?, self.within);
        Endpoint::new(&self.base, address, reach, self.left_out.clone())
    }
}

fn names(endpoints: &[Arc<Endpoint>]) -> impl Iterator<Item = &str> {
    endpoints.iter().map(|endpoint| endpoint.authority().as_str())
}

impl Around {
    fn new(endpoints: Vec<Arc<Endpoint>>) -> Self {
        let ring = Ring::new(names(&endpoints));
        Self { endpoints, ring }
    }
}

/// As they come on the ring, without those that are left out; these come last, since a chance is better than none.
impl Iterator for Candidates {
    type Item = Arc<Endpoint>;

    fn next(&mut self) -> Option<Arc<Endpoint>> {
        self.attempts = self.attempts.checked_sub(1)?;
        let now = Instant::now();
        for at in &mut self.order {
            let endpoint = self.around.endpoints.get(at)?;
            if endpoint.admits(now) {
                return Some(Arc::clone(endpoint));
            }
            self.left_out.push_back(Arc::clone(endpoint));
        }
        self.left_out.pop_front()
    }
}

impl fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let around = self.around.read().clone();
        f.debug_struct("Endpoints")
            .field("tier", &self.tier)
            .field("base", &self.base)
            .field("names", &names(&around.endpoints).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Candidates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidates")
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
