//! Which header fields belong to a connection, to a message's own bytes, or to a representation.

use http::HeaderMap;
use http::header::{self, HeaderName};

/// Fields that speak of the bytes of the very message that carried them (RFC 9530, RFC 1864, S3's checksums); SDKs
/// verify them against any body, so they may accompany no other bytes. `x-amz-checksum-*` joins them by prefix.
const DROPPED_WITH_OTHER_BYTES: [&str; 3] = ["content-md5", "content-digest", "digest"];

/// Connection-specific fields (RFC 9110 7.6.1), and those that proxies consume.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a field never travels beyond one connection, whatever Connection says.
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(&name.as_str())
}

/// The names that a message's own Connection field adds to the hop-by-hop ones.
pub fn hop_by_hop(fields: &HeaderMap) -> Vec<HeaderName> {
    let values = fields.get_all(header::CONNECTION).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect()
}

/// Whether a field describes only the bytes of the message that it came in.
pub fn own_bytes_only(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("x-amz-checksum-") || DROPPED_WITH_OTHER_BYTES.contains(&name)
}
