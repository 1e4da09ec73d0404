//! A route in operation: its tiers, and what is in flight in it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use tokio_util::task::TaskTracker;

use super::ahead::Scouting;
use super::currency::Currency;
use super::flight::End;
use super::flights::Flights;
use super::foresight::Foresight;
use super::group::Groups;
use super::reused::Reused;
use super::versions::Versions;
use crate::clock::Clock;
use crate::metrics::{Metrics, PIN_IGNORED, TierMetrics};
use crate::object::{ObjectKey, RouteName};
use crate::plan::{Detail, Terms, Versioned};
use crate::request::{Kind, Read};
use crate::tier::store::{BlockStore, GaveUp};
use crate::tier::upstream::Upstream;

/// What a route is made of.
pub struct Parts {
    /// Its name.
    pub name: RouteName,
    /// What decides about its reads.
    pub terms: Terms,
    /// Where blocks are kept.
    pub store: Arc<dyn BlockStore>,
    /// Whether that store keeps blocks at all.
    pub keeps: bool,
    /// From near to deep; the last is the authority.
    pub upstreams: Vec<(Arc<dyn Upstream>, TierMetrics)>,
    /// How many requests at once the narrowest of them takes.
    pub connections: usize,
    /// The token in Cache-Status and Via.
    pub instance: Arc<str>,
    /// Bytes of memory of a flight.
    pub window: u64,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where flights and questions run; whoever owns the tracker waits for them.
    pub tasks: TaskTracker,
}

/// A route in operation. Cheap to share.
pub struct Route {
    pub(super) name: RouteName,
    pub(super) terms: Terms,
    pub(super) store: Arc<dyn BlockStore>,
    pub(super) keeps: bool,
    pub(super) upstreams: Vec<(Arc<dyn Upstream>, TierMetrics)>,
    pub(super) instance: Arc<str>,
    pub(super) window: u64,
    pub(super) clock: Clock,
    pub(super) metrics: Counted,
    pub(super) tasks: TaskTracker,
    pub(super) flights: Flights,
    pub(super) groups: Groups,
    pub(super) currency: Currency,
    pub(super) scouting: Scouting,
    pub(super) foresight: Foresight,
    pub(super) versions: Versions,
    pub(super) reused: Reused,
}

/// A read of an object, with what of the request upstreams are to see.
#[derive(Clone, Debug)]
pub struct Request {
    /// The object.
    pub key: ObjectKey,
    /// The query as the client sent it.
    pub query: Option<Arc<str>>,
    /// What is read.
    pub read: Read,
    /// The client's fields for HTTP upstreams.
    pub fields: Arc<HeaderMap>,
    /// What must be equal for two discoveries to share a question.
    pub fingerprint: [u8; 16],
}

/// What the engine counts.
#[derive(Clone)]
pub(crate) struct Counted(pub(super) Arc<Metrics>);

impl Request {
    /// Whether caches on the way are to ask, too: a discovery wants the authority's word, another read if its client
    /// says so. Nothing is as young as `max-age=0` wants it but what was just asked for (RFC 9111 5.2.1.1).
    pub(super) fn revalidates(&self) -> bool {
        let control = &self.read.control;
        self.read.kind == Kind::Discovery || control.no_cache || control.max_age == Some(Duration::ZERO)
    }
}

impl Route {
    /// Puts a route into operation.
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            name: parts.name,
            terms: parts.terms,
            store: parts.store,
            keeps: parts.keeps,
            upstreams: parts.upstreams,
            instance: parts.instance,
            window: parts.window,
            clock: parts.clock,
            metrics: Counted(parts.metrics),
            tasks: parts.tasks,
            flights: Flights::default(),
            groups: Groups::default(),
            currency: Currency::new(),
            scouting: Scouting::new(parts.connections),
            foresight: Foresight::default(),
            versions: Versions::new(),
            reused: Reused::new(),
        })
    }

    /// Its name.
    pub fn name(&self) -> &RouteName {
        &self.name
    }

    /// What decides about its reads.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// A write to an object went through, or may have: nothing is known of it until it is asked about again, and no
    /// question that was sent before this counts.
    pub async fn written(&self, key: &ObjectKey) {
        self.currency.written(&*self.store, key, self.clock.now()).await;
    }
}

impl Counted {
    /// A reader left a fill or a flight behind and fetches by itself.
    pub(super) fn overtaken(&self) {
        self.0.fill("overtaken");
    }

    pub(super) fn answered(&self, kind: &Kind, detail: Detail) {
        if *kind == Kind::Discovery {
            self.0.discovery(detail.label());
        }
        match detail {
            Detail::DiscoveryFallback => self.0.discovery_fallbacks.inc(),
            Detail::PinMismatch => self.0.pin_mismatches.inc(),
            Detail::PinIgnored => {
                self.0.pin_mismatches.inc();
                self.0.splice_refused(PIN_IGNORED);
            }
            _ => {}
        }
    }

    /// What was fetched ahead of a reader ended, or is not needed any more.
    pub(super) fn ahead(&self, end: Option<End>) {
        self.0.ahead(match end {
            Some(End::Whole) => "whole",
            Some(End::Abandoned) => "abandoned",
            Some(End::Cut(_)) => "failed",
            None => "recalled",
        });
    }

    /// A version was asked for.
    pub(super) fn versioned(&self, outcome: Versioned) {
        self.0.versioned(outcome.label());
    }

    pub(super) fn resumed(&self) {
        self.0.body_resumes.inc();
    }

    pub(super) fn fill(&self, outcome: Result<(), GaveUp>) {
        self.0.fill(outcome.map_or_else(GaveUp::label, |()| "stored"));
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
