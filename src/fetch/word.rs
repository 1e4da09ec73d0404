//! The authority's word: asked in a group, or alone.

use std::sync::Arc;

use parking_lot::Mutex;
use prometheus::IntGauge;

use super::fetching::InHand;
use super::follower::Follower;
use super::group::{Group, GroupKey, Place};
use super::route::{Request, Route};
use crate::object::Method;
use crate::plan::{self, Asked, Facts, Step, Told, shareable};
use crate::request::Kind;

/// The answer to a group's question.
#[derive(Debug)]
pub(crate) struct SharedWord {
    /// What was told, as others than the asker see it; `None` if the answer is the asker's alone.
    told: Option<Told>,
    /// The asker's own: the answer and its body.
    own: Mutex<Option<(Told, InHand)>>,
    /// Keeps the flight of the answer's body going until all members have turned to it.
    _holder: Option<Follower>,
}

impl Route {
    /// Asks the authority together with everyone who waits for the same.
    pub(super) async fn discover(self: &Arc<Self>, request: &Request, asked: Asked) -> (Told, InHand, bool) {
        let key = GroupKey {
            key: request.key.clone(),
            fingerprint: request.fingerprint,
            whole: request.read.kind == Kind::Whole,
            revalidates: request.revalidates(),
        };
        let (group, asker) = match self.groups.join(&key) {
            Place::Asker(group) => {
                self.begin_question(request.clone(), asked.clone(), key, group.clone());
                (group, true)
            }
            Place::Member(group) => (group, false),
        };
        let waiting = Waiting::new(&self.metrics.0.discoveries_waiting);
        let word = group.word().await;
        drop(waiting);
        if asker && let Some((told, in_hand)) = word.own.lock().take() {
            return (told, in_hand, false);
        }
        if let Some(told) = &word.told {
            return (told.clone(), InHand::default(), true);
        }
        // It may be the last to hold an answer that its asker did not wait for, and a connection with it.
        drop((word, group));
        let (told, in_hand) = self.ask_alone(request, asked).await;
        (told, in_hand, false)
    }

    /// Asks the authority for one request alone.
    pub(super) async fn ask_alone(self: &Arc<Self>, request: &Request, asked: Asked) -> (Told, InHand) {
        let (told, body) = self.ask(request, self.terms.authority(), asked).await;
        let in_hand = self.take_in_hand(request, &told, body).await;
        (told, in_hand)
    }

    /// The question is a task of its own: the one who asked first may leave while others wait for the answer.
    fn begin_question(self: &Arc<Self>, request: Request, asked: Asked, key: GroupKey, group: Arc<Group>) {
        let route = self.clone();
        self.tasks.spawn(async move {
            let standby = Standby(&route, &group);
            let turn = route.groups.turn(&key, &group).await;
            let asked = if turn.waited {
                route.reconsidered(&request, asked).await
            } else {
                asked
            };
            let (told, in_hand) = route.ask_alone(&request, asked).await;
            let shared = shareable(&told, &route.terms).then(|| Told {
                own: false,
                ..told.clone()
            });
            let holder = in_hand.another_follower();
            drop(turn);
            group.tell(SharedWord {
                told: shared,
                own: Mutex::new(Some((told, in_hand))),
                _holder: holder,
            });
            drop(standby);
        });
    }

    /// The question as it is best put now: what came while its turn was waited for may need no more than a validation.
    async fn reconsidered(&self, request: &Request, asked: Asked) -> Asked {
        let facts = Facts {
            local: self.local(request, &Facts::default(), None, &[]).await.0,
            ..Facts::default()
        };
        match plan::next(&request.read, &facts, &self.terms, self.clock.now()) {
            Step::Discover(anew) => anew,
            _ => asked,
        }
    }
}

/// A request that waits for a group's word, until it is dropped.
struct Waiting<'a>(&'a IntGauge);

impl<'a> Waiting<'a> {
    fn new(gauge: &'a IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Stands in for a group's question: should its task end without an answer, whoever waits is told so.
struct Standby<'a>(&'a Route, &'a Group);

impl Drop for Standby<'_> {
    fn drop(&mut self) {
        self.1.tell(SharedWord {
            told: Some(Told::lost(self.0.terms.authority(), Method::Get)),
            own: Mutex::new(None),
            _holder: None,
        });
    }
}
