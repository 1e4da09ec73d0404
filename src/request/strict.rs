//! The raw head of a request, read as strictly as RFC 9112 allows.
//!
//! Owns: what makes a head well-formed; [`Refusal`] is what else it can be.
//! Never: repairs. Two parsers in a row that repair differently are a request smuggler's tool, so a head that needs
//! repair is refused before anything looks at it.

use memchr::{memchr, memchr2};

use super::refusal::Refusal;
use super::target::{HostPort, RequestTarget};

/// The largest head that is read, with its final empty line.
pub const MAX_HEAD: usize = 64 << 10;
/// The most fields in a head: generous beside what clients send, and within what the edge's parser takes.
pub const MAX_FIELDS: usize = 128;

/// A head that is well-formed: what its framing and its routing depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrictHead<'a> {
    /// A token; methods are case-sensitive.
    pub method: &'a str,
    /// The target, as its form says.
    pub target: RequestTarget,
    /// The target as sent.
    pub raw_target: &'a str,
    /// The version.
    pub version: Version,
    /// The Host field; only a 1.0 request may be without.
    pub host: Option<HostPort>,
    /// How the body is delimited.
    pub framing: Framing,
    /// The value of Range of a GET that has If-Match as well: the mark of a chunk of a parallel download.
    pub chunk: Option<&'a [u8]>,
}

/// The versions that are served in this syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// How the body of a request is delimited (RFC 9112 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is none.
    Empty,
    /// By Content-Length; zero is a length.
    Length(u64),
    /// By chunks.
    Chunked,
}

/// Reads one whole head, from the first byte of the request line to the empty line that ends it.
pub fn strict(raw_head: &[u8]) -> Result<StrictHead<'_>, Refusal> {
    if raw_head.len() > MAX_HEAD {
        return Err(Refusal::HeadSize);
    }
    let mut lines = Lines { rest: raw_head };
    let first = lines.next_line()?.ok_or(Refusal::RequestLine)?;
    let (method, raw_target, version) = request_line(first)?;
    let mut fields = Fields::default();
    let mut count = 0_usize;
    while let Some(line) = lines.next_line()? {
        count += 1;
        if count > MAX_FIELDS {
            return Err(Refusal::FieldCount);
        }
        let (name, value) = field_line(line)?;
        fields.see(name, value)?;
    }
    let target = RequestTarget::parse(method, raw_target)?;
    Ok(StrictHead {
        method,
        target,
        raw_target,
        version,
        host: fields.host(version)?,
        framing: fields.framing(version)?,
        chunk: fields.range.filter(|_| method == "GET" && fields.has_if_match),
    })
}

/// The lines of a head. RFC 9112 2.2 lets a recipient accept a bare LF; we do not.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    /// The next line without its end; `None` at the empty line.
    fn next_line(&mut self) -> Result<Option<&'a [u8]>, Refusal> {
        let end = memchr2(b'\r', b'\n', self.rest);
        let (line, after) = end
            .and_then(|end| self.rest.split_at_checked(end))
            .ok_or(Refusal::Incomplete)?;
        self.rest = match after {
            [b'\r', b'\n', rest @ ..] => rest,
            [b'\r'] => return Err(Refusal::Incomplete),
            [b'\r', ..] => return Err(Refusal::BareCr),
            _ => return Err(Refusal::BareLf),
        };
        Ok((!line.is_empty()).then_some(line))
    }
}

fn request_line(line: &[u8]) -> Result<(&str, &str, Version), Refusal> {
    let line = std::str::from_utf8(line).map_err(|_| Refusal::TargetByte)?;
    let (method, rest) = line.split_once(' ').ok_or(Refusal::RequestLine)?;
    let (target, version) = rest.rsplit_once(' ').ok_or(Refusal::RequestLine)?;
    if method.is_empty() || !method.bytes().all(is_token) {
        return Err(Refusal::Method);
    }
    let version = match version.as_bytes() {
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/1.0" => Version::Http10,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
            return Err(Refusal::Version);
        }
        _ => return Err(Refusal::RequestLine),
    };
    if target.is_empty() {
        return Err(Refusal::RequestLine);
    }
    // Quotes and angle brackets are in no URL, and some parsers escape them behind one's back.
    if !target.bytes().all(|byte| is_in(&TARGET, byte)) {
        return Err(Refusal::TargetByte);
    }
    Ok((method, target, version))
}

fn field_line(line: &[u8]) -> Result<(&str, &[u8]), Refusal> {
    if line.starts_with(b" ") || line.starts_with(b"\t") {
        return Err(Refusal::Fold);
    }
    let colon = memchr(b':', line).ok_or(Refusal::NoColon)?;
    let (name, value) = line.split_at_checked(colon).ok_or(Refusal::NoColon)?;
    if name.ends_with(b" ") || name.ends_with(b"\t") {
        return Err(Refusal::SpaceBeforeColon);
    }
    // Gateways that map `-` and `_` to one variable take it for another field.
    if name.contains(&b'_') {
        return Err(Refusal::Underscore);
    }
    if name.is_empty() || !name.iter().copied().all(is_token) {
        return Err(Refusal::FieldName);
    }
    let value = value.strip_prefix(b":").unwrap_or(value);
    // Without an early end, so that many are looked at by one instruction.
    if value
        .iter()
        .fold(false, |any, b| any | (b.is_ascii_control() & (*b != b'\t')))
    {
        return Err(Refusal::FieldValue);
    }
    let name = std::str::from_utf8(name).map_err(|_| Refusal::FieldName)?;
    Ok((name, value.trim_ascii()))
}

/// The fields that framing and routing depend on, each at most once.
#[derive(Default)]
struct Fields<'a> {
    host: Option<&'a [u8]>,
    length: Option<&'a [u8]>,
    encoding: Option<&'a [u8]>,
    range: Option<&'a [u8]>,
    has_if_match: bool,
}

impl<'a> Fields<'a> {
    fn see(&mut self, name: &str, value: &'a [u8]) -> Result<(), Refusal> {
        let (slot, twice) = match name {
            _ if name.eq_ignore_ascii_case("host") => (&mut self.host, Refusal::TwoHosts),
            _ if name.eq_ignore_ascii_case("content-length") => (&mut self.length, Refusal::TwoLengths),
            _ if name.eq_ignore_ascii_case("transfer-encoding") => (&mut self.encoding, Refusal::Encoding),
            _ if name.eq_ignore_ascii_case("range") => (&mut self.range, Refusal::TwoRanges),
            _ => {
                self.has_if_match |= name.eq_ignore_ascii_case("if-match");
                return Ok(());
            }
        };
        match slot.replace(value) {
            None => Ok(()),
            Some(_) => Err(twice),
        }
    }

    /// RFC 9112 3.2: exactly one, with a valid value; 1.0 knew none.
    fn host(&self, version: Version) -> Result<Option<HostPort>, Refusal> {
        match self.host {
            Some(value) => {
                let value = std::str::from_utf8(value).map_err(|_| Refusal::Host)?;
                HostPort::parse(value).map(Some).ok_or(Refusal::Host)
            }
            None if version == Version::Http10 => Ok(None),
            None => Err(Refusal::NoHost),
        }
    }

    fn framing(&self, version: Version) -> Result<Framing, Refusal> {
        match (self.encoding, self.length) {
            (None, None) => Ok(Framing::Empty),
            (None, Some(length)) => content_length(length),
            (Some(_), Some(_)) => Err(Refusal::LengthAndEncoding),
            // RFC 9112 6.1: 1.0 has no transfer codings; its framing is faulty.
            (Some(_), None) if version == Version::Http10 => Err(Refusal::Encoding),
            (Some(codings), None) => transfer_encoding(codings),
        }
    }
}

fn content_length(value: &[u8]) -> Result<Framing, Refusal> {
    let digits = std::str::from_utf8(value).map_err(|_| Refusal::Length)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Refusal::Length);
    }
    digits.parse().map(Framing::Length).map_err(|_| Refusal::Length)
}

/// Exactly `chunked`. Other codings before a final `chunked` are well-formed, but not implemented; without it the end
/// of the body cannot be known (RFC 9112 6.3).
fn transfer_encoding(value: &[u8]) -> Result<Framing, Refusal> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(Framing::Chunked);
    }
    let mut codings: Vec<&[u8]> = value.split(|b| *b == b',').map(<[u8]>::trim_ascii).collect();
    let last = codings.pop().unwrap_or_default();
    let unknown = |coding: &&[u8]| {
        !coding.is_empty() && coding.iter().copied().all(is_token) && !coding.eq_ignore_ascii_case(b"chunked")
    };
    if last.eq_ignore_ascii_case(b"chunked") && !codings.is_empty() && codings.iter().all(unknown) {
        return Err(Refusal::UnknownCoding);
    }
    Err(Refusal::Encoding)
}

/// `tchar` (RFC 9110 5.6.2).
fn is_token(byte: u8) -> bool {
    is_in(&TOKEN, byte)
}

fn is_in(table: &[bool; 256], byte: u8) -> bool {
    table.get(usize::from(byte)).copied().unwrap_or(false)
}

/// What a target may hold, asked for every byte of it: no control bytes, space, `"`, `<`, `>`, backquote.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const TARGET: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = !matches!(byte, 0..=0x20 | 0x22 | 0x3C | 0x3E | 0x60 | 0x7F);
        byte += 1;
    }
    table
};

/// Asked for every byte of every field's name, hence a table.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        let punctuation = matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~');
        table[byte as usize] = byte.is_ascii_alphanumeric() || punctuation;
        byte += 1;
    }
    table
};

#[cfg(test)]
#[path = "strict_tests.rs"]
mod tests;
