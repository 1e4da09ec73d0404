//! What an encoded key says, for people: the way back from the bytes that stored files carry.
//!
//! Owns: taking a key apart. Never: makes a key that anything is looked up by.

use std::fmt;

/// The components of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// The route.
    pub route: String,
    /// Which storage the authority is.
    pub authority: Vec<String>,
    /// In forward mode: scheme, host and port.
    pub target: Option<String>,
    /// The path as the tiers see it.
    pub path: String,
    /// The part of the query that names the object.
    pub query: Option<String>,
}

impl Named {
    /// What [`ObjectKey::encoded`](super::ObjectKey::encoded) made; `None` of anything else.
    pub fn decode(mut encoded: &[u8]) -> Option<Self> {
        let from = &mut encoded;
        let route = text(from)?;
        let parts = count(from)?;
        let authority = (0..parts).map(|_| text(from)).collect::<Option<_>>()?;
        let named = Self {
            route,
            authority,
            target: optional(from)?,
            path: text(from)?,
            query: optional(from)?,
        };
        encoded.is_empty().then_some(named)
    }
}

impl fmt::Display for Named {
    /// Where the object is, without the route. Of a query it is told that there is one: it may hold a signature.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = if self.query.is_some() { "?…" } else { "" };
        write!(f, "{}{}{query}", self.target.as_deref().unwrap_or_default(), self.path)
    }
}

fn count(from: &mut &[u8]) -> Option<usize> {
    let (count, rest) = from.split_first_chunk::<8>()?;
    *from = rest;
    usize::try_from(u64::from_le_bytes(*count)).ok()
}

fn text(from: &mut &[u8]) -> Option<String> {
    let length = count(from)?;
    let (text, rest) = from.split_at_checked(length)?;
    *from = rest;
    String::from_utf8(text.to_vec()).ok()
}

/// The outer `None` is a fault, the inner one an absent component.
fn optional(from: &mut &[u8]) -> Option<Option<String>> {
    let (is_there, rest) = from.split_first()?;
    *from = rest;
    match is_there {
        0 => Some(None),
        1 => text(from).map(Some),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AuthorityId, ObjectKey, RouteName, TargetOrigin};
    use super::*;

    fn key(target: Option<TargetOrigin>, query: Option<&str>) -> ObjectKey {
        let authority = AuthorityId::new(["s3", "bucket"]);
        ObjectKey::new(&RouteName::new("artifacts"), &authority, target, "/a/b", query)
    }

    #[test]
    fn a_key_is_told_as_it_was_made() {
        let target = TargetOrigin {
            secure: false,
            host: "example.com".into(),
            port: 80,
        };
        let named = Named::decode(key(Some(target), Some("q=secret")).encoded()).unwrap();
        assert_eq!((named.route.as_str(), named.path.as_str()), ("artifacts", "/a/b"));
        assert_eq!(named.authority, ["s3", "bucket"]);
        assert_eq!(named.query.as_deref(), Some("q=secret"));
        assert_eq!(named.to_string(), "http://example.com:80/a/b?…");
        let plain = Named::decode(key(None, None).encoded()).unwrap();
        assert_eq!(plain.to_string(), "/a/b");
    }

    #[test]
    fn what_is_no_key_is_none() {
        let key = key(None, Some(""));
        let encoded = key.encoded();
        for length in 0..encoded.len() {
            assert_eq!(Named::decode(&encoded[..length]), None, "{length}");
        }
        assert_eq!(Named::decode(&[encoded, &[0]].concat()), None);
    }
}
