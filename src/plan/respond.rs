//! The head of every response (`semantics.md`, What every answer carries).

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::detail::{Detail, Trace};
use super::fields::{Fields, Wire};
use super::shape::Shape;
use super::step::{Relay, Reply, Serve};
use crate::object::{
    Cause, ContentRange, Found, Head, Method, ObjectSize, Target, hop_by_hop, is_hop_by_hop, own_bytes_only,
};
use crate::request::Read;

/// An answer of our own: its body says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReply {
    /// The status.
    pub status: StatusCode,
    /// The fields, Content-Length included.
    pub fields: HeaderMap,
    /// Plain text, or S3's XML.
    pub body: Bytes,
}

/// Content-Length, Content-Range, the count of parts, Age, Accept-Ranges, Via, Cache-Status.
const MOST_ADDED: usize = 7;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const PARTS_COUNT: HeaderName = HeaderName::from_static("x-amz-mp-parts-count");

/// What an answer says anew, whatever the stored head says.
static SET: [HeaderName; 3] = [header::CONTENT_LENGTH, header::CONTENT_RANGE, header::AGE];

/// Fields that a 304 may repeat (RFC 9110 15.4.5); others would be taken for updates.
static IN_NOT_MODIFIED: [HeaderName; 7] = [
    header::CACHE_CONTROL,
    header::CONTENT_LOCATION,
    header::DATE,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::VARY,
];

/// The head of an answer from a revision. `None` for a 416, which is a [`Reply`].
pub fn served_fields(
    serve: &Serve,
    read: &Read,
    trace: &Trace,
    instance: &str,
    now: SystemTime,
) -> Option<(StatusCode, HeaderMap)> {
    let status = served_status(serve.shape)?;
    let mut fields = HeaderMap::with_capacity(serve.head.fields().len() + MOST_ADDED);
    lasting_fields(serve, trace, instance, &mut fields);
    own_fields(serve, read, now, &mut fields);
    Some((status, fields))
}

/// The heads of answers with ranges of one revision that are held here, as they are sent. What they have in common is
/// written once.
#[derive(Clone, Debug)]
pub struct SliceHeads {
    head: Arc<Head>,
    detail: Detail,
    lasting: Wire,
}

impl SliceHeads {
    /// What is common to that answer and to others. `None` if it is no 206.
    pub fn new(serve: &Serve, instance: &str) -> Option<Self> {
        let Shape::Slice(_) = serve.shape else {
            return None;
        };
        let mut lasting = Wire::new(StatusCode::PARTIAL_CONTENT);
        lasting_fields(serve, &Trace::default(), instance, &mut lasting);
        Some(Self {
            head: Arc::clone(&serve.head),
            detail: serve.detail,
            lasting,
        })
    }

    /// The head of an answer. `None` if it is of another head, for another reason or no 206.
    pub fn head(&self, serve: &Serve, read: &Read, now: SystemTime) -> Option<Vec<u8>> {
        let of_these = Arc::ptr_eq(&self.head, &serve.head) && self.detail == serve.detail;
        let Shape::Slice(_) = serve.shape else {
            return None;
        };
        of_these.then(|| {
            let mut head = self.lasting.clone();
            own_fields(serve, read, now, &mut head);
            head.ended()
        })
    }
}

fn served_status(shape: Shape) -> Option<StatusCode> {
    match shape {
        Shape::Whole => Some(StatusCode::OK),
        Shape::Slice(_) => Some(StatusCode::PARTIAL_CONTENT),
        Shape::NotModified => Some(StatusCode::NOT_MODIFIED),
        Shape::Unsatisfiable => None,
    }
}

/// What all answers with ranges of a revision have in common: what is stored, and why it is served.
fn lasting_fields(serve: &Serve, trace: &Trace, instance: &str, fields: &mut impl Fields) {
    let head = &serve.head;
    let stored = head.fields().iter();
    for (name, value) in stored.filter(|(name, _)| !SET.contains(name) && keeps(serve.shape, name)) {
        fields.keep(name, value);
    }
    if !(head.fields().contains_key(header::ACCEPT_RANGES) && keeps(serve.shape, &header::ACCEPT_RANGES)) {
        fields.add(header::ACCEPT_RANGES, "bytes");
    }
    sign(fields, instance, serve.detail, trace);
}

/// What an answer has for itself: length, range and age.
fn own_fields(serve: &Serve, read: &Read, now: SystemTime, fields: &mut impl Fields) {
    let head = &serve.head;
    let size = head.size();
    let mut number = itoa::Buffer::new();
    match serve.shape {
        Shape::Whole => fields.add(header::CONTENT_LENGTH, number.format(size.bytes())),
        Shape::Slice(range) => {
            fields.add(header::CONTENT_LENGTH, number.format(range.len()));
            let total = Some(size);
            fields.add(header::CONTENT_RANGE, &ContentRange::Held { range, total }.to_string());
            if let (Target::Part(_), Some(count)) = (read.target, head.parts().count()) {
                fields.add(PARTS_COUNT, number.format(count));
            }
        }
        Shape::NotModified | Shape::Unsatisfiable => {}
    }
    fields.add(header::AGE, number.format(head.age(now).as_secs()));
}

/// Whether an answer of that shape repeats a field of the stored head.
fn keeps(shape: Shape, name: &HeaderName) -> bool {
    match shape {
        Shape::Slice(_) => !own_bytes_only(name),
        Shape::NotModified => IN_NOT_MODIFIED.contains(name),
        Shape::Whole | Shape::Unsatisfiable => true,
    }
}

/// The head of an answer that is handed on. The length is told only if it is certain.
pub fn relay_fields(
    relay: &Relay,
    found: &Found,
    length: Option<u64>,
    method: Method,
    trace: &Trace,
    instance: &str,
) -> (StatusCode, HeaderMap) {
    let connection = hop_by_hop(&found.fields);
    let mut fields = found.fields.clone();
    keep_only(&mut fields, |name| !is_hop_by_hop(name) && !connection.contains(name));
    if relay.not_modified {
        keep_only(&mut fields, |name| IN_NOT_MODIFIED.contains(name));
        sign(&mut fields, instance, relay.detail, trace);
        return (StatusCode::NOT_MODIFIED, fields);
    }
    if let Some(cut) = relay.cut {
        let total = fields
            .get(header::CONTENT_RANGE)
            .and_then(|value| ContentRange::parse(value.as_bytes()));
        let total = match total {
            Some(ContentRange::Held { total, .. }) => total,
            // What is cut of a 200 is cut of the whole.
            _ if found.status == StatusCode::OK => Some(ObjectSize::new(cut.held.end())),
            Some(ContentRange::Unsatisfied { .. }) | None => None,
        };
        if cut.held != cut.sent {
            remove_own_bytes(&mut fields);
        }
        set(&mut fields, header::CONTENT_LENGTH, cut.sent.len());
        set_text(
            &mut fields,
            header::CONTENT_RANGE,
            &ContentRange::Held { range: cut.sent, total }.to_string(),
        );
    } else if method == Method::Get {
        fields.remove(header::CONTENT_LENGTH);
        if let Some(length) = length {
            set(&mut fields, header::CONTENT_LENGTH, length);
        }
    }
    sign(&mut fields, instance, relay.detail, trace);
    let status = if relay.cut.is_some() {
        StatusCode::PARTIAL_CONTENT
    } else {
        found.status
    };
    (status, fields)
}

/// A whole answer of our own making, in S3's dialect as XML.
pub fn reply_fields(reply: &Reply, s3_dialect: bool, trace: &Trace, instance: &str) -> ErrorReply {
    let body = if s3_dialect {
        xml(reply)
    } else {
        format!("{}\n", reason(reply))
    };
    let kind = if s3_dialect {
        "application/xml"
    } else {
        "text/plain; charset=utf-8"
    };
    let mut fields = HeaderMap::new();
    set_text(&mut fields, header::CONTENT_TYPE, kind);
    set(
        &mut fields,
        header::CONTENT_LENGTH,
        u64::try_from(body.len()).unwrap_or_default(),
    );
    if let Some(seconds) = reply.retry_after {
        set(&mut fields, header::RETRY_AFTER, seconds);
    }
    if let (StatusCode::RANGE_NOT_SATISFIABLE, Some(length)) = (reply.status, reply.length) {
        let total = ObjectSize::new(length);
        set_text(
            &mut fields,
            header::CONTENT_RANGE,
            &ContentRange::Unsatisfied { total }.to_string(),
        );
    }
    sign(&mut fields, instance, reply.detail, trace);
    ErrorReply {
        status: reply.status,
        fields,
        body: body.into(),
    }
}

/// One line that tells an operator or a user what happened.
fn reason(reply: &Reply) -> String {
    match reply.detail {
        Detail::PinMismatch => "no tier holds a revision that If-Match names; start the download anew".to_owned(),
        Detail::PinIgnored => "the upstream ignored If-Match and answered with another revision".to_owned(),
        Detail::NotFound => "no such object".to_owned(),
        Detail::Unsatisfiable => "the range lies outside of the representation".to_owned(),
        Detail::OnlyIfCached => "only-if-cached, and no stored answer fits".to_owned(),
        Detail::Failed(Cause::Lie(lie)) => format!("the upstream contradicts itself ({})", lie.label()),
        Detail::Failed(Cause::Forbidden) => "the route does not allow that address".to_owned(),
        Detail::Failed(cause) => format!("the upstream failed ({})", cause.label()),
        Detail::Disk
        | Detail::Nearest
        | Detail::Validated
        | Detail::Joined
        | Detail::Fetched
        | Detail::Versioned
        | Detail::DiscoveryFallback
        | Detail::Stale
        | Detail::PassedOn => reply.detail.label().to_owned(),
    }
}

/// S3's error document; clients read `Code`, and of an empty object `ActualObjectSize`.
fn xml(reply: &Reply) -> String {
    let code = match reply.status {
        StatusCode::NOT_FOUND => "NoSuchKey",
        StatusCode::PRECONDITION_FAILED => "PreconditionFailed",
        StatusCode::RANGE_NOT_SATISFIABLE => "InvalidRange",
        StatusCode::FORBIDDEN => "AccessDenied",
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "SlowDown",
        _ => "InternalError",
    };
    let size = reply
        .length
        .map(|length| format!("<ActualObjectSize>{length}</ActualObjectSize>"))
        .unwrap_or_default();
    let message = reason(reply);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>{size}</Error>"
    )
}

/// Via and Cache-Status: who answered, and why.
fn sign(fields: &mut impl Fields, instance: &str, detail: Detail, trace: &Trace) {
    fields.add(header::VIA, &["1.1 ", instance].concat());
    fields.add(CACHE_STATUS, &cache_status(instance, detail, trace));
}

/// Longer ones only cost a second allocation.
const USUAL_MEMBER: usize = 64;

/// The member of Cache-Status for this cache (RFC 9211 2).
pub(super) fn cache_status(instance: &str, detail: Detail, trace: &Trace) -> String {
    let mut member = String::with_capacity(instance.len() + USUAL_MEMBER);
    member.push_str(instance);
    match trace.forward {
        Some(forward) => {
            member.push_str("; fwd=");
            member.push_str(forward.label());
            if let Some(status) = trace.forward_status {
                member.push_str("; fwd-status=");
                member.push_str(status.as_str());
            }
        }
        None if matches!(detail, Detail::Disk | Detail::Nearest) => member.push_str("; hit"),
        None => {}
    }
    if trace.stored {
        member.push_str("; stored");
    }
    if trace.collapsed {
        member.push_str("; collapsed");
    }
    member.push_str("; detail=");
    member.push_str(detail.label());
    member
}

/// Fields about the bytes of the message that brought them; other bytes would fail an SDK's check.
fn remove_own_bytes(fields: &mut HeaderMap) {
    keep_only(fields, |name| !own_bytes_only(name));
}

fn keep_only(fields: &mut HeaderMap, keep: impl Fn(&HeaderName) -> bool) {
    let drop: Vec<HeaderName> = fields.keys().filter(|name| !keep(name)).cloned().collect();
    for name in drop {
        fields.remove(name);
    }
}

fn set(fields: &mut HeaderMap, name: HeaderName, number: u64) {
    fields.insert(name, HeaderValue::from(number));
}

fn set_text(fields: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        fields.insert(name, value);
    }
}
