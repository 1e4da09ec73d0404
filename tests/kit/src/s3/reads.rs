//! GET and HEAD of objects, as S3 answers them.
//!
//! s3s verifies the signature and then hands reads over raw: its own parser takes one tag per `If-Match`, refuses several
//! ranges where S3 ignores them, and has no way to tell a 206 that was asked for by HEAD or by `partNumber`.

use super::counts::{Op, query};
use super::object::Object;
use super::store::{Found, Store};
use crate::content::ContentBody;
use crate::honest::{NOT_MODIFIED_FIELDS, Span, Validators, Verdict, judge, span};
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH, LAST_MODIFIED, RANGE};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use s3s::path::{S3Path, parse_path_style};
use s3s::route::S3Route;
use s3s::{Body, S3Request, S3Response, S3Result, s3_error};
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Reads {
    pub(crate) store: Store,
    /// Whether requests without a signature may read.
    pub(crate) public: bool,
}

#[async_trait::async_trait]
impl S3Route for Reads {
    fn is_match(&self, method: &Method, uri: &Uri, _: &HeaderMap, _: &mut Extensions) -> bool {
        matches!(Op::of(method, uri), Op::GetObject | Op::HeadObject)
    }

    async fn check_access(&self, request: &mut S3Request<Body>) -> S3Result<()> {
        if self.public || request.credentials.is_some() {
            Ok(())
        } else {
            Err(s3_error!(AccessDenied, "Access Denied"))
        }
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let answer =
            read(&self.store, &request.uri, &request.headers).unwrap_or_else(|why| why.answer(request.uri.path()));
        let (status, mut headers, body) = answer;
        // A 304 has no content to tell the length of; a HEAD tells that of the GET's (9110 8.6), and hyper sends no body to it.
        if status != StatusCode::NOT_MODIFIED {
            headers.insert(
                CONTENT_LENGTH,
                http_body::Body::size_hint(&body).exact().unwrap_or(0).into(),
            );
        }
        Ok(S3Response {
            output: body,
            status: Some(status),
            headers,
            extensions: Extensions::new(),
        })
    }
}

type Answer = (StatusCode, HeaderMap, Body);

/// Existence first, then preconditions (9110 13.2.2), then part or range.
fn read(store: &Store, uri: &Uri, headers: &HeaderMap) -> Result<Answer, Refusal> {
    let object = find(store, uri)?;
    let now = Validators {
        etag: Some(&object.etag),
        modified: Some(object.modified),
    };
    match judge(headers, now) {
        Verdict::Failed(field) => return Err(Refusal::precondition(&field)),
        Verdict::NotModified => {
            let all = fields(&object);
            let kept = |name: &HeaderName| NOT_MODIFIED_FIELDS.contains(name) || name == "x-amz-version-id";
            let fields = all
                .iter()
                .filter(|(name, _)| kept(name))
                .map(|(name, value)| (name.clone(), value.clone()));
            return Ok((StatusCode::NOT_MODIFIED, fields.collect(), Body::empty()));
        }
        Verdict::Proceed => {}
    }
    let asked_part = parameter(uri, "partNumber");
    let range = match &asked_part {
        Some(number) => part(&object, number, headers)?,
        None => match span(headers, object.size()) {
            Span::Whole => None,
            Span::Part(range) => Some(range),
            Span::Unsatisfiable => return Err(Refusal::range(&object, headers)),
        },
    };
    let mut fields = fields(&object);
    if asked_part.is_some() && !object.parts.is_empty() {
        fields.insert("x-amz-mp-parts-count", object.parts.len().into());
    }
    let whole = 0..object.size();
    // A checksum of the whole beside a part of it would fail the SDK's check of that part.
    if range.as_ref().is_none_or(|range| *range == whole) && headers.contains_key("x-amz-checksum-mode") {
        fields.extend(object.checksums.clone());
    }
    overrides(uri, &mut fields);
    let status = match &range {
        None => StatusCode::OK,
        Some(range) => {
            let value = format!(
                "bytes {}-{}/{}",
                range.start,
                range.end.saturating_sub(1),
                object.size()
            );
            insert(&mut fields, CONTENT_RANGE, &value);
            StatusCode::PARTIAL_CONTENT
        }
    };
    let body = ContentBody::new(object.content.clone(), range.unwrap_or(whole));
    Ok((status, fields, Body::http_body(body)))
}

fn find(store: &Store, uri: &Uri) -> Result<Arc<Object>, Refusal> {
    let Ok(S3Path::Object { bucket, key }) = parse_path_style(&decode(uri.path())) else {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "InvalidURI",
            "Couldn't parse the specified URI.",
        ));
    };
    let version = parameter(uri, "versionId");
    match store.find(&bucket, &key, version.as_deref()) {
        Found::Object(object) => Ok(object),
        Found::NoKey => Err(Refusal::no_key().with("Key", &key)),
        Found::Deleted => Err(Refusal::no_key().with("Key", &key).field("x-amz-delete-marker", "true")),
        Found::Marker => {
            let message = "The specified method is not allowed against this resource.";
            let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message);
            Err(refusal.field("x-amz-delete-marker", "true").field("allow", "DELETE"))
        }
        Found::NoVersion => {
            let message = "The specified version does not exist.";
            Err(Refusal::new(StatusCode::NOT_FOUND, "NoSuchVersion", message).with("Key", &key))
        }
    }
}

/// The range of a part. An empty object's only part has none to name, so it is answered 200.
fn part(object: &Object, number: &str, headers: &HeaderMap) -> Result<Option<Range<u64>>, Refusal> {
    if headers.contains_key(RANGE) {
        let message = "Cannot specify both Range header and partNumber query parameter";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "InvalidRequest", message));
    }
    let Some(number) = number.parse().ok().filter(|number| (1..=10_000).contains(number)) else {
        let message = "Part number must be an integer between 1 and 10000, inclusive";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "InvalidArgument", message));
    };
    match object.part(number) {
        Some(range) => Ok(Some(range).filter(|range| !range.is_empty())),
        None => {
            let message = "The requested partnumber is not satisfiable";
            let refusal = Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidPartNumber", message);
            let count = object.parts.len().max(1).to_string();
            Err(refusal
                .with("PartNumberRequested", &number.to_string())
                .with("ActualPartCount", &count))
        }
    }
}

/// What every answer with a representation says of it.
fn fields(object: &Object) -> HeaderMap {
    let mut fields = object.fields.clone();
    fields
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("binary/octet-stream"));
    insert(&mut fields, ETAG, &object.etag);
    insert(&mut fields, LAST_MODIFIED, &httpdate::fmt_http_date(object.modified));
    fields.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(version) = &object.version {
        insert(&mut fields, HeaderName::from_static("x-amz-version-id"), version);
    }
    fields
}

/// `response-content-type` and its like replace the stored field.
fn overrides(uri: &Uri, fields: &mut HeaderMap) {
    for (name, value) in query(uri) {
        let name = name.strip_prefix("response-").and_then(|name| name.parse().ok());
        if let Some(name) = name {
            insert(fields, name, &decode(value));
        }
    }
}

fn parameter(uri: &Uri, wanted: &str) -> Option<String> {
    query(uri)
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| decode(value))
}

/// Percent-decoding; what is not an escape stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        let escape = tail.first_chunk::<2>().filter(|_| *byte == b'%');
        let escaped = escape.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(escaped.unwrap_or(*byte));
        rest = if escaped.is_some() {
            tail.get(2..).unwrap_or_default()
        } else {
            tail
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A value that no field can hold is left out.
fn insert(fields: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        fields.insert(name, value);
    }
}

/// An error answer: S3's XML, with the elements that its clients read.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
    elements: Vec<(&'static str, String)>,
    fields: Vec<(&'static str, String)>,
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self {
            status,
            code,
            message,
            elements: Vec::new(),
            fields: Vec::new(),
        }
    }

    fn no_key() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.")
    }

    fn precondition(field: &HeaderName) -> Self {
        let message = "At least one of the pre-conditions you specified did not hold";
        let condition = if *field == IF_MATCH {
            "If-Match"
        } else {
            "If-Unmodified-Since"
        };
        Self::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message).with("Condition", condition)
    }

    /// CRT clients learn from `ActualObjectSize` that an object is empty.
    fn range(object: &Object, headers: &HeaderMap) -> Self {
        let asked = headers
            .get(RANGE)
            .and_then(|range| range.to_str().ok())
            .unwrap_or_default();
        let size = object.size().to_string();
        Self::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "InvalidRange",
            "The requested range is not satisfiable",
        )
        .with("RangeRequested", asked)
        .with("ActualObjectSize", &size)
        .field("content-range", &format!("bytes */{size}"))
    }

    fn with(mut self, element: &'static str, text: &str) -> Self {
        self.elements.push((element, text.to_owned()));
        self
    }

    fn field(mut self, name: &'static str, value: &str) -> Self {
        self.fields.push((name, value.to_owned()));
        self
    }

    fn answer(self, resource: &str) -> Answer {
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>",
            self.code, self.message
        );
        for (element, text) in &self.elements {
            let _ = write!(xml, "<{element}>{}</{element}>", escape(text));
        }
        let _ = write!(xml, "<Resource>{}</Resource></Error>", escape(resource));
        let mut fields = HeaderMap::new();
        for (name, value) in &self.fields {
            insert(&mut fields, HeaderName::from_static(name), value);
        }
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        (self.status, fields, Body::from(xml))
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
