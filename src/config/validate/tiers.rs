//! Tiers, each by itself; which of them go together in a route, `routes` knows.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use ipnet::IpNet;

use super::disks::disk_tier;
use super::{bounded, elements, required, required_leaf, section};
use crate::config::bounds;
use crate::config::choice::{Role, Signatures};
use crate::config::fault::Notes;
use crate::config::file;
use crate::config::locate::YamlPath;
use crate::config::text::{Cidr, KeyPrefix, TierName};
use crate::config::tier::{Common, Disk, Http, S3, Target, TierLimits, TierTimeouts, Upstream};
use crate::config::url::{BaseUrl, HttpTarget};
use crate::config::value::{Flag, Leaf, Section};

/// A tier of either kind.
#[derive(Debug, Clone)]
pub(super) enum Tier {
    Disk(Arc<Disk>),
    Upstream(Arc<Upstream>),
}

/// All tiers that the file names; `None` are those whose description is faulty.
pub(super) type Tiers = BTreeMap<String, Option<Tier>>;

pub(super) fn tiers(named: Option<BTreeMap<String, Option<Section<file::Tier>>>>, notes: &mut Notes) -> Tiers {
    let path = YamlPath::root().key("tiers");
    let named = required(named, &path, "tiers by name", notes).unwrap_or_default();
    let mut directories = BTreeMap::new();
    let mut judged = Tiers::new();
    for (name, tier) in named {
        let path = path.key(&name);
        let tier = tier_name(&name, &path, notes).and_then(|name| {
            let tier = required(tier, &path, KINDS, notes)?.0;
            one_tier(name, tier, &path, &mut directories, notes)
        });
        judged.insert(name, tier);
    }
    judged
}

const KINDS: &str = "exactly one of `disk`, `s3` and `http`";

fn tier_name(name: &str, path: &YamlPath, notes: &mut Notes) -> Option<TierName> {
    let checked = TierName::from_text(name);
    if checked.is_err() {
        notes.key_fault(
            path,
            0,
            "this name is not possible".into(),
            Some(TierName::EXPECTED.into()),
        );
    }
    checked.ok()
}

fn one_tier(
    name: TierName,
    tier: file::Tier,
    path: &YamlPath,
    directories: &mut BTreeMap<PathBuf, YamlPath>,
    notes: &mut Notes,
) -> Option<Tier> {
    match (tier.disk, tier.s3, tier.http) {
        (Some(disk), None, None) => {
            let disk = disk_tier(name, disk.0, &path.key("disk"), directories, notes)?;
            Some(Tier::Disk(Arc::new(disk)))
        }
        (None, Some(s3), None) => {
            let s3 = s3_tier(name, s3.0, &path.key("s3"), notes)?;
            Some(Tier::Upstream(Arc::new(Upstream::S3(s3))))
        }
        (None, None, Some(http)) => {
            let http = http_tier(name, http.0, &path.key("http"), notes)?;
            Some(Tier::Upstream(Arc::new(Upstream::Http(http))))
        }
        // A kind whose section was taken out for a fault is not missing.
        (None, None, None) if notes.is_doubtful(path) => None,
        (None, None, None) => {
            notes.fault(path, "this tier is of no kind", KINDS);
            None
        }
        _ => {
            notes.fault(path, "this tier is of several kinds", KINDS);
            None
        }
    }
}

fn s3_tier(name: TierName, s3: file::S3, path: &YamlPath, notes: &mut Notes) -> Option<S3> {
    let common = Common {
        name,
        role: s3.role.unwrap_or(Role::Origin),
        ca_file: s3.ca_file.map(|path| path.0),
        timeouts: timeouts(&section(s3.timeouts), &path.key("timeouts"), notes),
        limits: limits(&section(s3.limits), &path.key("limits"), notes),
        steady: s3.steady.is_none_or(|Flag(yes)| yes),
    };
    let path_style = s3.path_style.is_some_and(|Flag(yes)| yes);
    let by_address = s3.endpoint.as_ref().and_then(BaseUrl::address).is_some();
    if by_address && !path_style {
        let problem = "the endpoint is an address, which no bucket can be put in front of";
        notes.fault(&path.key("path_style"), problem, "`path_style: true`");
    }
    Some(S3 {
        common,
        bucket: required_leaf(s3.bucket, &path.key("bucket"), notes)?,
        prefix: s3.prefix.or_else(|| KeyPrefix::from_text("").ok())?,
        region: s3.region,
        endpoint: s3.endpoint,
        path_style,
    })
}

fn http_tier(name: TierName, http: file::Http, path: &YamlPath, notes: &mut Notes) -> Option<Http> {
    let common = Common {
        name,
        role: http.role.unwrap_or(Role::Origin),
        ca_file: http.ca_file.map(|path| path.0),
        timeouts: timeouts(&section(http.timeouts), &path.key("timeouts"), notes),
        limits: limits(&section(http.limits), &path.key("limits"), notes),
        steady: http.steady.is_none_or(|Flag(yes)| yes) && !matches!(http.url, Some(HttpTarget::Request)),
    };
    let at = path.key("allow");
    let given = http.allow.is_some();
    let allow = allowed(http.allow.unwrap_or_default(), &at, notes);
    let target = target(http.url, http.urls, allow, path, notes)?;
    if given && !matches!(target, Target::Request { .. }) {
        notes.fault(
            &at,
            "this tier dials what its `url` says",
            "`allow` only beside `url: request`",
        );
        return None;
    }
    let signatures = http.signatures.unwrap_or(Signatures::Pass);
    if signatures == Signatures::Drop && matches!(target, Target::Request { .. }) {
        let problem = "the request names the server, which may check what is signed";
        notes.fault(&path.key("signatures"), problem, "`pass`");
        return None;
    }
    let spread = http.spread.is_some_and(|Flag(yes)| yes);
    let target = if spread {
        spread_out(target, &path.key("spread"), notes)?
    } else {
        target
    };
    Some(Http {
        common,
        target,
        signatures,
    })
}

/// A server, several, or whichever the request says.
fn target(
    url: Option<HttpTarget>,
    urls: Option<Vec<Option<BaseUrl>>>,
    allow: Vec<IpNet>,
    path: &YamlPath,
    notes: &mut Notes,
) -> Option<Target> {
    let list = path.key("urls");
    match (url, urls) {
        (Some(_), Some(_)) => {
            notes.fault(&list, "there is a `url` as well", "one of `url` and `urls`");
            None
        }
        (Some(HttpTarget::Request), None) => Some(Target::Request { allow }),
        (Some(HttpTarget::Url(url)), None) => Some(Target::Url(url)),
        (None, None) if notes.is_doubtful(&list) => None,
        (None, None) => {
            required_leaf::<HttpTarget>(None, &path.key("url"), notes)?;
            None
        }
        (None, urls) => several(urls, &list, notes).map(Target::Urls),
    }
}

/// URLs that differ in host or port and in nothing else, in their own order.
fn several(urls: Option<Vec<Option<BaseUrl>>>, path: &YamlPath, notes: &mut Notes) -> Option<Vec<BaseUrl>> {
    let mut earlier: Vec<(BaseUrl, YamlPath)> = Vec::new();
    let judge = |url: BaseUrl, path: &YamlPath, notes: &mut Notes| {
        let first = earlier.first().map_or(&url, |(first, _)| first);
        if (url.scheme(), url.path()) != (first.scheme(), first.path()) {
            let problem = "the scheme or the path differs from that of the first";
            notes.fault(path, problem, "URLs that differ in host and port only");
        } else if let Some((_, other)) = earlier.iter().find(|(other, _)| *other == url) {
            notes.fault(path, format!("{other} is the same"), "each server once");
        }
        earlier.push((url.clone(), path.clone()));
        Some(url)
    };
    let mut urls = elements(urls, path, "one URL at least", notes, judge)?;
    if urls.len() > bounds::ENDPOINTS {
        let problem = format!("these are {}", urls.len());
        notes.fault(path, problem, format!("{} URLs at most", bounds::ENDPOINTS));
    }
    urls.sort();
    Some(urls)
}

fn spread_out(target: Target, path: &YamlPath, notes: &mut Notes) -> Option<Target> {
    let problem = match target {
        Target::Url(url) if url.address().is_none() => return Some(Target::Spread(url)),
        Target::Url(_) => "an address has no others",
        Target::Urls(_) | Target::Spread(_) => "each URL of a list is one server",
        Target::Request { .. } => "the request names the server",
    };
    notes.fault(path, problem, "it only beside a `url` with a name");
    None
}

fn allowed(list: Vec<Option<Cidr>>, path: &YamlPath, notes: &mut Notes) -> Vec<IpNet> {
    let judged = list
        .into_iter()
        .enumerate()
        .map(|(at, net)| required_leaf(net, &path.index(at), notes));
    judged.flatten().map(|net| net.0).collect()
}

fn timeouts(timeouts: &file::TierTimeouts, path: &YamlPath, notes: &mut Notes) -> TierTimeouts {
    TierTimeouts {
        connect: bounded(timeouts.connect, &path.key("connect"), &bounds::CONNECT_TIMEOUT, notes).get(),
        first_byte: bounded(
            timeouts.first_byte,
            &path.key("first_byte"),
            &bounds::FIRST_BYTE_TIMEOUT,
            notes,
        )
        .get(),
        idle: bounded(timeouts.idle, &path.key("idle"), &bounds::IDLE_TIMEOUT, notes).get(),
    }
}

fn limits(limits: &file::TierLimits, path: &YamlPath, notes: &mut Notes) -> TierLimits {
    TierLimits {
        connections: bounded(
            limits.connections,
            &path.key("connections"),
            &bounds::TIER_CONNECTIONS,
            notes,
        )
        .get(),
        head: bounded(limits.head, &path.key("head"), &bounds::TIER_HEAD, notes),
    }
}
