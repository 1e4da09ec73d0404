//! Routes: which tiers go together, and what an authority wants said.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::tiers::{Tier, Tiers};
use super::{bounded, disks, elements, required_leaf, section};
use crate::config::bounds;
use crate::config::choice::{self, Auth, Discovery, Writes};
use crate::config::fault::{Notes, nearest};
use crate::config::file;
use crate::config::locate::YamlPath;
use crate::config::quantity::Timespan;
use crate::config::route::{Dialect, Match, Route, Upstreams};
use crate::config::text::{RouteLabel, TierName};
use crate::config::tier::{Disk, Upstream};
use crate::config::value::{Flag, Section};
use crate::object::RouteName;

pub(super) fn routes(
    list: Option<Vec<Option<Section<file::Route>>>>,
    tiers: &Tiers,
    forward: bool,
    notes: &mut Notes,
) -> Option<Vec<Route>> {
    let path = YamlPath::root().key("routes");
    let mut judge = Judge {
        tiers,
        forward,
        used: BTreeSet::new(),
        names: BTreeMap::new(),
        earlier: Vec::new(),
    };
    let routes = elements(
        list,
        &path,
        "one route at least, with `name` and `tiers`",
        notes,
        |route, path, notes| judge.route(route.0, path, notes),
    );
    judge.note_unused(&path, notes);
    routes
}

/// What routes have in common.
struct Judge<'t> {
    tiers: &'t Tiers,
    forward: bool,
    /// Names of tiers that a route has, or probably meant.
    used: BTreeSet<String>,
    names: BTreeMap<RouteLabel, YamlPath>,
    earlier: Vec<(Match, YamlPath)>,
}

impl Judge<'_> {
    fn route(&mut self, route: file::Route, path: &YamlPath, notes: &mut Notes) -> Option<Route> {
        let name = required_leaf(route.name, &path.key("name"), notes);
        if let Some(name) = &name {
            self.claim_name(name, &path.key("name"), notes);
        }
        let matcher = matcher(section(route.matcher), &path.key("match"), notes);
        self.note_unreachable(&matcher, path, notes);
        let tiers = self.chain(route.tiers, &path.key("tiers"), notes);
        let grace = bounded(route.grace, &path.key("grace"), &bounds::GRACE, notes).get();
        let parallel = bounded(route.parallel, &path.key("parallel"), &bounds::PARALLEL, notes).get();
        let auth_ttl = auth_ttl(route.auth_ttl, route.auth, &path.key("auth_ttl"), notes);
        let Chain { store, upstreams } = tiers?;
        let quota = disks::quota(route.quota, store.as_deref(), &path.key("quota"), notes);
        let authority = upstreams.authority();
        if authority.is_request() {
            self.note_request(&matcher, authority, path, notes);
        }
        let auth = auth(route.auth, authority, &path.key("auth"), notes);
        let dialect = dialect(route.dialect, authority, &path.key("dialect"), notes);
        let writes = writes(route.writes, authority, &path.key("writes"), notes);
        Some(Route {
            name: RouteName::new(name?.as_str()),
            matcher,
            store,
            discovery: route.discovery.unwrap_or(Discovery::Authority),
            auth: auth?,
            auth_ttl: auth_ttl.get(),
            grace,
            parallel,
            quota,
            dialect: dialect?,
            writes: writes?,
            upstreams,
        })
    }

    fn claim_name(&mut self, name: &RouteLabel, path: &YamlPath, notes: &mut Notes) {
        match self.names.get(name) {
            Some(other) => notes.fault(path, format!("{other} is `{name}` too"), "a name of its own"),
            None => drop(self.names.insert(name.clone(), path.clone())),
        }
    }

    fn note_unreachable(&mut self, matcher: &Match, path: &YamlPath, notes: &mut Notes) {
        // A match with a fault in it is not the one that was meant.
        let at = path.key("match");
        if notes.is_doubtful(&at) {
            return;
        }
        if let Some((_, first)) = self.earlier.iter().find(|(earlier, _)| earlier.covers(matcher)) {
            notes.fault(
                &at,
                format!("no request gets here: {first} takes them all"),
                "the narrower route first",
            );
        }
        self.earlier.push((matcher.clone(), path.clone()));
    }

    fn note_request(&self, matcher: &Match, target: &Upstream, path: &YamlPath, notes: &mut Notes) {
        let name = target.name();
        if matcher.host.is_none() {
            let problem =
                format!("`{name}` is where the client says, and only a route with a host has clients who say it");
            notes.fault(
                &path.key("match").key("host"),
                problem,
                "a host such as `*.example.com`",
            );
        }
        if !self.forward {
            let problem = format!("`{name}` is where the client of a forward proxy says, and there is none");
            notes.fault(&path.key("tiers"), problem, "a listener with `forward: true`");
        }
    }

    fn note_unused(&self, routes: &YamlPath, notes: &mut Notes) {
        if notes.is_doubtful(routes) {
            return;
        }
        let path = YamlPath::root().key("tiers");
        for name in self.tiers.keys().filter(|name| !self.used.contains(*name)) {
            notes.fault(
                &path.key(name),
                "no route uses this tier",
                "it in the `tiers` of a route, or not at all",
            );
        }
    }

    /// The tiers of a route; `None` if one of them is faulty, and then nothing is said of their order.
    fn chain(&mut self, list: Option<Vec<Option<TierName>>>, path: &YamlPath, notes: &mut Notes) -> Option<Chain> {
        let mut seen = BTreeSet::new();
        let tiers = elements(
            list,
            path,
            "names of tiers, the nearest first",
            notes,
            |name, path, notes| {
                if !seen.insert(name.clone()) {
                    notes.fault(path, format!("`{name}` is in this route already"), "each tier once");
                    return None;
                }
                self.tier(&name, path, notes)
            },
        )?;
        Chain::new(tiers, path, notes)
    }

    fn tier(&mut self, name: &TierName, path: &YamlPath, notes: &mut Notes) -> Option<Tier> {
        self.used.insert(name.as_str().to_owned());
        if let Some(tier) = self.tiers.get(name.as_str()) {
            return tier.clone();
        }
        let meant = nearest(name.as_str(), self.tiers.keys().map(String::as_str));
        let hint = meant
            .map(|meant| format!(", did you mean `{meant}`?"))
            .unwrap_or_default();
        self.used.extend(meant.map(str::to_owned));
        let known: Vec<_> = self.tiers.keys().map(|name| format!("`{name}`")).collect();
        // If the tiers are in doubt as a whole, then so is this.
        if !notes.is_broken(&YamlPath::root().key("tiers")) {
            notes.fault(
                path,
                format!("there is no tier `{name}`{hint}"),
                format!("one of {}", known.join(", ")),
            );
        }
        None
    }
}

struct Chain {
    store: Option<Arc<Disk>>,
    upstreams: Upstreams,
}

impl Chain {
    fn new(tiers: Vec<Tier>, path: &YamlPath, notes: &mut Notes) -> Option<Self> {
        let mut store = None;
        let mut upstreams = Vec::new();
        let last = tiers.len().saturating_sub(1);
        for (at, tier) in tiers.into_iter().enumerate() {
            let path = path.index(at);
            match tier {
                Tier::Disk(disk) if at == 0 => store = Some(disk),
                Tier::Disk(_) if store.is_some() => {
                    notes.fault(&path, "a second disk", "one disk at most, as the first tier")
                }
                Tier::Disk(_) => notes.fault(&path, "a disk behind another tier", "the disk as the first tier"),
                Tier::Upstream(upstream) if upstream.is_request() && at != last => {
                    notes.fault(&path, "a `url: request` before other tiers", "it as the last tier");
                }
                Tier::Upstream(upstream) => upstreams.push(upstream),
            }
        }
        let authority = upstreams.pop();
        // With a fault noted already, the rest of the list is what the operator has to think about again.
        if authority.is_none() && last == 0 && store.is_some() {
            notes.fault(
                path,
                "there is no authority: all its tiers are disks",
                "an `http` or `s3` tier as the last",
            );
        }
        Some(Self {
            store,
            upstreams: Upstreams::new(upstreams, authority?),
        })
    }
}

fn matcher(matcher: file::Match, path: &YamlPath, notes: &mut Notes) -> Match {
    if matcher.strip.is_some() && matcher.path.is_none() {
        notes.fault(
            &path.key("strip"),
            "there is no prefix to strip",
            "`strip` only beside `path`",
        );
    }
    Match {
        host: matcher.host,
        path: matcher.path,
        strip: matcher.strip.is_none_or(|Flag(strip)| strip),
    }
}

fn auth(auth: Option<Auth>, authority: &Upstream, path: &YamlPath, notes: &mut Notes) -> Option<Auth> {
    match auth {
        Some(Auth::Check) => notes.fault(path, "`check` is not available yet", "`bypass` or `shared`"),
        Some(Auth::Shared) => return Some(Auth::Shared),
        Some(Auth::Bypass) | None if !authority.drops_signatures() => return Some(Auth::Bypass),
        Some(Auth::Bypass) | None => {
            let why = match authority {
                Upstream::S3(_) => "is read with an identity of our own",
                Upstream::Http(_) => "is not told what clients sign (`signatures: drop`)",
            };
            let problem = format!(
                "`{}` {why}, so whoever reaches the listener reads it; that must be said",
                authority.name()
            );
            notes.fault(path, problem, "`auth: shared`");
        }
    }
    None
}

fn auth_ttl(ttl: Option<Timespan>, auth: Option<Auth>, path: &YamlPath, notes: &mut Notes) -> Timespan {
    let ttl = bounded(ttl, path, &bounds::AUTH_TTL, notes);
    if ttl != bounds::AUTH_TTL.default && auth != Some(Auth::Check) {
        notes.fault(
            path,
            "nothing is checked that could hold",
            "it only beside `auth: check`",
        );
    }
    ttl
}

fn dialect(word: Option<choice::Dialect>, authority: &Upstream, path: &YamlPath, notes: &mut Notes) -> Option<Dialect> {
    let s3 = matches!(authority, Upstream::S3(_));
    match word.unwrap_or(choice::Dialect::Auto) {
        choice::Dialect::S3 => Some(Dialect::S3),
        choice::Dialect::Auto if s3 => Some(Dialect::S3),
        choice::Dialect::Http if s3 => {
            notes.fault(
                path,
                "the authority is S3, whose clients expect its dialect",
                "`s3` or `auto`",
            );
            None
        }
        choice::Dialect::Auto | choice::Dialect::Http => Some(Dialect::Http),
    }
}

fn writes(writes: Option<Writes>, authority: &Upstream, path: &YamlPath, notes: &mut Notes) -> Option<Writes> {
    let s3 = matches!(authority, Upstream::S3(_));
    match writes {
        Some(Writes::Allow) if s3 => notes.fault(path, "`allow` is not available yet", "`deny`"),
        Some(Writes::Deny) | None if s3 => return Some(Writes::Deny),
        Some(writes) => return Some(writes),
        None => return Some(Writes::Allow),
    }
    None
}
