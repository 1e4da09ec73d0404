//! Pingora's hooks.
//!
//! Owns: the order in which Pingora runs a request through the edge.
//! Never: turns Pingora's cache on (it fetches whole objects and knows no If-Match), or lets Pingora answer by itself.

use std::sync::Arc;

use async_trait::async_trait;
use http::header;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, Result};

use super::ctx::Ctx;
use super::edge::{Edge, Opening, conn};
use super::errors::{Fault, carrier};
use super::pass::{Passing, retry};
use super::serve;
use super::service::Service;
use crate::metrics::PIN_IGNORED;
use crate::object::Cause;

/// What Pingora calls.
pub(super) struct Hooks<S>(pub(super) Arc<Edge<S>>);

#[async_trait]
impl<S: Service> ProxyHttp for Hooks<S> {
    type CTX = Ctx;

    fn new_ctx(&self) -> Ctx {
        Ctx::new()
    }

    fn init_downstream_modules(&self, _modules: &mut HttpModules) {
        // The default is a compression module that is switched off; every piece of every body would pass through it.
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut Ctx) -> Result<bool> {
        match self.0.open(session, ctx)? {
            Opening::Refuse(reply) => self.0.refuse(session, ctx, reply).await?,
            Opening::Later(answer) => self.0.answer(session, ctx, answer).await?,
            Opening::Pass(passing) => {
                ctx.passing = Some(passing);
                // Not proxied as an upgrade; Pingora must not expect one either.
                session.req_header_mut().remove_header(&header::UPGRADE);
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn upstream_peer(&self, session: &mut Session, ctx: &mut Ctx) -> Result<Box<HttpPeer>> {
        if let Err(fault) = self.0.resolve(session, ctx).await {
            ctx.fault = Some(fault);
            return Err(carrier(fault));
        }
        match ctx.passing.as_deref().and_then(Passing::peer) {
            Some(peer) => Ok(Box::new(peer)),
            None => {
                let fault = Fault::Upstream(Cause::NoAddress);
                ctx.fault = Some(fault);
                Err(carrier(fault))
            }
        }
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        ctx: &mut Ctx,
        error: Box<Error>,
    ) -> Box<Error> {
        let again = ctx.passing.as_deref_mut().is_some_and(Passing::unreachable);
        retry(error, again)
    }

    async fn upstream_request_filter(
        &self,
        _session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        match &ctx.passing {
            Some(passing) => passing.request(request),
            None => Err(carrier(Fault::Internal)),
        }
    }

    async fn upstream_response_filter(
        &self,
        _session: &mut Session,
        answer: &mut ResponseHeader,
        ctx: &mut Ctx,
    ) -> Result<()> {
        if let Some(told) = ctx.passing.as_mut().and_then(|passing| passing.tell(answer)) {
            told.await;
        }
        let admitted = ctx.passing.as_mut().map_or(Ok(()), |passing| passing.admit(answer));
        admitted.map_err(|fault| {
            self.0.metrics.splice_refused(PIN_IGNORED);
            ctx.fault = Some(fault);
            carrier(fault)
        })
    }

    async fn response_filter(&self, session: &mut Session, answer: &mut ResponseHeader, ctx: &mut Ctx) -> Result<()> {
        if answer.status.is_informational() {
            return Ok(());
        }
        if session.is_process_shutting_down() {
            session.set_keepalive(None);
        }
        if let (Some(date), Some(conn)) = (answer.headers.get(header::DATE), conn(session)) {
            conn.keep_date(date.clone());
        }
        let Some(passing) = &ctx.passing else { return Ok(()) };
        passing.answer(answer, &self.0.instance)?;
        let detail = passing.detail();
        ctx.begins(answer.status, detail);
        Ok(())
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, ctx: &mut Ctx) -> FailToProxy {
        let fault = ctx.fault.unwrap_or_else(|| Fault::of(error));
        ctx.fault = Some(fault);
        ctx.cause = Some(cause(error, ctx.aborted));
        // Who is told may take long to hear it.
        ctx.end_passing();
        if let Some(told) = ctx.passing.as_deref_mut().and_then(Passing::tell_none) {
            told.await;
        }
        match session.response_written() {
            Some(head) if !head.status.is_informational() => {
                if delimited_by_close(head)
                    && let Some(conn) = conn(session)
                {
                    conn.reset_on_close();
                }
                serve::flush(session);
            }
            Some(_) | None => self.0.tell(session, ctx, fault).await,
        }
        FailToProxy {
            error_code: fault.told().status.as_u16(),
            can_reuse_downstream: false,
        }
    }

    async fn logging(&self, session: &mut Session, _error: Option<&Error>, ctx: &mut Ctx) {
        if let Some(conn) = conn(session) {
            conn.finish();
        }
        // What Pingora reads from here on is what the client still sends.
        ctx.end_passing();
        self.0.count_passed(session, ctx);
        self.0.note(session.req_header().method.as_str(), ctx);
    }

    fn suppress_error_log(&self, _session: &Session, _ctx: &Ctx, _error: &Error) -> bool {
        // The access log has it, without the query.
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _session: &Session,
        _ctx: &Ctx,
        _error: &Error,
        _context: ProxyWarnLogContext,
    ) -> bool {
        true
    }
}

fn delimited_by_close(head: &ResponseHeader) -> bool {
    !head.headers.contains_key(header::CONTENT_LENGTH) && !head.headers.contains_key(header::TRANSFER_ENCODING)
}

/// Pingora's words may hold the target, and that a signature; so only its kind and the root of it.
fn cause(error: &Error, aborted: Option<&'static str>) -> String {
    match aborted {
        Some(why) => why.to_owned(),
        None => format!("{} {}", error.etype().as_str(), error.esource().as_str()),
    }
}
