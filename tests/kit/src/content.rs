//! What an object consists of: bytes that are held, or a pattern that is made while it is sent.

use crate::pattern::Pattern;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::SystemTime;

/// The content of one revision.
#[derive(Clone, Debug)]
pub enum Content {
    Bytes(Bytes),
    /// Generated while it is sent: 4 GiB take no memory.
    Pattern {
        pattern: Pattern,
        size: u64,
    },
}

impl Content {
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Self::Pattern { size, .. } => *size,
        }
    }

    /// A piece of it; empty where it lies outside.
    #[must_use]
    pub fn slice(&self, range: Range<u64>) -> Bytes {
        let end = range.end.min(self.size());
        let start = range.start.min(end);
        match self {
            Self::Bytes(bytes) => {
                let at = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
                bytes.slice(at(start)..at(end))
            }
            Self::Pattern { pattern, .. } => pattern.bytes(start..end),
        }
    }
}

/// Small enough to be cheap, large enough to be fast.
pub(crate) const PIECE: u64 = 128 << 10;

/// A range of a content as the body of an answer.
#[derive(Debug)]
pub(crate) struct ContentBody {
    content: Content,
    left: Range<u64>,
}

impl ContentBody {
    pub(crate) fn new(content: Content, range: Range<u64>) -> Self {
        Self { content, left: range }
    }
}

impl Body for ContentBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let piece = self.left.start..self.left.end.min(self.left.start + PIECE);
        self.left.start = piece.end;
        Poll::Ready(Some(Ok(Frame::data(self.content.slice(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.end.saturating_sub(self.left.start))
    }
}

/// Date and Last-Modified are dates, so the kit asks the wall clock; nothing is measured by it.
#[expect(
    clippy::disallowed_methods,
    reason = "a server's Date is a date, and the kit has no clock of its own"
)]
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}
