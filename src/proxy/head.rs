//! The head of a request as the connection read it, and as Pingora is given it.
//!
//! Owns: what is kept of a head that passed [`strict`]; the rewriting of the forms that Pingora refuses; knowing a head
//! again that was read before.
//! Never: lets Pingora see bytes that `strict` refused. Pingora mends some malformed heads before any hook runs, and
//! its copy of the raw head is then the mended one.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::object::ByteRange;
use crate::request::{ChunkHead, Framing, HostPort, Refusal, RequestTarget, StrictHead, Version, strict};

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
    /// By which it is known again, if it is the head of a chunk of a parallel download.
    chunk: Option<ChunkHead>,
    /// What Pingora reads in place of the first line and of Host, where it would refuse these.
    instead: Option<Box<str>>,
}

/// The head of one request. All chunks of a download that a client asks for on one connection share theirs.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) head: Arc<Head>,
    /// What a chunk of a parallel download asks for.
    pub(super) range: Option<ByteRange>,
    /// As it was read.
    raw: Bytes,
}

impl Asked {
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

/// Reads a whole raw head, which may be the last one again; the bytes are what Pingora shall read in its place.
pub(super) fn read(raw: &Bytes, last: Option<&Arc<Head>>) -> Result<(Asked, Bytes), Refusal> {
    let again = last.and_then(|last| Some((Arc::clone(last), last.chunk.as_ref()?.range(raw)?)));
    let (head, range) = match again {
        Some((head, range)) => (head, Some(range)),
        None => read_anew(raw)?,
    };
    let bytes = for_pingora(raw, head.instead.as_deref());
    let raw = raw.clone();
    Ok((Asked { head, range, raw }, bytes))
}

fn read_anew(raw: &[u8]) -> Result<(Arc<Head>, Option<ByteRange>), Refusal> {
    let parsed = strict(raw)?;
    let chunk = parsed.chunk.and_then(|range| ChunkHead::new(raw, range));
    let (chunk, range) = chunk.unzip();
    let instead = instead(&parsed);
    let StrictHead {
        target,
        version,
        host,
        framing,
        ..
    } = parsed;
    let head = Head {
        target,
        version,
        host,
        framing,
        chunk,
        instead,
    };
    Ok((Arc::new(head), range))
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
fn instead(head: &StrictHead<'_>) -> Option<Box<str>> {
    let (target, host) = match &head.target {
        RequestTarget::Origin { .. } | RequestTarget::Asterisk => return None,
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
    Some(format!("{} {target} {version}\r\nHost: {host}\r\n", head.method).into())
}

fn for_pingora(raw: &Bytes, instead: Option<&str>) -> Bytes {
    let Some(first) = instead else {
        return raw.clone();
    };
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
            let (_, bytes) = read(&Bytes::from_static(raw.as_bytes()), None).unwrap();
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
    #[test]
    fn a_chunk_shares_the_head_of_the_one_before() {
        let raw = |target: &str, range: &str| {
            Bytes::from(format!(
                "GET {target} HTTP/1.1\r\nHost: h\r\nIf-Match: \"a\"\r\nRange: {range}\r\n\r\n"
            ))
        };
        for (target, host) in [("/a", "h"), ("http://t/a", "t")] {
            let (first, _) = read(&raw(target, "bytes=0-1"), None).unwrap();
            let (second, bytes) = read(&raw(target, "bytes=2-3"), Some(&first.head)).unwrap();
            assert!(Arc::ptr_eq(&first.head, &second.head));
            assert_eq!(
                (first.range, second.range),
                (ByteRange::new(0, 1), ByteRange::new(2, 3))
            );
            assert_eq!(second.fields()["range"], "bytes=2-3");
            let bytes = String::from_utf8(bytes.to_vec()).unwrap();
            assert!(
                bytes.starts_with(&format!("GET /a HTTP/1.1\r\nHost: {host}\r\n")),
                "{bytes}"
            );
            assert!(bytes.ends_with("Range: bytes=2-3\r\n\r\n"), "{bytes}");
            for other in [
                raw("/b", "bytes=2-3"),
                raw(target, "bytes=2-"),
                raw(target, "bytes=2-3,5-6"),
            ] {
                let (other, _) = read(&other, Some(&first.head)).unwrap();
                assert!(!Arc::ptr_eq(&first.head, &other.head));
            }
        }
    }
}
