//! What `/readyz` says: disks that are sick, endpoints that are out of reach, and that the end has begun.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::disks::Disks;
use super::tiers::Tiers;
use crate::config::{Config, Target, Upstream as Tier};
use crate::net::{Endpoints, Reach};
use crate::proxy::{AskReady, Readiness};
use crate::tier::disk::Usable;

/// Servers that are dialled now and then, to say which of them are out of reach.
#[derive(Clone)]
pub(super) struct Watched {
    reaches: Vec<Arc<Reach>>,
    endpoints: Vec<Arc<Endpoints>>,
}

impl Watched {
    /// The endpoints that the operator named. Those of AWS and of a proxy's clients are not ours to knock at.
    pub(super) fn new(config: &Config, tiers: &Tiers) -> Self {
        let singles = config.upstreams().into_iter().filter_map(|tier| {
            let url = match &**tier {
                Tier::Http(http) => match &http.target {
                    Target::Url(url) => url,
                    Target::Urls(_) | Target::Spread(_) | Target::Request { .. } => return None,
                },
                Tier::S3(s3) => s3.endpoint.as_ref()?,
            };
            let within = tier.common().timeouts.connect;
            let reach = Reach::new(tier.name().as_str(), url.host(), url.port(), within);
            Some(Arc::new(reach))
        });
        let several = tiers.values().filter_map(|made| made.endpoints.clone());
        Self {
            reaches: singles.collect(),
            endpoints: several.collect(),
        }
    }

    /// Dials until the tasks are dropped.
    pub(super) fn watch(self) -> JoinSet<()> {
        let mut watches: JoinSet<()> = self.reaches.into_iter().map(Reach::watch).collect();
        for endpoints in self.endpoints {
            watches.spawn(endpoints.watch());
        }
        watches
    }

    fn troubles(&self) -> impl Iterator<Item = String> {
        let singles = self.reaches.iter().filter_map(|reach| reach.trouble());
        singles.chain(self.endpoints.iter().flat_map(|endpoints| endpoints.troubles()))
    }
}

/// Requests are answered whatever happens to disks and upstreams, if worse than usual. From `stopping` on only those that
/// run already are, which may take a while: nobody new is to be sent here.
pub(super) fn readiness(disks: Disks, watched: Watched, stopping: CancellationToken) -> AskReady {
    Arc::new(move || {
        if stopping.is_cancelled() {
            return Readiness::NotReady(vec!["stopping".to_owned()]);
        }
        let sick = disks.iter().filter_map(|(name, disk)| match disk.usable() {
            Usable::Ok => None,
            Usable::Degraded(why) => Some(format!("tier {}: {why}", name.as_str())),
        });
        let trouble: Vec<String> = sick.chain(watched.troubles()).collect();
        if trouble.is_empty() {
            Readiness::Ready
        } else {
            Readiness::Degraded(trouble)
        }
    })
}
