//! The body of an answer that is handed on, cut to the bytes that the client asked for.

use std::fmt;

use bytes::Bytes;
use futures_util::StreamExt;

use super::reply::Abort;
use crate::metrics::Source;
use crate::object::Cause;
use crate::plan::Cut;
use crate::tier::upstream::Body;

/// Bytes of one answer.
pub struct RelayedBody {
    body: Body,
    /// Bytes to drop before the first that is sent.
    skip: u64,
    /// Bytes still to be sent; `None` if all that comes is.
    left: Option<u64>,
}

impl RelayedBody {
    /// All of a body, or a cut of it. `length` is what the answer said of its own length.
    pub(super) fn new(body: Body, cut: Option<Cut>, length: Option<u64>) -> Self {
        let skip = cut.map_or(0, |cut| cut.sent.first().saturating_sub(cut.held.first()));
        Self {
            body,
            skip,
            left: cut.map(|cut| cut.sent.len()).or(length),
        }
    }

    pub(super) async fn chunk(&mut self) -> Option<Result<(Bytes, Source), Abort>> {
        loop {
            if self.left == Some(0) {
                return None;
            }
            let bytes = match self.body.next().await {
                Some(Ok(bytes)) => self.cut(bytes),
                Some(Err(cut)) => return Some(Err(Abort(cut.0))),
                // There is no tag that the rest could be asked for with (row 28).
                None if self.left.is_some() => return Some(Err(Abort(Cause::Reset))),
                None => return None,
            };
            if !bytes.is_empty() {
                return Some(Ok((bytes, Source::Upstream)));
            }
        }
    }

    fn cut(&mut self, mut bytes: Bytes) -> Bytes {
        let drop = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
        let mut rest = bytes.split_off(drop);
        self.skip = self.skip.saturating_sub(u64::try_from(drop).unwrap_or(u64::MAX));
        if let Some(left) = &mut self.left {
            rest.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left = left.saturating_sub(u64::try_from(rest.len()).unwrap_or(u64::MAX));
        }
        rest
    }
}

impl fmt::Debug for RelayedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayedBody")
            .field("skip", &self.skip)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
