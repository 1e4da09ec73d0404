//! Writing a [`Reply`] to a client.
//!
//! Owns: framing, the abort of what cannot be finished, and the notice that a client left.
//! Never: ends a body cleanly short (`semantics.md`, row 28).

use std::future::Future;

use futures_util::{FutureExt, Stream, StreamExt};
use http::header::{self, HeaderMap};
use http::{Method, StatusCode, Version};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use pingora::{Error, Result};

use super::ctx::Ctx;
use super::edge::conn;
use super::errors::{Fault, carrier};
use super::service::{Abort, Piece, Reply, ReplyBody};
use crate::metrics::Metrics;
use crate::request::Framing;

/// Bodies of requests that need none are read to their end if they are that small, so that the connection can go on.
const IGNORED_BODY: u64 = 64 << 10;

/// Reads a small body that nobody wants. A larger one, or one that waits for `100 Continue`, or
/// whose size is unknown, is left; the connection
/// then ends with the answer.
pub(super) async fn drain(session: &mut Session, framing: Framing) -> Result<()> {
    let small = match framing {
        Framing::Empty => return Ok(()),
        Framing::Length(length) => length <= IGNORED_BODY,
        Framing::Chunked => false,
    };
    if !small || session.req_header().headers.contains_key(header::EXPECT) {
        return Ok(());
    }
    session.drain_request_body().await.map_err(|error| error.into_down())
}

/// Waits for something on the client's behalf; an error if the client leaves before.
pub(super) async fn unless_gone<T>(session: &mut Session, ctx: &mut Ctx, wait: impl Future<Output = T>) -> Result<T> {
    if !session.is_body_done() {
        // A client that still sends is not gone, and its bytes must not be taken for its leaving.
        return Ok(wait.await);
    }
    tokio::select! {
        biased;
        value = wait => return Ok(value),
        // The connection reads nothing here but its end, and flushes what was written so far.
        _ = session.read_body_or_idle(true) => {}
    }
    ctx.fault = Some(Fault::ClientGone);
    Err(carrier(Fault::ClientGone))
}

/// Writes what is buffered, as far as the client takes it at once: what it was sent before an abort is worth having.
pub(super) fn flush(session: &mut Session) {
    if session.is_body_done() {
        // Reading flushes, and there is nothing else to read.
        let _ = session.read_body_or_idle(true).now_or_never();
    }
}

/// Writes the whole answer. An error aborts the connection.
pub(super) async fn reply(session: &mut Session, ctx: &mut Ctx, reply: Reply, metrics: &Metrics) -> Result<()> {
    let Reply {
        status,
        mut fields,
        body,
        outcome,
        notable,
    } = reply;
    let has_body = session.req_header().method != Method::HEAD && allows_body(status);
    let length = content_length(&fields);
    for name in [header::CONNECTION, header::TRANSFER_ENCODING] {
        fields.remove(name);
    }
    // A 1.0 client reads up to the connection's end, which Pingora then closes.
    if has_body && length.is_none() && session.req_header().version != Version::HTTP_10 {
        fields.insert(header::TRANSFER_ENCODING, header::HeaderValue::from_static("chunked"));
    }
    if session.is_process_shutting_down() {
        session.set_keepalive(None);
    }
    if let Some(date) = fields.get(header::DATE)
        && let Some(conn) = conn(session)
    {
        conn.keep_date(date.clone());
    }
    ctx.notable = notable;
    ctx.begins(status, outcome);
    let head = head(status, fields)?;
    session.write_response_header(Box::new(head), !has_body).await?;
    if !has_body {
        return Ok(());
    }
    let sent = match body {
        ReplyBody::Whole(piece) => send(session, ctx, piece, length, metrics).await,
        ReplyBody::Pieces(pieces) => send_all(session, ctx, pieces, length, metrics).await,
    };
    sent?;
    if length.is_some_and(|length| ctx.sent != length) {
        return Err(aborted(ctx, "fewer bytes than the length says"));
    }
    session.write_response_body(None, true).await
}

async fn send_all(
    session: &mut Session,
    ctx: &mut Ctx,
    mut pieces: impl Stream<Item = Result<Piece, Abort>> + Unpin,
    length: Option<u64>,
    metrics: &Metrics,
) -> Result<()> {
    while let Some(next) = unless_gone(session, ctx, pieces.next()).await? {
        match next {
            Ok(piece) => send(session, ctx, piece, length, metrics).await?,
            Err(abort) => return Err(aborted(ctx, abort.0)),
        }
    }
    Ok(())
}

async fn send(
    session: &mut Session,
    ctx: &mut Ctx,
    piece: Piece,
    length: Option<u64>,
    metrics: &Metrics,
) -> Result<()> {
    let Piece { bytes, source } = piece;
    if bytes.is_empty() {
        return Ok(());
    }
    let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if length.is_some_and(|length| count > length - ctx.sent) {
        return Err(aborted(ctx, "more bytes than the length says"));
    }
    session.write_response_body(Some(bytes), false).await?;
    ctx.sent += count;
    metrics.sent(source, count);
    Ok(())
}

fn aborted(ctx: &mut Ctx, why: &'static str) -> Box<Error> {
    ctx.fault = Some(Fault::Aborted);
    ctx.aborted = Some(why);
    carrier(Fault::Aborted)
}

/// RFC 9110 15: 1xx, 204 and 304 have no body whatever their fields say.
fn allows_body(status: StatusCode) -> bool {
    !status.is_informational() && status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED
}

fn content_length(fields: &HeaderMap) -> Option<u64> {
    fields.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn head(status: StatusCode, fields: HeaderMap) -> Result<ResponseHeader> {
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = status;
    parts.headers = fields;
    Ok(ResponseHeader::from(parts))
}
