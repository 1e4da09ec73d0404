//! Drives one read through the decisions: look up, decide, act, until there is an answer.

use std::sync::Arc;

use http::StatusCode;

use super::body::RevisionBody;
use super::body::missing::{STALL, within};
use super::fetching::InHand;
use super::flight::Flight;
use super::follower::Follower;
use super::pilot::LOOK_AHEAD;
use super::relayed::RelayedBody;
use super::reply::{Account, Body, Reply};
use super::route::{Request, Route};
use crate::metrics::Source;
use crate::object::{BlockIndex, ByteRange, Cause, Current, Found, Head, Heard, Method, RangeSpec, Revision, Target};
use crate::plan::{
    self, Asked, Detail, Facts, Forward, Local, Relay, Serve, Step, Tier, Told, Trace, effective, relay_fields,
    reply_fields, served_fields,
};
use crate::request::Kind;

/// Steps of one read. The longest honest way has about ten: discovered, gone, asked anew, fetched from tier to tier.
const MOST_STEPS: usize = 32;

/// How many runs of missing blocks are asked for before the head goes out; each may hold a connection until its turn.
const MOST_HOLES: usize = 4;

/// What became of a hole before the head goes out.
enum Closing {
    /// Its bytes come.
    Closed,
    /// It takes long, perhaps since this read's own transfers have all turns: it will be asked for again.
    Left,
    /// They do not come: it is to be decided again.
    Refused,
}

/// One read on its way.
struct Course {
    route: Arc<Route>,
    request: Request,
    facts: Facts,
    in_hand: InHand,
    /// The flights that the facts count on.
    held: Vec<Follower>,
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
            held: Vec::new(),
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
        (self.facts.local, self.held) = self
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
            Step::Relay(relay) => return Some(self.relay(relay).await),
            Step::Reply(reply) => return Some(self.reply(reply)),
        }
        None
    }

    /// Lets go of the answer in hand before the next question: it would hold a connection that the question may need.
    fn let_go(&mut self) {
        self.in_hand = InHand::default();
        self.held.clear();
        let fetched = self.facts.fetched.iter_mut().flatten();
        for told in fetched.chain(&mut self.facts.asked).chain(&mut self.facts.word) {
            told.own = false;
        }
    }

    async fn discover(&mut self, asked: Asked) {
        self.note_forward();
        self.let_go();
        let (told, in_hand, collapsed) = self.route.discover(&self.request, asked).await;
        self.trace.collapsed |= collapsed;
        self.in_hand = in_hand;
        self.note_answer(&told.heard);
        self.facts.word = Some(told);
    }

    async fn ask_anew(&mut self, asked: Asked) {
        self.note_forward();
        self.let_go();
        let (told, in_hand) = self.route.ask_alone(&self.request, asked).await;
        self.in_hand = in_hand;
        self.note_answer(&told.heard);
        self.facts.asked_anew = self.facts.asked_anew.saturating_add(1);
        self.facts.fetched = None;
        self.facts.word = Some(told);
    }

    async fn ask(&mut self, tier: Tier, asked: Asked) {
        self.let_go();
        let (told, body) = self.route.ask(&self.request, tier, asked).await;
        self.in_hand = self.route.take_in_hand(&self.request, &told, body).await;
        self.note_answer(&told.heard);
        self.facts.asked.push(told);
    }

    async fn fetch(&mut self, pins: Vec<crate::object::StrongETag>, target: Target) {
        self.note_forward();
        self.let_go();
        let (told, in_hand) = self.route.fetch(&self.request, &pins, target).await;
        self.trace.collapsed |= in_hand.joined;
        self.in_hand = in_hand;
        if let Some(last) = told.last() {
            self.note_answer(&last.heard);
        }
        self.facts.note_fetched(told);
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
            let follower = self.follower(&serve.head);
            let own = follower.as_ref().map(|follower| follower.flight().clone());
            if !self.close_holes(&serve.head, range, own.as_deref()).await {
                return None;
            }
            let (route, request, held) = (self.route.clone(), self.request.clone(), std::mem::take(&mut self.held));
            let mut revision = RevisionBody::new(route, request, serve.head.clone(), range, follower, held);
            if let Err(damaged) = revision.prove_first().await {
                // What was thought to be here is not: decide again without it.
                self.damaged.push(damaged);
                self.facts.fetched = None;
                return None;
            }
            if self.trace.forward.is_some() {
                revision.foresee();
            }
            body = Body::Revision(Box::new(revision));
        }
        self.trace.stored = self.trace.forward.is_some()
            && self.route.keeps
            && matches!(serve.detail, Detail::Fetched | Detail::Joined | Detail::Versioned)
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

    /// Asks for what else is missing near the beginning, so that who has gone on to another revision in the meantime is
    /// told so by a status and not by a body that ends in the middle. `false` if it is to be decided again.
    async fn close_holes(&mut self, head: &Arc<Head>, range: ByteRange, own: Option<&Flight>) -> bool {
        let near = |local: &Local, from: u64| {
            let missing = local.stored(head.tag()).and_then(|stored| stored.missing);
            missing
                .filter(|hole| hole.end() > from && hole.first().saturating_sub(range.first()) < LOOK_AHEAD)
                .filter(|hole| !own.and_then(Flight::range).is_some_and(|brought| brought.covers(*hole)))
        };
        let mut next = near(&self.facts.local, range.first());
        for _ in 0..MOST_HOLES {
            let Some(hole) = next else { return true };
            match self.close_hole(head, hole, own.is_some()).await {
                Closing::Closed => {}
                Closing::Left => return true,
                Closing::Refused => return false,
            }
            let (local, held) = self.route.local(&self.request, &self.facts, own, &self.damaged).await;
            self.held.extend(held);
            next = near(&local, hole.end());
        }
        true
    }

    async fn close_hole(&mut self, head: &Arc<Head>, hole: ByteRange, follows: bool) -> Closing {
        let pins = [head.tag().clone()];
        let target = Target::Range(RangeSpec::Span(hole));
        // What it follows already stands still until it is read, and may have the turn that this waits for.
        let waits_for_itself = follows || !self.held.is_empty();
        let fetched = self.route.fetch(&self.request, &pins, target);
        let Some((told, in_hand)) = within(waits_for_itself.then_some(STALL), fetched).await else {
            return Closing::Left;
        };
        if let Some(last) = told.last().filter(|last| plan::served(&pins, last)) {
            let follower = self.route.follow_in_hand(&self.request, head, last, in_hand);
            self.held.extend(follower);
            return Closing::Closed;
        }
        let last = told.last().map(|last| &last.heard);
        let saturated = matches!(last, Some(Heard::Failed(failure)) if failure.cause == Cause::Saturated);
        if saturated && waits_for_itself {
            return Closing::Left;
        }
        self.let_go();
        self.in_hand = in_hand;
        self.facts.note_fetched(told);
        Closing::Refused
    }

    /// A follower of the answer in hand, if it brings bytes of the revision that is served.
    fn follower(&mut self, head: &Arc<Head>) -> Option<Follower> {
        let in_hand = std::mem::take(&mut self.in_hand);
        if in_hand.follower.is_some() {
            return in_hand.follower;
        }
        let told = self.facts.in_hand()?;
        self.route.follow_in_hand(&self.request, head, told, in_hand)
    }

    async fn relay(&mut self, relay: Relay) -> Reply {
        // A 304 has no body to be one's own.
        let told = if relay.not_modified {
            self.facts.latest()
        } else {
            self.facts.in_hand()
        };
        let Some(told) = told.cloned() else {
            return self.reply(plan::Reply::new(StatusCode::BAD_GATEWAY, Detail::Failed(Cause::Reset)));
        };
        let Some(found) = told.heard.found() else {
            return self.reply(plan::Reply::new(StatusCode::BAD_GATEWAY, Detail::Failed(Cause::Reset)));
        };
        let length = found
            .fields
            .get(http::header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        let length = match length {
            Some(length) => Some(length),
            None => self.known_length(found).await,
        };
        let method = self.request.read.method;
        let (status, fields) = relay_fields(&relay, found, length, method, &self.trace, &self.route.instance);
        let body = if method == Method::Get && !relay.not_modified {
            self.relayed(&relay, &told, length)
        } else {
            Body::Empty
        };
        self.finish(status, fields, body, relay.detail)
    }

    /// The length of a whole representation that does not tell it, known by its tag: a body of another length is not it.
    async fn known_length(&mut self, found: &Found) -> Option<u64> {
        let revision = Revision {
            key: self.request.key.clone(),
            tag: plan::tells_length(found)?,
        };
        let head = self.route.store.head(&revision).await.ok()?;
        Some(head.size().bytes())
    }

    /// The body that is handed on, also if blocks of a revision are being made of it.
    fn relayed(&mut self, relay: &Relay, told: &Told, length: Option<u64>) -> Body {
        let InHand { body, follower, .. } = std::mem::take(&mut self.in_hand);
        if let Some(body) = body {
            return Body::Relayed(RelayedBody::new(body, relay.cut, length));
        }
        let (Some(follower), Some(head)) = (follower, plan::head_of(told).map(Arc::new)) else {
            return Body::Empty;
        };
        let range = relay.cut.map(|cut| cut.sent).or_else(|| follower.flight().range());
        let (Some(range), held) = (range, std::mem::take(&mut self.held)) else {
            return Body::Empty;
        };
        let (route, request) = (self.route.clone(), self.request.clone());
        Body::Revision(Box::new(RevisionBody::new(
            route,
            request,
            head,
            range,
            Some(follower),
            held,
        )))
    }

    fn reply(&self, reply: plan::Reply) -> Reply {
        let made = reply_fields(&reply, self.route.terms.s3_dialect, &self.trace, &self.route.instance);
        let body = if self.request.read.method == Method::Head {
            Body::Empty
        } else {
            Body::Bytes(made.body, Source::Generated)
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
