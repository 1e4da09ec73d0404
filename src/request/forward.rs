//! Which of a client's fields an upstream is to see with a question.

use http::HeaderMap;
use http::header::{self, HeaderName, HeaderValue};

use super::credentials::is_signature;
use crate::object::{hop_by_hop, is_hop_by_hop};

/// Fields that are Pinstripe's own to say in a question: the condition, the range, the codings, the cache directives.
const SAID_BY_US: [HeaderName; 12] = [
    header::HOST,
    header::RANGE,
    header::IF_RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::ACCEPT_ENCODING,
    header::CACHE_CONTROL,
    header::PRAGMA,
    header::CONTENT_LENGTH,
    header::EXPECT,
];

/// Fields by which an origin might choose another representation or URL than the one that the key names: shared
/// answers must not depend on them (`semantics.md`, Never stored).
const KEPT_OUT: [&str; 7] = [
    "origin",
    "x-forwarded-host",
    "forwarded",
    "x-original-url",
    "x-rewrite-url",
    "x-http-method-override",
    "upgrade-insecure-requests",
];

/// Fields that SDKs send for the signature in `Authorization`, and that say nothing without it.
const OF_A_SIGNATURE: [&str; 3] = ["x-amz-content-sha256", "x-amz-date", "x-amz-security-token"];

/// Fields that differ from request to request of one client without meaning anything to a read: they do not keep
/// discoveries from sharing a question.
const OF_ONE_REQUEST: [&str; 12] = [
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "baggage",
    "date",
    "traceparent",
    "tracestate",
    "user-agent",
    "via",
    "x-amz-date",
    "x-amzn-trace-id",
    "x-correlation-id",
    "x-request-id",
];

/// The client's end-to-end fields that go into a question to an HTTP upstream.
pub fn forwarded(fields: &HeaderMap) -> HeaderMap {
    let connection = hop_by_hop(fields);
    let mut kept = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields {
        let ours = SAID_BY_US.contains(name) || KEPT_OUT.contains(&name.as_str());
        if !ours && !is_hop_by_hop(name) && !connection.contains(name) {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}

/// Forwarded fields without an SDK's signature, where nobody checks it. Credentials of other kinds stay.
pub fn unsigned(forwarded: &HeaderMap) -> HeaderMap {
    let of_a_signature = |name: &HeaderName, value: &HeaderValue| {
        OF_A_SIGNATURE.contains(&name.as_str()) || name == header::AUTHORIZATION && is_signature(value)
    };
    let mut kept = HeaderMap::with_capacity(forwarded.len());
    for (name, value) in forwarded {
        if !of_a_signature(name, value) {
            kept.append(name.clone(), value.clone());
        }
    }
    kept
}

/// What must be equal for two discoveries to share a question: the forwarded fields without those of one request.
pub fn fingerprint(forwarded: &HeaderMap) -> [u8; 16] {
    let mut lines: Vec<(&str, &HeaderValue)> = forwarded
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .filter(|(name, _)| !OF_ONE_REQUEST.contains(name))
        .collect();
    lines.sort_by(|a, b| (a.0, a.1.as_bytes()).cmp(&(b.0, b.1.as_bytes())));
    let mut hasher = blake3::Hasher::new();
    for (name, value) in lines {
        for part in [name.as_bytes(), value.as_bytes()] {
            hasher.update(&part.len().to_le_bytes()).update(part);
        }
    }
    let mut short = [0; 16];
    hasher.finalize_xof().fill(&mut short);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        map
    }

    #[test]
    fn keeps_end_to_end_fields_only() {
        let sent = fields(&[
            ("host", "a"),
            ("connection", "x-hop, keep-alive"),
            ("x-hop", "1"),
            ("te", "trailers"),
            ("proxy-authorization", "Basic x"),
            ("range", "bytes=0-1"),
            ("if-match", "\"a\""),
            ("accept-encoding", "gzip"),
            ("x-forwarded-host", "evil"),
            ("accept", "*/*"),
            ("x-jfrog-art-api", "key"),
        ]);
        let kept = forwarded(&sent);
        let mut names: Vec<_> = kept.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "x-jfrog-art-api"]);
    }

    #[test]
    fn of_a_signed_request_all_but_the_signature_is_kept() {
        let sent = fields(&[
            ("authorization", "AWS4-HMAC-SHA256 Credential=a"),
            ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
            ("x-amz-date", "20250615T150640Z"),
            ("x-amz-security-token", "t"),
            ("x-amz-checksum-mode", "ENABLED"),
        ]);
        assert_eq!(unsigned(&sent), fields(&[("x-amz-checksum-mode", "ENABLED")]));
        let other = fields(&[("authorization", "Bearer AWS4-"), ("x-amz-request-payer", "requester")]);
        assert_eq!(unsigned(&other), other);
    }

    #[test]
    fn fields_of_one_request_do_not_split_groups() {
        let a = fields(&[("accept", "*/*"), ("x-request-id", "1")]);
        let b = fields(&[("x-request-id", "2"), ("accept", "*/*")]);
        let c = fields(&[("accept", "text/html")]);
        assert_eq!(fingerprint(&a), fingerprint(&b));
        assert_ne!(fingerprint(&a), fingerprint(&c));
    }
}
