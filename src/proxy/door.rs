//! From a well-formed request to what becomes of it: a route, a class, and then a read or a request that is passed on.
//!
//! Owns: putting together what `request` parses and `fetch` answers. Never: decides about stored bytes.

use std::sync::Arc;

use http::Method;
use http::header::{self, HeaderMap, HeaderValue};

use super::refused::Refused;
use super::through::Through;
use super::{Action, Decision, Download, Reply, Request, Service};
use crate::config;
use crate::fetch::{self, Route};
use crate::metrics::RouteMetrics;
use crate::object::{AuthorityId, ObjectKey, TargetOrigin};
use crate::request::forward::{fingerprint, forwarded, unsigned};
use crate::request::query::{naming_part, without_part};
use crate::request::routes::{Way, takes};
use crate::request::{Class, Pass, Read, Refuse, RequestTarget, Rules, classify};

/// A route as the door sees it.
#[derive(Debug)]
pub struct Gate {
    /// Which requests it takes.
    pub matcher: config::Match,
    /// Whether the request says where the authority is.
    pub of_request: bool,
    /// What decides the class.
    pub rules: Rules,
    /// Part of every key.
    pub authority: AuthorityId,
    /// Answers reads.
    pub route: Arc<Route>,
    /// Passes on the rest; `None` for S3, which has nothing to pass on to.
    pub through: Option<Through>,
    /// Counts.
    pub metrics: Arc<RouteMetrics>,
}

/// All routes, in the order of the configuration.
#[derive(Debug)]
pub struct Door {
    gates: Vec<Gate>,
    /// This process in Via; only it is a loop.
    me: HeaderValue,
}

impl Door {
    /// `me` is the Via member that our own questions carry.
    pub fn new(gates: Vec<Gate>, me: HeaderValue) -> Self {
        Self { gates, me }
    }

    fn find<'a>(&self, request: &Request<'a>) -> Result<(&Gate, Place<'a>), Refused> {
        let (path, query, target) = match request.target {
            RequestTarget::Origin { path, query } => (path, query, None),
            RequestTarget::Absolute { origin, path, query } => (path, query, Some(origin)),
            RequestTarget::Asterisk | RequestTarget::Authority { .. } => return Err(Refused::NOTHING_THERE),
        };
        let host = request.host.map(|host| &*host.host);
        let way = match target {
            Some(origin) if request.forward => Way::Forward(origin),
            // RFC 9112 3.2.2: a server accepts the absolute form, and its authority replaces Host.
            Some(origin) => Way::Reverse(Some(&origin.host)),
            None => Way::Reverse(host),
        };
        let found = self
            .gates
            .iter()
            .find_map(|gate| takes(&gate.matcher, gate.of_request, way, path).map(|path| (gate, path)));
        let Some((gate, path)) = found else {
            return Err(if matches!(way, Way::Forward(_)) {
                Refused::FORBIDDEN_HOST
            } else {
                Refused::NO_ROUTE
            });
        };
        let target = target.filter(|_| request.forward);
        let query = query.as_deref();
        Ok((gate, Place { target, path, query }))
    }

    fn is_loop(&self, fields: &HeaderMap) -> bool {
        let members = fields
            .get_all(header::VIA)
            .into_iter()
            .flat_map(|value| value.as_bytes().split(|b| *b == b','));
        members
            .map(<[u8]>::trim_ascii)
            .any(|member| member == self.me.as_bytes())
    }
}

/// Where in a route's tiers a request goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) target: Option<&'a TargetOrigin>,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
}

impl Service for Door {
    fn decide(&self, request: Request<'_>) -> Decision {
        if self.is_loop(request.fields) {
            return Refused::LOOP.decision(None);
        }
        match self.find(&request) {
            Ok((gate, place)) => gate.decide(&request, place),
            Err(refused) => refused.decision(None),
        }
    }

    fn download(&self, request: Request<'_>) -> Option<Download> {
        if self.is_loop(request.fields) {
            return None;
        }
        let (gate, place) = self.find(&request).ok()?;
        gate.download(&request, place)
    }
}

impl Gate {
    fn decide(&self, request: &Request<'_>, place: Place<'_>) -> Decision {
        let class = classify(request.method, place.query, request.fields, self.rules);
        let nothing_named = self.rules.s3_authority && matches!(place.path, "" | "/");
        match class {
            Class::Read(_) if nothing_named => self.refuse(Refuse::NotARead),
            Class::Read(read) => self.read(*read, request, place),
            Class::Refuse(why) => self.refuse(why),
            Class::Pass(why) => self.pass(why, request, place),
            // The edge answers CONNECT itself.
            Class::Tunnel => self.refuse(Refuse::MethodNotAllowed),
        }
    }

    fn key(&self, place: Place<'_>, query: Option<&str>) -> ObjectKey {
        ObjectKey::new(
            self.route.name(),
            &self.authority,
            place.target.cloned(),
            place.path,
            query,
        )
    }

    /// What of the query names the object.
    fn naming(&self, place: Place<'_>) -> Option<String> {
        naming_part(place.query, self.rules.s3_dialect, self.rules.shared)
    }

    fn read(&self, read: Read, request: &Request<'_>, place: Place<'_>) -> Decision {
        let class = read.kind.label();
        let naming = self.naming(place);
        let fields = self.forwarded_fields(request.fields);
        let question = fetch::Request {
            key: self.key(place, naming.as_deref()),
            query: self.forwarded_query(place.query),
            read,
            fingerprint: fingerprint(&fields),
            fields: Arc::new(fields),
        };
        let route = self.route.clone();
        let answer = async move { Reply::from(route.answer(question).await) };
        Decision {
            route: Some(self.metrics.clone()),
            class,
            action: Action::Answer(Box::pin(answer)),
        }
    }

    /// One answer for all tiers of the route: a signature is of no use to a nearer one either, since what it was made
    /// for was another Host.
    fn forwarded_fields(&self, fields: &HeaderMap) -> HeaderMap {
        match self.rules {
            Rules { s3_authority: true, .. } => HeaderMap::new(),
            Rules {
                drops_signatures: true, ..
            } => unsigned(&forwarded(fields)),
            _ => forwarded(fields),
        }
    }

    fn forwarded_query(&self, query: Option<&str>) -> Option<Arc<str>> {
        if self.rules.s3_dialect {
            query.and_then(without_part).map(Arc::from)
        } else {
            query.map(Arc::from)
        }
    }

    fn download(&self, request: &Request<'_>, place: Place<'_>) -> Option<Download> {
        let Class::Read(read) = classify(request.method, place.query, request.fields, self.rules) else {
            return None;
        };
        let naming = self.naming(place);
        let class = read.kind.label();
        let chunks = fetch::Download::of(&self.route, self.key(place, naming.as_deref()), *read)?;
        Some(Download {
            route: self.metrics.clone(),
            class,
            chunks,
        })
    }

    fn pass(&self, why: Pass, request: &Request<'_>, place: Place<'_>) -> Decision {
        let Some(through) = &self.through else {
            return self.refuse(Refuse::ShapeNotAllowed(why));
        };
        // In S3's dialect a write to a sub-resource (a part, the end of an upload) changes the object itself. Elsewhere
        // it changes what a read with this query would be of, whoever signed the one and the other.
        let named = self.naming(place).filter(|_| !self.rules.s3_dialect);
        let named = named.as_deref();
        let written = writes(request.method).then(|| (self.route.clone(), self.key(place, named)));
        let to = through.to(why, request, place, named, written);
        Decision {
            route: Some(self.metrics.clone()),
            class: "pass",
            action: Action::Pass(Box::new(to)),
        }
    }

    fn refuse(&self, why: Refuse) -> Decision {
        Refused::of(why, self.rules.s3_dialect).decision(Some(self.metrics.clone()))
    }
}

/// Whether a method may change the object: all that are not known to be safe (RFC 9111 4.4).
fn writes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}
