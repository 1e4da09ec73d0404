//! The name that S3 gives to one version of an object.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};

/// A version that stays readable under this name when the object is overwritten.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct VersionId(Arc<str>);

const FIELD: HeaderName = HeaderName::from_static("x-amz-version-id");
/// S3's own bound.
const LONGEST: usize = 1024;

impl VersionId {
    /// The version that an answer names. `null` names none: what has that name, in a bucket without versions or where they
    /// are suspended, is overwritten in place.
    pub fn named(fields: &HeaderMap) -> Option<Self> {
        let mut values = fields.get_all(FIELD).into_iter();
        let id = values.next()?.to_str().ok()?;
        let one = values.next().is_none();
        let names = one && !id.is_empty() && id != "null" && id.len() <= LONGEST;
        names.then(|| Self(id.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VersionId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_names_no_version() {
        let check = |values: &[&str], expected: Option<&str>| {
            let fields: HeaderMap = values.iter().map(|value| (FIELD, value.parse().unwrap())).collect();
            let seen = VersionId::named(&fields);
            assert_eq!(seen.as_ref().map(VersionId::as_str), expected, "{values:?}");
        };
        check(
            &["3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY"],
            Some("3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY"),
        );
        check(&["null"], None);
        check(&[""], None);
        check(&[], None);
        check(&["a", "b"], None);
        check(&[&"x".repeat(1025)], None);
    }
}
