//! What `/readyz` says: disks that are sick, endpoints that are out of reach.

use std::sync::Arc;

use super::disks::Disks;
use crate::config::{Config, Target, Upstream as Tier};
use crate::net::Reach;
use crate::proxy::{AskReady, Readiness};
use crate::tier::disk::Usable;

/// The endpoints that the operator named. Those of AWS and of a proxy's clients are not ours to knock at.
pub(super) fn reaches(config: &Config) -> Vec<Arc<Reach>> {
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
pub(super) fn readiness(disks: Disks, reaches: Vec<Arc<Reach>>) -> AskReady {
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
