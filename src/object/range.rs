//! Byte ranges (RFC 9110 14): what is asked, what is meant once the length is known, what an answer claims to hold.

use std::fmt;

/// The length of a representation in bytes; zero is a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectSize(u64);

/// A range of bytes that holds at least one, by first and last position, both inclusive.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ByteRange {
    first: u64,
    last: u64,
}

/// A single range as a client or Pinstripe asks for it, before the length is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RangeSpec {
    /// `bytes=first-last`
    Span(ByteRange),
    /// `bytes=first-`
    From(u64),
    /// `bytes=-length`; zero is never satisfiable.
    Suffix(u64),
}

/// The value of a Content-Range field in unit `bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentRange {
    /// `bytes first-last/total`, the total being unknown for `*`.
    Held {
        /// The bytes in the body.
        range: ByteRange,
        /// The length of the whole representation.
        total: Option<ObjectSize>,
    },
    /// `bytes */total`, of a 416.
    Unsatisfied {
        /// The length of the whole representation.
        total: ObjectSize,
    },
}

impl ObjectSize {
    /// A length in bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The length in bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// All bytes; `None` of an empty representation, which has no range.
    pub fn whole(self) -> Option<ByteRange> {
        ByteRange::new(0, self.0.checked_sub(1)?)
    }
}

impl ByteRange {
    /// The first byte.
    pub const FIRST: Self = Self { first: 0, last: 0 };

    /// From `first` to `last` inclusive; `None` if that is empty.
    pub const fn new(first: u64, last: u64) -> Option<Self> {
        if first <= last && last < u64::MAX {
            Some(Self { first, last })
        } else {
            None
        }
    }

    /// `length` bytes from `first`; `None` if that is empty or beyond what a u64 can address.
    pub fn at(first: u64, length: u64) -> Option<Self> {
        Self::new(first, first.checked_add(length.checked_sub(1)?)?)
    }

    /// The position of the first byte.
    pub const fn first(self) -> u64 {
        self.first
    }

    /// The position of the last byte.
    pub const fn last(self) -> u64 {
        self.last
    }

    /// The position after the last byte; it cannot overflow, since `last < u64::MAX`.
    pub const fn end(self) -> u64 {
        self.last + 1
    }

    /// How many bytes; at least one.
    #[expect(clippy::len_without_is_empty, reason = "a ByteRange is never empty")]
    pub const fn len(self) -> u64 {
        self.last - self.first + 1
    }

    /// Whether every byte of `other` is within.
    pub const fn covers(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    /// The bytes in both.
    pub fn intersect(self, other: Self) -> Option<Self> {
        Self::new(self.first.max(other.first), self.last.min(other.last))
    }

    /// What is left from `position` on; `None` if nothing is.
    pub fn starting_at(self, position: u64) -> Option<Self> {
        Self::new(self.first.max(position), self.last)
    }
}

impl RangeSpec {
    /// The bytes that are meant in a representation of that size; `None` if unsatisfiable (RFC 9110 14.1.2).
    pub fn resolve(self, size: ObjectSize) -> Option<ByteRange> {
        let whole = size.whole()?;
        match self {
            Self::Span(range) => range.intersect(whole),
            Self::From(first) => whole.starting_at(first),
            Self::Suffix(0) => None,
            Self::Suffix(length) => whole.starting_at(size.bytes().saturating_sub(length)),
        }
    }
}

impl ContentRange {
    /// Parses a field value. `None` for another unit, or if the numbers contradict each other.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let value = std::str::from_utf8(value).ok()?.trim();
        let (unit, rest) = value.split_once(' ')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (range, total) = rest.trim_start().split_once('/')?;
        let total = if total == "*" {
            None
        } else {
            Some(ObjectSize::new(parse_digits(total)?))
        };
        if range == "*" {
            return Some(Self::Unsatisfied { total: total? });
        }
        let (first, last) = range.split_once('-')?;
        let range = ByteRange::new(parse_digits(first)?, parse_digits(last)?)?;
        let fits = total.is_none_or(|total| range.last < total.bytes());
        fits.then_some(Self::Held { range, total })
    }
}

/// Decimal digits only: `u64::from_str` alone would take a sign.
pub(crate) fn parse_digits(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

impl fmt::Debug for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl fmt::Display for RangeSpec {
    /// The value of a Range field.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Span(range) => write!(f, "bytes={}-{}", range.first, range.last),
            Self::From(first) => write!(f, "bytes={first}-"),
            Self::Suffix(length) => write!(f, "bytes=-{length}"),
        }
    }
}

impl fmt::Display for ContentRange {
    /// The value of a Content-Range field. With every 206, hence without the machinery of formats.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut number = itoa::Buffer::new();
        let total = match self {
            Self::Held { range, total } => {
                f.write_str("bytes ")?;
                f.write_str(number.format(range.first))?;
                f.write_str("-")?;
                f.write_str(number.format(range.last))?;
                *total
            }
            Self::Unsatisfied { total } => {
                f.write_str("bytes *")?;
                Some(*total)
            }
        };
        f.write_str("/")?;
        f.write_str(total.map_or("*", |total| number.format(total.bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_against_a_length() {
        let check = |spec: RangeSpec, size: u64, expected: Option<(u64, u64)>| {
            let resolved = spec
                .resolve(ObjectSize::new(size))
                .map(|range| (range.first(), range.last()));
            assert_eq!(resolved, expected, "{spec} of {size}");
        };
        let span = |first, last| RangeSpec::Span(ByteRange::new(first, last).unwrap());
        check(span(0, 9), 100, Some((0, 9)));
        check(span(90, 200), 100, Some((90, 99)));
        check(span(100, 200), 100, None);
        check(RangeSpec::From(99), 100, Some((99, 99)));
        check(RangeSpec::From(100), 100, None);
        check(RangeSpec::Suffix(10), 100, Some((90, 99)));
        check(RangeSpec::Suffix(1000), 100, Some((0, 99)));
        check(RangeSpec::Suffix(0), 100, None);
        check(RangeSpec::Suffix(1), 0, None);
        check(RangeSpec::From(0), 0, None);
    }

    #[test]
    fn parses_content_range() {
        let check = |value: &str, expected: Option<&str>| {
            let seen = ContentRange::parse(value.as_bytes()).map(|range| range.to_string());
            assert_eq!(seen.as_deref(), expected, "{value}");
        };
        check("bytes 0-9/100", Some("bytes 0-9/100"));
        check("Bytes 0-9/*", Some("bytes 0-9/*"));
        check("bytes */100", Some("bytes */100"));
        check("bytes */*", None);
        check("bytes 9-0/100", None);
        check("bytes 0-100/100", None);
        check("items 0-9/100", None);
        check("bytes=0-9/100", None);
        check("bytes +0-9/100", None);
        check("bytes 0-18446744073709551615/*", None);
        check("bytes 0-99999999999999999999/*", None);
    }
}
