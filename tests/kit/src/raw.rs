//! One connection, byte by byte: sends whatever it is given, malformed heads too, and tells how the answer ended.
//!
//! For tables of requests and answers. Never retries, never mends, never follows.

use crate::wire::{Framing, Kept};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;

pub use crate::wire::{End, Wire};

/// A test that hangs should say where. No answer of the kit takes as long, and none depends on it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Tables are about small bodies; large ones are verified as they stream, by [`crate::client`].
const MAX_BODY: usize = 64 << 20;
const MAX_FIELDS: usize = 256;

/// The head of an answer.
#[derive(Clone, Debug)]
pub struct Head {
    pub status: u16,
    pub headers: HeaderMap,
    /// As it came, from the status line to the empty line.
    pub raw: Bytes,
    /// The 1xx statuses that came before.
    pub interim: Vec<u16>,
}

impl Head {
    /// The first line of a field, if it is text.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// First and last byte and total of `Content-Range`.
    #[must_use]
    pub fn content_range(&self) -> Option<(u64, u64, u64)> {
        content_range(&self.headers)
    }

    /// In the order of RFC 9112, 6.3.
    fn framing(&self, to_head: bool) -> Framing {
        let length = || self.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
        if to_head || matches!(self.status, 100..=199 | 204 | 304) {
            Framing::Length(0)
        } else if self.headers.contains_key(TRANSFER_ENCODING) {
            Framing::Chunked
        } else {
            length().map_or(Framing::UntilClose, Framing::Length)
        }
    }
}

pub(crate) fn content_range(headers: &HeaderMap) -> Option<(u64, u64, u64)> {
    let value = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    let (range, total) = value.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?, total.parse().ok()?))
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub head: Head,
    /// Without the framing of chunks.
    pub body: Bytes,
    pub end: End,
}

impl Answer {
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The first line of a field, if it is text.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.field(name)
    }
}

/// Sends a request on a fresh connection and reads its answer.
///
/// # Errors
/// The connection failed, or ended before there was a head.
pub async fn get(addr: SocketAddr, request: impl AsRef<[u8]>) -> io::Result<Answer> {
    Wire::connect(addr).await?.exchange(request).await
}

impl Wire {
    /// # Errors
    /// As [`TcpStream::connect`].
    pub async fn connect(addr: SocketAddr) -> io::Result<Self> {
        let stream = patiently(TcpStream::connect(addr)).await?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }

    /// Sends a request and reads its answer; `HEAD` is known by its name.
    ///
    /// # Errors
    /// As [`Wire::head`].
    pub async fn exchange(&mut self, request: impl AsRef<[u8]>) -> io::Result<Answer> {
        // A server may refuse a request that is still being sent, so the answer counts and not the sending.
        let sent = patiently(self.send(&request)).await;
        let answer = self.answer(request.as_ref().starts_with(b"HEAD ")).await;
        if answer.is_err() { sent.and(answer) } else { answer }
    }

    /// Reads a whole answer, to a HEAD or another method.
    ///
    /// # Errors
    /// As [`Wire::head`] and [`Wire::body`].
    pub async fn answer(&mut self, to_head: bool) -> io::Result<Answer> {
        let head = self.head().await?;
        let (body, end) = self.body(&head, to_head).await?;
        Ok(Answer { head, body, end })
    }

    /// Reads the head of the next answer, past 1xx ones.
    ///
    /// # Errors
    /// The connection ended before a head did, or what came is none.
    pub async fn head(&mut self) -> io::Result<Head> {
        let mut interim = Vec::new();
        loop {
            let (raw, (status, headers)) = patiently(self.parse(parse)).await?;
            if !(100..200).contains(&status) || status == 101 {
                return Ok(Head {
                    status,
                    headers,
                    raw,
                    interim,
                });
            }
            interim.push(status);
        }
    }

    /// Reads the body that belongs to a head. A body that is cut is no error but an [`End`].
    ///
    /// # Errors
    /// Its chunks are malformed, or it is longer than this is made for.
    pub async fn body(&mut self, head: &Head, to_head: bool) -> io::Result<(Bytes, End)> {
        let mut body = Kept::up_to(MAX_BODY);
        let end = patiently(self.receive(head.framing(to_head), &mut body)).await?;
        if u64::try_from(body.bytes.len()) != Ok(body.length) {
            return Err(invalid("the body is too long for this reader"));
        }
        Ok((body.bytes.freeze(), end))
    }
}

fn parse(bytes: &[u8]) -> io::Result<Option<(usize, (u16, HeaderMap))>> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(length) = response.parse(bytes).map_err(invalid)? else {
        return Ok(None);
    };
    let headers = headers(response.headers)?;
    Ok(Some((length, (response.code.unwrap_or_default(), headers))))
}

pub(crate) fn headers(fields: &[httparse::Header<'_>]) -> io::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(invalid)?;
        headers.append(name, HeaderValue::from_bytes(field.value).map_err(invalid)?);
    }
    Ok(headers)
}

pub(crate) fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why)
}

async fn patiently<T>(doing: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(PATIENCE, doing)
        .await
        .unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}
