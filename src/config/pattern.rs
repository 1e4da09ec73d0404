//! What routes match: hosts and path prefixes.
//!
//! Owns the two patterns and their matching. Never picks a route: that is `request`.

use std::fmt;
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

fn is_host(text: &str) -> bool {
    let name = |text: &str| {
        let mut labels = text.split('.');
        labels.all(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)))
    };
    let address = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    text.len() <= 253 && address.map_or_else(|| name(text), |address| address.parse::<std::net::Ipv6Addr>().is_ok())
}

impl Leaf for HostPattern {
    const EXPECTED: &'static str = "a host without a port, such as `packages.example.com` or `*.example.com` (a name beyond ASCII in its xn-- form)";
    const SCHEMA_NAME: &'static str = "HostPattern";

    fn from_text(text: &str) -> Result<Self, String> {
        let text = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let (wild, rest) = match text.strip_prefix('*') {
            Some(rest) => (true, rest),
            None => (false, &*text),
        };
        let name = if wild {
            rest.strip_prefix('.').unwrap_or(rest)
        } else {
            rest
        };
        let whole = rest.is_empty() || (name != rest && is_host(name) && !name.starts_with('['));
        if if wild { whole } else { is_host(name) } {
            Ok(Self {
                rest: rest.into(),
                wild,
            })
        } else {
            Err(format!("{text:?} is no such host"))
        }
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
