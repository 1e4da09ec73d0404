//! The object that all of it is about, as an S3 server tells of it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use http::{HeaderMap, HeaderName, HeaderValue};
use pinstripe::config::Role;
use pinstripe::object::ByteRange;
use pinstripe::object::{
    AuthorityId, BlockSize, CacheControl, Head, Method, ObjectKey, ObjectSize, RangeSpec, Revision, RouteName,
    StrongETag, TakenFrom, Target,
};
use pinstripe::plan::Terms;
use pinstripe::request::{Kind, Read, Unless};

pub(crate) const PATH: &str = "/models/llama-3.1-8b/model-00001-of-00004.safetensors";
pub(crate) const TAG: &str = "\"9b2cf535f27731c974343645a3985328-64\"";
/// Within one block.
pub(crate) const SIZE: u64 = 1 << 20;

const FIELDS: [(&str, &str); 8] = [
    ("content-type", "application/octet-stream"),
    ("last-modified", "Tue, 10 Jun 2025 08:30:00 GMT"),
    ("etag", TAG),
    ("accept-ranges", "bytes"),
    ("cache-control", "max-age=86400"),
    ("x-amz-request-id", "4442587FB7D0A2F9"),
    ("x-amz-version-id", "3HL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY"),
    ("server", "AmazonS3"),
];

/// When its head came; nothing here asks a clock.
pub(crate) fn received() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_750_000_000)
}

/// When it is asked for.
pub(crate) fn now() -> SystemTime {
    received() + Duration::from_secs(60)
}

pub(crate) fn key(path: &str) -> ObjectKey {
    let authority = AuthorityId::new(["s3", "https://s3.eu-central-1.amazonaws.com", "artifacts", ""]);
    ObjectKey::new(&RouteName::new("models"), &authority, None, path, None)
}

pub(crate) fn tag() -> Result<StrongETag> {
    StrongETag::parse(TAG.as_bytes()).context("no strong tag")
}

pub(crate) fn revision() -> Result<Revision> {
    Ok(Revision {
        key: key(PATH),
        tag: tag()?,
    })
}

pub(crate) fn head() -> Result<Arc<Head>> {
    let mut fields = HeaderMap::new();
    for (name, value) in FIELDS {
        fields.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let head = Head::new(tag()?, ObjectSize::new(SIZE), &fields, received(), TakenFrom::Whole);
    Ok(Arc::new(head))
}

/// A chunk of a parallel download of it.
pub(crate) fn read(range: ByteRange) -> Result<Read> {
    Ok(Read {
        method: Method::Get,
        kind: Kind::Pinned(vec![tag()?]),
        target: Target::Range(RangeSpec::Span(range)),
        unless: Unless::Never,
        control: CacheControl::of(&HeaderMap::new()),
    })
}

/// `length` bytes somewhere in it, at a multiple of that.
pub(crate) fn range(length: u64) -> Result<ByteRange> {
    ByteRange::at(8 * length, length).context("an empty range")
}

/// A route with S3 behind it.
pub(crate) const TERMS: Terms = Terms {
    near: 0,
    role: Role::Origin,
    s3_dialect: true,
    http_authority: false,
    nearest: false,
    grace: Duration::from_secs(3600),
    block_size: BlockSize::DEFAULT,
    parallel: 4,
};
