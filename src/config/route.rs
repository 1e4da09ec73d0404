//! Routes, valid by construction: which requests go to which tiers.
//!
//! Owns what a route says. Never matches a request: that is `request`.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use super::choice::{Auth, Discovery, Writes};
use super::pattern::{HostPattern, PathPrefix};
use super::quantity::Size;
use super::tier::{Disk, Upstream};
use crate::object::RouteName;

/// A route.
#[derive(Debug, Clone)]
pub struct Route {
    /// No two routes have the same.
    pub name: RouteName,
    pub matcher: Match,
    /// The same disk may serve several routes.
    pub store: Option<Arc<Disk>>,
    pub upstreams: Upstreams,
    pub discovery: Discovery,
    /// [`Auth::Shared`] where the authority is S3.
    pub auth: Auth,
    /// Zero unless `auth` is [`Auth::Check`].
    pub auth_ttl: Duration,
    pub grace: Duration,
    /// How many pieces of one object are fetched at once for one reader; one: none ahead of it.
    pub parallel: NonZeroUsize,
    /// How much of `store` it may have where others need space; `None`: all.
    pub quota: Option<Size>,
    pub dialect: Dialect,
    /// [`Writes::Allow`] where the authority is HTTP: such a route passes on what is no read.
    pub writes: Writes,
}

impl fmt::Display for Route {
    /// One line: name, what it matches, its tiers, who reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> ", self.name.as_str(), self.matcher)?;
        if let Some(disk) = &self.store {
            write!(f, "{} ({} on disk), ", disk.name, disk.capacity)?;
        }
        for near in self.upstreams.near() {
            write!(f, "{near}, ")?;
        }
        write!(f, "{}; auth {}", self.upstreams.authority(), self.auth.as_str())
    }
}

/// Which requests a route is for; what is `None` is no condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Only routes with a host take requests of a forward proxy.
    pub host: Option<HostPattern>,
    pub path: Option<PathPrefix>,
    /// Whether tiers see the path without the prefix.
    pub strip: bool,
}

impl Match {
    /// Whether every request that fits `other` fits this too.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let host = match (&self.host, &other.host) {
            // Requests of a forward proxy do not fit a route without a host.
            (None, other) => other.is_none(),
            (Some(ours), Some(theirs)) => ours.covers(theirs),
            (Some(_), None) => false,
        };
        let path = match (&self.path, &other.path) {
            (None, _) => true,
            (Some(ours), Some(theirs)) => ours.covers(theirs),
            (Some(_), None) => false,
        };
        host && path
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, &self.path) {
            (Some(host), Some(path)) => write!(f, "{host}{path}"),
            (Some(host), None) => write!(f, "{host}"),
            (None, Some(path)) => write!(f, "{path}"),
            (None, None) => f.write_str("everything"),
        }
    }
}

/// Upstreams of a route from nearest to deepest; there is always the deepest, the authority.
#[derive(Debug, Clone)]
pub struct Upstreams {
    near: Vec<Arc<Upstream>>,
    authority: Arc<Upstream>,
}

impl Upstreams {
    pub(super) const fn new(near: Vec<Arc<Upstream>>, authority: Arc<Upstream>) -> Self {
        Self { near, authority }
    }

    /// The last tier, whose word on what is current counts.
    #[must_use]
    pub const fn authority(&self) -> &Arc<Upstream> {
        &self.authority
    }

    /// Those before the authority, nearest first.
    #[must_use]
    pub fn near(&self) -> &[Arc<Upstream>] {
        &self.near
    }

    /// All, nearest first, the authority last.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Upstream>> {
        self.near.iter().chain(std::iter::once(&self.authority))
    }
}

/// Whose habits clients expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    Http,
    S3,
}
