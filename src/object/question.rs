//! Questions to an upstream and what was heard: the language between decisions and tiers.

use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderMap, StatusCode, header};

use super::etag::{ETag, StrongETag};
use super::id::ObjectKey;
use super::range::{ByteRange, ObjectSize, RangeSpec};
use super::version::VersionId;

/// One question to one upstream.
#[derive(Clone, Debug)]
pub struct Question {
    /// GET or HEAD.
    pub method: Method,
    /// The object.
    pub key: ObjectKey,
    /// The query as the client sent it, which may hold more than names the object: a presigned URL's signature.
    pub query: Option<Arc<str>>,
    /// Which bytes.
    pub target: Target,
    /// Exactly one condition.
    pub condition: Condition,
    /// Whether caches on the way must ask the authority (`Cache-Control: no-cache`): true of every discovery.
    pub revalidate: bool,
    /// The client's end-to-end fields that an HTTP upstream is to see; S3 tiers send none of them.
    pub fields: Arc<HeaderMap>,
}

/// The methods of questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// GET
    Get,
    /// HEAD
    Head,
}

/// S3's part numbers: 1..=10,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartNumber(u16);

/// Which bytes a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// No Range field.
    Whole,
    /// A single range.
    Range(RangeSpec),
    /// A part of an S3 multipart object, by number.
    Part(PartNumber),
}

/// The one condition of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// None.
    Free,
    /// `If-Match` with these tags; never empty.
    Pinned(Vec<StrongETag>),
    /// `If-None-Match` with this tag.
    Unless(StrongETag),
    /// `If-Range` with this tag (S3, which has none, is asked with `If-Match`).
    OrWhole(StrongETag),
    /// `If-Match` with this tag, of that version of the object and not of what is current (S3 only).
    Version(StrongETag, VersionId),
}

/// What an upstream said, or how it failed. Nothing here was believed yet: see `plan::admit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// 200
    Found(Found, Option<ObjectSize>),
    /// 206 with a single range.
    Partial(Found, ByteRange, Option<ObjectSize>),
    /// 304
    NotModified(Found),
    /// 412
    PreconditionFailed(Found),
    /// 404 or 410
    NotFound(Found),
    /// 416, with the length where it was told.
    Unsatisfiable(Found, Option<ObjectSize>),
    /// 401 or 403, not of our own signature.
    Denied(Found),
    /// Any other status that is not an error.
    Other(Found),
    /// An error of the tier.
    Failed(Failure),
}

/// The head of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The status.
    pub status: StatusCode,
    /// All fields as they came.
    pub fields: HeaderMap,
    /// When it was received.
    pub received: SystemTime,
}

/// An error of a tier (`semantics.md`, Words).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub cause: Cause,
    /// The answer, where there was one.
    pub answer: Option<Box<Found>>,
}

/// What went wrong with a tier. The variant is the log field and the metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The name has no address.
    NoAddress,
    /// The address guard forbids every address of that name.
    Forbidden,
    /// The connection was refused.
    Refused,
    /// The connection broke before a head came.
    Reset,
    /// A bounded wait ended.
    Timeout,
    /// The TLS handshake failed.
    Tls,
    /// The answer is not HTTP, or its head is over the limit.
    Malformed,
    /// The tier's own limit of requests was reached.
    Saturated,
    /// 408, 429, 500, 502, 503, 504
    Status,
    /// S3 refused our own signature or token.
    OwnCredentials,
    /// The answer contradicts its question or what is known (row 27).
    Lie(Lie),
    /// The route goes through this very instance.
    Loop,
}

/// How an answer contradicts its question (row 27).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lie {
    /// 206 to a question without Range.
    Unasked,
    /// Another first byte than asked.
    FirstByte,
    /// Another last byte than asked.
    LastByte,
    /// Another total than is known for that tag.
    Total,
    /// The body's stated length is not the range's.
    Length,
    /// multipart/byteranges, another unit, or no Content-Range.
    Unreadable,
    /// A 304 that confirms a tag with another Last-Modified than is known for it.
    Confirmed,
}

/// A body that ended before its proven end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("the body was cut: {0:?}")]
pub struct Cut(pub Cause);

impl PartNumber {
    /// `None` outside of 1..=10,000.
    pub const fn new(number: u16) -> Option<Self> {
        if number >= 1 && number <= 10_000 {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl Found {
    /// The entity tag, if there is exactly one and it parses.
    pub fn tag(&self) -> Option<ETag> {
        let mut values = self.fields.get_all(header::ETAG).into_iter();
        let tag = ETag::parse(values.next()?.as_bytes());
        tag.filter(|_| values.next().is_none())
    }

    /// The entity tag if it is strong.
    pub fn strong_tag(&self) -> Option<StrongETag> {
        self.tag()?.strong().cloned()
    }
}

impl Heard {
    /// The head of the answer, if one came.
    pub fn found(&self) -> Option<&Found> {
        match self {
            Self::Found(found, _)
            | Self::Partial(found, _, _)
            | Self::NotModified(found)
            | Self::PreconditionFailed(found)
            | Self::NotFound(found)
            | Self::Unsatisfiable(found, _)
            | Self::Denied(found)
            | Self::Other(found) => Some(found),
            Self::Failed(failure) => failure.answer.as_deref(),
        }
    }

    /// A failure without an answer.
    pub fn failed(cause: Cause) -> Self {
        Self::Failed(Failure { cause, answer: None })
    }
}

impl Cause {
    /// The name in metrics, logs and reasons.
    pub const fn label(self) -> &'static str {
        match self {
            Self::NoAddress => "no-address",
            Self::Forbidden => "forbidden-address",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Malformed => "malformed",
            Self::Saturated => "saturated",
            Self::Status => "status",
            Self::OwnCredentials => "own-credentials",
            Self::Lie(_) => "lie",
            Self::Loop => "loop",
        }
    }
}

impl Lie {
    /// The name in logs and reasons.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unasked => "unasked",
            Self::FirstByte => "first-byte",
            Self::LastByte => "last-byte",
            Self::Total => "total",
            Self::Length => "length",
            Self::Unreadable => "unreadable",
            Self::Confirmed => "confirmed",
        }
    }
}
