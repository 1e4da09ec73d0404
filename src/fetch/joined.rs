//! Pieces of a body that are so small that each of them would cost more than its bytes.
//!
//! Never: waits for a piece to be joined, or keeps one back.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;

use crate::object::Cut;
use crate::tier::upstream::Body;

/// Pieces that are smaller are joined with what is there at once.
const SMALL: usize = 4 << 10;
/// No larger than that.
const MOST: usize = 16 << 10;

/// The same bytes, in pieces that are worth their while as far as they come together: some servers send each line, or each
/// byte, as a chunk of its own.
pub(super) fn joined(body: Body) -> Body {
    Box::pin(Joined { body, next: None })
}

struct Joined {
    body: Body,
    /// What came after a piece, and was not joined.
    next: Option<Option<Result<Bytes, Cut>>>,
}

impl Joined {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        match self.next.take() {
            Some(next) => Poll::Ready(next),
            None => self.body.as_mut().poll_next(cx),
        }
    }
}

impl Stream for Joined {
    type Item = Result<Bytes, Cut>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let first = match ready!(this.poll_piece(cx)) {
            Some(Ok(first)) if first.len() < SMALL => first,
            other => return Poll::Ready(other),
        };
        let mut second = match this.body.as_mut().poll_next(cx) {
            Poll::Pending => return Poll::Ready(Some(Ok(first))),
            Poll::Ready(second) => second,
        };
        let mut joined = BytesMut::from(&*first);
        loop {
            match second {
                Some(Ok(piece)) if joined.len() + piece.len() <= MOST => joined.extend_from_slice(&piece),
                other => {
                    this.next = Some(other);
                    break;
                }
            }
            if joined.len() >= SMALL {
                break;
            }
            match this.body.as_mut().poll_next(cx) {
                Poll::Pending => break,
                Poll::Ready(next) => second = next,
            }
        }
        Poll::Ready(Some(Ok(joined.freeze())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Cause;
    use futures_util::{FutureExt, StreamExt, stream};

    /// The lengths of pieces, and whether the end is a cut.
    fn pieces(lengths: &[usize], cut: bool) -> (Vec<usize>, bool) {
        let content: Vec<u8> = (0..=255).cycle().take(lengths.iter().sum()).collect();
        let mut rest = Bytes::from(content.clone());
        let pieces: Vec<_> = lengths.iter().map(|length| Ok(rest.split_to(*length))).collect();
        let end = cut.then(|| Err(Cut(Cause::Reset)));
        let body: Body = Box::pin(stream::iter(pieces.into_iter().chain(end)));
        let seen: Vec<_> = joined(body).collect().now_or_never().unwrap();
        let cut = seen.last().is_some_and(Result::is_err);
        let seen: Vec<Bytes> = seen.into_iter().filter_map(Result::ok).collect();
        assert_eq!(seen.concat(), content);
        (seen.iter().map(Bytes::len).collect(), cut)
    }

    #[test]
    fn small_pieces_are_joined_and_others_left_alone() {
        for cut in [false, true] {
            let check = |lengths: &[usize], expected: &[usize]| {
                assert_eq!(pieces(lengths, cut), (expected.to_vec(), cut), "{lengths:?}");
            };
            check(&[], &[]);
            check(&[1], &[1]);
            check(&[1; 10_000], &[4096, 4096, 1808]);
            check(&[5000, 60_000], &[5000, 60_000]);
            check(&[5, 60_000, 5, 7], &[5, 60_000, 12]);
            check(&[4000, 4000, 4000], &[8000, 4000]);
            check(&[0, 3], &[3]);
        }
    }

    #[test]
    fn what_is_there_does_not_wait_for_more() {
        let slow = stream::iter([Ok(Bytes::from_static(b"a")), Ok(Bytes::from_static(b"b"))]).chain(stream::pending());
        let mut body = joined(Box::pin(slow));
        assert_eq!(body.next().now_or_never().unwrap().unwrap().unwrap(), "ab");
        assert!(body.next().now_or_never().is_none());
    }
}
