//! The composition root: a configuration becomes stores, upstreams, routes and listeners that run until they are told
//! to stop.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use http::HeaderValue;
use prometheus::Registry;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::{self, Auth, Config, Dialect, Discovery, Target, TierName, Upstream as Tier};
use crate::fetch::{Parts, Route};
use crate::metrics::{DiskSnapshot, Metrics};
use crate::net::{ClientConfig, Guard, Reach, Resolver};
use crate::object::BlockSize;
use crate::plan::Terms;
use crate::proxy::{Admin, AskReady, Bound, Door, Front, Gate, Readiness, Through};
use crate::request::Rules;
use crate::tier::disk::{Disk, DiskConfig, OpenError, Usable};
use crate::tier::http::{Base, HttpTier, HttpTierConfig, HttpTierFault};
use crate::tier::s3::{S3Tier, S3TierConfig, S3TierFault, StaticKeys};
use crate::tier::store::BlockStore;
use crate::tier::upstream::Upstream;
use crate::tier::void::Void;

/// What the configuration does not say: tests and the quick start bring their own.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The time.
    pub clock: Clock,
    /// Keys for S3 in place of the SDK's usual chain.
    pub s3_keys: Option<StaticKeys>,
}

/// A sidecar that has bound its listeners.
pub struct App {
    front: Front<Door>,
    listeners: Vec<Bound>,
    admin: Admin,
    metrics: Arc<Metrics>,
    ready: AskReady,
    reaches: Vec<Arc<Reach>>,
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
        }
    }
}

impl App {
    /// Opens disks, makes upstreams, binds listeners.
    pub async fn start(config: Config, surroundings: Surroundings) -> Result<Self, StartError> {
        let metrics = Arc::new(Metrics::new(Registry::new())?);
        let tasks = TaskTracker::new();
        let me = me(config.instance.as_str(), &surroundings.clock);
        let disks = open_disks(&config, &metrics).await?;
        let tiers = make_tiers(&config, &surroundings, &me).await?;
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
        let reaches = reaches(&config);
        let ready = readiness(disks, reaches.clone());
        Ok(Self {
            front,
            listeners,
            admin,
            metrics,
            ready,
            reaches,
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
        let (stopping, ended) = (CancellationToken::new(), CancellationToken::new());
        let clients = self.front.run(self.listeners, stopping.clone());
        let admin = self.admin.run(self.metrics, self.ready, ended.clone());
        let stopped = async {
            stop.await;
            stopping.cancel();
        };
        let mut watches: JoinSet<()> = self.reaches.into_iter().map(Reach::watch).collect();
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

/// The endpoints that the operator named. Those of AWS and of a proxy's clients are not ours to knock at.
fn reaches(config: &Config) -> Vec<Arc<Reach>> {
    let endpoints = config.upstreams().into_iter().filter_map(|tier| {
        let url = match &**tier {
            Tier::Http(http) => match &http.target {
                Target::Url(url) => url,
                Target::Request { .. } => return None,
            },
            Tier::S3(s3) => s3.endpoint.as_ref()?,
        };
        Some(Reach::new(
            tier.name().as_str(),
            url.host(),
            url.port(),
            tier.common().timeouts.connect,
        ))
    });
    endpoints.map(Arc::new).collect()
}

/// Requests are answered whatever happens to disks and upstreams, if worse than usual.
fn readiness(disks: HashMap<TierName, Arc<Disk>>, reaches: Vec<Arc<Reach>>) -> AskReady {
    Arc::new(move || {
        let sick = disks.iter().filter_map(|(name, disk)| match disk.usable() {
            Usable::Ok => None,
            Usable::Degraded(why) => Some(format!("tier {}: {why}", name.as_str())),
        });
        let trouble: Vec<String> = sick.chain(reaches.iter().filter_map(|reach| reach.trouble())).collect();
        if trouble.is_empty() {
            Readiness::Ready
        } else {
            Readiness::Degraded(trouble)
        }
    })
}

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

async fn open_disks(config: &Config, metrics: &Metrics) -> Result<HashMap<TierName, Arc<Disk>>, StartError> {
    let mut disks = HashMap::new();
    for tier in config.disks() {
        let settings = DiskConfig {
            path: tier.path.clone(),
            capacity: tier.capacity.bytes(),
            block_size: tier.block_size,
            fill_budget: config.limits.fills.bytes(),
            read_budget: config.limits.read_buffers.bytes(),
        };
        let started = Instant::now();
        let disk = Disk::open(&settings, Arc::new(move || started.elapsed()));
        let disk = Arc::new(disk.map_err(|error| StartError::Disk(tier.name.clone(), error))?);
        let watched = Arc::downgrade(&disk);
        metrics.watch_disk(tier.name.as_str(), move || {
            watched.upgrade().map(|disk| snapshot(&disk)).unwrap_or_default()
        });
        disks.insert(tier.name.clone(), disk);
    }
    Ok(disks)
}

fn snapshot(disk: &Disk) -> DiskSnapshot {
    use crate::tier::disk::Label;
    let stats = disk.stats();
    DiskSnapshot {
        bytes: stats.bytes,
        blocks: stats.files,
        capacity: stats.capacity,
        evictions: stats.evicted.iter().map(|(why, n)| (why.label(), *n)).collect(),
        faults: stats.faults.iter().map(|(kind, n)| (kind.label(), *n)).collect(),
    }
}

type Tiers = HashMap<TierName, Arc<dyn Upstream>>;

async fn make_tiers(config: &Config, surroundings: &Surroundings, me: &HeaderValue) -> Result<Tiers, StartError> {
    let mut tiers = Tiers::new();
    for tier in config.upstreams() {
        let client = client_config(tier.common()).await?;
        let made: Arc<dyn Upstream> = match &**tier {
            Tier::Http(http) => Arc::new(http_tier(http, client, surroundings, me)?),
            Tier::S3(s3) => Arc::new(s3_tier(s3, client, surroundings, me).await?),
        };
        tiers.insert(tier.name().clone(), made);
    }
    Ok(tiers)
}

async fn client_config(common: &config::Common) -> Result<ClientConfig, StartError> {
    let ca_pem = match &common.ca_file {
        None => None,
        Some(path) => {
            let read = tokio::fs::read(path).await;
            Some(read.map_err(|error| StartError::CaFile(common.name.clone(), path.clone(), error))?)
        }
    };
    Ok(ClientConfig {
        connect: common.timeouts.connect,
        first_byte: common.timeouts.first_byte,
        idle: common.timeouts.idle,
        connections: common.limits.connections.get(),
        head_limit: common.limits.head.in_memory(),
        ca_pem,
    })
}

fn http_tier(
    tier: &config::Http,
    client: ClientConfig,
    surroundings: &Surroundings,
    me: &HeaderValue,
) -> Result<HttpTier, StartError> {
    let fault = |fault| StartError::Http(tier.common.name.clone(), fault);
    let base = match &tier.target {
        Target::Url(url) => Base::Fixed(url.to_string().parse().map_err(|_| fault(HttpTierFault::Url))?),
        Target::Request { .. } => Base::Request,
    };
    let settings = HttpTierConfig {
        base,
        guard: guard(&tier.target),
        client,
        via: me.clone(),
        clock: surroundings.clock.clone(),
    };
    HttpTier::new(settings).map_err(fault)
}

/// An operator may name any address; the client of a forward proxy only public ones, and what is allowed.
fn guard(target: &Target) -> Guard {
    match target {
        Target::Url(_) => Guard::Any,
        Target::Request { allow } => Guard::Public { allow: allow.clone() },
    }
}

async fn s3_tier(
    tier: &config::S3,
    client: ClientConfig,
    surroundings: &Surroundings,
    me: &HeaderValue,
) -> Result<S3Tier, StartError> {
    let settings = S3TierConfig {
        bucket: tier.bucket.as_str().to_owned(),
        prefix: tier.prefix.as_str().to_owned(),
        region: tier.region.as_ref().map(|region| region.as_str().to_owned()),
        endpoint: tier.endpoint.as_ref().map(ToString::to_string),
        path_style: tier.path_style,
        credentials: surroundings.s3_keys.clone(),
        client,
        via: me.clone(),
        clock: surroundings.clock.clone(),
    };
    S3Tier::new(settings)
        .await
        .map_err(|fault| StartError::S3(tier.common.name.clone(), fault))
}

/// Makes routes.
struct Maker<'a> {
    config: &'a Config,
    surroundings: Surroundings,
    me: &'a HeaderValue,
    metrics: &'a Arc<Metrics>,
    tasks: &'a TaskTracker,
}

impl Maker<'_> {
    fn gate(&self, route: &config::Route, disks: &HashMap<TierName, Arc<Disk>>, tiers: &Tiers) -> Gate {
        let authority = route.upstreams.authority();
        let s3_authority = matches!(&**authority, Tier::S3(_));
        let disk = route.store.as_ref().and_then(|disk| disks.get(&disk.name));
        let store: Arc<dyn BlockStore> = match disk {
            Some(disk) => Arc::clone(disk) as Arc<dyn BlockStore>,
            None => Arc::new(Void::new()),
        };
        let parts = Parts {
            name: route.name.clone(),
            terms: self.terms(route, store.block_size()),
            keeps: disk.is_some(),
            store,
            upstreams: self.upstreams(route, tiers),
            instance: self.config.instance.as_str().into(),
            window: self.config.limits.window.bytes(),
            clock: self.surroundings.clock.clone(),
            metrics: self.metrics.clone(),
            tasks: self.tasks.clone(),
        };
        Gate {
            matcher: route.matcher.clone(),
            of_request: authority.is_request(),
            rules: Rules {
                s3_authority,
                s3_dialect: route.dialect == Dialect::S3,
                shared: route.auth == Auth::Shared,
            },
            authority: authority.authority_id(),
            route: Route::new(parts),
            through: self.through(authority),
            metrics: Arc::new(self.metrics.route(route.name.as_str())),
        }
    }

    fn terms(&self, route: &config::Route, block_size: BlockSize) -> Terms {
        let authority = route.upstreams.authority();
        Terms {
            near: route.upstreams.near().len(),
            role: authority.role(),
            s3_dialect: route.dialect == Dialect::S3,
            http_authority: matches!(&**authority, Tier::Http(_)),
            nearest: route.discovery == Discovery::Nearest,
            grace: route.grace,
            block_size,
        }
    }

    fn upstreams(&self, route: &config::Route, tiers: &Tiers) -> Vec<(Arc<dyn Upstream>, crate::metrics::TierMetrics)> {
        let named = route
            .upstreams
            .iter()
            .filter_map(|tier| Some((tier.name(), tiers.get(tier.name())?)));
        named
            .map(|(name, tier)| (tier.clone(), self.metrics.tier(name.as_str())))
            .collect()
    }

    fn through(&self, authority: &Tier) -> Option<Through> {
        let Tier::Http(http) = authority else { return None };
        let base = match &http.target {
            Target::Url(url) => Some(url.clone()),
            Target::Request { .. } => None,
        };
        let timeouts = http.common.timeouts;
        Some(Through {
            base,
            guard: guard(&http.target),
            resolver: Resolver::new(timeouts.connect),
            timeouts,
            via: self.me.clone(),
            tasks: self.tasks.clone(),
        })
    }
}
