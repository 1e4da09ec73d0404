//! Reading what a client asks: a chunk of a parallel download, as an SDK sends it.

use std::hint::black_box;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use pinstripe::object::{AuthorityId, ETag, ObjectKey, RouteName};
use pinstripe::request::conditional::Match;
use pinstripe::request::ranges::{RangeField, range_field};
use pinstripe::request::{ChunkHead, Class, Rules, classify, strict};

use super::Call;
use super::object::{PATH, TAG};

/// What boto3 sends, beside what makes it a pinned range.
const FIELDS: [(HeaderName, &str); 9] = [
    (header::HOST, "artifacts.s3.eu-central-1.amazonaws.com"),
    (header::ACCEPT_ENCODING, "identity"),
    (header::RANGE, "bytes=8388608-16777215"),
    (header::IF_MATCH, TAG),
    (
        header::USER_AGENT,
        "Boto3/1.40.1 md/Botocore#1.40.1 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.12",
    ),
    (HeaderName::from_static("x-amz-date"), "20250615T150640Z"),
    (
        HeaderName::from_static("amz-sdk-invocation-id"),
        "7b9ee8cd-4bbe-4e1e-9b1a-43a8c7fd6d11",
    ),
    (HeaderName::from_static("amz-sdk-request"), "attempt=1"),
    (header::CONNECTION, "keep-alive"),
];

const RULES: Rules = Rules {
    s3_authority: true,
    s3_dialect: true,
    reads_only: true,
    shared: true,
    drops_signatures: true,
};

fn fields() -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in FIELDS {
        fields.append(name, HeaderValue::from_static(value));
    }
    fields
}

fn head() -> String {
    let mut head = format!("GET {PATH} HTTP/1.1\r\n");
    for (name, value) in FIELDS {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head + "\r\n"
}

pub(crate) fn strict_head(_: &Path) -> Result<Call> {
    let head = head();
    ensure!(strict(head.as_bytes()).is_ok_and(|head| head.chunk.is_some()));
    Ok(Box::new(move |_| drop(black_box(strict(black_box(head.as_bytes()))))))
}

/// A head that differs from the one before in its Range alone.
pub(crate) fn head_again(_: &Path) -> Result<Call> {
    let head = head();
    let range = strict(head.as_bytes()).ok().and_then(|head| head.chunk);
    let chunk = range.and_then(|range| ChunkHead::new(head.as_bytes(), range));
    let (chunk, _) = chunk.context("it is no chunk")?;
    let next = head.replace("bytes=8388608-16777215", "bytes=16777216-25165823");
    ensure!(chunk.range(next.as_bytes()).is_some());
    Ok(Box::new(move |_| {
        black_box(chunk.range(black_box(next.as_bytes())));
    }))
}

pub(crate) fn class(_: &Path) -> Result<Call> {
    let fields = fields();
    let class = move || classify(&http::Method::GET, None, black_box(&fields), black_box(RULES));
    ensure!(matches!(class(), Class::Read(read) if read.kind.label() == "pinned"));
    Ok(Box::new(move |_| drop(black_box(class()))))
}

pub(crate) fn etag(_: &Path) -> Result<Call> {
    ensure!(ETag::parse(TAG.as_bytes()).is_some());
    Ok(Box::new(|_| drop(black_box(ETag::parse(black_box(TAG.as_bytes()))))))
}

pub(crate) fn if_match(_: &Path) -> Result<Call> {
    let fields = fields();
    ensure!(matches!(Match::of(&fields), Match::Strong(_)));
    Ok(Box::new(move |_| drop(black_box(Match::of(black_box(&fields))))))
}

pub(crate) fn range(_: &Path) -> Result<Call> {
    let fields = fields();
    ensure!(matches!(range_field(&fields), RangeField::Single(_)));
    Ok(Box::new(move |_| {
        black_box(range_field(black_box(&fields)));
    }))
}

/// The key with its hash.
pub(crate) fn key(_: &Path) -> Result<Call> {
    let authority = AuthorityId::new(["s3", "https://s3.eu-central-1.amazonaws.com", "artifacts", ""]);
    let route = RouteName::new("models");
    let key = move || ObjectKey::new(&route, &authority, None, black_box(PATH), None);
    Ok(Box::new(move |_| drop(black_box(key()))))
}
