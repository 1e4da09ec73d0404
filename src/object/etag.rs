//! Entity tags (RFC 9110 8.8.3), and the strong ones that name a revision.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use http::HeaderValue;

/// An entity tag as an origin or a client wrote it.
///
/// A bare token such as `d41d8cd98f00b204` is accepted as a strong tag: Artifactory sends its tags unquoted, and they
/// are passed in both directions as they came.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ETag {
    /// Equal strong tags promise equal bytes.
    Strong(StrongETag),
    /// Equal weak tags promise nothing about bytes; the opaque part is kept for weak comparison.
    Weak(Arc<[u8]>),
}

/// A strong entity tag. Together with an object it names a [`crate::object::Revision`].
///
/// Comparison and hashing see the opaque part only, so that `"abc"` equals the unquoted `abc`.
#[derive(Clone)]
pub struct StrongETag {
    opaque: Arc<[u8]>,
    quoted: bool,
}

impl ETag {
    /// One whole field value: `"x"`, `W/"x"`, or an unquoted token. `None` for anything else, the empty token included.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (tag, rest) = Self::take(value.trim_ascii())?;
        rest.is_empty().then_some(tag)
    }

    /// A comma-separated list as in If-Match and If-None-Match, without `*`. `None` if any element is malformed.
    pub fn parse_list(value: &[u8]) -> Option<Vec<Self>> {
        let mut tags = Vec::new();
        let mut rest = value.trim_ascii();
        while !rest.is_empty() {
            // RFC 9110 5.6.1: recipients accept empty list elements.
            if let Some(after) = rest.strip_prefix(b",") {
                rest = after.trim_ascii_start();
                continue;
            }
            let (tag, after) = Self::take(rest)?;
            tags.push(tag);
            rest = after.trim_ascii_start();
            if !rest.is_empty() {
                rest = rest.strip_prefix(b",")?.trim_ascii_start();
            }
        }
        Some(tags)
    }

    fn take(value: &[u8]) -> Option<(Self, &[u8])> {
        if let Some(rest) = value.strip_prefix(b"W/\"") {
            let (opaque, rest) = take_opaque(rest)?;
            return Some((Self::Weak(opaque.into()), rest));
        }
        if let Some(rest) = value.strip_prefix(b"\"") {
            let (opaque, rest) = take_opaque(rest)?;
            return Some((
                Self::Strong(StrongETag {
                    opaque: opaque.into(),
                    quoted: true,
                }),
                rest,
            ));
        }
        let end = value.iter().position(|b| !is_token(*b)).unwrap_or(value.len());
        let (token, rest) = value.split_at_checked(end)?;
        let tag = StrongETag {
            opaque: token.into(),
            quoted: false,
        };
        (!token.is_empty() && token != b"*").then_some((Self::Strong(tag), rest))
    }

    /// The tag if it is strong.
    pub fn strong(&self) -> Option<&StrongETag> {
        match self {
            Self::Strong(tag) => Some(tag),
            Self::Weak(_) => None,
        }
    }

    /// Weak comparison (RFC 9110 8.8.3.2): the opaque parts are equal.
    pub fn weakly_equals(&self, other: &StrongETag) -> bool {
        match self {
            Self::Strong(tag) => tag == other,
            Self::Weak(opaque) => opaque == &other.opaque,
        }
    }
}

impl StrongETag {
    /// Parses one strong tag; `None` if the value is weak or malformed.
    pub fn parse(value: &[u8]) -> Option<Self> {
        match ETag::parse(value)? {
            ETag::Strong(tag) => Some(tag),
            ETag::Weak(_) => None,
        }
    }

    /// The characters between the quotes, or the whole of an unquoted tag. Never compare these yourself.
    pub fn opaque(&self) -> &[u8] {
        &self.opaque
    }

    /// The tag as it came: quoted or, from origins that do so, not.
    pub fn as_sent(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.opaque.len() + 2);
        if self.quoted {
            out.push(b'"');
        }
        out.extend_from_slice(&self.opaque);
        if self.quoted {
            out.push(b'"');
        }
        out
    }

    /// The tag as a field value, as it came.
    pub fn to_value(&self) -> HeaderValue {
        // The grammar of `take_opaque` and `is_token` is within that of field values.
        HeaderValue::from_bytes(&self.as_sent()).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
    }

    /// S3 marks the tag of a multipart object with `-<number of parts>`.
    pub fn looks_multipart(&self) -> bool {
        self.opaque.contains(&b'-')
    }
}

impl PartialEq for StrongETag {
    fn eq(&self, other: &Self) -> bool {
        self.opaque == other.opaque
    }
}

impl Eq for StrongETag {}

impl Hash for StrongETag {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.opaque.hash(state);
    }
}

impl fmt::Debug for StrongETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.as_sent()))
    }
}

/// `etagc` up to the closing quote: any visible character but the quote, and obs-text.
fn take_opaque(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = value.iter().position(|b| !matches!(b, 0x21 | 0x23..=0x7e | 0x80..))?;
    let (opaque, rest) = value.split_at_checked(end)?;
    Some((opaque, rest.strip_prefix(b"\"")?))
}

/// `tchar` (RFC 9110 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: Option<(&str, bool)>) {
        let parsed = ETag::parse(value.as_bytes());
        let seen = parsed.as_ref().map(|tag| match tag {
            ETag::Strong(tag) => (String::from_utf8_lossy(&tag.opaque).into_owned(), true),
            ETag::Weak(opaque) => (String::from_utf8_lossy(opaque).into_owned(), false),
        });
        assert_eq!(
            seen,
            expected.map(|(opaque, strong)| (opaque.to_owned(), strong)),
            "{value}"
        );
    }

    #[test]
    fn parses_what_origins_send() {
        check("\"abc\"", Some(("abc", true)));
        check("\"\"", Some(("", true)));
        check(" W/\"abc\" ", Some(("abc", false)));
        check("abc", Some(("abc", true)));
        check("\"a,b\"", Some(("a,b", true)));
        check("", None);
        check("*", None);
        check("\"abc", None);
        check("\"a b\"", None);
        check("\"a\"b", None);
        check("w/\"abc\"", None);
        check("a b", None);
    }

    #[test]
    fn lists_hold_commas_inside_of_tags_and_empty_elements() {
        let list = |value: &str| ETag::parse_list(value.as_bytes()).map(|tags| tags.len());
        assert_eq!(list("\"a,b\", \"c\""), Some(2));
        assert_eq!(list(" , \"a\",, W/\"b\" ,"), Some(2));
        assert_eq!(list("\"a\" \"b\""), None);
        assert_eq!(list("*"), None);
        assert_eq!(list(""), Some(0));
    }

    #[test]
    fn an_unquoted_tag_equals_its_quoted_form_and_keeps_its_shape() {
        let (bare, quoted) = (
            StrongETag::parse(b"abc").unwrap(),
            StrongETag::parse(b"\"abc\"").unwrap(),
        );
        assert_eq!(bare, quoted);
        assert_eq!(bare.as_sent(), b"abc");
        assert_eq!(quoted.as_sent(), b"\"abc\"");
    }

    #[test]
    fn weak_comparison_ignores_weakness() {
        let strong = StrongETag::parse(b"\"a\"").unwrap();
        assert!(ETag::parse(b"W/\"a\"").unwrap().weakly_equals(&strong));
        assert!(!ETag::parse(b"W/\"b\"").unwrap().weakly_equals(&strong));
    }
}
