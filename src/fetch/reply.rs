//! What the edge gets: a head that is final, and a body that comes chunk by chunk.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::body::RevisionBody;
use super::relayed::RelayedBody;
use crate::metrics::Source;
use crate::object::Cause;
use crate::plan::{Detail, Trace};

/// An answer to a read.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// All fields, Content-Length included where the length is known.
    pub fields: HeaderMap,
    /// The body; empty for a HEAD.
    pub body: Body,
    /// For logs and metrics.
    pub account: Account,
}

/// How an answer came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// The class of the request.
    pub class: &'static str,
    /// Why this answer.
    pub detail: Detail,
    /// What happened on the way.
    pub trace: Trace,
}

/// The body of an answer.
#[derive(Debug)]
pub enum Body {
    /// None.
    Empty,
    /// Bytes that are here already.
    Bytes(Bytes, Source),
    /// Bytes of a revision.
    Revision(Box<RevisionBody>),
    /// Bytes of an answer that is handed on.
    Relayed(RelayedBody),
}

/// The body cannot be completed: the client's connection must be aborted, so that the client sees that it is short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the body could not be completed: {}", .0.label())]
pub struct Abort(pub Cause);

impl Body {
    /// The next bytes and where they are from; `None` after the last.
    pub async fn chunk(&mut self) -> Option<Result<(Bytes, Source), Abort>> {
        match self {
            Self::Empty => None,
            Self::Bytes(bytes, _) if bytes.is_empty() => None,
            Self::Bytes(bytes, source) => Some(Ok((std::mem::take(bytes), *source))),
            Self::Revision(body) => body.chunk().await,
            Self::Relayed(body) => body.chunk().await,
        }
    }
}
