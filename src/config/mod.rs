//! The configuration: YAML to values that are valid by construction.
//!
//! Owns every key, default and range, and what is wrong with a file: all of it at once, each fault with its path,
//! line and what was expected. Never reads a file, the environment or a clock, and never starts anything.
//!
//! The way of a text: `tree` (YAML, variables) → `decode` (types, keys) → `validate` (what goes together). The first
//! two note faults and go on with the rest; there is a [`Config`] only if nothing was noted.

mod bounds;
mod choice;
mod decode;
mod expand;
mod fault;
mod file;
mod locate;
mod pattern;
mod quantity;
mod route;
mod text;
mod tier;
mod tree;
mod url;
mod validate;
mod value;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

pub use choice::{AccessLog, Auth, Discovery, Role, Signatures, Writes};
pub use fault::{Fault, Faults};
pub use locate::Position;
pub use pattern::{HostPattern, PathPrefix};
pub use quantity::Size;
pub use route::{Dialect, Match, Route, Upstreams};
pub use text::{Bucket, Instance, KeyPrefix, Region, TierName};
pub use tier::{Common, Disk, Http, S3, Target, TierLimits, TierTimeouts, Upstream};
pub use url::BaseUrl;

use fault::Notes;

/// A configuration in which nothing is missing and everything goes together.
#[derive(Debug, Clone)]
pub struct Config {
    pub instance: Instance,
    /// One at least.
    pub listen: Vec<Listener>,
    pub admin: SocketAddr,
    pub access_log: AccessLog,
    /// Of how many other requests [`AccessLog::Sample`] logs one.
    pub access_log_sample: NonZeroUsize,
    pub slow_request: Duration,
    /// How long requests in flight may take to end when the process is told to.
    pub shutdown: Duration,
    pub limits: Limits,
    /// One at least; the first that matches wins.
    pub routes: Vec<Route>,
}

/// A listener for clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    pub address: SocketAddr,
    /// Whether it is also a forward proxy.
    pub forward: bool,
    pub max_connections: NonZeroUsize,
    pub max_requests_per_connection: NonZeroUsize,
    pub timeouts: ListenerTimeouts,
}

/// How long a listener waits for a client; none is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerTimeouts {
    /// For a whole head.
    pub head: Duration,
    /// For the next request.
    pub keep_alive: Duration,
    /// For the next bytes of a request's body.
    pub read: Duration,
    /// For the client to take the next bytes.
    pub write: Duration,
}

/// Bounds of the whole process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// In flight; one more is told 503.
    pub requests: NonZeroUsize,
    /// Bytes of memory for reading blocks from disk.
    pub read_buffers: Size,
    /// Bytes of memory for each block in flight.
    pub window: Size,
    /// Bytes of memory on their way to disk.
    pub fills: Size,
}

impl Config {
    /// The configuration that a text describes, or everything that is wrong with it.
    ///
    /// # Errors
    ///
    /// All faults of the text, in its order.
    pub fn parse(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Faults> {
        let mut notes = Notes::default();
        // Some editors put it before the first byte; YAML allows it there.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let tree = tree::read(text, env, &mut notes);
        let file = tree.and_then(|tree| decode::decode(tree, &mut notes));
        let config = file.and_then(|file| validate::validate(file, &mut notes));
        match config {
            Some(config) if notes.is_empty() => Ok(config),
            _ => Err(notes.into_faults(text)),
        }
    }

    /// As [`Self::parse`], of a file's bytes.
    ///
    /// # Errors
    ///
    /// All faults of the text, in its order; that it is no UTF-8 is the only one if it is.
    pub fn parse_bytes(bytes: &[u8], env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Faults> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse(text, env),
            Err(error) => Err(fault::not_utf8(bytes, &error)),
        }
    }

    /// Every disk that a route uses, once.
    #[must_use]
    pub fn disks(&self) -> Vec<&Arc<Disk>> {
        once(self.routes.iter().filter_map(|route| route.store.as_ref()))
    }

    /// Every upstream that a route uses, once.
    #[must_use]
    pub fn upstreams(&self) -> Vec<&Arc<Upstream>> {
        once(self.routes.iter().flat_map(|route| route.upstreams.iter()))
    }
}

fn once<'a, T>(all: impl Iterator<Item = &'a Arc<T>>) -> Vec<&'a Arc<T>> {
    let mut found: Vec<&Arc<T>> = Vec::new();
    for item in all {
        if !found.iter().any(|known| Arc::ptr_eq(known, item)) {
            found.push(item);
        }
    }
    found
}

/// The JSON Schema (2020-12) of the file.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(file::File).to_value()
}
