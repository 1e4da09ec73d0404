//! The Range field (RFC 9110 14.2): one range is a read, several are passed on, nonsense is ignored.

use http::HeaderMap;
use http::header;

use crate::object::{ByteRange, RangeSpec, parse_digits};

/// What a request's Range field amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeField {
    /// Absent, of another unit, of bad syntax, or unreasonable: answered as if absent.
    None,
    /// A single range.
    Single(RangeSpec),
    /// Several ranges, worth a multipart answer of the origin's own making.
    Multi,
}

/// RFC 9110 17.15: many or overlapping ranges are an attack or a mistake.
const MOST_RANGES: usize = 32;
const MOST_OVERLAPPING: usize = 2;
/// OWS (RFC 9110 5.6.3): it may stand around the commas, and nowhere within a range.
const BLANK: [char; 2] = [' ', '\t'];

/// Parses the Range field. Two lines never get here: they are refused at the door.
pub fn range_field(fields: &HeaderMap) -> RangeField {
    let Some(value) = fields.get(header::RANGE) else {
        return RangeField::None;
    };
    let Ok(value) = std::str::from_utf8(value.as_bytes()) else {
        return RangeField::None;
    };
    parse(value.trim_matches(BLANK)).unwrap_or(RangeField::None)
}

fn parse(value: &str) -> Option<RangeField> {
    let (unit, set) = value.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut specs = Vec::new();
    for item in set
        .split(',')
        .map(|item| item.trim_matches(BLANK))
        .filter(|item| !item.is_empty())
    {
        if specs.len() == MOST_RANGES {
            return None;
        }
        specs.push(parse_spec(item)?);
    }
    match specs.as_slice() {
        [] => None,
        [one] => Some(RangeField::Single(*one)),
        many if overlapping(many) > MOST_OVERLAPPING => None,
        _ => Some(RangeField::Multi),
    }
}

/// One range without its unit, such as `0-499`.
pub(super) fn parse_spec(item: &str) -> Option<RangeSpec> {
    let (first, last) = item.split_once('-')?;
    match (first, last) {
        ("", length) => Some(RangeSpec::Suffix(parse_digits(length)?)),
        (first, "") => Some(RangeSpec::From(parse_digits(first)?)),
        // A last position beyond u64 is beyond any object.
        (first, last) => {
            let last = parse_saturating(last)?;
            Some(RangeSpec::Span(ByteRange::new(parse_digits(first)?, last)?))
        }
    }
}

fn parse_saturating(digits: &str) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(u64::MAX).min(u64::MAX - 1))
}

/// How many of the ranges overlap another one.
fn overlapping(specs: &[RangeSpec]) -> usize {
    let others = |i: usize| {
        specs
            .iter()
            .enumerate()
            .filter(move |(j, _)| *j != i)
            .map(|(_, spec)| spec)
    };
    let overlaps = |(i, a): &(usize, &RangeSpec)| others(*i).any(|b| overlap(**a, *b));
    specs.iter().enumerate().filter(overlaps).count()
}

/// Whether two ranges are sure to share a byte. Open ends and suffixes meet at the last byte; where a suffix begins is
/// not known without a length.
fn overlap(a: RangeSpec, b: RangeSpec) -> bool {
    match (a, b) {
        (RangeSpec::Span(a), RangeSpec::Span(b)) => a.intersect(b).is_some(),
        (RangeSpec::Span(span), RangeSpec::From(first)) | (RangeSpec::From(first), RangeSpec::Span(span)) => {
            first <= span.last()
        }
        (RangeSpec::Span(_), RangeSpec::Suffix(_)) | (RangeSpec::Suffix(_), RangeSpec::Span(_)) => false,
        (RangeSpec::From(_) | RangeSpec::Suffix(_), RangeSpec::From(_) | RangeSpec::Suffix(_)) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(value: &str, expected: RangeField) {
        assert_eq!(parse(value).unwrap_or(RangeField::None), expected, "{value}");
    }

    fn span(first: u64, last: u64) -> RangeField {
        RangeField::Single(RangeSpec::Span(ByteRange::new(first, last).unwrap()))
    }

    #[test]
    fn single_ranges() {
        check("bytes=0-9", span(0, 9));
        check("Bytes=5-5", span(5, 5));
        check("bytes= 0-9 ,", span(0, 9));
        check("bytes=7-", RangeField::Single(RangeSpec::From(7)));
        check("bytes=-7", RangeField::Single(RangeSpec::Suffix(7)));
        check("bytes=-0", RangeField::Single(RangeSpec::Suffix(0)));
        check("bytes=0-99999999999999999999", span(0, u64::MAX - 1));
    }

    #[test]
    fn nonsense_is_ignored() {
        for value in [
            "items=0-9",
            "bytes 0-9",
            "bytes=",
            "bytes=9-0",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=-",
            "bytes=1",
            "bytes=--1",
            "bytes=99999999999999999999-",
            "bytes=0-1,x",
            "bytes =0-1",
            "bytes=0 -1",
            "bytes=0- 1",
            "bytes=\u{a0}0-1",
            "bytes=-99999999999999999999",
            "bytes=18446744073709551615-18446744073709551615",
        ] {
            check(value, RangeField::None);
        }
    }

    #[test]
    fn several_ranges_are_bounded_in_number_and_overlap() {
        let many = |n: usize| {
            format!(
                "bytes={}",
                vec!["1-1"; n]
                    .iter()
                    .enumerate()
                    .map(|(i, _)| format!("{0}-{0}", i * 2))
                    .collect::<Vec<_>>()
                    .join(",")
            )
        };
        check("bytes=0-1,4-5", RangeField::Multi);
        check(&many(32), RangeField::Multi);
        check(&many(33), RangeField::None);
        check("bytes=0-5,4-9", RangeField::Multi);
        check("bytes=0-5,4-9,5-6", RangeField::None);
        check("bytes=0-,5-,9-", RangeField::None);
        check("bytes=0-,-1,-2", RangeField::None);
        check("bytes=0-,-1", RangeField::Multi);
        check("bytes=0-1,-1,-2", RangeField::Multi);
        check("bytes=0-9,5-,20-30", RangeField::None);
        check("bytes=0-1 ,\t4-5", RangeField::Multi);
    }

    proptest! {
        #[test]
        fn never_panics(value in ".{0,64}") {
            let _ = parse(&value);
        }
    }
}
