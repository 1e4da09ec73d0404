//! Drives one read through the decisions: look up, decide, act, until there is an answer.

use std::sync::Arc;

use http::StatusCode;

use super::body::RevisionBody;
use super::fetching::InHand;
use super::relayed::RelayedBody;
use super::reply::{Account, Body, Reply};
use super::route::{Request, Route};
use crate::object::{BlockIndex, Cause, Current, Heard, Method, Target};
use crate::plan::{
    self, Asked, Detail, Facts, Forward, Relay, Serve, Step, Tier, Trace, effective, relay_fields, reply_fields,
    served_fields,
};
use crate::request::Kind;

/// Steps of one read. The longest honest way has about ten: discovered, gone, asked anew, fetched from tier to tier.
const MOST_STEPS: usize = 32;

/// One read on its way.
struct Course {
    route: Arc<Route>,
    request: Request,
    facts: Facts,
    in_hand: InHand,
    damaged: Vec<BlockIndex>,
    trace: Trace,
}

impl Route {
    /// Answers a read.
    pub async fn answer(self: &Arc<Self>, request: Request) -> Reply {
        let mut course = Course {
            route: self.clone(),
            request,
            facts: Facts::default(),
            in_hand: InHand::default(),
            damaged: Vec::new(),
            trace: Trace::default(),
        };
        for _ in 0..MOST_STEPS {
            if let Some(reply) = course.step().await {
                return reply;
            }
        }
        course.reply(plan::Reply::new(
            StatusCode::BAD_GATEWAY,
            Detail::Failed(Cause::Malformed),
        ))
    }
}

impl Course {
    async fn step(&mut self) -> Option<Reply> {
        let own = self.in_hand.follower.as_ref().map(|follower| follower.flight().clone());
        self.facts.local = self
            .route
            .local(&self.request, &self.facts, own.as_deref(), &self.damaged)
            .await;
        match plan::next(
            &self.request.read,
            &self.facts,
            &self.route.terms,
            self.route.clock.now(),
        ) {
            Step::Discover(asked) => self.discover(asked).await,
            Step::AskAnew(asked) => self.ask_anew(asked).await,
            Step::Ask(tier, asked) => self.ask(tier, asked).await,
            Step::Fetch { pins, target } => self.fetch(pins, target).await,
            Step::Serve(serve) => return self.serve(serve).await,
            Step::Relay(relay) => return Some(self.relay(relay)),
            Step::Reply(reply) => return Some(self.reply(reply)),
        }
        None
    }

    async fn discover(&mut self, asked: Asked) {
        self.note_forward();
        let (told, in_hand, collapsed) = self.route.discover(&self.request, asked).await;
        self.trace.collapsed |= collapsed;
        self.in_hand = in_hand;
        self.note_answer(&told.heard);
        self.facts.word = Some(told);
    }

    async fn ask_anew(&mut self, asked: Asked) {
        self.note_forward();
        let (told, in_hand) = self.route.ask_alone(&self.request, asked).await;
        self.in_hand = in_hand;
        self.note_answer(&told.heard);
        self.facts.asked_anew = self.facts.asked_anew.saturating_add(1);
        self.facts.fetched = None;
        self.facts.word = Some(told);
    }

    async fn ask(&mut self, tier: Tier, asked: Asked) {
        let (told, body) = self.route.ask(&self.request, tier, asked).await;
        self.in_hand = self.route.take_in_hand(&self.request, &told, body).await;
        self.note_answer(&told.heard);
        self.facts.asked.push(told);
    }

    async fn fetch(&mut self, pins: Vec<crate::object::StrongETag>, target: Target) {
        self.note_forward();
        let (told, in_hand) = self.route.fetch(&self.request, &pins, target).await;
        self.trace.collapsed |= in_hand.joined;
        self.in_hand = in_hand;
        if let Some(last) = told.last() {
            self.note_answer(&last.heard);
        }
        self.facts.fetched = Some(told);
    }

    /// Why a tier is asked, told by what is known before the first question.
    fn note_forward(&mut self) {
        let local = &self.facts.local;
        let stored = local.stored.first();
        self.trace
            .forward
            .get_or_insert(match (stored, &self.request.read.kind) {
                _ if self.request.read.control.no_cache => Forward::Request,
                (Some(stored), Kind::Pinned(_) | Kind::Resume(_)) if stored.some => Forward::Partial,
                (Some(_), Kind::Discovery | Kind::Whole) => Forward::Stale,
                (_, _) if local.current == Current::Unknown && stored.is_none() => Forward::UriMiss,
                (_, _) => Forward::Miss,
            });
    }

    fn note_answer(&mut self, heard: &Heard) {
        self.trace.forward_status = heard.found().map(|found| found.status);
    }

    async fn serve(&mut self, serve: Serve) -> Option<Reply> {
        let read = effective(&self.request.read, &self.facts).into_owned();
        let mut body = Body::Empty;
        if let Some(range) = serve.shape.body(read.method, serve.head.size()) {
            let follower = self.in_hand.follower.take();
            let (route, request) = (self.route.clone(), self.request.clone());
            let mut revision = RevisionBody::new(route, request, serve.head.clone(), range, follower);
            if let Err(damaged) = revision.prove_first().await {
                // What was thought to be here is not: decide again without it.
                self.damaged.push(damaged);
                return None;
            }
            body = Body::Revision(Box::new(revision));
        }
        self.trace.stored = self.trace.forward.is_some()
            && self.route.keeps
            && matches!(serve.detail, Detail::Fetched | Detail::Joined)
            && !matches!(body, Body::Empty);
        let now = self.route.clock.now();
        match served_fields(&serve, &read, &self.trace, &self.route.instance, now) {
            Some((status, fields)) => Some(self.finish(status, fields, body, serve.detail)),
            None => {
                let length = Some(serve.head.size().bytes());
                let reply = plan::Reply::new(StatusCode::RANGE_NOT_SATISFIABLE, serve.detail);
                Some(self.reply(plan::Reply { length, ..reply }))
            }
        }
    }

    fn relay(&mut self, relay: Relay) -> Reply {
        let Some(told) = self.facts.in_hand().cloned() else {
            return self.reply(plan::Reply::new(StatusCode::BAD_GATEWAY, Detail::Failed(Cause::Reset)));
        };
        let Some(found) = told.heard.found() else {
            return self.reply(plan::Reply::new(StatusCode::BAD_GATEWAY, Detail::Failed(Cause::Reset)));
        };
        let length = found
            .fields
            .get(http::header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        let method = self.request.read.method;
        let (status, fields) = relay_fields(&relay, found, length, method, &self.trace, &self.route.instance);
        let body = match self.in_hand.body.take() {
            Some(body) if method == Method::Get && !relay.not_modified => {
                Body::Relayed(RelayedBody::new(body, relay.cut, length))
            }
            _ => Body::Empty,
        };
        self.finish(status, fields, body, relay.detail)
    }

    fn reply(&self, reply: plan::Reply) -> Reply {
        let made = reply_fields(&reply, self.route.terms.s3_dialect, &self.trace, &self.route.instance);
        let body = if self.request.read.method == Method::Head {
            Body::Empty
        } else {
            Body::Made(made.body)
        };
        self.finish(made.status, made.fields, body, reply.detail)
    }

    fn finish(&self, status: StatusCode, fields: http::HeaderMap, body: Body, detail: Detail) -> Reply {
        let account = Account {
            class: self.request.read.kind.label(),
            detail,
            trace: self.trace,
        };
        self.route.metrics.answered(&self.request.read.kind, detail);
        Reply {
            status,
            fields,
            body,
            account,
        }
    }
}
