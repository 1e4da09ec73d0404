//! One revision of what an origin has under a path.

use crate::content::{Content, wall_clock};
use crate::honest::Validators;
use crate::pattern::Pattern;
use bytes::Bytes;
use std::time::SystemTime;

/// A content, and what its answers say of it. Unlike S3's objects it may have any tag, or none.
#[derive(Clone, Debug)]
pub struct Resource {
    pub(crate) content: Content,
    pub(crate) etag: Option<String>,
    pub(crate) modified: Option<SystemTime>,
    pub(crate) fields: Vec<(String, String)>,
}

impl Resource {
    /// A pattern under its own strong tag.
    #[must_use]
    pub fn pattern(pattern: Pattern, size: u64) -> Self {
        Self::new(Content::Pattern { pattern, size }).tag(pattern.etag())
    }

    /// Bytes without a tag.
    #[must_use]
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::new(Content::Bytes(bytes.into()))
    }

    fn new(content: Content) -> Self {
        Self {
            content,
            etag: None,
            modified: Some(wall_clock()),
            fields: Vec::new(),
        }
    }

    /// Its `ETag`, letter by letter: `"strong"`, `W/"weak"`, or `unquoted` as Artifactory has it.
    #[must_use]
    pub fn tag(mut self, etag: impl Into<String>) -> Self {
        self.etag = Some(etag.into());
        self
    }

    #[must_use]
    pub fn untagged(mut self) -> Self {
        self.etag = None;
        self
    }

    /// Its `Last-Modified`, or that it has none; the moment of its making, if nothing is said.
    #[must_use]
    pub fn modified(mut self, modified: Option<SystemTime>) -> Self {
        self.modified = modified;
        self
    }

    /// A field of its answers: `Cache-Control`, `Vary`, `Set-Cookie` and the like.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    #[must_use]
    pub fn size(&self) -> u64 {
        self.content.size()
    }

    /// What its `ETag` says.
    #[must_use]
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    pub(crate) fn validators(&self) -> Validators<'_> {
        Validators {
            etag: self.etag(),
            modified: self.modified,
        }
    }
}
