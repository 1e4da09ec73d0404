//! What every upstream does: answer one question. The contract suite next to this file is passed by all of them.

use std::fmt;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use crate::object::{Cut, Heard, Question};

/// The bytes of an answer, in order. It ends after a proven end (Content-Length, last chunk) and with a [`Cut`]
/// otherwise; after a `Cut` nothing follows. Dropping it ends the transfer. No chunk is empty.
///
/// The body of a [`Heard::Partial`] has the length of its range, however it was framed. One body ends without a proof:
/// that of a [`Heard::Found`] without a length may be delimited by the end of its connection (RFC 9112 6.3, 8), which
/// is why nothing of it may be stored as complete.
pub type Body = BoxStream<'static, Result<Bytes, Cut>>;

/// What an upstream said, and the body that came with it.
pub struct Answer {
    /// The head, or the failure.
    pub heard: Heard,
    /// Empty for HEAD and 304, for failures without an answer, and for lies, whatever came with them.
    pub body: Body,
}

/// A server that holds objects: S3, HTTP, another Pinstripe.
///
/// There is no `Result`: whatever goes wrong is a variant of [`Heard`]. Every wait within is bounded, redirects are not
/// followed, and nothing is put again to a server that may have heard it; retries and fallbacks are decisions.
///
/// A question that cannot be put, such as a path that is no key in S3, is answered with [`Heard::Other`], 400. A HEAD asks
/// for the whole or for a part: no range goes with it. S3 has no If-Range, and is asked with If-Match: its 412 to
/// [`crate::object::Condition::OrWhole`] stands for the whole.
pub trait Upstream: Send + Sync + fmt::Debug {
    /// Asks one question. Resolves when the head of the final answer is there.
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Answer>;
}

impl Answer {
    /// An answer without a body.
    pub fn bare(heard: Heard) -> Self {
        Self {
            heard,
            body: Box::pin(futures_util::stream::empty()),
        }
    }

    /// The same answer, which tells of all bytes that come.
    #[must_use]
    pub(super) fn noting(self, note: impl Fn() + Send + 'static) -> Self {
        let told = self.body.inspect(move |chunk| {
            if chunk.is_ok() {
                note();
            }
        });
        Self {
            body: Box::pin(told),
            ..self
        }
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("heard", &self.heard)
            .finish_non_exhaustive()
    }
}
