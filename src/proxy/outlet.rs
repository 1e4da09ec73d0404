//! The writing half of a connection: a small buffer, so that a head and a small body leave in one system call.
//!
//! Owns: bytes that were accepted and not yet written, and the patience with a reader that takes nothing.
//! Never: holds bytes back while anybody waits. Whoever reads from the connection flushes it first.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use prometheus::IntCounter;
use tokio::io::AsyncWrite;
use tokio::time::{Instant, Sleep, sleep};

/// A response head and a body of a few KiB; larger pieces go around the buffer, together with what it holds.
const CAPACITY: usize = 16 << 10;

/// Bytes on their way out.
pub(super) struct Outlet {
    pending: BytesMut,
    /// How long a client may take nothing at all.
    patience: Duration,
    /// Runs while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
    /// System calls that wrote something.
    writes: IntCounter,
}

impl Outlet {
    pub(super) fn new(patience: Duration, writes: IntCounter) -> Self {
        Self {
            pending: BytesMut::new(),
            patience,
            stalled: None,
            writes,
        }
    }

    /// Whether so many bytes fit the buffer.
    pub(super) fn takes(&self, bytes: &[u8]) -> bool {
        self.pending.len() + bytes.len() <= CAPACITY
    }

    /// Accepts bytes: into the buffer where they may wait and fit, else to the socket.
    pub(super) fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        cx: &mut Context<'_>,
        bytes: &[u8],
        buffered: bool,
    ) -> Poll<io::Result<usize>> {
        if buffered && self.takes(bytes) {
            self.pending.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        loop {
            let held = self.pending.len();
            let slices = [IoSlice::new(&self.pending), IoSlice::new(bytes)];
            let polled = Pin::new(&mut *io).poll_write_vectored(cx, &slices);
            let written = ready!(self.noted(cx, polled))?;
            self.pending.advance(written.min(held));
            if written > held {
                return Poll::Ready(Ok(written - held));
            }
        }
    }

    /// Writes what is held.
    pub(super) fn poll_drain<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let polled = Pin::new(&mut *io).poll_write(cx, &self.pending);
            let written = ready!(self.noted(cx, polled))?;
            self.pending.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Counts a write, and ends the connection of a client that takes nothing for too long.
    fn noted(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match polled {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(result) => {
                self.stalled = None;
                self.writes.inc();
                Poll::Ready(result)
            }
            Poll::Pending => {
                let patience = self.patience;
                let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
                ready!(stalled.as_mut().poll(cx));
                // Later polls time out at once, too.
                stalled.as_mut().reset(Instant::now());
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet")
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt, duplex};

    fn counter() -> IntCounter {
        IntCounter::new("writes", "writes").unwrap()
    }

    async fn write(outlet: &mut Outlet, io: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = poll_fn(|cx| outlet.poll_write(io, cx, rest, true)).await?;
            rest = &rest[written..];
        }
        Ok(())
    }

    #[tokio::test]
    async fn small_pieces_leave_together_and_large_ones_around() {
        let (mut io, mut peer) = duplex(1 << 20);
        let writes = counter();
        let mut outlet = Outlet::new(Duration::from_secs(9), writes.clone());
        write(&mut outlet, &mut io, b"head").await.unwrap();
        write(&mut outlet, &mut io, b"body").await.unwrap();
        assert_eq!(writes.get(), 0);
        poll_fn(|cx| outlet.poll_drain(&mut io, cx)).await.unwrap();
        assert_eq!(writes.get(), 1);
        let large = vec![b'x'; 100_000];
        write(&mut outlet, &mut io, b"head").await.unwrap();
        write(&mut outlet, &mut io, &large).await.unwrap();
        poll_fn(|cx| outlet.poll_drain(&mut io, cx)).await.unwrap();
        drop(io);
        let mut seen = Vec::new();
        peer.read_to_end(&mut seen).await.unwrap();
        assert_eq!(seen, [b"headbodyhead".as_slice(), &large].concat());
    }

    #[tokio::test(start_paused = true)]
    async fn patience_is_with_a_stall_and_not_with_the_whole() {
        let (mut io, mut peer) = duplex(1 << 10);
        let mut outlet = Outlet::new(Duration::from_secs(10), counter());
        let slow = async {
            let mut space = [0; 512];
            for _ in 0..60 {
                sleep(Duration::from_secs(9)).await;
                peer.read_exact(&mut space).await.unwrap();
            }
        };
        let bytes = vec![0; 64 << 10];
        let started = Instant::now();
        let (result, ()) = tokio::join!(write(&mut outlet, &mut io, &bytes), slow);
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed().as_secs(), 60 * 9 + 10);
    }
}
