//! Where requests that are passed on go: the authority, with what the client sent.

use std::sync::Arc;

use http::header::HeaderValue;
use http::{Method, StatusCode};
use tokio_util::task::TaskTracker;

use super::door::Place;
use super::{Answered, PassTo, Request, Roots, Tls};
use crate::config::{BaseUrl, TierTimeouts};
use crate::fetch::Route;
use crate::net::{Guard, Resolver};
use crate::object::{ObjectKey, TargetOrigin};
use crate::request::Pass;
use crate::request::conditional::Match;

/// The HTTP authority of a route, for requests that are passed on.
#[derive(Clone, Debug)]
pub struct Through {
    /// Fixed, or `None` for wherever the request says.
    pub base: Option<BaseUrl>,
    /// What may be dialled.
    pub guard: Guard,
    /// Bounded lookups.
    pub resolver: Resolver,
    /// Whom to trust instead of the machine's roots.
    pub roots: Option<Roots>,
    /// The bounds of waits.
    pub timeouts: TierTimeouts,
    /// What this process adds to Via.
    pub via: HeaderValue,
    /// Runs what has to be learnt after a write, even if its client has left.
    pub tasks: TaskTracker,
}

/// Scheme, host, port and what goes before the path.
struct Authority {
    secure: bool,
    host: Arc<str>,
    port: u16,
    host_field: String,
    root: String,
}

impl Through {
    /// How a request is passed on. `written` names the object if the request may change it.
    pub(super) fn to(
        &self,
        why: Pass,
        request: &Request<'_>,
        place: Place<'_>,
        written: Option<(Arc<Route>, ObjectKey)>,
    ) -> PassTo {
        let authority = self.authority(place.target);
        let query = place.query.map(|query| format!("?{query}")).unwrap_or_default();
        let path_and_query = format!("{}{}{query}", authority.root, place.path).into_boxed_str();
        let pin = match Match::of(request.fields) {
            Match::Strong(tags) if *request.method == Method::GET => Some(tags),
            _ => None,
        };
        let (resolver, guard) = (self.resolver.clone(), self.guard.clone());
        let (host, port) = (authority.host.clone(), authority.port);
        let addresses = Box::pin(async move { resolver.resolve(&host, port, &guard).await });
        PassTo {
            addresses,
            tls: authority.secure.then(|| Tls {
                name: (&*authority.host).into(),
                roots: self.roots.clone(),
            }),
            host: HeaderValue::from_str(&authority.host_field).unwrap_or(HeaderValue::from_static("")),
            path_and_query,
            via: self.via.clone(),
            pin,
            timeouts: self.timeouts,
            fwd: if why == Pass::Method { "method" } else { "bypass" },
            detail: why.label(),
            answered: written.map(|(route, key)| self.after_write(route, key)),
        }
    }

    fn authority(&self, target: Option<&TargetOrigin>) -> Authority {
        match (&self.base, target) {
            (Some(base), _) => Authority {
                secure: base.is_tls(),
                host: base.host().into(),
                port: base.port(),
                host_field: base.authority(),
                root: base.path().trim_end_matches('/').to_owned(),
            },
            (None, Some(target)) => Authority {
                secure: target.secure,
                host: target.host.clone(),
                port: target.port,
                host_field: target.host_field(),
                root: String::new(),
            },
            // Routes match such a tier only with a target; an empty name has no address.
            (None, None) => Authority {
                secure: false,
                host: "".into(),
                port: 80,
                host_field: String::new(),
                root: String::new(),
            },
        }
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
