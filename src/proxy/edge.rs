//! The way of a request through the edge, without Pingora's order of it.
//!
//! Owns: what is answered before a [`Service`] decides (refused heads, CONNECT, saturation), and what is noted after.
//! Never: decides what a well-formed request is answered.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use pingora::Result;
use pingora::proxy::Session;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::access::{Access, Line};
use super::conn::Conn;
use super::ctx::Ctx;
use super::errors::{Fault, Level, carrier};
use super::pass::{Passing, failed_cache_status};
use super::serve;
use super::service::{Action, Decision, Reply, Request, Service};
use crate::config::Config;
use crate::metrics::{Metrics, RouteMetrics, Source};
use crate::object::Cause;
use crate::request::Refusal;

/// The edge of one process: what Pingora runs for every request of every listener.
pub(super) struct Edge<S> {
    pub(super) service: S,
    pub(super) instance: String,
    pub(super) metrics: Arc<Metrics>,
    /// Counts what no route counts.
    unrouted: Arc<RouteMetrics>,
    pub(super) running: Arc<Semaphore>,
    access: Access,
}

/// The label of what no route counts; the configuration allows no such route name.
const UNROUTED: &str = "-";

/// What becomes of a request, before anything is awaited.
pub(super) enum Opening {
    Refuse(Reply),
    Later(BoxFuture<'static, Reply>),
    Pass(Box<Passing>),
}

impl<S: Service> Edge<S> {
    pub(super) fn new(config: &Config, service: S, metrics: Arc<Metrics>) -> Self {
        Self {
            service,
            instance: config.instance.as_str().to_owned(),
            unrouted: Arc::new(metrics.route(UNROUTED)),
            metrics,
            running: Arc::new(Semaphore::new(config.limits.requests.get().min(Semaphore::MAX_PERMITS))),
            access: Access::new(config.access_log, config.slow_request, config.access_log_sample),
        }
    }

    pub(super) fn open(&self, session: &mut Session, ctx: &mut Ctx) -> Result<Opening> {
        let conn = conn(session).ok_or_else(|| carrier(Fault::Internal))?;
        let (origin, timeouts) = (conn.origin(), conn.timeouts());
        let asked = conn.asked().cloned().ok_or_else(|| carrier(Fault::Internal))?;
        let last = conn.last();
        ctx.client = Some(origin.client);
        // Pingora looks at the first of several lines.
        if last || closes(&session.req_header().headers) {
            session.set_keepalive(None);
        }
        session.set_read_timeout(Some(timeouts.read));
        session.set_total_drain_timeout(Some(timeouts.read));
        let head = match asked {
            Ok(asked) => asked.head,
            Err(refusal) => return Ok(Opening::Refuse(refuse(session, refusal))),
        };
        ctx.head = Some(head.clone());
        ctx.framing = head.framing;
        if session.req_header().method == Method::CONNECT {
            return Ok(Opening::Refuse(no_tunnels(session)));
        }
        let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() else {
            return Ok(Opening::Refuse(saturated(ctx)));
        };
        ctx.run(&self.metrics.requests_in_flight, permit);
        let request = session.req_header();
        let Decision { route, class, action } = self.service.decide(Request {
            method: &request.method,
            target: &head.target,
            host: head.host.as_ref(),
            fields: &request.headers,
            client: origin.client,
            forward: origin.forward,
        });
        ctx.route = route;
        ctx.class = class;
        Ok(match action {
            Action::Refuse(reply) => Opening::Refuse(reply),
            Action::Answer(answer) => Opening::Later(answer),
            Action::Pass(to) => Opening::Pass(Box::new(Passing::new(*to, request))),
        })
    }

    pub(super) async fn answer(
        &self,
        session: &mut Session,
        ctx: &mut Ctx,
        answer: BoxFuture<'static, Reply>,
    ) -> Result<()> {
        serve::drain(session, ctx.framing).await?;
        let reply = serve::unless_gone(session, ctx, answer).await?;
        serve::reply(session, ctx, reply, &self.metrics).await
    }

    /// Writes a refusal of our own: like every answer it says why.
    pub(super) async fn refuse(&self, session: &mut Session, ctx: &mut Ctx, mut reply: Reply) -> Result<()> {
        if let Ok(why) = HeaderValue::from_str(&format!("{}; detail={}", self.instance, reply.outcome)) {
            reply = reply.with(HeaderName::from_static("cache-status"), why);
        }
        serve::drain(session, ctx.framing).await?;
        serve::reply(session, ctx, reply, &self.metrics).await
    }

    /// Waits for the turn of a request that is passed on, and then for where it goes.
    pub(super) async fn resolve(&self, session: &mut Session, ctx: &mut Ctx) -> Result<(), Fault> {
        let passing = ctx.passing.as_mut().ok_or(Fault::Internal)?;
        if passing.resolved() {
            return Ok(());
        }
        let turns = passing.turns();
        let turn = serve::unless_gone(session, ctx, turns.take()).await;
        let turn = turn.map_err(|_| Fault::ClientGone)?.map_err(Fault::Upstream)?;
        let passing = ctx.passing.as_mut().ok_or(Fault::Internal)?;
        passing.begin(turn);
        let hops = timeout(passing.patience(), passing.hops());
        let found = serve::unless_gone(session, ctx, hops).await;
        let found = found.map_err(|_| Fault::ClientGone)?;
        let found = found.map_err(|_| Cause::Timeout).flatten().map_err(Fault::Upstream)?;
        let passing = ctx.passing.as_mut().ok_or(Fault::Internal)?;
        passing.resolve(found);
        Ok(())
    }

    /// What a client is told of a fault, where it can still be told.
    pub(super) async fn tell(&self, session: &mut Session, ctx: &mut Ctx, fault: Fault) {
        let told = fault.told();
        let Some(reason) = told.reason else { return };
        let fwd = ctx.passing.as_deref().map(Passing::fwd);
        let mut reply = Reply::text(told.status, told.label, reason);
        if let Some(value) = fwd.and_then(|fwd| failed_cache_status(&self.instance, fwd, told.label)) {
            reply = reply.with(HeaderName::from_static("cache-status"), value);
        }
        session.set_keepalive(None);
        if serve::reply(session, ctx, reply, &self.metrics).await.is_ok() {
            // Pingora drops the connection after this; without a proper end an unread upload would reset it.
            session.downstream_session.shutdown().await;
        }
    }

    /// Counts what Pingora has sent of an answer that was passed on.
    pub(super) fn count_passed(&self, session: &Session, ctx: &mut Ctx) {
        if ctx.passing.is_some() && ctx.sent == 0 {
            ctx.sent = u64::try_from(session.body_bytes_sent()).unwrap_or(u64::MAX);
            self.metrics.sent(Source::Upstream, ctx.sent);
        }
    }

    /// Counts and logs a request that ended.
    pub(super) fn note(&self, method: &str, ctx: &mut Ctx) {
        let told = ctx.fault.map(Fault::told);
        let (fault, level) = told
            .as_ref()
            .map_or((None, Level::Quiet), |told| (Some(told), told.level));
        let outcome = fault.map(|told| told.label).or(ctx.outcome).unwrap_or("none");
        let status = ctx
            .status
            .or(fault.map(|told| told.status))
            .map_or(0, |status| status.as_u16());
        let route = ctx.route.as_ref().unwrap_or(&self.unrouted);
        let duration = ctx.elapsed();
        route.ended(ctx.class, outcome, ctx.first_byte(), duration);
        self.access.log(&Line {
            route: route.name(),
            class: ctx.class,
            status,
            outcome,
            notable: ctx.notable,
            level,
            bytes: ctx.sent,
            first_byte: ctx.first_byte(),
            duration,
            client: ctx.client,
            method,
            path: ctx
                .head
                .as_ref()
                .and_then(|head| head.target.path())
                .unwrap_or_default(),
            cause: ctx.cause.take(),
        });
    }
}

/// Whether a client wants its connection closed (RFC 9112 9.6).
fn closes(fields: &HeaderMap) -> bool {
    let tokens = fields.get_all(header::CONNECTION).into_iter();
    let mut tokens = tokens.flat_map(|value| value.as_bytes().split(|b| *b == b','));
    tokens.any(|token| token.trim_ascii().eq_ignore_ascii_case(b"close"))
}

/// The connection of a session.
pub(super) fn conn(session: &Session) -> Option<&Conn> {
    Conn::of(session.as_http1()?.stream())
}

/// A head that is not as it must be ends its connection: nobody can tell where the next request begins.
fn refuse(session: &mut Session, refusal: Refusal) -> Reply {
    session.set_keepalive(None);
    Reply::text(refusal.status(), refusal.label(), &refusal.to_string())
}

fn no_tunnels(session: &mut Session) -> Reply {
    session.set_keepalive(None);
    let text = "no tunnels through here; a client can ask for https:// targets in absolute form";
    Reply::text(StatusCode::METHOD_NOT_ALLOWED, "connect", text)
        .with(header::ALLOW, HeaderValue::from_static("GET, HEAD"))
}

fn saturated(ctx: &mut Ctx) -> Reply {
    let told = Fault::Saturated.told();
    ctx.fault = Some(Fault::Saturated);
    Reply::text(told.status, told.label, told.reason.unwrap_or_default())
        .with(header::RETRY_AFTER, HeaderValue::from_static("1"))
}

impl<S> fmt::Debug for Edge<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edge")
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}
