//! The head of a request as the connection read it, and as Pingora is given it.
//!
//! Owns: what is kept of a head that passed [`strict`]; the rewriting of the forms that Pingora refuses.
//! Never: lets Pingora see bytes that `strict` refused. Pingora mends some malformed heads before any hook runs, and
//! its copy of the raw head is then the mended one.

use bytes::{Bytes, BytesMut};
use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::request::{Framing, HostPort, Refusal, RequestTarget, StrictHead, Version, strict};

/// What the strict reading of a head told, without what Pingora parses anyway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The target, as its form says.
    pub target: RequestTarget,
    /// The version.
    pub version: Version,
    /// The Host field.
    pub host: Option<HostPort>,
    /// How the body is delimited.
    pub framing: Framing,
    /// Whether it is a GET with both If-Match and Range.
    pub is_chunk: bool,
    /// As it was read.
    raw: Bytes,
}

impl Head {
    /// The fields.
    pub(super) fn fields(&self) -> HeaderMap {
        let mut fields = HeaderMap::with_capacity(USUAL_FIELDS);
        for line in self.raw.split(|b| *b == b'\n').skip(1) {
            let Some(colon) = line.iter().position(|b| *b == b':') else {
                break;
            };
            let (name, value) = line.split_at(colon);
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            let value = HeaderValue::from_maybe_shared(self.raw.slice_ref(value));
            // Both were looked at by `strict`.
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), value) {
                fields.append(name, value);
            }
        }
        fields
    }
}

/// What SDKs send; more only costs a second allocation.
const USUAL_FIELDS: usize = 12;

/// Given to Pingora in place of a refused head, so that the refusal goes the way of every other answer: through the
/// hooks, the access log and the metrics. The method decides whether the refusal has a body.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nHost: refused.invalid\r\nConnection: close\r\n\r\n";
const STAND_IN_FOR_HEAD: &[u8] = b"HEAD / HTTP/1.1\r\nHost: refused.invalid\r\nConnection: close\r\n\r\n";

/// Reads a whole raw head; the bytes are what Pingora shall read in its place.
pub(super) fn read(raw: &Bytes) -> Result<(Head, Bytes), Refusal> {
    let parsed = strict(raw)?;
    let bytes = for_pingora(raw, &parsed);
    let StrictHead {
        target,
        version,
        host,
        framing,
        is_chunk,
        ..
    } = parsed;
    let head = Head {
        target,
        version,
        host,
        framing,
        is_chunk,
        raw: raw.clone(),
    };
    Ok((head, bytes))
}

/// What Pingora reads when this was refused.
pub(super) fn stand_in(raw: &[u8]) -> Bytes {
    let bytes = if raw.starts_with(b"HEAD ") {
        STAND_IN_FOR_HEAD
    } else {
        STAND_IN
    };
    Bytes::from_static(bytes)
}

/// Pingora wants the target's authority and Host to be equal byte for byte, where RFC 9112 3.2.2 says that the target
/// replaces Host and a mismatch is no fault. So Host is replaced, and an absolute target becomes a path.
fn for_pingora(raw: &Bytes, head: &StrictHead<'_>) -> Bytes {
    let (target, host) = match &head.target {
        RequestTarget::Origin { .. } | RequestTarget::Asterisk => return raw.clone(),
        RequestTarget::Authority { .. } => (head.raw_target.to_owned(), head.raw_target.to_owned()),
        RequestTarget::Absolute { origin, path, query } => {
            let query = query.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
            (format!("{path}{query}"), origin.host_field())
        }
    };
    let version = match head.version {
        Version::Http10 => "HTTP/1.0",
        Version::Http11 => "HTTP/1.1",
    };
    let first = format!("{} {target} {version}\r\nHost: {host}\r\n", head.method);
    let mut out = BytesMut::with_capacity(first.len() + raw.len());
    out.extend_from_slice(first.as_bytes());
    for line in raw.split_inclusive(|b| *b == b'\n').skip(1) {
        if !is_host(line) {
            out.extend_from_slice(line);
        }
    }
    out.freeze()
}

fn is_host(line: &[u8]) -> bool {
    line.split_at_checked(5)
        .is_some_and(|(name, _)| name.eq_ignore_ascii_case(b"host:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pingora_reads_paths_and_their_own_host() {
        let check = |raw: &'static str, expected: &str| {
            let (_, bytes) = read(&Bytes::from_static(raw.as_bytes())).unwrap();
            assert_eq!(String::from_utf8_lossy(&bytes), expected);
        };
        check(
            "GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
        );
        check(
            "GET http://T:8080/a?b HTTP/1.1\r\nX: y\r\nhOST: h\r\nHostile: z\r\n\r\n",
            "GET /a?b HTTP/1.1\r\nHost: t:8080\r\nX: y\r\nHostile: z\r\n\r\n",
        );
        check("GET http://t HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\nHost: t\r\n\r\n");
        check(
            "CONNECT t:443 HTTP/1.1\r\nHost: h\r\n\r\n",
            "CONNECT t:443 HTTP/1.1\r\nHost: t:443\r\n\r\n",
        );
    }
}
