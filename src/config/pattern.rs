//! What routes match: hosts and path prefixes.
//!
//! Owns the two patterns and their matching. Never picks a route: that is `request`.

use std::fmt;
use std::net::Ipv6Addr;
use std::sync::Arc;

use schemars::{Schema, json_schema};

use super::value::{Leaf, leaves, or_variable};

leaves!(HostPattern, PathPrefix);

/// A host, or all hosts under a domain (`*.example.com`: one label or more in front), or `*`: any host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPattern {
    /// Lower case, without `*`: what the host is, or ends with.
    rest: Arc<str>,
    wild: bool,
}

impl HostPattern {
    /// Whether a host, without its port, is meant. Case and the dot of a fully qualified name make no difference.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        if !self.wild {
            return host.eq_ignore_ascii_case(&self.rest);
        }
        let Some(split) = host.len().checked_sub(self.rest.len()).filter(|split| *split > 0) else {
            return false;
        };
        host.get(split..)
            .is_some_and(|end| end.eq_ignore_ascii_case(&self.rest))
    }

    /// Whether every host that `other` matches is matched here too.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self.wild, other.wild) {
            (true, true) => other.rest.ends_with(&*self.rest),
            (true, false) => self.matches(&other.rest),
            (false, wild) => !wild && self.rest == other.rest,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.wild { "*" } else { "" }, self.rest)
    }
}

/// A name in ASCII, with or without the dot at its end.
fn is_name(text: &str) -> bool {
    let mut labels = text.strip_suffix('.').unwrap_or(text).split('.');
    let sound = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    text.len() <= 254 && labels.all(|label| !label.is_empty() && label.bytes().all(sound))
}

fn is_ipv6(text: &str) -> bool {
    let address = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

impl Leaf for HostPattern {
    const EXPECTED: &'static str = "a host without a port, such as `packages.example.com` or `*.example.com` (a name beyond ASCII in its xn-- form)";
    const SCHEMA_NAME: &'static str = "HostPattern";

    fn from_text(text: &str) -> Result<Self, String> {
        let text = text.to_ascii_lowercase();
        let (wild, rest, sound) = match text.strip_prefix('*') {
            Some(under) => (
                true,
                under,
                under.is_empty() || under.strip_prefix('.').is_some_and(is_name),
            ),
            None => (false, &*text, is_name(&text) || is_ipv6(&text)),
        };
        if !sound {
            return Err(format!("{text:?} is no such host"));
        }
        let rest = rest.strip_suffix('.').unwrap_or(rest).into();
        Ok(Self { rest, wild })
    }

    fn schema() -> Schema {
        json_schema!({
            "description": "A host without a port. `*.example.com` is every host under that domain, `*` is every host; case makes no difference.",
            "type": "string",
            "pattern": or_variable!(r"\*|(?:\*\.)?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\]"),
            "examples": ["packages.example.com", "*.example.com"],
        })
    }
}

/// The beginning of a path, in whole segments: `/a` and `/a/` are the beginning of `/a/b` and not of `/ab`.
///
/// Compared byte by byte with the path as it was sent; nothing is decoded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathPrefix(Arc<str>);

impl PathPrefix {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What of a path follows the prefix, with its leading slash; `None` where the path begins otherwise.
    ///
    /// `/a` itself is matched by the prefix `/a` and leaves `/`; the prefix `/a/` wants the slash.
    #[must_use]
    pub fn rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        let bare = self.bare();
        let rest = path.strip_prefix(bare)?;
        match rest.as_bytes().first() {
            Some(b'/') => Some(rest),
            None if bare.len() == self.0.len() => Some("/"),
            _ => None,
        }
    }

    pub(super) fn covers(&self, other: &Self) -> bool {
        self.rest(&other.0).is_some()
    }

    fn bare(&self) -> &str {
        self.0.strip_suffix('/').unwrap_or(&self.0)
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Characters that reach the path of a request unchanged, whatever the client (RFC 3986, and `%`).
fn is_path(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_graphic() && !b"\"#<>?\\^`{|}".contains(&b))
}

pub(super) fn has_dot_segment(path: &str) -> bool {
    path.to_ascii_lowercase()
        .replace("%2e", ".")
        .split('/')
        .any(|segment| matches!(segment, "." | ".."))
}

impl Leaf for PathPrefix {
    const EXPECTED: &'static str = "the beginning of a path, such as `/artifacts/`";
    const SCHEMA_NAME: &'static str = "PathPrefix";

    fn from_text(text: &str) -> Result<Self, String> {
        let wrong = if !text.starts_with('/') {
            "does not begin with `/`"
        } else if !is_path(text) {
            "has characters that no path has (`?` and `#` end a path; others come percent-encoded)"
        } else if has_dot_segment(text) {
            "has a dot segment, and requests with one are refused"
        } else if text.split('/').any(|segment| matches!(segment, "*" | "**")) {
            "has a wildcard: leave it out, a path matches whatever begins with it"
        } else {
            return Ok(Self(text.into()));
        };
        Err(format!("{text:?} {wrong}"))
    }

    fn schema() -> Schema {
        json_schema!({
            "description": "The beginning of a path, in whole segments, as clients send it: nothing is decoded.",
            "type": "string",
            "pattern": or_variable!(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/\[\]-]*"),
            "examples": ["/artifacts/"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> HostPattern {
        HostPattern::from_text(text).unwrap()
    }

    fn path(text: &str) -> PathPrefix {
        PathPrefix::from_text(text).unwrap()
    }

    #[test]
    fn hosts_match_whole_names() {
        let check = |pattern: &str, yes: &[&str], no: &[&str]| {
            for name in yes {
                assert!(host(pattern).matches(name), "{pattern} {name}");
            }
            for name in no {
                assert!(!host(pattern).matches(name), "{pattern} {name}");
            }
        };
        check(
            "A.example.com",
            &["a.example.com", "A.EXAMPLE.COM", "a.example.com."],
            &["b.a.example.com", "example.com"],
        );
        check(
            "*.Example.com",
            &["a.example.com", "b.A.EXAMPLE.COM", "a.example.com."],
            &[
                "example.com",
                ".example.com",
                "aexample.com",
                "a.example.com.evil.org",
                "",
            ],
        );
        check("*", &["a", "a.b", "[::1]"], &[""]);
        check("[::1]", &["[::1]"], &["::1", "[::2]"]);
        // A split inside of a character is no match, and no panic.
        check("*.b.com", &["x.b.com"], &["é", "ééé", "xxé.com"]);
    }

    #[test]
    fn hosts_that_are_none() {
        for text in [
            "", "*.", ".a", "a..b", "a:80", "*a.b", "a.*.b", "**", "http://a", "a/b", "é.com", "[::1", "*.[::1]", "a b",
        ] {
            assert!(HostPattern::from_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn prefixes_match_whole_segments() {
        let check = |prefix: &str, sent: &str, rest: Option<&str>| {
            assert_eq!(path(prefix).rest(sent), rest, "{prefix} {sent}");
        };
        check("/a/", "/a/b", Some("/b"));
        check("/a/", "/a/", Some("/"));
        check("/a/", "/a", None);
        check("/a", "/a", Some("/"));
        check("/a", "/a/b", Some("/b"));
        check("/a", "/ab", None);
        check("/a/", "/A/b", None);
        check("/a/", "/%61/b", None);
        check("/", "/b", Some("/b"));
        check("/", "/", Some("/"));
        check("/a/", "/a//b", Some("//b"));
    }

    #[test]
    fn prefixes_that_are_none() {
        for text in [
            "",
            "a",
            "/a?b",
            "/a#b",
            "/a b",
            "/é",
            "/a/../b",
            "/a/%2E./b",
            "/./",
            "/a\n",
            "/*",
            "/a/**",
            "/*/a",
        ] {
            assert!(PathPrefix::from_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pattern_covers_what_it_always_matches() {
        let hosts = |one: &str, other: &str| host(one).covers(&host(other));
        assert!(
            hosts("*", "a.b")
                && hosts("*", "*.b")
                && hosts("*.b", "*.b")
                && hosts("*.b", "*.a.b")
                && hosts("*.b", "a.b")
        );
        assert!(
            !hosts("a.b", "*.b")
                && !hosts("*.b", "b")
                && !hosts("*.b", "*")
                && !hosts("*.b", "*.ab")
                && !hosts("a", "b")
        );
        let paths = |one: &str, other: &str| path(one).covers(&path(other));
        assert!(paths("/", "/a") && paths("/a", "/a/") && paths("/a", "/a/b"));
        assert!(!paths("/a/", "/a") && !paths("/a", "/ab") && !paths("/a/b", "/a"));
    }
}
