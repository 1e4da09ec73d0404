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

/// The recovery of a transfer of `range` that stands at `position`, after `tries` recoveries before.
pub fn recover(range: ByteRange, position: u64, tries: u8, cause: Cause) -> Recovery {
    match range.starting_at(position) {
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
        assert_eq!(recover(range, 15, 0, Cause::Reset), Recovery::Ask(rest));
        assert_eq!(recover(range, 15, 2, Cause::Reset), Recovery::Ask(rest));
        assert_eq!(recover(range, 15, 3, Cause::Reset), Recovery::Abort(Cause::Reset));
        assert_eq!(recover(range, 20, 3, Cause::Reset), Recovery::Done);
    }
}
