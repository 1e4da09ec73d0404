//! The objects of the model: few, so that everything happens to the same ones.

use bytes::Bytes;
use pinstripe::object::{AuthorityId, ByteRange, ObjectKey, Revision, RouteName, StrongETag};

use super::TAGS;
use super::ops::Which;

pub(crate) fn revision((key, tag): Which) -> Revision {
    let authority = AuthorityId::new(["s3", "bucket"]);
    Revision {
        key: ObjectKey::new(&RouteName::new("r"), &authority, None, &format!("/{key}"), None),
        tag: StrongETag::parse(format!("\"{tag}\"").as_bytes()).unwrap(),
    }
}

pub(crate) fn revision_tags() -> impl Iterator<Item = StrongETag> {
    (0..TAGS).map(|tag| revision((0, tag)).tag)
}

/// The bytes of a revision in one of its generations: different everywhere.
pub(crate) fn content(which: Which, generation: u64, range: ByteRange) -> Bytes {
    let seed = [&[which.0, which.1][..], &generation.to_le_bytes()].concat();
    let mut reader = blake3::Hasher::new_keyed(blake3::hash(&seed).as_bytes()).finalize_xof();
    reader.set_position(range.first());
    let mut bytes = vec![0; usize::try_from(range.len()).unwrap()];
    reader.fill(&mut bytes);
    bytes.into()
}

pub(crate) fn assert_prefix(bytes: &[u8], of: &[u8]) {
    assert!(!bytes.is_empty() && of.starts_with(bytes), "wrong bytes");
}
