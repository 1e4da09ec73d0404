//! What a response head says: from status and fields to a variant of [`Heard`].
//!
//! Owns: the reading that HTTP and S3 have in common. Never: believes it; `plan::admit` compares it with the question.

use std::time::SystemTime;

use futures_util::stream;
use http::{HeaderMap, StatusCode, header};

use super::upstream::Body;
use crate::net::Transfer;
use crate::object::{Cause, ContentRange, Failure, Found, Heard, Lie, Method, ObjectSize};

/// Reads the final head of an answer to GET or HEAD.
pub(super) fn hear(found: Found) -> Heard {
    match found.status {
        StatusCode::OK => {
            let length = stated_length(&found.fields);
            Heard::Found(found, length)
        }
        StatusCode::PARTIAL_CONTENT => partial(found),
        StatusCode::NOT_MODIFIED => Heard::NotModified(found),
        StatusCode::PRECONDITION_FAILED => Heard::PreconditionFailed(found),
        StatusCode::NOT_FOUND | StatusCode::GONE => Heard::NotFound(found),
        StatusCode::RANGE_NOT_SATISFIABLE => {
            let total = unsatisfied(&found.fields);
            Heard::Unsatisfiable(found, total)
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Heard::Denied(found),
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::INTERNAL_SERVER_ERROR
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => failed(Cause::Status, found),
        // Nobody asked for another protocol (RFC 9110 7.8).
        status if status.is_informational() => Heard::failed(Cause::Malformed),
        _ => Heard::Other(found),
    }
}

/// A failure with the answer that told of it.
pub(super) fn failed(cause: Cause, found: Found) -> Heard {
    Heard::Failed(Failure {
        cause,
        answer: Some(Box::new(found)),
    })
}

/// An answer that Pinstripe gives in the upstream's stead, because the question cannot be put to it.
pub(super) fn unaskable(received: SystemTime) -> Heard {
    Heard::Other(Found {
        status: StatusCode::BAD_REQUEST,
        fields: HeaderMap::new(),
        received,
    })
}

/// The body that goes with what was heard.
pub(super) fn body(heard: &Heard, method: Method, transfer: Transfer) -> Body {
    match heard {
        // Whatever comes with a lie is dropped, and the connection with it.
        Heard::Failed(Failure {
            cause: Cause::Lie(_) | Cause::Malformed,
            ..
        }) => Box::pin(stream::empty()),
        // Of HEAD there is none to be of that length.
        Heard::Partial(_, range, _) if method == Method::Get => Box::pin(transfer.of_length(range.len())),
        _ => Box::pin(transfer),
    }
}

/// RFC 9110 15.3.7: one range and its Content-Range, or several in a multipart, which nobody asked for.
fn partial(found: Found) -> Heard {
    let kind = found
        .fields
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let multipart = kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/byteranges"));
    match content_range(&found.fields) {
        Some(ContentRange::Held { range, total }) if !multipart => {
            match stated_length(&found.fields) {
                // A stated length that is not the range's: one of both is wrong, and nobody knows which.
                Some(length) if length.bytes() != range.len() => failed(Cause::Lie(Lie::Length), found),
                _ => Heard::Partial(found, range, total),
            }
        }
        _ => failed(Cause::Lie(Lie::Unreadable), found),
    }
}

fn unsatisfied(fields: &HeaderMap) -> Option<ObjectSize> {
    match content_range(fields)? {
        ContentRange::Unsatisfied { total } => Some(total),
        ContentRange::Held { .. } => None,
    }
}

fn content_range(fields: &HeaderMap) -> Option<ContentRange> {
    let mut values = fields.get_all(header::CONTENT_RANGE).into_iter();
    let range = ContentRange::parse(values.next()?.as_bytes());
    range.filter(|_| values.next().is_none())
}

/// The length that the framing states: none where a transfer coding overrides it (RFC 9112 6.3).
fn stated_length(fields: &HeaderMap) -> Option<ObjectSize> {
    if fields.contains_key(header::TRANSFER_ENCODING) {
        return None;
    }
    let mut values = fields.get_all(header::CONTENT_LENGTH).into_iter();
    let length = digits(values.next()?.as_bytes())?;
    // hyper has refused lengths that differ; for HEAD it has not looked.
    let agreed = values.all(|value| digits(value.as_bytes()) == Some(length));
    agreed.then_some(ObjectSize::new(length))
}

/// Decimal digits only: `u64::from_str` alone would take a sign.
pub(super) fn digits(value: &[u8]) -> Option<u64> {
    let value = std::str::from_utf8(value).ok()?.trim();
    if !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::contract::bench::summary;
    use super::*;

    fn check(status: u16, fields: &[(&'static str, &str)], expected: &str) {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(*name, value.parse().unwrap());
        }
        let heard = hear(Found {
            status: StatusCode::from_u16(status).unwrap(),
            fields: map,
            received: SystemTime::UNIX_EPOCH,
        });
        assert_eq!(summary(&heard), expected, "{status} {fields:?}");
    }

    #[test]
    fn statuses_are_told_apart() {
        check(200, &[("content-length", "7")], "found 7");
        check(200, &[], "found ?");
        check(200, &[("content-length", "7"), ("content-length", "7")], "found 7");
        check(200, &[("content-length", "7"), ("content-length", "8")], "found ?");
        check(200, &[("content-length", "+7")], "found ?");
        check(200, &[("content-length", "")], "found ?");
        check(
            200,
            &[("content-length", "7"), ("transfer-encoding", "chunked")],
            "found ?",
        );
        check(304, &[], "not modified");
        check(412, &[], "precondition failed");
        check(404, &[], "not found");
        check(410, &[], "not found");
        check(401, &[], "denied");
        check(403, &[], "denied");
        for status in [408, 429, 500, 502, 503, 504] {
            check(status, &[], &format!("failed Status Some({status})"));
        }
        for status in [201, 204, 301, 302, 307, 400, 405, 409, 413, 501, 505, 599] {
            check(status, &[], &format!("other {status}"));
        }
        check(101, &[], "failed Malformed None");
    }

    #[test]
    fn a_206_names_its_range_once_and_keeps_to_it() {
        check(206, &[("content-range", "bytes 3-5/9")], "partial 3-5/9");
        check(
            206,
            &[("content-range", "bytes 3-5/*"), ("content-length", "3")],
            "partial 3-5/?",
        );
        check(
            206,
            &[("content-range", "bytes 3-5/9"), ("content-length", "9")],
            "failed Lie(Length) Some(206)",
        );
        let unreadable = "failed Lie(Unreadable) Some(206)";
        check(206, &[], unreadable);
        check(206, &[("content-range", "items 3-5/9")], unreadable);
        check(206, &[("content-range", "bytes */9")], unreadable);
        check(
            206,
            &[("content-range", "bytes 3-5/9"), ("content-range", "bytes 3-5/9")],
            unreadable,
        );
        check(
            206,
            &[
                ("content-range", "bytes 3-5/9"),
                ("content-type", "Multipart/ByteRanges; boundary=x"),
            ],
            unreadable,
        );
    }

    #[test]
    fn a_416_may_tell_the_length() {
        check(416, &[("content-range", "bytes */9")], "unsatisfiable 9");
        check(416, &[("content-range", "bytes */0")], "unsatisfiable 0");
        check(416, &[("content-range", "bytes 0-3/9")], "unsatisfiable ?");
        check(416, &[("content-length", "0")], "unsatisfiable ?");
    }
}
