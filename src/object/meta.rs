//! The head of a revision: everything that is kept of it besides its bytes.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use http::header::{self, HeaderMap, HeaderName};

use super::etag::StrongETag;
use super::fields::{hop_by_hop, is_hop_by_hop, own_bytes_only};
use super::freshness::{CacheControl, Freshness, age};
use super::question::PartNumber;
use super::range::{ByteRange, ObjectSize};

/// What the authority's latest word names.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Current {
    /// No word yet, or a write went through since.
    #[default]
    Unknown,
    /// The authority said that there is none.
    None,
    /// The revision with this tag.
    Is(StrongETag),
}

/// The fields, length and times of a revision, from the last answer that carried them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    tag: StrongETag,
    size: ObjectSize,
    fields: HeaderMap,
    received: SystemTime,
    parts: Parts,
}

/// The ranges of an S3 multipart object's parts, as far as they were seen.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Parts {
    count: Option<u32>,
    known: BTreeMap<PartNumber, ByteRange>,
}

/// Which message a head is taken from: it decides whether fields about the message's own bytes are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenFrom {
    /// A 200, or the answer to a HEAD: its digests are those of the whole.
    Whole,
    /// A 206 or a 304.
    Piece,
}

/// Fields that a stored head does without: framing, and what every hop says anew.
const NOT_KEPT: [HeaderName; 4] = [
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::VIA,
    header::SET_COOKIE,
];

impl Head {
    /// The head of a revision from an answer's fields, at the time when it was received.
    pub fn new(tag: StrongETag, size: ObjectSize, fields: &HeaderMap, received: SystemTime, from: TakenFrom) -> Self {
        let connection = hop_by_hop(fields);
        let mut kept = HeaderMap::new();
        for (name, value) in fields {
            let drop = is_hop_by_hop(name)
                || connection.contains(name)
                || NOT_KEPT.contains(name)
                || matches!(name.as_str(), "cache-status" | "x-amz-mp-parts-count")
                || (from == TakenFrom::Piece && own_bytes_only(name));
            if !drop {
                kept.append(name.clone(), value.clone());
            }
        }
        Self {
            tag,
            size,
            fields: kept,
            received,
            parts: Parts::default(),
        }
    }

    /// A head as it was stored.
    pub fn restore(tag: StrongETag, size: ObjectSize, fields: HeaderMap, received: SystemTime, parts: Parts) -> Self {
        Self {
            tag,
            size,
            fields,
            received,
            parts,
        }
    }

    /// The strong tag.
    pub fn tag(&self) -> &StrongETag {
        &self.tag
    }

    /// The length of the representation.
    pub fn size(&self) -> ObjectSize {
        self.size
    }

    /// The authority's own end-to-end fields, ETag included.
    pub fn fields(&self) -> &HeaderMap {
        &self.fields
    }

    /// When the answer came that the fields are from.
    pub fn received(&self) -> SystemTime {
        self.received
    }

    /// What is known of its parts.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The head with what another answer taught of the parts.
    #[must_use]
    pub fn with_parts(mut self, parts: Parts) -> Self {
        self.parts = parts;
        self
    }

    /// The head after a 304 with these fields (RFC 9111 4.3.4, 3.2): named fields replace the stored ones.
    #[must_use]
    pub fn confirmed(&self, fields: &HeaderMap, received: SystemTime) -> Self {
        let update = Self::new(self.tag.clone(), self.size, fields, received, TakenFrom::Piece);
        let mut merged = self.fields.clone();
        // An Age of the former answer would make the confirmed one look old.
        merged.remove(header::AGE);
        for name in update.fields.keys() {
            merged.remove(name);
        }
        for (name, value) in &update.fields {
            // Content-Encoding and its kin describe stored bytes, which have not changed (RFC 9111 3.2).
            let stays = matches!(name.as_str(), "content-encoding" | "content-type");
            match self.fields.get(name) {
                Some(old) if stays => merged.insert(name.clone(), old.clone()).is_some(),
                _ => merged.append(name.clone(), value.clone()),
            };
        }
        Self {
            fields: merged,
            received,
            ..self.clone()
        }
    }

    /// The age at an instant, to be told in the Age field.
    pub fn age(&self, now: SystemTime) -> Duration {
        age(&self.fields, self.received, now)
    }

    /// Freshness at an instant.
    pub fn freshness(&self, now: SystemTime) -> Freshness {
        Freshness::of(&self.fields, self.received, now)
    }

    /// The origin's Cache-Control.
    pub fn cache_control(&self) -> CacheControl {
        CacheControl::of(&self.fields)
    }

    /// Last-Modified, where it was sent and is a date.
    pub fn last_modified(&self) -> Option<SystemTime> {
        httpdate::parse_http_date(self.fields.get(header::LAST_MODIFIED)?.to_str().ok()?).ok()
    }
}

impl Parts {
    /// How many parts there are, where S3 said so.
    pub fn count(&self) -> Option<u32> {
        self.count
    }

    /// The bytes of a part, where they were seen.
    pub fn range(&self, part: PartNumber) -> Option<ByteRange> {
        self.known.get(&part).copied()
    }

    /// All parts seen so far, in order.
    pub fn iter(&self) -> impl Iterator<Item = (PartNumber, ByteRange)> {
        self.known.iter().map(|(part, range)| (*part, *range))
    }

    /// With the number of parts as `x-amz-mp-parts-count` told it.
    #[must_use]
    pub fn with_count(mut self, count: Option<u32>) -> Self {
        self.count = count.or(self.count);
        self
    }

    /// With one more part.
    #[must_use]
    pub fn with(mut self, part: PartNumber, range: ByteRange) -> Self {
        self.known.insert(part, range);
        self
    }
}
