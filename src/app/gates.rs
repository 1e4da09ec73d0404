//! Makes the routes: what the door matches, the engine behind it, and where the rest is passed on.

use std::sync::Arc;

use http::HeaderValue;
use tokio_util::task::TaskTracker;

use super::Surroundings;
use super::disks::Disks;
use super::tiers::{Tiers, guard};
use crate::config::{self, Auth, Config, Dialect, Discovery, Target, Upstream as Tier, Writes};
use crate::fetch::{Parts, Route};
use crate::metrics::{Metrics, TierMetrics};
use crate::net::Resolver;
use crate::object::BlockSize;
use crate::plan::{Terms, affordable};
use crate::proxy::{Gate, Servers, Through};
use crate::request::Rules;
use crate::tier::store::BlockStore;
use crate::tier::upstream::Upstream;
use crate::tier::void::Void;

/// Makes routes.
pub(super) struct Maker<'a> {
    pub(super) config: &'a Config,
    pub(super) surroundings: Surroundings,
    pub(super) me: &'a HeaderValue,
    pub(super) metrics: &'a Arc<Metrics>,
    pub(super) tasks: &'a TaskTracker,
}

fn connections(route: &config::Route) -> usize {
    let of_each = route
        .upstreams
        .iter()
        .map(|tier| tier.common().limits.connections.get());
    of_each.min().unwrap_or_default()
}

fn parallel(route: &config::Route, block_size: BlockSize) -> usize {
    let room = route.store.as_ref().map(|disk| match route.quota {
        Some(quota) => quota.bytes().min(disk.capacity.bytes()),
        None => disk.capacity.bytes(),
    });
    affordable(route.parallel.get(), room.unwrap_or_default(), block_size)
}

impl Maker<'_> {
    pub(super) fn gate(&self, route: &config::Route, disks: &Disks, tiers: &Tiers) -> Gate {
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
            connections: connections(route),
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
                reads_only: route.writes == Writes::Deny,
                shared: route.auth == Auth::Shared,
                drops_signatures: authority.drops_signatures(),
            },
            authority: authority.authority_id(),
            route: Route::new(parts),
            through: self.through(authority, tiers),
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
            parallel: parallel(route, block_size),
        }
    }

    fn upstreams(&self, route: &config::Route, tiers: &Tiers) -> Vec<(Arc<dyn Upstream>, TierMetrics)> {
        let named = route
            .upstreams
            .iter()
            .filter_map(|tier| Some((tier.name(), tiers.get(tier.name())?)));
        named
            .map(|(name, tier)| (tier.upstream.clone(), self.metrics.tier(name.as_str())))
            .collect()
    }

    fn through(&self, authority: &Tier, tiers: &Tiers) -> Option<Through> {
        let Tier::Http(http) = authority else { return None };
        let made = tiers.get(authority.name())?;
        let servers = match (&http.target, &made.endpoints) {
            (_, Some(endpoints)) => Servers::Several(endpoints.clone()),
            (Target::Url(url) | Target::Spread(url), None) => Servers::One(url.clone()),
            (Target::Urls(_) | Target::Request { .. }, None) => Servers::OfRequest,
        };
        let timeouts = http.common.timeouts;
        Some(Through {
            servers,
            guard: guard(&http.target),
            resolver: Resolver::new(timeouts.connect),
            timeouts,
            turns: made.turns.clone()?,
            roots: made.roots.clone(),
            via: self.me.clone(),
            tasks: self.tasks.clone(),
        })
    }
}
