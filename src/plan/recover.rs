//! What follows a body that was cut after the status went out (row 28).

use crate::object::{ByteRange, Cause};

/// How often the rest of a range is asked for.
pub const MOST_RESUMES: u8 = 3;

/// What to do about a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Ask for these bytes with `If-Match`.
    Ask(ByteRange),
    /// End the client's connection, so that what it has is seen to be short.
    Abort(Cause),
    /// Everything had come already.
    Done,
}

/// The recovery of a transfer of `range` that stands at `position`, after `tries` recoveries before. `wanted` is where the
/// first of those who read it is: what comes before that is there for a block only, and a transfer that is cut is not begun
/// again for it. It might be cut before it comes to the reader, each time.
pub fn recover(range: ByteRange, position: u64, wanted: Option<u64>, tries: u8, cause: Cause) -> Recovery {
    let wanted = wanted.filter(|wanted| *wanted < range.end());
    match range.starting_at(wanted.unwrap_or(position).max(position)) {
        None => Recovery::Done,
        Some(_) if tries >= MOST_RESUMES => Recovery::Abort(cause),
        Some(rest) => Recovery::Ask(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_times_the_rest_then_abort() {
        let range = ByteRange::new(10, 19).unwrap();
        let rest = ByteRange::new(15, 19).unwrap();
        assert_eq!(recover(range, 15, None, 0, Cause::Reset), Recovery::Ask(rest));
        assert_eq!(recover(range, 15, None, 2, Cause::Reset), Recovery::Ask(rest));
        assert_eq!(recover(range, 15, None, 3, Cause::Reset), Recovery::Abort(Cause::Reset));
        assert_eq!(recover(range, 20, None, 3, Cause::Reset), Recovery::Done);
    }

    #[test]
    fn not_for_what_nobody_reads() {
        let range = ByteRange::new(10, 19).unwrap();
        let check = |position, wanted, first| {
            let rest = ByteRange::new(first, 19).unwrap();
            let recovery = recover(range, position, Some(wanted), 0, Cause::Reset);
            assert_eq!(recovery, Recovery::Ask(rest), "{position} {wanted}");
        };
        check(12, 15, 15);
        check(12, 12, 12);
        check(15, 12, 15);
        // Who is at the end already wants nothing of it.
        check(12, 20, 12);
        let aborted = recover(range, 12, Some(15), 3, Cause::Reset);
        assert_eq!(aborted, Recovery::Abort(Cause::Reset));
    }
}
