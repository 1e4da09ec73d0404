//! Preconditions (RFC 9110 13), evaluated against the revision that is about to be served.

use std::time::SystemTime;

use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue};

use crate::object::{ETag, Head, StrongETag};

/// The precondition that may turn a 200 or 206 into a 304.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Unless {
    /// None was sent.
    #[default]
    Never,
    /// If-None-Match.
    NoneMatch(NoneMatch),
    /// If-Modified-Since, which counts only without If-None-Match.
    ModifiedSince(SystemTime),
}

/// The value of If-None-Match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoneMatch {
    /// `*`: true of whatever exists.
    Any,
    /// A list of tags, compared weakly.
    Tags(Vec<ETag>),
}

/// The value of If-Match, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// Absent, or `*`, which is true of whatever exists.
    Open,
    /// The strong tags of the list.
    Strong(Vec<StrongETag>),
    /// Only weak tags: never true here (13.1.1 compares strongly), the authority may see it otherwise.
    OnlyWeak,
    /// Not a list of tags.
    Malformed,
}

/// The value of If-Range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfRange {
    /// Absent.
    Absent,
    /// A strong tag.
    Strong(StrongETag),
    /// A weak tag, which never matches (13.1.5).
    Weak,
    /// An HTTP date, or what nobody but the origin understands.
    Date,
}

impl Unless {
    /// If-None-Match, or else If-Modified-Since. Malformed values count as absent.
    pub fn of(fields: &HeaderMap) -> Self {
        if let Some(value) = joined(fields, &header::IF_NONE_MATCH) {
            if value.trim_ascii() == b"*" {
                return Self::NoneMatch(NoneMatch::Any);
            }
            return ETag::parse_list(&value).map_or(Self::Never, |tags| Self::NoneMatch(NoneMatch::Tags(tags)));
        }
        let since = only(fields, &header::IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok());
        since
            .and_then(|value| httpdate::parse_http_date(value.trim()).ok())
            .map_or(Self::Never, Self::ModifiedSince)
    }

    /// Whether a representation with that tag and date is one that the client has (answer: 304).
    pub fn holds(&self, tag: Option<&ETag>, last_modified: Option<SystemTime>) -> bool {
        match self {
            Self::Never => false,
            Self::NoneMatch(NoneMatch::Any) => true,
            Self::NoneMatch(NoneMatch::Tags(tags)) => {
                tag.is_some_and(|tag| tags.iter().any(|listed| weakly_equal(listed, tag)))
            }
            Self::ModifiedSince(since) => last_modified.is_some_and(|modified| modified <= *since),
        }
    }

    /// [`Unless::holds`] of a stored revision.
    pub fn holds_for(&self, head: &Head) -> bool {
        *self != Self::Never && self.holds(Some(&ETag::Strong(head.tag().clone())), head.last_modified())
    }
}

/// More tags than that are no list that a client means.
const MOST_TAGS: usize = 100;

impl Match {
    /// All If-Match lines, joined.
    pub fn of(fields: &HeaderMap) -> Self {
        let Some(value) = joined(fields, &header::IF_MATCH) else {
            return Self::Open;
        };
        if value.trim_ascii() == b"*" {
            return Self::Open;
        }
        let Some(tags) = ETag::parse_list(&value) else {
            return Self::Malformed;
        };
        // Every tag may become a question, and is compared with every other.
        if tags.len() > MOST_TAGS {
            return Self::Malformed;
        }
        let mut strong: Vec<StrongETag> = Vec::new();
        for tag in tags.iter().filter_map(ETag::strong) {
            if !strong.contains(tag) {
                strong.push(tag.clone());
            }
        }
        match (tags.is_empty(), strong.is_empty()) {
            (true, _) => Self::Malformed,
            (false, true) => Self::OnlyWeak,
            (false, false) => Self::Strong(strong),
        }
    }
}

impl IfRange {
    /// The If-Range field.
    pub fn of(fields: &HeaderMap) -> Self {
        if !fields.contains_key(header::IF_RANGE) {
            return Self::Absent;
        }
        match only(fields, &header::IF_RANGE).and_then(|value| ETag::parse(value.as_bytes())) {
            Some(ETag::Strong(tag)) => Self::Strong(tag),
            Some(ETag::Weak(_)) => Self::Weak,
            None => Self::Date,
        }
    }
}

fn weakly_equal(a: &ETag, b: &ETag) -> bool {
    match (a, b) {
        (a, ETag::Strong(b)) => a.weakly_equals(b),
        (ETag::Strong(a), b) => b.weakly_equals(a),
        (ETag::Weak(a), ETag::Weak(b)) => a == b,
    }
}

/// The value of a field that has one line; these are no lists, and two lines are no value (RFC 9110 13.1.3).
fn only<'a>(fields: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut lines = fields.get_all(name).into_iter();
    lines.next().filter(|_| lines.next().is_none())
}

fn joined(fields: &HeaderMap, name: &HeaderName) -> Option<Vec<u8>> {
    let lines: Vec<&[u8]> = fields.get_all(name).into_iter().map(|value| value.as_bytes()).collect();
    (!lines.is_empty()).then(|| lines.join(&b","[..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        map
    }

    fn tags(list: &[&str]) -> Vec<StrongETag> {
        list.iter()
            .map(|tag| StrongETag::parse(tag.as_bytes()).unwrap())
            .collect()
    }

    #[test]
    fn if_match() {
        let check = |lines: &[&str], expected: Match| {
            let lines: Vec<_> = lines.iter().map(|value| (header::IF_MATCH, *value)).collect();
            assert_eq!(Match::of(&fields(&lines)), expected, "{lines:?}");
        };
        check(&[], Match::Open);
        check(&["*"], Match::Open);
        check(&["\"a\""], Match::Strong(tags(&["\"a\""])));
        check(&["\"a\"", "W/\"b\", c, \"a\""], Match::Strong(tags(&["\"a\"", "c"])));
        check(&["W/\"a\""], Match::OnlyWeak);
        check(&["\"a"], Match::Malformed);
        check(&[""], Match::Malformed);
    }

    #[test]
    fn if_none_match_goes_before_if_modified_since() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let at = httpdate::parse_http_date(date).unwrap();
        let both = Unless::of(&fields(&[
            (header::IF_NONE_MATCH, "\"a\""),
            (header::IF_MODIFIED_SINCE, date),
        ]));
        let a = ETag::parse(b"W/\"a\"").unwrap();
        let b = ETag::parse(b"\"b\"").unwrap();
        assert!(both.holds(Some(&a), None));
        assert!(!both.holds(Some(&b), Some(at)));
        let since = Unless::of(&fields(&[(header::IF_MODIFIED_SINCE, date)]));
        assert!(since.holds(Some(&b), Some(at)));
        assert!(!since.holds(Some(&b), None));
        assert!(Unless::of(&fields(&[(header::IF_NONE_MATCH, "*")])).holds(None, None));
        assert_eq!(
            Unless::of(&fields(&[(header::IF_MODIFIED_SINCE, "yesterday")])),
            Unless::Never
        );
        let twice = [(header::IF_MODIFIED_SINCE, date), (header::IF_MODIFIED_SINCE, date)];
        assert_eq!(Unless::of(&fields(&twice)), Unless::Never);
    }

    #[test]
    fn if_none_match_compares_weakly() {
        let check = |value: &str, tag: &str, expected: bool| {
            let unless = Unless::of(&fields(&[(header::IF_NONE_MATCH, value)]));
            assert_eq!(
                unless.holds(ETag::parse(tag.as_bytes()).as_ref(), None),
                expected,
                "{value} {tag}"
            );
        };
        check("\"a\"", "\"a\"", true);
        check("W/\"a\"", "\"a\"", true);
        check("\"a\"", "W/\"a\"", true);
        check("W/\"a\"", "W/\"a\"", true);
        check("\"b\", a", "\"a\"", true);
        check("\"b\"", "\"a\"", false);
        check("", "\"a\"", false);
        check("\"a", "\"a\"", false);
        check("*, \"a\"", "\"a\"", false);
    }

    #[test]
    fn if_range() {
        let check = |value: &str, expected: IfRange| {
            assert_eq!(IfRange::of(&fields(&[(header::IF_RANGE, value)])), expected, "{value}");
        };
        check("\"a\"", IfRange::Strong(tags(&["\"a\""]).remove(0)));
        check("a", IfRange::Strong(tags(&["a"]).remove(0)));
        check("W/\"a\"", IfRange::Weak);
        check("Sun, 06 Nov 1994 08:49:37 GMT", IfRange::Date);
        let twice = [(header::IF_RANGE, "\"a\""), (header::IF_RANGE, "\"a\"")];
        assert_eq!(IfRange::of(&fields(&twice)), IfRange::Date);
    }
}
