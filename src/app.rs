//! The composition root: a configuration becomes stores, upstreams, routes and listeners that run until they are told
//! to stop.

mod disks;
mod gates;
mod health;
pub mod inspect;
pub mod shown;
mod tiers;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use http::HeaderValue;
use prometheus::Registry;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::gates::Maker;
use self::health::Watched;
use crate::clock::Clock;
use crate::config::{Config, TierName};
use crate::metrics::Metrics;
use crate::proxy::{Admin, AskReady, Bound, Door, Front};
use crate::tier::disk::OpenError;
use crate::tier::http::HttpTierFault;
use crate::tier::s3::{S3TierFault, StaticKeys};

/// What the configuration does not say: tests and the quick start bring their own.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The time.
    pub clock: Clock,
    /// Keys for S3 in place of the SDK's usual chain.
    pub s3_keys: Option<StaticKeys>,
    /// Disks that take so many bytes a second, to measure what that does.
    pub slow_disks: Option<u64>,
}

/// A sidecar that has bound its listeners.
pub struct App {
    front: Front<Door>,
    listeners: Vec<Bound>,
    admin: Admin,
    metrics: Arc<Metrics>,
    ready: AskReady,
    stopping: CancellationToken,
    watched: Watched,
    addresses: Vec<SocketAddr>,
    tasks: TaskTracker,
}

/// Why a sidecar does not start. An upstream that cannot be reached is no reason.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener cannot be bound.
    #[error("cannot listen on {0}: {1}; is another process using it?")]
    Bind(SocketAddr, io::Error),
    /// A disk tier cannot be used.
    #[error("tier {0}: {1}")]
    Disk(TierName, OpenError),
    /// An HTTP tier cannot be made.
    #[error("tier {0}: {1}")]
    Http(TierName, HttpTierFault),
    /// An S3 tier cannot be made.
    #[error("tier {0}: {1}")]
    S3(TierName, S3TierFault),
    /// The CA file of a tier cannot be read.
    #[error("tier {0}: cannot read ca_file {1}: {2}")]
    CaFile(TierName, PathBuf, io::Error),
    /// A metric is registered twice.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            s3_keys: None,
            slow_disks: None,
        }
    }
}

impl App {
    /// Opens disks, makes upstreams, binds listeners.
    pub async fn start(config: Config, surroundings: Surroundings) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::new(Registry::new())?);
        let tasks = TaskTracker::new();
        let me = me(config.instance.as_str(), &surroundings.clock);
        let disks = disks::open(&config, &surroundings, &metrics)?;
        let tiers = tiers::make(&config, &surroundings, &metrics, &me).await?;
        let maker = Maker {
            config: &config,
            surroundings,
            me: &me,
            metrics: &metrics,
            tasks: &tasks,
        };
        let gates = config
            .routes
            .iter()
            .map(|route| maker.gate(route, &disks, &tiers))
            .collect();
        let front = Front::new(&config, Door::new(gates, me.clone()), &metrics);
        let mut listeners = Vec::new();
        let mut addresses = Vec::new();
        for listen in &config.listen {
            let bound = Bound::new(listen).map_err(|error| StartError::Bind(listen.address, error))?;
            addresses.push(
                bound
                    .address()
                    .map_err(|error| StartError::Bind(listen.address, error))?,
            );
            listeners.push(bound);
        }
        let admin = Admin::new(config.admin).map_err(|error| StartError::Bind(config.admin, error))?;
        let watched = Watched::new(&config, &tiers);
        let stopping = CancellationToken::new();
        let ready = health::readiness(disks, watched.clone(), stopping.clone());
        Ok(Self {
            front,
            listeners,
            admin,
            metrics,
            ready,
            stopping,
            watched,
            addresses,
            tasks,
        })
    }

    /// Where it listens for clients, in the order of the configuration.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where metrics and health are.
    pub fn admin_address(&self) -> io::Result<SocketAddr> {
        self.admin.address()
    }

    /// Runs until `stop`, then until requests in flight have ended, at most for the configured time.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let ended = CancellationToken::new();
        let clients = self.front.run(self.listeners, self.stopping.clone());
        let admin = self.admin.run(self.metrics, self.ready, ended.clone());
        let stopped = async {
            stop.await;
            self.stopping.cancel();
        };
        let mut watches = self.watched.watch();
        let served = async {
            tokio::join!(clients, stopped);
            // Blocks that nobody follows any more are not worth waiting for; those being published take a moment.
            self.tasks.close();
            let _ = tokio::time::timeout(FLIGHTS_END, self.tasks.wait()).await;
            watches.shutdown().await;
            ended.cancel();
        };
        tokio::join!(admin, served);
    }
}

/// How long flights without readers may take to notice that they are not needed.
const FLIGHTS_END: Duration = Duration::from_secs(2);

/// This process in Via. The name alone would make a chain of sidecars with the default name look like a loop, so the
/// comment tells one process from another (RFC 9110 7.6.3).
fn me(instance: &str, clock: &Clock) -> HeaderValue {
    let started = clock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = format!(
        "{}-{}-{:?}",
        std::process::id(),
        started.as_nanos(),
        std::thread::current().id()
    );
    let hash = blake3::hash(seed.as_bytes()).to_hex();
    let short = hash.get(..12).unwrap_or_default();
    HeaderValue::from_str(&format!("1.1 {instance} ({short})")).unwrap_or(HeaderValue::from_static("1.1 pinstripe"))
}
