//! One question to one tier: ordered, timed, admitted, learnt from.

use std::sync::Arc;

use tokio::time::Instant;

use crate::object::{Cause, Condition, Failure, Head, Heard, Lie, Question, Revision};
use crate::plan::{Asked, Tier, Told, admit, confirmed, learn, learn_parts, reuses_tag};
use crate::tier::upstream::{Answer, Body};

use super::route::{Request, Route};

impl Route {
    /// Asks, and applies what the answer teaches. The body is empty if the answer was not believed.
    pub(super) async fn ask(&self, request: &Request, tier: Tier, asked: Asked) -> (Told, Body) {
        let (told, body) = self.ask_once(request, tier, asked).await;
        match &told.heard {
            Heard::Failed(failure) if failure.cause == Cause::Lie(Lie::Confirmed) => {
                // What it confirmed is not what is here, or was until now: whatever it has instead is to be asked for.
                let asked = Asked::free(told.asked.method, told.asked.target);
                self.ask_once(request, tier, asked).await
            }
            _ => (told, body),
        }
    }

    async fn ask_once(&self, request: &Request, tier: Tier, asked: Asked) -> (Told, Body) {
        let ticket = self.currency.ticket();
        let answer = self.put(request, tier, &asked).await;
        let heard = self.admitted(request, tier, &asked, answer.heard).await;
        let body = if matches!(heard, Heard::Failed(_)) {
            Answer::bare(heard.clone()).body
        } else {
            answer.body
        };
        let told = Told {
            tier,
            asked,
            heard,
            own: true,
        };
        self.note_version(request, &told);
        let lesson = learn(&told, &self.terms);
        self.currency
            .apply(&*self.store, &request.key, ticket, lesson, self.clock.now())
            .await;
        if let Some(head) = learn_parts(&told, &self.terms) {
            self.currency.learn_parts(&*self.store, &request.key, &head).await;
        }
        (told, body)
    }

    async fn put(&self, request: &Request, tier: Tier, asked: &Asked) -> Answer {
        let Some((upstream, metrics)) = self.upstreams.get(tier.get()) else {
            return Answer::bare(Heard::failed(Cause::NoAddress));
        };
        let pinned = matches!(asked.condition, Condition::Pinned(_) | Condition::Version(_, _));
        let question = Question {
            method: asked.method,
            key: request.key.clone(),
            query: request.query.clone(),
            target: asked.target,
            condition: asked.condition.clone(),
            revalidate: !pinned && request.revalidates(),
            fields: request.fields.clone(),
        };
        let started = Instant::now();
        let answer = upstream.ask(&question).await;
        metrics.asked(
            outcome(&answer.heard),
            Instant::now().saturating_duration_since(started),
        );
        answer
    }

    async fn admitted(&self, request: &Request, tier: Tier, asked: &Asked, heard: Heard) -> Heard {
        let block_size = self.terms.block_size;
        let named = heard.found().and_then(crate::object::Found::strong_tag);
        let Some(tag) = named.or_else(|| confirmed(&heard, &asked.condition).cloned()) else {
            return self.refused(admit(asked, heard, block_size, |_| None));
        };
        let revision = Revision {
            key: request.key.clone(),
            tag,
        };
        let known = self
            .store
            .known(&request.key)
            .await
            .head
            .filter(|head| *head.tag() == revision.tag);
        let known = match known {
            Some(head) => Some(head),
            None => self.store.head(&revision).await.ok(),
        };
        let heard = admit(asked, heard, block_size, |_| known.as_ref().map(|head| head.size()));
        if matches!(&heard, Heard::Failed(failure) if failure.cause == Cause::Lie(Lie::Total)) {
            // One of the two lengths is wrong, and nobody can say which: none of those bytes can be trusted.
            self.metrics.0.contradicted("length");
            self.reused.again(&request.key);
            self.store.forget(&revision);
            self.flights.forget(&revision);
            // Of a version that says nothing about what is current.
            if !matches!(asked.condition, Condition::Version(_, _)) {
                self.currency
                    .written(&*self.store, &request.key, self.clock.now())
                    .await;
            }
        }
        let is_authority = tier == self.terms.authority();
        let reused = |known: &Arc<Head>| reuses_tag(&heard, known, self.terms.http_authority);
        if is_authority && known.as_ref().is_some_and(reused) {
            // What comes now is as good as any; what is here may be of the time before.
            self.metrics.0.contradicted("last-modified");
            // In this order: a flight that begins a block looks at the one, and then at the other.
            self.reused.again(&request.key);
            self.store.forget(&revision);
            self.flights.forget(&revision);
            if let Heard::NotModified(found) = heard {
                return self.refused(Heard::Failed(Failure {
                    cause: Cause::Lie(Lie::Confirmed),
                    answer: Some(Box::new(found)),
                }));
            }
        }
        self.refused(heard)
    }

    /// Counts what the firewall held back.
    fn refused(&self, heard: Heard) -> Heard {
        if let Heard::Failed(failure) = &heard
            && let Cause::Lie(lie) = failure.cause
        {
            self.metrics.0.splice_refused(lie.label());
        }
        heard
    }
}

/// The metric label of an answer.
fn outcome(heard: &Heard) -> &'static str {
    match heard {
        Heard::Found(_, _) => "found",
        Heard::Partial(_, _, _) => "partial",
        Heard::NotModified(_) => "not-modified",
        Heard::PreconditionFailed(_) => "precondition-failed",
        Heard::NotFound(_) => "not-found",
        Heard::Unsatisfiable(_, _) => "unsatisfiable",
        Heard::Denied(_) => "denied",
        Heard::Other(_) => "other",
        Heard::Failed(failure) => failure.cause.label(),
    }
}
