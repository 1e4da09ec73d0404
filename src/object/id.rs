//! What names an object: the route, the authority behind it, path and query. Keys cannot collide: every component is
//! length-prefixed and nothing is decoded or sorted.

use std::fmt;
use std::sync::Arc;

use super::etag::StrongETag;

/// The name of a route, unique within a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteName(Arc<str>);

/// Which storage an authority is: kind, endpoint, bucket and prefix. Two routes with the same authority still have
/// separate keys, since a route is also a trust boundary.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuthorityId(Arc<[Arc<str>]>);

/// Scheme, lower-case host and port that an absolute-form request names (RFC 9112 3.2.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TargetOrigin {
    /// Whether the scheme is `https`.
    pub secure: bool,
    /// Lower-case host, without brackets if it is an IPv6 literal.
    pub host: Arc<str>,
    /// The port, the scheme's default if none was given.
    pub port: u16,
}

/// The key of an object. Cheap to clone; equality is that of all components.
#[derive(Clone)]
pub struct ObjectKey(Arc<Parts>);

struct Parts {
    encoded: Box<[u8]>,
    hash: ObjectHash,
    target: Option<TargetOrigin>,
    path: Box<str>,
    query: Option<Box<str>>,
}

/// 128 bits of BLAKE3 over an encoded key; names files and map entries. Whoever reads by it compares the key as well.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectHash([u8; 16]);

/// An object together with one strong tag: equal revisions have equal bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Revision {
    /// The object.
    pub key: ObjectKey,
    /// Which bytes of it.
    pub tag: StrongETag,
}

impl RouteName {
    /// Any string; uniqueness is the configuration's affair.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name, as in the configuration and in metric labels.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AuthorityId {
    /// From the parts that tell one storage from another, for example kind, endpoint, bucket, prefix.
    pub fn new<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        Self(parts.into_iter().map(Arc::from).collect())
    }
}

impl ObjectKey {
    /// A key from its components. `path` is the path as sent after stripping, `query` what of the query names the
    /// object; `target` is present in forward mode only.
    pub fn new(
        route: &RouteName,
        authority: &AuthorityId,
        target: Option<TargetOrigin>,
        path: &str,
        query: Option<&str>,
    ) -> Self {
        let target_text = target.as_ref().map(ToString::to_string);
        let authority_length: usize = authority.0.iter().map(|part| COUNT + part.len()).sum();
        let optional = |part: Option<&str>| 1 + part.map_or(0, |part| COUNT + part.len());
        let length = 3 * COUNT + route.as_str().len() + authority_length + path.len();
        let mut encoded = Vec::with_capacity(length + optional(target_text.as_deref()) + optional(query));
        push(&mut encoded, route.as_str());
        push_count(&mut encoded, authority.0.len());
        for part in authority.0.iter() {
            push(&mut encoded, part);
        }
        push_optional(&mut encoded, target_text.as_deref());
        push(&mut encoded, path);
        push_optional(&mut encoded, query);
        let hash = ObjectHash::of(&encoded);
        let (path, query) = (path.into(), query.map(Into::into));
        Self(Arc::new(Parts {
            encoded: encoded.into(),
            hash,
            target,
            path,
            query,
        }))
    }

    /// All components, length-prefixed: what a stored file carries and is compared with.
    pub fn encoded(&self) -> &[u8] {
        &self.0.encoded
    }

    /// The name of the route in a key that was [`ObjectKey::encoded`]; empty in anything else.
    pub fn route_in(encoded: &[u8]) -> &str {
        let name = encoded.split_at_checked(COUNT).and_then(|(length, rest)| {
            let length = u64::from_le_bytes(length.try_into().ok()?);
            rest.get(..usize::try_from(length).ok()?)
        });
        name.and_then(|name| std::str::from_utf8(name).ok()).unwrap_or_default()
    }

    /// The short name of the key.
    pub fn hash(&self) -> ObjectHash {
        self.0.hash
    }

    /// The path that the tiers see, as sent.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// The part of the query that names the object, as sent.
    pub fn query(&self) -> Option<&str> {
        self.0.query.as_deref()
    }

    /// Whether it is the key of one version of an object in S3.
    pub fn names_version(&self) -> bool {
        let mut pairs = self.query().into_iter().flat_map(|query| query.split('&'));
        pairs.any(|pair| pair.split('=').next() == Some("versionId"))
    }

    /// In forward mode: where the object lives.
    pub fn target(&self) -> Option<&TargetOrigin> {
        self.0.target.as_ref()
    }
}

impl ObjectHash {
    /// The hash of an encoded key.
    pub fn of(encoded: &[u8]) -> Self {
        let mut short = [0; 16];
        blake3::Hasher::new().update(encoded).finalize_xof().fill(&mut short);
        Self(short)
    }

    /// The raw bits.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }
}

/// The length of a length.
const COUNT: usize = 8;

/// Components are told apart by their length, so that no choice of characters makes two keys one.
fn push(out: &mut Vec<u8>, part: &str) {
    push_count(out, part.len());
    out.extend_from_slice(part.as_bytes());
}

fn push_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&u64::try_from(count).unwrap_or(u64::MAX).to_le_bytes());
}

/// An absent component differs from an empty one: `/a` and `/a?` are two objects.
fn push_optional(out: &mut Vec<u8>, part: Option<&str>) {
    out.push(u8::from(part.is_some()));
    if let Some(part) = part {
        push(out, part);
    }
}

impl PartialEq for ObjectKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.encoded == other.0.encoded
    }
}

impl Eq for ObjectKey {}

impl std::hash::Hash for ObjectKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash.hash(state);
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The query may hold a signature; logs never show it.
        write!(f, "ObjectKey({}, {})", self.0.hash, self.0.path)
    }
}

impl fmt::Display for ObjectHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TargetOrigin {
    /// `host`, or `host:port` where the port is not the scheme's default; the value of a Host field.
    pub fn host_field(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.to_string()
        };
        let default = if self.secure { 443 } else { 80 };
        if self.port == default {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

impl fmt::Display for TargetOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(route: &str, authority: &[&str], path: &str, query: Option<&str>) -> ObjectKey {
        ObjectKey::new(
            &RouteName::new(route),
            &AuthorityId::new(authority.iter().copied()),
            None,
            path,
            query,
        )
    }

    proptest! {
        #[test]
        fn keys_are_equal_only_if_all_components_are(
            a in ("[ab/]{0,3}", prop::collection::vec("[ab]{0,2}", 0..3), "[ab/?]{0,4}", prop::option::of("[ab?]{0,2}")),
            b in ("[ab/]{0,3}", prop::collection::vec("[ab]{0,2}", 0..3), "[ab/?]{0,4}", prop::option::of("[ab?]{0,2}")),
        ) {
            let make = |(route, authority, path, query): &(String, Vec<String>, String, Option<String>)| {
                let authority: Vec<&str> = authority.iter().map(String::as_str).collect();
                key(route, &authority, path, query.as_deref())
            };
            prop_assert_eq!(make(&a) == make(&b), a == b);
        }
    }

    #[test]
    fn keys_tell_their_route() {
        for route in ["", "r", "a route with a longer name"] {
            assert_eq!(ObjectKey::route_in(key(route, &["s3"], "/a", None).encoded()), route);
        }
        assert_eq!(ObjectKey::route_in(b"\x09\0\0\0\0\0\0\0short"), "");
    }

    #[test]
    fn a_key_may_be_that_of_one_version() {
        let check = |query: Option<&str>, expected: bool| {
            assert_eq!(key("r", &["s3"], "/a", query).names_version(), expected, "{query:?}");
        };
        check(Some("versionId=3"), true);
        check(Some("x=1&versionId"), true);
        check(Some("xversionId=3"), false);
        check(Some("x=versionId"), false);
        check(None, false);
    }

    #[test]
    fn an_absent_query_is_not_an_empty_one() {
        assert_ne!(key("r", &["s3"], "/a", None), key("r", &["s3"], "/a", Some("")));
    }
}
