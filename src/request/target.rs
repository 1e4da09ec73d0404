//! The four forms of a request target (RFC 9112 3.2), parsed once.
//!
//! Owns: telling the forms apart, hosts and ports, and the refusal of paths that name something else once decoded.
//! Never: decodes, sorts or repairs. Path and query stay as sent.

use std::net::Ipv6Addr;
use std::sync::Arc;

use super::refusal::Refusal;
use crate::object::TargetOrigin;

/// What a request is about, as its first line says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestTarget {
    /// `/path?query`
    Origin {
        /// From the first slash up to the query.
        path: Box<str>,
        /// What follows the first `?`; an empty query is not an absent one.
        query: Option<Box<str>>,
    },
    /// `http://host/path?query`: what clients send to a proxy.
    Absolute {
        /// Where the object lives.
        origin: TargetOrigin,
        /// `/` where none was given.
        path: Box<str>,
        /// What follows the first `?`.
        query: Option<Box<str>>,
    },
    /// `host:port`, of CONNECT only.
    Authority {
        /// Lower-case host, without brackets.
        host: Arc<str>,
        /// Never zero.
        port: u16,
    },
    /// `*`, of OPTIONS only.
    Asterisk,
}

/// Host and port of an authority or of a Host field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Lower-case, without brackets if it is an IPv6 literal; a trailing dot is kept.
    pub host: Arc<str>,
    /// Absent also where the colon is followed by nothing (RFC 3986 3.2.3).
    pub port: Option<u16>,
}

impl RequestTarget {
    /// Parses the target of a request with that method. `target` holds neither spaces nor control bytes.
    pub(super) fn parse(method: &str, target: &str) -> Result<Self, Refusal> {
        if target.contains('#') {
            return Err(Refusal::Fragment);
        }
        match (method, target) {
            ("CONNECT", _) => Self::authority(target),
            ("OPTIONS", "*") => Ok(Self::Asterisk),
            (_, _) if target.starts_with('/') => {
                let (path, query) = split(target)?;
                Ok(Self::Origin { path, query })
            }
            (_, _) => Self::absolute(target),
        }
    }

    fn authority(target: &str) -> Result<Self, Refusal> {
        let HostPort { host, port } = HostPort::parse(target).ok_or(Refusal::TargetAuthority)?;
        let port = port.ok_or(Refusal::TargetAuthority)?;
        Ok(Self::Authority { host, port })
    }

    fn absolute(target: &str) -> Result<Self, Refusal> {
        let (scheme, rest) = target.split_once("://").ok_or(Refusal::TargetForm)?;
        let secure = match scheme {
            _ if scheme.eq_ignore_ascii_case("http") => false,
            _ if scheme.eq_ignore_ascii_case("https") => true,
            _ => return Err(Refusal::Scheme),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path_and_query) = rest.split_at_checked(end).ok_or(Refusal::TargetForm)?;
        if authority.contains('@') {
            return Err(Refusal::UserInfo);
        }
        let HostPort { host, port } = HostPort::parse(authority).ok_or(Refusal::TargetAuthority)?;
        let port = port.unwrap_or(if secure { 443 } else { 80 });
        let (path, query) = split(path_and_query)?;
        // RFC 9112 3.2.1: an empty path is sent as `/`.
        let path = if path.is_empty() { "/".into() } else { path };
        let origin = TargetOrigin { secure, host, port };
        Ok(Self::Absolute { origin, path, query })
    }

    /// The path, where the form has one.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Origin { path, .. } | Self::Absolute { path, .. } => Some(path),
            Self::Authority { .. } | Self::Asterisk => None,
        }
    }

    /// The query, where there is one.
    pub fn query(&self) -> Option<&str> {
        match self {
            Self::Origin { query, .. } | Self::Absolute { query, .. } => query.as_deref(),
            Self::Authority { .. } | Self::Asterisk => None,
        }
    }
}

impl HostPort {
    /// Parses `host`, `host:port` or `[v6]:port`. Percent-encoded names, userinfo, port zero and anything that two
    /// parsers might split at different places are `None`.
    pub fn parse(authority: &str) -> Option<Self> {
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (literal, port) = rest.split_once(']')?;
                let address: Ipv6Addr = literal.parse().ok()?;
                (Arc::from(address.to_string()), port)
            }
            None => {
                let end = authority.find(':').unwrap_or(authority.len());
                let (name, port) = authority.split_at_checked(end)?;
                (registered_name(name)?, port)
            }
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            None => return None,
            Some("") => None,
            Some(digits) => Some(parse_port(digits)?),
        };
        Some(Self { host, port })
    }
}

/// Letters, digits, `-`, `.`, `_`, `~`: RFC 3986's unreserved characters. Its sub-delims and percent-encoding name no
/// host that anyone resolves, but confuse logs and lists.
fn registered_name(name: &str) -> Option<Arc<str>> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    (!name.is_empty() && name.len() <= 255 && name.bytes().all(fits)).then(|| name.to_ascii_lowercase().into())
}

fn parse_port(digits: &str) -> Option<u16> {
    let plain = digits.len() <= 5 && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|port| plain && *port != 0)
}

/// Path and query of a target that is already known to be free of fragments.
fn split(target: &str) -> Result<(Box<str>, Option<Box<str>>), Refusal> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    check_path(path)?;
    check_query(query.unwrap_or_default())?;
    Ok((path.into(), query.map(Into::into)))
}

/// Refuses a path that an origin may resolve to something else than we key it by: dot segments, also behind encoded
/// slashes and backslashes; encoded control bytes; escapes that are none.
fn check_path(path: &str) -> Result<(), Refusal> {
    // Nearly every path: no escape, and no component that begins with a dot.
    if !path.contains(['%', '\\']) && !path.contains("/.") {
        return Ok(());
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => unescape(bytes.next(), bytes.next())?,
            other => other,
        });
    }
    let mut components = decoded.split(|b| matches!(b, b'/' | b'\\'));
    if components.any(|component| matches!(component, b"." | b"..")) {
        return Err(Refusal::DotSegment);
    }
    Ok(())
}

fn unescape(high: Option<u8>, low: Option<u8>) -> Result<u8, Refusal> {
    let nibble = |digit: Option<u8>| char::from(digit?).to_digit(16);
    let byte = nibble(high).zip(nibble(low)).map(|(high, low)| high * 16 + low);
    let byte = byte.and_then(|byte| u8::try_from(byte).ok()).ok_or(Refusal::Escape)?;
    if byte.is_ascii_control() {
        return Err(Refusal::EscapedControl);
    }
    Ok(byte)
}

/// A query is opaque, and `%0A` in it is somebody's text; only NUL, which ends a string in half of all servers, is not.
fn check_query(query: &str) -> Result<(), Refusal> {
    if query.contains("%00") {
        return Err(Refusal::EscapedControl);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn show(method: &str, target: &str) -> String {
        match RequestTarget::parse(method, target) {
            Ok(RequestTarget::Origin { path, query }) => format!("{path} {query:?}"),
            Ok(RequestTarget::Absolute { origin, path, query }) => format!("{origin} {path} {query:?}"),
            Ok(RequestTarget::Authority { host, port }) => format!("{host} {port}"),
            Ok(RequestTarget::Asterisk) => "*".to_owned(),
            Err(refusal) => format!("{refusal:?}"),
        }
    }

    fn check(method: &str, target: &str, expected: &str) {
        assert_eq!(show(method, target), expected, "{method} {target}");
    }

    #[test]
    fn tells_the_forms_apart() {
        check("GET", "/", "/ None");
        check("GET", "/a/b?c=d?e", "/a/b Some(\"c=d?e\")");
        check("GET", "/a?", "/a Some(\"\")");
        check("GET", "//a//b/", "//a//b/ None");
        check("GET", "/http://x/", "/http://x/ None");
        check("GET", "http://Example.COM/A", "http://example.com:80 /A None");
        check("GET", "HTTPS://example.com", "https://example.com:443 / None");
        check("GET", "http://h?q", "http://h:80 / Some(\"q\")");
        check("GET", "http://h:8080/?q", "http://h:8080 / Some(\"q\")");
        check("GET", "http://h./", "http://h.:80 / None");
        check("GET", "http://[::1]:8080/", "http://::1:8080 / None");
        check("GET", "http://[2001:DB8:0::1]/", "http://2001:db8::1:80 / None");
        check("CONNECT", "Example.com:443", "example.com 443");
        check("CONNECT", "[::1]:443", "::1 443");
        check("OPTIONS", "*", "*");
        check("OPTIONS", "/a", "/a None");
    }

    #[test]
    fn refuses_what_is_no_target() {
        for target in ["a", "*", "?q", "example.com:80", "http:/a", ":80"] {
            check("GET", target, "TargetForm");
        }
        check("GET", "ftp://h/", "Scheme");
        check("GET", "http://u:p@h/", "UserInfo");
        check("GET", "/a#b", "Fragment");
        for authority in [
            "", ":80", "h:0", "h:65536", "h:+1", "h:8:0", "a%41", "a,b", "[::1", "[::1]x", "[h]", "::1", "a\\b",
        ] {
            check("GET", &format!("http://{authority}/"), "TargetAuthority");
        }
        for target in ["/", "h", "h:", "http://h:80/", "h:80/"] {
            check("CONNECT", target, "TargetAuthority");
        }
    }

    #[test]
    fn refuses_paths_that_decode_to_others() {
        for path in [
            "/.",
            "/..",
            "/a/../b",
            "/a/./b",
            "/a/..",
            "/%2e",
            "/%2E%2e/a",
            "/.%2e",
            "/a/%2e./b",
            "/a%2F..%2Fb",
            "/a%2f%2e%2e",
            "/a\\..\\b",
            "/a%5C..",
            "/..%5ca",
        ] {
            check("GET", path, "DotSegment");
            check("GET", &format!("http://h{path}?q"), "DotSegment");
        }
        for path in [
            "/...",
            "/.a",
            "/a..",
            "/a..b",
            "/%2e%2e%2e",
            "/%252e%252e/",
            "/a%2Fb",
            "/@s%2fname",
        ] {
            check("GET", path, &format!("{path} None"));
        }
        check("GET", "/a?/../b", "/a Some(\"/../b\")");
        for path in ["/%00", "/a%0Ab", "/%1f", "/%7F"] {
            check("GET", path, "EscapedControl");
        }
        check("GET", "/?a=%00", "EscapedControl");
        for path in ["/%", "/%2", "/%zz", "/%2g", "/%%41", "/%+1"] {
            check("GET", path, "Escape");
        }
        check("GET", "/?a=100%&b=%0A", "/ Some(\"a=100%&b=%0A\")");
    }

    proptest! {
        #[test]
        fn never_panics_and_keeps_what_was_sent(target in "[ -~]{0,20}|/[./%25eE\\\\a-c?]{0,20}") {
            if let Ok(RequestTarget::Origin { path, query }) = RequestTarget::parse("GET", &target) {
                let query = query.map(|query| format!("?{query}")).unwrap_or_default();
                prop_assert_eq!(format!("{path}{query}"), target);
            }
        }
    }
}
