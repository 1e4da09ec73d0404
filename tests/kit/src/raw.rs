//! One connection, byte by byte: sends whatever it is given, malformed heads too, and tells how the answer ended.
//!
//! For tables of requests and answers. Never retries, never mends, never follows.

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A test that hangs should say where. No answer of the kit takes as long, and none depends on it.
const PATIENCE: Duration = Duration::from_secs(60);
/// The kit's tables are about small bodies; large ones are verified as they stream, by `client`.
const MAX_BODY: usize = 64 << 20;
const MAX_HEAD: usize = 1 << 20;
const MAX_FIELDS: usize = 256;

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As its framing promised.
    Complete,
    /// With the connection, which was the only end that it had.
    Closed,
    /// Before the end that its framing promised, or by a reset.
    Cut,
}

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

    fn framing(&self, to_head: bool) -> Framing {
        let length = || self.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
        // The order of RFC 9112, 6.3.
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

enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// A connection that is kept.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    /// Read and not yet taken.
    buffer: BytesMut,
}

impl Wire {
    /// # Errors
    /// As [`TcpStream::connect`].
    pub async fn connect(addr: SocketAddr) -> io::Result<Self> {
        let stream = patiently(TcpStream::connect(addr)).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: BytesMut::new(),
        })
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        patiently(self.stream.write_all(bytes.as_ref())).await
    }

    /// Sends a request and reads its answer; `HEAD` is known by its name.
    ///
    /// # Errors
    /// As [`Wire::head`].
    pub async fn exchange(&mut self, request: impl AsRef<[u8]>) -> io::Result<Answer> {
        // A server may refuse a head while it is still being sent, so the answer counts and not the sending.
        let sent = self.send(&request).await;
        let answer = self.answer(request.as_ref().starts_with(b"HEAD ")).await;
        if answer.is_err() { sent.and(answer) } else { answer }
    }

    /// Reads a whole answer, to a HEAD or another method.
    ///
    /// # Errors
    /// As [`Wire::head`].
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
            let head = self.next_head().await?;
            if !(100..200).contains(&head.status) || head.status == 101 {
                return Ok(Head { interim, ..head });
            }
            interim.push(head.status);
        }
    }

    /// Reads the body that belongs to a head. A body that is cut is no error but an [`End`].
    ///
    /// # Errors
    /// The body is longer than this is made for, or its chunks are malformed.
    pub async fn body(&mut self, head: &Head, to_head: bool) -> io::Result<(Bytes, End)> {
        match head.framing(to_head) {
            Framing::Length(length) => Ok(self.up_to(length).await),
            Framing::Chunked => self.chunks().await,
            Framing::UntilClose => {
                let mut body = BytesMut::new();
                let end = loop {
                    body.extend(self.buffer.split());
                    limit(body.len())?;
                    match self.more().await {
                        Ok(0) => break End::Closed,
                        Ok(_) => {}
                        Err(_) => break End::Cut,
                    }
                };
                Ok((body.freeze(), end))
            }
        }
    }

    /// Reads `n` bytes, or as many as come.
    pub async fn up_to(&mut self, n: usize) -> (Bytes, End) {
        while self.buffer.len() < n {
            if !matches!(self.more().await, Ok(1..)) {
                return (self.buffer.split().freeze(), End::Cut);
            }
        }
        (self.buffer.split_to(n).freeze(), End::Complete)
    }

    /// Whether the other side ends the connection without another byte.
    pub async fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && !matches!(self.more().await, Ok(1..))
    }

    /// Says that nothing more will be sent; answers can still be read.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn finish(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// Closes with a reset, as a client that was killed.
    ///
    /// # Errors
    /// The socket does not take the option.
    pub fn reset(self) -> io::Result<()> {
        crate::serve::reset(self.stream)
    }

    async fn next_head(&mut self) -> io::Result<Head> {
        loop {
            if let Some(head) = parse(&self.buffer)? {
                let raw = self.buffer.split_to(head.raw.len()).freeze();
                return Ok(Head { raw, ..head });
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(io::Error::new(ErrorKind::InvalidData, "the head has no end"));
            }
            if self.more().await? == 0 {
                return Err(io::Error::new(ErrorKind::UnexpectedEof, "closed before an answer"));
            }
        }
    }

    /// RFC 9112, 7.1; trailers are read and dropped.
    async fn chunks(&mut self) -> io::Result<(Bytes, End)> {
        let mut body = BytesMut::new();
        loop {
            let (start, size) = loop {
                match httparse::parse_chunk_size(&self.buffer) {
                    Ok(httparse::Status::Complete((start, size))) => {
                        break (start, usize::try_from(size).unwrap_or(MAX_BODY));
                    }
                    Ok(httparse::Status::Partial) if matches!(self.more().await, Ok(1..)) => {}
                    Ok(httparse::Status::Partial) => return Ok((body.freeze(), End::Cut)),
                    Err(_) => return Err(io::Error::new(ErrorKind::InvalidData, "malformed chunk")),
                }
            };
            self.buffer.advance(start);
            limit(body.len().saturating_add(size))?;
            let (piece, end) = self.up_to(size).await;
            body.extend_from_slice(&piece);
            if end == End::Cut {
                return Ok((body.freeze(), end));
            }
            let mut line = self.line().await;
            // Trailer fields, up to the empty line.
            while size == 0 && line.as_deref().is_some_and(|line| line != b"\r\n") {
                line = self.line().await;
            }
            match line {
                None => return Ok((body.freeze(), End::Cut)),
                Some(_) if size == 0 => return Ok((body.freeze(), End::Complete)),
                Some(_) => {}
            }
        }
    }

    async fn line(&mut self) -> Option<Bytes> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                return Some(self.buffer.split_to(end + 1).freeze());
            }
            if !matches!(self.more().await, Ok(1..)) {
                return None;
            }
        }
    }

    async fn more(&mut self) -> io::Result<usize> {
        patiently(self.stream.read_buf(&mut self.buffer)).await
    }
}

fn parse(bytes: &[u8]) -> io::Result<Option<Head>> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    let invalid = |why: String| io::Error::new(ErrorKind::InvalidData, why);
    let length = match response.parse(bytes).map_err(|why| invalid(why.to_string()))? {
        httparse::Status::Partial => return Ok(None),
        httparse::Status::Complete(length) => length,
    };
    let mut headers = HeaderMap::new();
    for field in response.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|why| invalid(why.to_string()))?;
        headers.append(
            name,
            HeaderValue::from_bytes(field.value).map_err(|why| invalid(why.to_string()))?,
        );
    }
    let raw = Bytes::copy_from_slice(bytes.get(..length).unwrap_or(bytes));
    Ok(Some(Head {
        status: response.code.unwrap_or(0),
        headers,
        raw,
        interim: Vec::new(),
    }))
}

fn limit(length: usize) -> io::Result<()> {
    if length > MAX_BODY {
        Err(io::Error::new(
            ErrorKind::InvalidData,
            "the body is too long for this reader",
        ))
    } else {
        Ok(())
    }
}

async fn patiently<T>(doing: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(PATIENCE, doing)
        .await
        .unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}
