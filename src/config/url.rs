//! Addresses of upstreams.
//!
//! Owns what the URL of a tier may say. Never resolves or dials: that is `net`.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::Uri;
use http::uri::{Authority, Scheme};
use schemars::{Schema, json_schema};

use super::pattern::has_dot_segment;
use super::value::{Leaf, leaves, or_variable};

leaves!(BaseUrl, HttpTarget);

/// `http` or `https`, a host, perhaps a port and a path that goes before every key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BaseUrl {
    tls: bool,
    host: Arc<str>,
    port: u16,
    path: Arc<str>,
}

impl BaseUrl {
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    /// In lower case; an IPv6 address in its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port that was named, or else the scheme's.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The path before every key: empty, or with a leading slash and without a trailing one.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// As it goes into `Host`: the port only where it is not the scheme's.
    #[must_use]
    pub fn authority(&self) -> String {
        let default = if self.tls { 443 } else { 80 };
        if self.port == default {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The host as an address, where it is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority(), self.path)
    }
}

/// Complaints do not repeat the text: a URL is where passwords are put.
impl Leaf for BaseUrl {
    const EXPECTED: &'static str = "a URL such as `https://artifacts.example.com`";
    const SCHEMA_NAME: &'static str = "Url";

    fn from_text(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|_| "this is no absolute URL".to_owned())?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err("this is no absolute URL".into());
        };
        let path = uri.path();
        let wrong = if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS {
            "the scheme is neither http nor https"
        } else if authority.as_str().contains('@') {
            "the URL has a user or password in it"
        } else if uri.query().is_some() || text.contains(['?', '#']) {
            "the URL has a query or fragment"
        } else if path.contains("//") || has_dot_segment(path) {
            "the URL's path has an empty or a dot segment"
        } else if authority.host().is_empty() || !port_is_sound(authority) {
            "the URL has no host or no proper port"
        } else {
            let tls = *scheme == Scheme::HTTPS;
            return Ok(Self {
                tls,
                host: authority.host().to_ascii_lowercase().into(),
                port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
                path: path.trim_end_matches('/').into(),
            });
        };
        Err(wrong.into())
    }

    fn schema() -> Schema {
        json_schema!({
            "description": "A URL without user, query and fragment. Its path, if any, goes before every key.",
            "type": "string",
            "pattern": or_variable!(r"[Hh][Tt][Tt][Pp][Ss]?://[^/?#@\s]+(?:/[^?#\s]*)?"),
            "examples": ["https://artifacts.example.com"],
        })
    }
}

/// `host:` and `host:99999` parse as authorities without a port.
fn port_is_sound(authority: &Authority) -> bool {
    let after_host = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    after_host.is_empty() || authority.port_u16().is_some_and(|port| port > 0)
}

/// Where an HTTP tier finds objects: at one server, or wherever the request itself says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HttpTarget {
    Url(BaseUrl),
    Request,
}

impl Leaf for HttpTarget {
    const EXPECTED: &'static str = "a URL such as `https://artifacts.example.com`, or `request`";
    const SCHEMA_NAME: &'static str = "HttpTarget";

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "request" => Ok(Self::Request),
            url => BaseUrl::from_text(url).map(Self::Url),
        }
    }

    fn schema() -> Schema {
        json_schema!({
            "description": "A URL without user, query and fragment, whose path goes before every key; or `request`: what a client of the forward proxy asks for.",
            "type": "string",
            "pattern": or_variable!(r"request|[Hh][Tt][Tt][Pp][Ss]?://[^/?#@\s]+(?:/[^?#\s]*)?"),
            "examples": ["https://artifacts.example.com", "request"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_in_their_parts() {
        let check = |text: &str, shown: &str, port: u16, authority: &str, path: &str| {
            let url = BaseUrl::from_text(text).unwrap();
            let parts = (url.to_string(), url.port(), url.authority(), url.path().to_owned());
            assert_eq!(
                parts,
                (shown.to_owned(), port, authority.to_owned(), path.to_owned()),
                "{text}"
            );
        };
        check("https://Example.COM", "https://example.com", 443, "example.com", "");
        check(
            "https://example.com:443/",
            "https://example.com",
            443,
            "example.com",
            "",
        );
        check(
            "HTTP://example.com:8081/a/B/",
            "http://example.com:8081/a/B",
            8081,
            "example.com:8081",
            "/a/B",
        );
        check("http://[::1]:80", "http://[::1]", 80, "[::1]", "");
        check(
            "http://127.0.0.1:3900",
            "http://127.0.0.1:3900",
            3900,
            "127.0.0.1:3900",
            "",
        );
    }

    #[test]
    fn urls_that_are_none() {
        for text in [
            "",
            "example.com",
            "/path",
            "ftp://example.com",
            "https://",
            "https:///a",
            "https://a b",
            "https://u:secret@a",
            "https://secret@a",
            "https://a?secret",
            "https://a/b?secret",
            "https://a#secret",
            "https://a/b#secret",
            "https://a:",
            "https://a:0",
            "https://a:99999",
            "https://a:b",
            "https://a//b",
            "https://a/../b",
            "https://a/%2e%2E",
        ] {
            let complaint = BaseUrl::from_text(text).expect_err(text);
            assert!(!complaint.contains("secret"), "{complaint}");
        }
    }

    #[test]
    fn only_literal_hosts_are_addresses() {
        let address = |text: &str| BaseUrl::from_text(text).unwrap().address();
        assert!(address("http://127.0.0.1:1").is_some() && address("http://[::1]").is_some());
        assert!(address("http://localhost").is_none());
    }
}
