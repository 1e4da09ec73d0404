//! A socket and what was read from it ahead: heads, and bodies in each framing of HTTP/1.1.
//!
//! Both ends of the kit that write by hand stand on it, the raw client and the scripted origin. Never mends, never waits for
//! time.

use bytes::{Buf, Bytes, BytesMut};
use std::io::{self, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As its framing promised.
    Complete,
    /// With the connection, which was the only end that it had.
    Closed,
    /// Before the end that its framing promised, or by a reset.
    Cut,
}

/// Where a body ends (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

/// A body without its framing: all of its length, and so many of its bytes.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) bytes: BytesMut,
    pub(crate) length: u64,
    limit: usize,
}

impl Kept {
    pub(crate) fn up_to(limit: usize) -> Self {
        Self {
            bytes: BytesMut::new(),
            length: 0,
            limit,
        }
    }

    fn push(&mut self, piece: &[u8]) {
        self.length += u64::try_from(piece.len()).unwrap_or(0);
        let room = self.limit - self.bytes.len();
        self.bytes.extend_from_slice(piece.get(..room).unwrap_or(piece));
    }
}

/// More than any head that a test sends on purpose.
const MAX_HEAD: usize = 4 << 20;
/// What may lie between two chunks: a size with extensions, or a trailer.
const MAX_LINE: usize = 64 << 10;

/// A connection that is kept.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    /// Read and not yet taken.
    buffer: BytesMut,
}

impl Wire {
    pub(crate) fn over(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
        }
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// Says that nothing more will be sent; what comes can still be read.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn finish(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }

    /// Closes with a reset, as a process that was killed: what the other side has not yet received is lost.
    ///
    /// # Errors
    /// The socket does not take the option.
    pub fn reset(self) -> io::Result<()> {
        self.stream.set_zero_linger()
    }

    /// Reads `n` bytes, or as many as come.
    pub async fn up_to(&mut self, n: usize) -> (Bytes, End) {
        while self.buffer.len() < n {
            if self.more().await.is_err() {
                return (self.buffer.split().freeze(), End::Cut);
            }
        }
        (self.buffer.split_to(n).freeze(), End::Complete)
    }

    /// Whether the other side ends the connection without another byte.
    pub async fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && self.more().await.is_err()
    }

    /// Resolves when the other side ends the connection; what it sends before that is kept for later.
    pub(crate) async fn gone(&mut self) {
        while self.buffer.len() < MAX_HEAD {
            if self.more().await.is_err() {
                return;
            }
        }
        std::future::pending().await
    }

    /// Reads a head: `parse` says its length, or that there is more to come.
    pub(crate) async fn parse<T>(
        &mut self,
        parse: impl Fn(&[u8]) -> io::Result<Option<(usize, T)>>,
    ) -> io::Result<(Bytes, T)> {
        loop {
            if let Some((length, parsed)) = parse(&self.buffer)? {
                return Ok((self.buffer.split_to(length).freeze(), parsed));
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(io::Error::new(ErrorKind::InvalidData, "the head has no end"));
            }
            self.more().await?;
        }
    }

    /// Reads a body. One that is cut is no error but an [`End`].
    pub(crate) async fn receive(&mut self, framing: Framing, body: &mut Kept) -> io::Result<End> {
        match framing {
            Framing::Length(length) => Ok(self.counted(length, body).await),
            Framing::Chunked => self.chunks(body).await,
            Framing::UntilClose => loop {
                body.push(&self.buffer.split());
                match self.more().await {
                    Ok(()) => {}
                    Err(end) if end.kind() == ErrorKind::UnexpectedEof => return Ok(End::Closed),
                    Err(_) => return Ok(End::Cut),
                }
            },
        }
    }

    async fn counted(&mut self, mut length: u64, body: &mut Kept) -> End {
        while length > 0 {
            if self.buffer.is_empty() && self.more().await.is_err() {
                return End::Cut;
            }
            let piece = self.buffer.len().min(usize::try_from(length).unwrap_or(usize::MAX));
            body.push(&self.buffer.split_to(piece));
            length -= u64::try_from(piece).unwrap_or(length);
        }
        End::Complete
    }

    /// RFC 9112, 7.1; trailers are read and dropped.
    async fn chunks(&mut self, body: &mut Kept) -> io::Result<End> {
        loop {
            let (start, size) = loop {
                match httparse::parse_chunk_size(&self.buffer) {
                    Ok(httparse::Status::Complete(chunk)) => break chunk,
                    Ok(httparse::Status::Partial) if self.buffer.len() < MAX_LINE => {}
                    _ => return Err(io::Error::new(ErrorKind::InvalidData, "malformed chunk")),
                }
                if self.more().await.is_err() {
                    return Ok(End::Cut);
                }
            };
            self.buffer.advance(start);
            if self.counted(size, body).await == End::Cut {
                return Ok(End::Cut);
            }
            // The end of the chunk; or, behind the last one, trailers up to an empty line.
            loop {
                match self.line().await {
                    None => return Ok(End::Cut),
                    Some(line) if size > 0 || line == "\r\n" => break,
                    Some(_) => {}
                }
            }
            if size == 0 {
                return Ok(End::Complete);
            }
        }
    }

    async fn line(&mut self) -> Option<Bytes> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                return Some(self.buffer.split_to(end + 1).freeze());
            }
            if self.buffer.len() > MAX_LINE || self.more().await.is_err() {
                return None;
            }
        }
    }

    /// Reads at least a byte; the end of the connection is an error of the kind `UnexpectedEof`.
    async fn more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}
