//! One client's connection, as Pingora reads and writes it.
//!
//! Owns: the deadline of every head, the wait between requests, the patience with slow readers, and the strict look at
//! every head before Pingora sees it.
//! Never: limits how long a request or a body takes as long as bytes move.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::BufMut;
use http::HeaderValue;
use parking_lot::Mutex;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream, TimingDigest,
    UniqueID, UniqueIDType,
};
use prometheus::IntCounter;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::date::restored;
use super::head::Asked;
use super::inlet::{Awaits, Inlet};
use super::outlet::Outlet;
use crate::config::{Listener, ListenerTimeouts};
use crate::request::Refusal;

/// Where a connection came from.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The client.
    pub client: SocketAddr,
    /// Whether its listener is also a forward proxy.
    pub forward: bool,
}

/// The stream that Pingora is given.
pub(super) struct Conn {
    io: TcpStream,
    origin: Origin,
    timeouts: ListenerTimeouts,
    inlet: Inlet,
    outlet: Outlet,
    /// Ends the wait for a request or for the rest of a head.
    deadline: Pin<Box<Sleep>>,
    armed: Option<Awaits>,
    first: bool,
    /// How many more requests this connection may carry.
    left: usize,
    asked: Option<Result<Asked, Refusal>>,
    /// Set by hooks, which only borrow the connection.
    finished: AtomicBool,
    reset: AtomicBool,
    date: Mutex<Option<HeaderValue>>,
}

/// After the last answer of a connection whose client is still sending: so much, and so long, is read and thrown away,
/// since closing at once would make the kernel reset the connection and the client lose the answer (RFC 9112 9.6).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1 << 20;

impl Conn {
    pub(super) fn new(io: TcpStream, origin: Origin, listener: &Listener, writes: IntCounter) -> Self {
        let timeouts = listener.timeouts;
        Self {
            io,
            origin,
            timeouts,
            inlet: Inlet::new(),
            outlet: Outlet::new(timeouts.write, writes),
            deadline: Box::pin(sleep(Duration::ZERO)),
            armed: None,
            first: true,
            left: listener.max_requests_per_connection.get(),
            asked: None,
            finished: AtomicBool::new(false),
            reset: AtomicBool::new(false),
            date: Mutex::new(None),
        }
    }

    /// The connection behind a session's stream.
    pub(super) fn of(stream: &Stream) -> Option<&Self> {
        (**stream).as_any().downcast_ref()
    }

    pub(super) fn origin(&self) -> Origin {
        self.origin
    }

    pub(super) fn timeouts(&self) -> ListenerTimeouts {
        self.timeouts
    }

    /// The head of the request that runs, or why it was refused.
    pub(super) fn asked(&self) -> Option<&Result<Asked, Refusal>> {
        self.asked.as_ref()
    }

    /// Whether the request that runs is the last one that this connection may carry.
    pub(super) fn last(&self) -> bool {
        self.left == 0
    }

    /// The request that runs was answered: what follows its body is the next head.
    pub(super) fn finish(&self) {
        self.finished.store(true, Ordering::Relaxed);
    }

    /// To be closed by a reset: the end of a body that only the connection's end delimits must not look like one.
    pub(super) fn reset_on_close(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }

    /// The date that the next head shall have, whatever Pingora makes of it.
    pub(super) fn keep_date(&self, date: HeaderValue) {
        *self.date.lock() = Some(date);
    }

    /// Waits for the head of the next request. `false` if there will be none: the client left, or said nothing in time.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        // Whoever waits for the client first sends what it is owed.
        if let Poll::Ready(Err(error)) = self.outlet.poll_drain(&mut self.io, cx) {
            return Poll::Ready(Err(error));
        }
        if std::mem::take(self.finished.get_mut()) {
            self.asked = None;
            if !self.inlet.end() {
                return Poll::Ready(Ok(false));
            }
        }
        while matches!(self.inlet.awaits(), Awaits::Request | Awaits::Head) {
            if let Some(asked) = self.inlet.next_head() {
                self.begin(asked);
            } else if ready!(self.poll_more(cx))? == 0 {
                return Poll::Ready(Ok(false));
            }
        }
        Poll::Ready(Ok(true))
    }

    /// Answers the request that runs, in as few system calls as it takes.
    pub(super) async fn answer(&mut self, head: &[u8], body: &[u8]) -> io::Result<()> {
        self.inlet.withhold();
        self.write_all(head).await?;
        self.write_all(body).await?;
        self.flush().await?;
        self.finish();
        Ok(())
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let (inbox, room) = self.inlet.room();
        if room == 0 {
            // The pipeline is full: nothing to wait for. Whoever polls here waits for something else as well.
            return Poll::Pending;
        }
        let mut limited = inbox.limit(room);
        pin!(self.io.read_buf(&mut limited)).poll(cx)
    }

    /// Waits for bytes within the bound of what is awaited. Zero is the end of the stream.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(result) = self.poll_fill(cx) {
            return Poll::Ready(result);
        }
        let awaits = self.inlet.awaits();
        let limit = match awaits {
            // A connection that says nothing at all has not more time than one that dribbles.
            Awaits::Request if self.first => self.timeouts.head,
            Awaits::Request => self.timeouts.keep_alive,
            Awaits::Head => self.timeouts.head,
            // Pingora's own timeout bounds the wait for a body; a client that waits for its answer may be silent.
            Awaits::Body | Awaits::Leaving => return Poll::Pending,
        };
        // The first head's time began with the connection; a later one's begins with its first byte.
        if self.armed.is_none() || (self.armed != Some(awaits) && !self.first) {
            self.armed = Some(awaits);
            self.deadline.as_mut().reset(Instant::now() + limit);
        }
        ready!(self.deadline.as_mut().poll(cx));
        if awaits == Awaits::Head {
            let refusal = self.inlet.refuse(Refusal::Slow);
            self.begin(Err(refusal));
            return Poll::Ready(Ok(1));
        }
        Poll::Ready(Ok(0))
    }

    fn begin(&mut self, asked: Result<Asked, Refusal>) {
        self.asked = Some(asked);
        self.left = self.left.saturating_sub(1);
        self.armed = None;
        self.first = false;
        self.finished.store(false, Ordering::Relaxed);
        *self.date.get_mut() = None;
    }

    /// Whether bytes are on their way that nobody will read.
    fn unread(&self) -> bool {
        let refused = self.asked.as_ref().is_some_and(Result::is_err);
        refused || self.inlet.unread() || self.io.try_read(&mut [0]).is_ok_and(|n| n > 0)
    }

    async fn linger(&mut self) {
        let mut space = vec![0; 16 << 10];
        let mut left = LINGER_BYTES;
        while left > 0 {
            match self.io.read(&mut space).await {
                Ok(0) | Err(_) => return,
                Ok(n) => left = left.saturating_sub(n),
            }
        }
    }
}

impl AsyncRead for Conn {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Whoever waits for the client first sends what it is owed.
        if let Poll::Ready(Err(error)) = this.outlet.poll_drain(&mut this.io, cx) {
            return Poll::Ready(Err(error));
        }
        loop {
            let malformed = |_| io::Error::from(io::ErrorKind::InvalidData);
            if this.inlet.hand_over(out).map_err(malformed)? {
                return Poll::Ready(Ok(()));
            }
            if ready!(this.poll_more(cx))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Conn {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // Nobody may be reading while a body is ignored, so nobody would flush.
        let buffered = this.inlet.awaits() == Awaits::Leaving;
        // Only a head that is taken whole may be exchanged for another.
        if buffered
            && this.outlet.takes(bytes)
            && let Some(head) = this.date.get_mut().take().and_then(|date| restored(bytes, &date))
        {
            return this.outlet.poll_write(&mut this.io, cx, &head, buffered);
        }
        this.outlet.poll_write(&mut this.io, cx, bytes, buffered)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.outlet.poll_drain(&mut this.io, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.outlet.poll_drain(&mut this.io, cx))?;
        Pin::new(&mut this.io).poll_shutdown(cx)
    }
}

#[async_trait]
impl Shutdown for Conn {
    async fn shutdown(&mut self) {
        let closed = AsyncWriteExt::shutdown(self).await;
        if closed.is_ok() && self.unread() {
            // Either it ended, or it was long enough; both close.
            let _ = timeout(LINGER, self.linger()).await;
        }
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        if *self.reset.get_mut() {
            // Without it the connection ends as if it were whole, which is what it would be without `reset` anyway.
            let _ = self.io.set_zero_linger();
        }
    }
}

impl UniqueID for Conn {
    fn id(&self) -> UniqueIDType {
        self.io.as_raw_fd()
    }
}

impl Ssl for Conn {}

impl Peek for Conn {}

impl GetTimingDigest for Conn {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for Conn {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for Conn {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        // Hooks ask the connection itself who the client is.
        None
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn")
            .field("client", &self.origin.client)
            .field("awaits", &self.inlet.awaits())
            .field("outlet", &self.outlet)
            .finish_non_exhaustive()
    }
}
