//! What an honest server makes of preconditions and ranges (RFC 9110, sections 13 and 14): pure, shared by the S3 server and
//! the scripted origin, so that both lie only where they are told to.

use http::HeaderMap;
use http::header::{
    self, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

/// What a server knows of the revision that it is about to serve.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validators<'a> {
    /// As it stands in the field: `"a"`, `W/"a"` or, as Artifactory has it, `a`.
    pub(crate) etag: Option<&'a str>,
    pub(crate) modified: Option<SystemTime>,
}

/// What the preconditions say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Proceed,
    /// 304
    NotModified,
    /// 412, and the field that was false.
    Failed(HeaderName),
}

/// Evaluates in the order of 9110 13.2.2, for GET and HEAD. `If-Range` is not among them: it qualifies the range.
pub(crate) fn judge(headers: &HeaderMap, now: Validators<'_>) -> Verdict {
    if headers.contains_key(IF_MATCH) {
        if !lists(headers, IF_MATCH, now.etag, strongly_equal) {
            return Verdict::Failed(IF_MATCH);
        }
    } else if date(headers, IF_UNMODIFIED_SINCE)
        .zip(now.modified)
        .is_some_and(|(date, modified)| later(modified, date))
    {
        return Verdict::Failed(IF_UNMODIFIED_SINCE);
    }
    if headers.contains_key(IF_NONE_MATCH) {
        if lists(headers, IF_NONE_MATCH, now.etag, weakly_equal) {
            return Verdict::NotModified;
        }
    } else if date(headers, IF_MODIFIED_SINCE)
        .zip(now.modified)
        .is_some_and(|(date, modified)| !later(modified, date))
    {
        return Verdict::NotModified;
    }
    Verdict::Proceed
}

/// Whether `If-Range` lets the range stand (9110 13.1.5): a strong tag that is equal, or the very date.
pub(crate) fn if_range(headers: &HeaderMap, now: Validators<'_>) -> bool {
    let Some(value) = headers.get(IF_RANGE) else {
        return true;
    };
    if let Some(asked) = date(headers, IF_RANGE) {
        return now.modified.is_some_and(|modified| seconds(modified) == seconds(asked));
    }
    let asked = value.to_str().ok().and_then(Tag::parse);
    asked
        .zip(now.etag.and_then(Tag::parse))
        .is_some_and(|(asked, current)| strongly_equal(asked, current))
}

/// Which bytes are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    Whole,
    /// Never empty, never beyond the end.
    Part(Range<u64>),
    /// 416
    Unsatisfiable,
}

/// A single byte range; several, other units and bad syntax are ignored, as 9110 14.2 lets a server do and S3 does.
pub(crate) fn span(headers: &HeaderMap, size: u64) -> Span {
    let asked = headers
        .get(RANGE)
        .and_then(|value| value.to_str().ok())
        .and_then(bounds);
    let (start, end) = match asked {
        None => return Span::Whole,
        Some((Some(first), last)) => (first, last.map_or(size, |last| size.min(last.saturating_add(1)))),
        Some((None, last)) => (size.saturating_sub(last.unwrap_or(0)), size),
    };
    if start < end {
        Span::Part(start..end)
    } else {
        Span::Unsatisfiable
    }
}

/// First and last position; a suffix has no first and its length as last.
fn bounds(value: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, set) = value.split_once('=')?;
    let (first, last) = set.trim().split_once('-')?;
    let number = |text: &str| {
        if text.is_empty() {
            Some(None)
        } else {
            digits(text).map(Some)
        }
    };
    let bounds = (number(first)?, number(last)?);
    let sound = match bounds {
        (Some(first), Some(last)) => first <= last,
        (None, None) => false,
        _ => true,
    };
    (unit.trim().eq_ignore_ascii_case("bytes") && sound).then_some(bounds)
}

/// `parse` alone would let a sign through. A number that is too large is beyond every end.
fn digits(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().unwrap_or(u64::MAX))
}

/// An entity tag; an unquoted one is strong and equals its quoted form.
#[derive(Clone, Copy, Debug)]
struct Tag<'a> {
    weak: bool,
    opaque: &'a str,
}

impl<'a> Tag<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim();
        let (weak, rest) = text.strip_prefix("W/").map_or((false, text), |rest| (true, rest));
        let quoted = rest.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let opaque = quoted.or_else(|| (!weak && !rest.is_empty() && !rest.contains('"')).then_some(rest))?;
        Some(Self { weak, opaque })
    }
}

/// 9110 8.8.3.2
fn strongly_equal(a: Tag<'_>, b: Tag<'_>) -> bool {
    !a.weak && !b.weak && a.opaque == b.opaque
}

fn weakly_equal(a: Tag<'_>, b: Tag<'_>) -> bool {
    a.opaque == b.opaque
}

/// Whether a field of tags, on however many lines, is `*` or names the current one.
fn lists(headers: &HeaderMap, name: HeaderName, etag: Option<&str>, equal: fn(Tag<'_>, Tag<'_>) -> bool) -> bool {
    let current = etag.and_then(Tag::parse);
    headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .any(|line| {
            line.trim() == "*"
                || members(line)
                    .filter_map(Tag::parse)
                    .any(|asked| current.is_some_and(|current| equal(asked, current)))
        })
}

/// The members of a list; a comma inside of a quoted tag does not part them.
fn members(line: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    line.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

/// HTTP dates know whole seconds only.
fn later(a: SystemTime, b: SystemTime) -> bool {
    seconds(a) > seconds(b)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The fields that a 304 carries, if the 200 would have had them (9110 15.4.5).
pub(crate) const NOT_MODIFIED_FIELDS: [HeaderName; 7] = [
    header::CACHE_CONTROL,
    header::CONTENT_LOCATION,
    header::DATE,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::VARY,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn map(fields: &[(HeaderName, &str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn ranges() {
        let check =
            |value: &str, size, expected: Span| assert_eq!(span(&map(&[(RANGE, value)]), size), expected, "{value}");
        check("bytes=0-9", 100, Span::Part(0..10));
        check("Bytes=90-", 100, Span::Part(90..100));
        check("bytes=90-1000", 100, Span::Part(90..100));
        check("bytes=-10", 100, Span::Part(90..100));
        check("bytes=-1000", 100, Span::Part(0..100));
        check("bytes=0-99999999999999999999", 100, Span::Part(0..100));
        check("bytes=-0", 100, Span::Unsatisfiable);
        check("bytes=100-", 100, Span::Unsatisfiable);
        check("bytes=0-0", 0, Span::Unsatisfiable);
        check("bytes=-1", 0, Span::Unsatisfiable);
        for ignored in [
            "bytes=5-4",
            "bytes=0-1,3-4",
            "items=0-1",
            "bytes=-",
            "bytes",
            "bytes=+1-2",
            "bytes=a-b",
        ] {
            check(ignored, 100, Span::Whole);
        }
        assert_eq!(span(&HeaderMap::new(), 100), Span::Whole);
    }

    #[test]
    fn preconditions() {
        let modified = UNIX_EPOCH + Duration::from_millis(784_111_777_500);
        let (same, before) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:36 GMT");
        let check = |etag: &str, fields: &[(HeaderName, &str)], expected: Verdict| {
            let now = Validators {
                etag: Some(etag),
                modified: Some(modified),
            };
            assert_eq!(judge(&map(fields), now), expected, "{etag} {fields:?}");
        };
        let failed = || Verdict::Failed(IF_MATCH);
        check("\"a\"", &[(IF_MATCH, "\"a\"")], Verdict::Proceed);
        check("\"a\"", &[(IF_MATCH, "\"b\", \"a\"")], Verdict::Proceed);
        check("\"a,b\"", &[(IF_MATCH, "\"x\", \"a,b\"")], Verdict::Proceed);
        check("a", &[(IF_MATCH, "\"a\"")], Verdict::Proceed);
        check("\"a\"", &[(IF_MATCH, "*")], Verdict::Proceed);
        check("\"a\"", &[(IF_MATCH, "\"b\"")], failed());
        check("W/\"a\"", &[(IF_MATCH, "W/\"a\"")], failed());
        check("\"a\"", &[(IF_NONE_MATCH, "W/\"a\"")], Verdict::NotModified);
        check("\"a\"", &[(IF_NONE_MATCH, "*")], Verdict::NotModified);
        check(
            "\"a\"",
            &[(IF_NONE_MATCH, "\"b\""), (IF_MODIFIED_SINCE, same)],
            Verdict::Proceed,
        );
        check("\"a\"", &[(IF_MODIFIED_SINCE, same)], Verdict::NotModified);
        check("\"a\"", &[(IF_MODIFIED_SINCE, before)], Verdict::Proceed);
        check("\"a\"", &[(IF_UNMODIFIED_SINCE, same)], Verdict::Proceed);
        check(
            "\"a\"",
            &[(IF_UNMODIFIED_SINCE, before)],
            Verdict::Failed(IF_UNMODIFIED_SINCE),
        );
        check(
            "\"a\"",
            &[(IF_UNMODIFIED_SINCE, before), (IF_MATCH, "\"a\"")],
            Verdict::Proceed,
        );
        check("\"a\"", &[(IF_MATCH, "\"b\""), (IF_NONE_MATCH, "\"a\"")], failed());
    }

    #[test]
    fn if_range_is_strong() {
        let check = |etag: &str, value: &str, expected| {
            let now = Validators {
                etag: Some(etag),
                modified: None,
            };
            assert_eq!(if_range(&map(&[(IF_RANGE, value)]), now), expected, "{etag} {value}");
        };
        check("\"a\"", "\"a\"", true);
        check("\"a\"", "\"b\"", false);
        check("W/\"a\"", "W/\"a\"", false);
        check("\"a\"", "Sun, 06 Nov 1994 08:49:37 GMT", false);
    }
}
