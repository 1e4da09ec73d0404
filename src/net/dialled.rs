//! A connection that knows whether it has carried a request before.
//!
//! Owns: nothing but that. A server may close a kept connection at the very moment when a request goes out on it; what
//! follows is no fault of the server (RFC 9112 9.3.1).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{CaptureConnection, Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A TCP connection to an upstream.
#[derive(Debug)]
pub(super) struct Dialled {
    io: TokioIo<TcpStream>,
    used: Used,
}

/// Whether a connection was used; the same for all who ask about that connection.
#[derive(Clone, Debug, Default)]
struct Used(Arc<AtomicBool>);

impl Dialled {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            io: TokioIo::new(stream),
            used: Used::default(),
        }
    }
}

/// Whether the connection of a request has carried another before. To be asked once for each request.
pub(super) fn was_used(captured: &CaptureConnection) -> bool {
    let mut extensions = http::Extensions::new();
    if let Some(connected) = &*captured.connection_metadata() {
        connected.get_extras(&mut extensions);
    }
    extensions
        .get::<Used>()
        .is_some_and(|used| used.0.swap(true, Ordering::Relaxed))
}

impl Connection for Dialled {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.used.clone())
    }
}

impl Read for Dialled {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for Dialled {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}
