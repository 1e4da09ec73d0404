//! The short way: a chunk of a parallel download whose bytes are at hand is answered by the connection itself.
//!
//! Owns: the writing of those answers, and what of a download holds for all of its chunks. Never: decides them, or waits
//! for anything but the client. What is out of the ordinary, such as a connection that is to be closed, is left to
//! Pingora, which answers it just the same.

use std::io;
use std::sync::Arc;

use http::header::{self, HeaderMap};
use http::{Method, StatusCode};

use super::conn::{Conn, Origin};
use super::ctx::Ctx;
use super::edge::Edge;
use super::errors::Fault;
use super::head::{Asked, Head};
use super::service::{Download, Request, Service};
use crate::metrics::Source;
use crate::request::{Framing, Version};

/// The download whose chunks a connection asked for last.
pub(super) struct Shortly {
    /// That of all its chunks.
    head: Arc<Head>,
    download: Download,
}

impl<S: Service> Edge<S> {
    /// Answers the request that runs, if the answer is at hand. `None`: it is not, and nothing was done.
    pub(super) async fn answer_shortly(
        &self,
        conn: &mut Conn,
        last: &mut Option<Box<Shortly>>,
    ) -> Option<io::Result<()>> {
        let asked = conn.asked()?.as_ref().ok()?;
        let range = asked.range.filter(|_| !conn.last())?;
        let permit = Arc::clone(&self.running).try_acquire_owned().ok()?;
        let mut ctx = Ctx::new();
        let origin = conn.origin();
        if last.as_ref().is_none_or(|last| !Arc::ptr_eq(&last.head, &asked.head)) {
            *last = self.shortly(asked, origin).map(Box::new);
        }
        let Shortly { head, download } = &mut **last.as_mut()?;
        let reply = download.chunks.at_hand(range)?;
        ctx.run(&self.metrics.requests_in_flight, permit);
        ctx.client = Some(origin.client);
        ctx.head = Some(Arc::clone(head));
        ctx.route = Some(Arc::clone(&download.route));
        ctx.class = download.class;
        ctx.begins(StatusCode::PARTIAL_CONTENT, reply.detail.label());
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

    fn shortly(&self, asked: &Asked, origin: Origin) -> Option<Shortly> {
        let fields = asked.fields();
        if !is_ordinary(&asked.head) || !stays_open(&fields) {
            return None;
        }
        let download = self.service.download(Request {
            method: &Method::GET,
            target: &asked.head.target,
            host: asked.head.host.as_ref(),
            fields: &fields,
            client: origin.client,
            forward: origin.forward,
        })?;
        let head = Arc::clone(&asked.head);
        Some(Shortly { head, download })
    }
}

fn is_ordinary(head: &Head) -> bool {
    head.version == Version::Http11 && head.framing == Framing::Empty
}

fn stays_open(fields: &HeaderMap) -> bool {
    let mut connection = fields.get_all(header::CONNECTION).iter();
    connection.all(|value| value.as_bytes().eq_ignore_ascii_case(b"keep-alive")) && !fields.contains_key(header::EXPECT)
}
