//! Where requests that are passed on go: the authority, with what the client sent.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::header::HeaderValue;
use http::{Method, StatusCode};
use tokio_util::task::TaskTracker;

use super::door::Place;
use super::{Answered, Hop, PassTo, Request, Roots, Tls};
use crate::config::{BaseUrl, TierTimeouts};
use crate::fetch::Route;
use crate::net::{Endpoints, Guard, Resolver, Turns};
use crate::object::{Cause, ObjectKey, TargetOrigin};
use crate::request::Pass;
use crate::request::conditional::Match;

/// The HTTP authority of a route, for requests that are passed on.
#[derive(Clone, Debug)]
pub struct Through {
    /// Where it is.
    pub servers: Servers,
    /// What may be dialled.
    pub guard: Guard,
    /// Bounded lookups.
    pub resolver: Resolver,
    /// Whom to trust, where that is not just the machine's roots.
    pub roots: Option<Roots>,
    /// The bounds of waits.
    pub timeouts: TierTimeouts,
    /// The turns of requests to it.
    pub turns: Turns,
    /// What this process adds to Via.
    pub via: HeaderValue,
    /// Runs what has to be learnt after a write, even if its client has left.
    pub tasks: TaskTracker,
}

/// The servers of an authority.
#[derive(Clone, Debug)]
pub enum Servers {
    /// The operator's only one.
    One(BaseUrl),
    /// Several, each with its share of the objects.
    Several(Arc<Endpoints>),
    /// Whichever the request says.
    OfRequest,
}

/// Scheme, host, port and what a server is told in Host.
struct Server {
    secure: bool,
    host: Arc<str>,
    port: u16,
    host_field: String,
}

type Hops = BoxFuture<'static, Result<Vec<Hop>, Cause>>;

/// How many addresses of one server are tried where there are others.
const ADDRESSES: usize = 2;

impl Through {
    /// How a request is passed on. `named` is what of its query names the object, `written` that object if the request
    /// may change it.
    pub(super) fn to(
        &self,
        why: Pass,
        request: &Request<'_>,
        place: Place<'_>,
        named: Option<&str>,
        written: Option<(Arc<Route>, ObjectKey)>,
    ) -> PassTo {
        let base = match &self.servers {
            Servers::One(base) => Some(base),
            Servers::Several(endpoints) => Some(endpoints.base()),
            Servers::OfRequest => None,
        };
        let root = base.map_or("", BaseUrl::path);
        let query = place.query.map(|query| format!("?{query}")).unwrap_or_default();
        let path_and_query = format!("{root}{}{query}", place.path).into_boxed_str();
        let pin = match Match::of(request.fields) {
            Match::Strong(tags) if *request.method == Method::GET => Some(tags),
            _ => None,
        };
        let hops = match &self.servers {
            Servers::One(base) => self.to_one(Server::of_url(base)),
            Servers::Several(endpoints) => self.to_one_of(endpoints.clone(), place.path, named),
            Servers::OfRequest => self.to_one(Server::of_target(place.target)),
        };
        PassTo {
            hops,
            path_and_query,
            via: self.via.clone(),
            pin,
            timeouts: self.timeouts,
            turns: self.turns.clone(),
            fwd: if why == Pass::Method { "method" } else { "bypass" },
            detail: why.label(),
            answered: written.map(|(route, key)| self.after_write(route, key)),
        }
    }

    fn to_one(&self, server: Server) -> Hops {
        let (resolver, guard, roots) = (self.resolver.clone(), self.guard.clone(), self.roots.clone());
        Box::pin(async move {
            let found = resolver.resolve(&server.host, server.port, &guard).await?;
            Ok(server.hops(found, roots.as_ref()))
        })
    }

    /// The server that reads of this object are put to, then those that stand in for it.
    fn to_one_of(&self, endpoints: Arc<Endpoints>, path: &str, named: Option<&str>) -> Hops {
        let (resolver, guard, roots) = (self.resolver.clone(), self.guard.clone(), self.roots.clone());
        let (path, named) = (path.to_owned(), named.map(str::to_owned));
        Box::pin(async move {
            let (mut hops, mut failed) = (Vec::new(), Cause::NoAddress);
            for endpoint in endpoints.candidates(&path, named.as_deref()).await? {
                let (host, port) = endpoint.dialled();
                match resolver.resolve(host, port, &guard).await {
                    Ok(mut found) => {
                        found.truncate(ADDRESSES);
                        hops.extend(Server::of_url(endpoint.base()).hops(found, roots.as_ref()));
                    }
                    Err(cause) => failed = cause,
                }
            }
            if hops.is_empty() { Err(failed) } else { Ok(hops) }
        })
    }

    /// A write that may have gone through makes what is current unknown: 2xx, 3xx, 502, 504, or no answer at all. From
    /// then on no answer to a question that was sent before counts; one that was refused changes nothing.
    fn after_write(&self, route: Arc<Route>, key: ObjectKey) -> Answered {
        let tasks = self.tasks.clone();
        Box::new(move |status: Option<StatusCode>| {
            let may_have_happened = status.is_none_or(|status| {
                status.is_success()
                    || status.is_redirection()
                    || matches!(status, StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT)
            });
            if !may_have_happened {
                return Box::pin(std::future::ready(()));
            }
            let learnt = tasks.spawn(async move { route.written(&key).await });
            Box::pin(async move { drop(learnt.await) })
        })
    }
}

impl Server {
    fn of_url(url: &BaseUrl) -> Self {
        Self {
            secure: url.is_tls(),
            host: url.host().into(),
            port: url.port(),
            host_field: url.authority(),
        }
    }

    fn of_target(target: Option<&TargetOrigin>) -> Self {
        match target {
            Some(target) => Self {
                secure: target.secure,
                host: target.host.clone(),
                port: target.port,
                host_field: target.host_field(),
            },
            // Routes match such a tier only with a target; an empty name has no address.
            None => Self {
                secure: false,
                host: "".into(),
                port: 80,
                host_field: String::new(),
            },
        }
    }

    /// It, at each of these addresses.
    fn hops(&self, addresses: Vec<SocketAddr>, roots: Option<&Roots>) -> Vec<Hop> {
        let tls = self.secure.then(|| Tls {
            name: (&*self.host).into(),
            roots: roots.cloned(),
        });
        let host = HeaderValue::from_str(&self.host_field).unwrap_or(HeaderValue::from_static(""));
        let hop = |address| Hop {
            address,
            tls: tls.clone(),
            host: host.clone(),
        };
        addresses.into_iter().map(hop).collect()
    }
}
