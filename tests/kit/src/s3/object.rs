//! One revision of an object: its content, its tag, its parts, and the fields that answers replay.

use crate::content::{Content, wall_clock};
use crate::pattern::Pattern;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use md5::{Digest, Md5};
use std::fmt::Write;
use std::ops::Range;
use std::time::SystemTime;

/// A revision. It never changes; an overwrite puts another in its place.
#[derive(Clone, Debug)]
pub struct Object {
    pub(crate) content: Content,
    pub(crate) etag: String,
    pub(crate) modified: SystemTime,
    /// Replayed by every 200, 206 and HEAD: Content-Type, Cache-Control, x-amz-meta-* and the like.
    pub(crate) fields: HeaderMap,
    /// `x-amz-checksum-*` of the whole; replayed to those who ask with x-amz-checksum-mode.
    pub(crate) checksums: HeaderMap,
    /// Sizes of the parts of a multipart upload; empty for a plain PUT.
    pub(crate) parts: Vec<u64>,
    /// Set by a versioned store.
    pub(crate) version: Option<String>,
}

impl Object {
    /// Bytes under their MD5, as a PUT makes it.
    #[must_use]
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::new(quoted_md5(&bytes), Content::Bytes(bytes))
    }

    /// A pattern under its own tag.
    #[must_use]
    pub fn pattern(pattern: Pattern, size: u64) -> Self {
        Self::new(pattern.etag(), Content::Pattern { pattern, size })
    }

    pub(crate) fn new(etag: String, content: Content) -> Self {
        Self {
            content,
            etag,
            modified: wall_clock(),
            fields: HeaderMap::new(),
            checksums: HeaderMap::new(),
            parts: Vec::new(),
            version: None,
        }
    }

    /// As a multipart upload of parts of `part_size` would have left it: a part map, and a tag that ends in `-n`.
    #[must_use]
    pub fn in_parts(mut self, part_size: u64) -> Self {
        let (size, part_size) = (self.size(), part_size.max(1));
        self.parts = (0..size.div_ceil(part_size))
            .map(|n| part_size.min(size - n * part_size))
            .collect();
        self.etag = format!("\"{}-{}\"", self.etag.trim_matches('"'), self.parts.len());
        self
    }

    /// With a field that its answers carry.
    #[must_use]
    pub fn field(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.fields.append(name, value);
        self
    }

    /// With a checksum of the whole, told to those who ask for it.
    #[must_use]
    pub fn checksum(mut self, name: HeaderName, value: HeaderValue) -> Self {
        let full = HeaderValue::from_static("FULL_OBJECT");
        self.checksums
            .insert(HeaderName::from_static("x-amz-checksum-type"), full);
        self.checksums.insert(name, value);
        self
    }

    /// With another tag: as it shall stand in the field, quotes and all.
    #[must_use]
    pub fn tagged(mut self, etag: impl Into<String>) -> Self {
        self.etag = etag.into();
        self
    }

    /// With a given Last-Modified.
    #[must_use]
    pub fn modified(mut self, modified: SystemTime) -> Self {
        self.modified = modified;
        self
    }

    #[must_use]
    pub fn size(&self) -> u64 {
        self.content.size()
    }

    /// The quoted entity tag.
    #[must_use]
    pub fn etag(&self) -> &str {
        &self.etag
    }

    /// The bytes that part `number` (from 1) holds; an object that was not uploaded in parts has one.
    pub(crate) fn part(&self, number: usize) -> Option<Range<u64>> {
        let before = number.checked_sub(1)?;
        if self.parts.is_empty() {
            return (before == 0).then(|| 0..self.size());
        }
        let size = self.parts.get(before)?;
        let start: u64 = self.parts.iter().take(before).sum();
        Some(start..start + size)
    }
}

/// The tag of a PUT.
pub(crate) fn quoted_md5(bytes: &[u8]) -> String {
    quoted(&Md5::digest(bytes), "")
}

/// The tag of a multipart upload: the MD5 of its parts' binary MD5s, and their number.
pub(crate) fn multipart_etag<'a>(parts: impl IntoIterator<Item = &'a Md5Sum>) -> String {
    let (mut all, mut count) = (Md5::new(), 0);
    for part in parts {
        all.update(part);
        count += 1;
    }
    quoted(&all.finalize(), &format!("-{count}"))
}

pub(crate) type Md5Sum = [u8; 16];

pub(crate) fn quoted(sum: &[u8], suffix: &str) -> String {
    let mut tag = String::from("\"");
    for byte in sum {
        let _ = write!(tag, "{byte:02x}");
    }
    tag + suffix + "\""
}
