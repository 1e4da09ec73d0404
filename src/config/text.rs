//! Names and other text of the configuration, each a type of its own.
//!
//! Owns what each of them may consist of, so that nobody downstream has to escape or check it again.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use ipnet::IpNet;
use schemars::{Schema, json_schema};

use super::value::{Leaf, leaves, or_variable};

/// A piece of text with a rule; cheap to clone, since it labels log lines and metrics.
macro_rules! texts {
    ($(
        $(#[doc = $doc:literal])+
        $vis:vis $name:ident($rule:path) expects $expected:literal, pattern $pattern:literal;
    )+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis struct $name(Arc<str>);

        impl $name {
            #[must_use]
            $vis fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Leaf for $name {
            const EXPECTED: &'static str = $expected;
            const SCHEMA_NAME: &'static str = stringify!($name);

            fn from_text(text: &str) -> Result<Self, String> {
                if $rule(text) { Ok(Self(text.into())) } else { Err(format!("{text:?} is not possible here")) }
            }

            fn schema() -> Schema {
                json_schema!({
                    "description": concat!($($doc, "\n"),+).trim(),
                    "type": "string",
                    "pattern": or_variable!($pattern),
                })
            }
        }

        leaves!($name);
    )+};
}

texts! {
    /// The name of a route: a label of metrics, a field of the log and a part of every key on disk.
    pub(super) RouteLabel(is_name) expects "a name: up to 64 letters, digits, `-` and `_`, beginning with a letter or digit",
        pattern "[A-Za-z0-9][A-Za-z0-9_-]{0,63}";

    /// The name of a tier, by which routes refer to it.
    pub TierName(is_name) expects "a name: up to 64 letters, digits, `-` and `_`, beginning with a letter or digit",
        pattern "[A-Za-z0-9][A-Za-z0-9_-]{0,63}";

    /// The name of this instance in `Via` and `Cache-Status`.
    pub Instance(is_token) expects "a name: a letter, then up to 63 letters, digits, `-`, `_` and `.`",
        pattern "[A-Za-z][A-Za-z0-9_.-]{0,63}";

    /// A bucket: its name, or the ARN of an access point.
    pub Bucket(is_bucket) expects "the name of a bucket or the ARN of an access point",
        pattern "[A-Za-z0-9][A-Za-z0-9._-]{0,254}|arn:[A-Za-z0-9:/._-]{1,1000}";

    /// What is put before every key of a bucket.
    pub KeyPrefix(is_key_prefix) expects "up to 512 bytes without control characters",
        pattern "[^\\x00-\\x1f\\x7f]{0,512}";

    /// A region, as requests are signed for it.
    pub Region(is_region) expects "a region such as `us-east-1`",
        pattern "[A-Za-z0-9-]{1,64}";
}

fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

/// Both a token of RFC 9110 (Via) and one of RFC 8941 (Cache-Status).
fn is_token(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// Looser than AWS, whose rules are not those of its likes.
fn is_bucket(text: &str) -> bool {
    let word = |extra: &'static [u8]| move |b: u8| b.is_ascii_alphanumeric() || extra.contains(&b);
    match text.strip_prefix("arn:") {
        Some(rest) => (1..=1000).contains(&rest.len()) && rest.bytes().all(word(b":/._-")),
        None => {
            text.len() <= 255 && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.bytes().all(word(b"._-"))
        }
    }
}

fn is_key_prefix(text: &str) -> bool {
    text.len() <= 512 && !text.bytes().any(|b| b.is_ascii_control())
}

fn is_region(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

leaves!(Address, Cidr, FilePath);

/// Where something listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address(pub(super) SocketAddr);

impl Leaf for Address {
    const EXPECTED: &'static str = "an IP address and a port, such as `127.0.0.1:8080` or `[::]:8080`";
    const SCHEMA_NAME: &'static str = "Address";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse()
            .map(Self)
            .map_err(|_| format!("{text:?} is no such address"))
    }

    fn schema() -> Schema {
        json_schema!({
            "description": "An IP address and a port. `0.0.0.0` and `[::]` are all addresses of the machine; port 0 is any free port.",
            "type": "string",
            "pattern": or_variable!(r"(?:[0-9.]+|\[[0-9A-Fa-f:.%]+\]):[0-9]{1,5}"),
            "examples": ["127.0.0.1:8080", "[::]:8080"],
        })
    }
}

/// A network, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cidr(pub(super) IpNet);

impl Leaf for Cidr {
    const EXPECTED: &'static str = "a network such as `10.20.0.0/16`, or one address";
    const SCHEMA_NAME: &'static str = "Cidr";

    fn from_text(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(address.into()));
        }
        let net: IpNet = text.parse().map_err(|_| format!("{text:?} is no network"))?;
        // Probably a slip in one of the two halves: say so rather than guess which.
        if net != net.trunc() {
            return Err(format!(
                "{text:?} has bits beyond its mask (did you mean `{}`?)",
                net.trunc()
            ));
        }
        Ok(Self(net))
    }

    fn schema() -> Schema {
        json_schema!({
            "description": "A network in CIDR notation, or one address.",
            "type": "string",
            "pattern": or_variable!(r"[0-9A-Fa-f:.]+(?:/[0-9]{1,3})?"),
            "examples": ["10.20.0.0/16", "fd00::/8"],
        })
    }
}

/// An absolute path, without what makes two spellings of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FilePath(pub(super) PathBuf);

impl Leaf for FilePath {
    const EXPECTED: &'static str = "an absolute path without `..`";
    const SCHEMA_NAME: &'static str = "FilePath";

    fn from_text(text: &str) -> Result<Self, String> {
        let path = Path::new(text);
        if !path.is_absolute() || text.bytes().any(|b| b.is_ascii_control()) {
            return Err(format!("{text:?} is not absolute"));
        }
        if path.components().any(|part| part == Component::ParentDir) {
            return Err(format!("{text:?} has `..` in it"));
        }
        // Components drop `.`, doubled and trailing slashes.
        Ok(Self(path.components().collect()))
    }

    fn schema() -> Schema {
        json_schema!({
            "description": "An absolute path.",
            "type": "string",
            "pattern": or_variable!(r"/[^\x00-\x1f\x7f]*"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Leaf>(yes: &[&str], no: &[&str]) {
        for text in yes {
            assert!(T::from_text(text).is_ok(), "{text:?}");
        }
        for text in no {
            assert!(T::from_text(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn text_by_its_rules() {
        check::<TierName>(
            &["a", "A-1_b", "0"],
            &["", "-a", "a.b", "a b", "é", "a/b", &"a".repeat(65)],
        );
        check::<Instance>(&["pinstripe", "a-1.b_C"], &["", "1a", ".a", "a b", "a\"", "é"]);
        check::<Bucket>(
            &[
                "ci-artifacts",
                "Old_Bucket.name",
                "arn:aws:s3:eu-west-1:123456789012:accesspoint/x",
            ],
            &["", ".a", "a/b", "a b", "arn:", "é"],
        );
        check::<KeyPrefix>(&["", "a/", "/a", "é"], &["a\nb", "\0"]);
        check::<Region>(&["us-east-1", "garage", "no"], &["", "us east", "eu_west"]);
    }

    #[test]
    fn addresses_and_networks() {
        check::<Address>(
            &["127.0.0.1:8080", "[::]:0", "0.0.0.0:1"],
            &["", ":8080", "127.0.0.1", "localhost:80", "::1:80", "1.2.3.4:99999"],
        );
        check::<Cidr>(
            &["10.0.0.0/8", "10.0.0.1", "::1", "fd00::/8", "0.0.0.0/0"],
            &["", "10.0.0.1/8", "10.0.0.0/33", "a", "10.0.0.0/"],
        );
        assert_eq!(
            Cidr::from_text("10.0.0.1").map(|cidr| cidr.0.to_string()),
            Ok("10.0.0.1/32".to_owned())
        );
    }

    #[test]
    fn paths_have_one_spelling() {
        let path = |text: &str| FilePath::from_text(text).map(|path| path.0).ok();
        assert_eq!(path("/var//cache/./x/"), Some(PathBuf::from("/var/cache/x")));
        check::<FilePath>(&["/", "/a b"], &["", "a", "./a", "~/a", "/a/../b", "/a\nb"]);
        assert_eq!(
            path("/var//cache/").map(PathBuf::into_os_string),
            Some("/var/cache".into())
        );
    }
}
