//! Makes the upstreams that routes use.

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderValue;

use super::{StartError, Surroundings};
use crate::config::{self, Common, Config, Target, TierName, Upstream as Tier};
use crate::metrics::{Metrics, TierMetrics};
use crate::net::{ClientConfig, Endpoints, Guard, OnLeftOut, Turns, other_than_machines};
use crate::proxy::Roots;
use crate::tier::http::{Base, HttpTier, HttpTierConfig, HttpTierFault};
use crate::tier::s3::{S3Tier, S3TierConfig};
use crate::tier::steady::Steady;
use crate::tier::upstream::Upstream;

/// Upstreams by name.
pub(super) type Tiers = HashMap<TierName, Made>;

/// An upstream, and what pass-through to it needs besides.
pub(super) struct Made {
    pub(super) upstream: Arc<dyn Upstream>,
    /// Whom pass-through trusts, where that is not just the machine's roots.
    pub(super) roots: Option<Roots>,
    /// Of requests that are passed on to it. Reads have their own: an upload that stands still is not to hold them up.
    pub(super) turns: Option<Turns>,
    /// Its servers, where it has several.
    pub(super) endpoints: Option<Arc<Endpoints>>,
}

/// Makes all of them; nothing is connected yet.
pub(super) async fn make(
    config: &Config,
    surroundings: &Surroundings,
    metrics: &Metrics,
    me: &HeaderValue,
) -> Result<Tiers, StartError> {
    let mut tiers = Tiers::new();
    for tier in config.upstreams() {
        let client = client_config(tier.common()).await?;
        let roots = roots(tier, &client)?;
        let told = metrics.tier(tier.name().as_str());
        let (upstream, endpoints, turns): (Arc<dyn Upstream>, _, _) = match &**tier {
            Tier::Http(http) => {
                let (tier, endpoints) = http_tier(http, client, surroundings, me, told.clone())?;
                let Common { limits, timeouts, .. } = &http.common;
                let turns = Turns::new(limits.connections.get(), timeouts.connect);
                (Arc::new(tier), endpoints, Some(turns))
            }
            Tier::S3(s3) => (Arc::new(s3_tier(s3, client, surroundings, me).await?), None, None),
        };
        let upstream: Arc<dyn Upstream> = match tier.common().steady {
            true => Arc::new(Steady::new(upstream, told)),
            false => upstream,
        };
        let made = Made {
            upstream,
            roots,
            turns,
            endpoints,
        };
        tiers.insert(tier.name().clone(), made);
    }
    Ok(tiers)
}

async fn client_config(common: &Common) -> Result<ClientConfig, StartError> {
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

/// S3 tiers are never passed to.
fn roots(tier: &Tier, client: &ClientConfig) -> Result<Option<Roots>, StartError> {
    let Tier::Http(http) = tier else { return Ok(None) };
    let trusted = other_than_machines(client.ca_pem.as_deref());
    let trusted = trusted.map_err(|fault| StartError::Http(http.common.name.clone(), fault.into()))?;
    Ok(trusted.as_deref().map(Roots::new))
}

fn http_tier(
    tier: &config::Http,
    client: ClientConfig,
    surroundings: &Surroundings,
    me: &HeaderValue,
    metrics: TierMetrics,
) -> Result<(HttpTier, Option<Arc<Endpoints>>), StartError> {
    let fault = |fault| StartError::Http(tier.common.name.clone(), fault);
    let base = base(tier, metrics).ok_or_else(|| fault(HttpTierFault::Url))?;
    let endpoints = match &base {
        Base::Several(endpoints) => Some(endpoints.clone()),
        Base::Fixed(_) | Base::Request => None,
    };
    let settings = HttpTierConfig {
        base,
        guard: guard(&tier.target),
        client,
        via: me.clone(),
        clock: surroundings.clock.clone(),
    };
    Ok((HttpTier::new(settings).map_err(fault)?, endpoints))
}

fn base(tier: &config::Http, metrics: TierMetrics) -> Option<Base> {
    let left_out: OnLeftOut = Arc::new(move |why| metrics.left_out(why.label()));
    let (name, within) = (tier.common.name.as_str(), tier.common.timeouts.connect);
    Some(match &tier.target {
        Target::Url(url) => Base::Fixed(url.to_string().parse().ok()?),
        Target::Urls(urls) => Base::Several(Arc::new(Endpoints::listed(name, urls, within, left_out)?)),
        Target::Spread(url) => Base::Several(Arc::new(Endpoints::spread(name, url, within, left_out))),
        Target::Request { .. } => Base::Request,
    })
}

/// An operator may name any address; the client of a forward proxy only public ones, and what is allowed.
pub(super) fn guard(target: &Target) -> Guard {
    match target {
        Target::Url(_) | Target::Urls(_) | Target::Spread(_) => Guard::Any,
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
