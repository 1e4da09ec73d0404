//! The head of a chunk of a parallel download. A client sends it again and again, with other numbers in Range alone.
//!
//! Owns: knowing such a head again by its bytes.
//! Never: judges a head. What it knows again is one that [`strict`](super::strict::strict) passed: between the same
//! bytes, digits for digits.

use super::ranges::parse_spec;
use crate::object::{ByteRange, RangeSpec};

/// A head that passed, without the numbers of its Range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkHead {
    before: Box<[u8]>,
    after: Box<[u8]>,
}

impl ChunkHead {
    /// The head without its numbers, and these. `range` is the value of Range, a part of `head`; `None` if it is
    /// anything but `bytes=first-last`.
    pub fn new(head: &[u8], range: &[u8]) -> Option<(Self, ByteRange)> {
        let numbers = range.strip_prefix(b"bytes=")?;
        let at = numbers.as_ptr().addr().checked_sub(head.as_ptr().addr())?;
        let (before, rest) = head.split_at_checked(at)?;
        let after = rest.strip_prefix(numbers)?;
        let form = Self {
            before: before.into(),
            after: after.into(),
        };
        Some((form, span(numbers)?))
    }

    /// The range that a head asks for, if it is this one with those numbers.
    pub fn range(&self, head: &[u8]) -> Option<ByteRange> {
        span(head.strip_prefix(&*self.before)?.strip_suffix(&*self.after)?)
    }
}

fn span(numbers: &[u8]) -> Option<ByteRange> {
    match parse_spec(std::str::from_utf8(numbers).ok()?)? {
        RangeSpec::Span(range) => Some(range),
        RangeSpec::From(_) | RangeSpec::Suffix(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::strict;
    use proptest::prelude::*;

    const HEAD: &str =
        "GET /a?range=bytes=0-1 HTTP/1.1\r\nHost: h\r\nIf-Match: \"0-1\"\r\nRange: bytes=0-1\r\nX: y\r\n\r\n";

    fn form() -> ChunkHead {
        let strict = strict(HEAD.as_bytes()).unwrap();
        let (form, range) = ChunkHead::new(HEAD.as_bytes(), strict.chunk.unwrap()).unwrap();
        assert_eq!(Some(range), ByteRange::new(0, 1));
        form
    }

    fn with(numbers: &str) -> String {
        HEAD.replace("Range: bytes=0-1", &format!("Range: bytes={numbers}"))
    }

    #[test]
    fn other_numbers_are_another_chunk() {
        let range = |numbers| form().range(with(numbers).as_bytes());
        assert_eq!(range("0-1"), ByteRange::new(0, 1));
        assert_eq!(range("8388608-16777215"), ByteRange::new(8_388_608, 16_777_215));
        for none in [
            "",
            "-",
            "0-",
            "-1",
            "1-0",
            "0-1,3-4",
            "0-1 ",
            " 0-1",
            "+0-1",
            "0-1\r\nX: z",
            "0-x",
        ] {
            assert_eq!(range(none), None, "{none:?}");
        }
    }

    #[test]
    fn anything_else_is_another_head() {
        for (from, to) in [
            ("GET", "PUT"),
            ("/a", "/b"),
            ("0-1\"", "0-2\""),
            ("bytes=0-1 ", "bytes=0-2 "),
            ("X: y", "X: z"),
            ("X: y\r\n", ""),
            ("Range: bytes", "Range: Bytes"),
        ] {
            assert_eq!(form().range(HEAD.replace(from, to).as_bytes()), None, "{from}");
        }
        assert_eq!(form().range(&HEAD.as_bytes()[..HEAD.len() - 1]), None);
        assert_eq!(form().range(b""), None);
    }

    #[test]
    fn only_spans_have_numbers() {
        for value in [
            "bytes=0-",
            "bytes=-1",
            "bytes=1-0",
            "bytes=0-1,3-4",
            "Bytes=0-1",
            "lines=0-1",
        ] {
            let head = HEAD.replace("Range: bytes=0-1", &format!("Range: {value}"));
            let strict = strict(head.as_bytes()).unwrap();
            assert_eq!(ChunkHead::new(head.as_bytes(), strict.chunk.unwrap()), None, "{value}");
        }
        assert_eq!(ChunkHead::new(HEAD.as_bytes(), b"bytes=0-1"), None, "not a part of it");
    }

    proptest! {
        /// What is known again would have passed, and as the same but for the range.
        #[test]
        fn what_is_known_again_passes(
            at in 0..HEAD.len(),
            gone in 0_usize..3,
            new in "[0-9a-zA-Z:\\-, \r\n\"=]{0,3}",
        ) {
            let mut head = HEAD.as_bytes().to_vec();
            head.splice(at..(at + gone).min(HEAD.len()), new.bytes());
            if let Some(range) = form().range(&head) {
                let (same, other) = (strict(HEAD.as_bytes()).unwrap(), strict(&head).unwrap());
                let value = std::str::from_utf8(other.chunk.unwrap()).unwrap().to_owned();
                prop_assert_eq!(parse_spec(&value["bytes=".len()..]), Some(RangeSpec::Span(range)));
                prop_assert_eq!(crate::request::StrictHead { chunk: same.chunk, ..other }, same);
            }
        }
    }
}
