//! The short way: a chunk of a parallel download whose bytes are at hand is answered by the connection itself.
//!
//! Owns: the writing of those answers. Never: decides them, or waits for anything but the client. What is out of the
//! ordinary, such as a connection that is to be closed, is left to Pingora, which answers it just the same.

use std::io;
use std::sync::Arc;

use http::Method;
use http::header::{self, HeaderMap};

use super::conn::Conn;
use super::ctx::Ctx;
use super::edge::Edge;
use super::errors::Fault;
use super::head::Head;
use super::service::{AtHand, Request, Service};
use crate::metrics::Source;
use crate::request::{Framing, Version};

impl<S: Service> Edge<S> {
    /// Answers the request that runs, if the answer is at hand. `None`: it is not, and nothing was done.
    pub(super) async fn answer_shortly(&self, conn: &mut Conn) -> Option<io::Result<()>> {
        let head = conn.head()?.as_ref().ok().filter(|head| is_ordinary(head))?.clone();
        let fields = head.fields();
        if conn.last() || !stays_open(&fields) {
            return None;
        }
        let permit = Arc::clone(&self.running).try_acquire_owned().ok()?;
        let mut ctx = Ctx::new();
        let origin = conn.origin();
        let AtHand { route, class, reply } = self.service.at_hand(Request {
            method: &Method::GET,
            target: &head.target,
            host: head.host.as_ref(),
            fields: &fields,
            client: origin.client,
            forward: origin.forward,
        })?;
        ctx.run(&self.metrics.requests_in_flight, permit);
        ctx.client = Some(origin.client);
        ctx.head = Some(head);
        ctx.route = Some(route);
        ctx.class = class;
        ctx.begins(reply.status, reply.detail.label());
        let sent = conn.answer(&reply.head, &reply.body).await;
        match &sent {
            Ok(()) => {
                ctx.sent = u64::try_from(reply.body.len()).unwrap_or(u64::MAX);
                self.metrics.sent(Source::Disk, ctx.sent);
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => ctx.fault = Some(Fault::ClientTimeout),
            Err(_) => ctx.fault = Some(Fault::ClientGone),
        }
        self.note(Method::GET.as_str(), &mut ctx);
        Some(sent)
    }
}

fn is_ordinary(head: &Head) -> bool {
    head.is_chunk && head.version == Version::Http11 && head.framing == Framing::Empty
}

fn stays_open(fields: &HeaderMap) -> bool {
    let mut connection = fields.get_all(header::CONNECTION).iter();
    connection.all(|value| value.as_bytes().eq_ignore_ascii_case(b"keep-alive")) && !fields.contains_key(header::EXPECT)
}
