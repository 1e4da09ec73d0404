//! The body of an answer on its way.
//!
//! Owns: the idle timeout, the turn of its request, and that the end is proven.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use super::cause;
use super::turns::Turn;
use crate::object::{Cause, Cut, Lie};

/// A stream of bytes that ends where the message ends, and else with one [`Cut`]. Dropped before, it closes the
/// connection; ended, it gives it back to the pool.
pub struct Transfer {
    body: Option<Incoming>,
    /// What counts against the limit of the tier: held until the last byte came.
    turn: Option<Turn>,
    left: Option<u64>,
    stall: Stall,
}

/// Watches how long the peer is silent while somebody waits for it. A reader that takes its time is not the peer's fault.
struct Stall {
    idle: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    armed: bool,
}

impl Transfer {
    pub(super) fn new(body: Incoming, turn: Turn, idle: Duration) -> Self {
        let body = Some(body).filter(|body| !body.is_end_stream());
        let turn = body.is_some().then_some(turn);
        let stall = Stall {
            idle,
            timer: None,
            armed: false,
        };
        Self {
            body,
            turn,
            left: None,
            stall,
        }
    }

    /// Holds the body to a length that its framing need not state, as that of a chunked 206.
    #[must_use]
    pub fn of_length(mut self, length: u64) -> Self {
        self.left = Some(length);
        self
    }

    fn end(&mut self) {
        self.body = None;
        self.turn = None;
    }

    fn cut(&mut self, cause: Cause) -> Poll<Option<Result<Bytes, Cut>>> {
        self.end();
        Poll::Ready(Some(Err(Cut(cause))))
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cause>>> {
        let Some(body) = self.body.as_mut() else {
            return Poll::Ready(None);
        };
        loop {
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Pending => {
                    ready!(self.stall.poll_elapsed(cx));
                    return Poll::Ready(Some(Err(Cause::Timeout)));
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(cause::of_body(&error)))),
                Poll::Ready(Some(Ok(frame))) => {
                    self.stall.armed = false;
                    // Trailers are no bytes of the object, and empty frames are none at all.
                    match frame.into_data() {
                        Ok(data) if !data.is_empty() => return Poll::Ready(Some(Ok(data))),
                        Ok(_) | Err(_) => {}
                    }
                }
            }
        }
    }

    /// Counts bytes against the length that the body is held to.
    fn admit(&mut self, data: Bytes) -> Result<Bytes, Cause> {
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        match &mut self.left {
            None => Ok(data),
            Some(left) => {
                *left = left.checked_sub(length).ok_or(Cause::Lie(Lie::Length))?;
                Ok(data)
            }
        }
    }
}

impl Stream for Transfer {
    type Item = Result<Bytes, Cut>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.body.is_none() {
            return Poll::Ready(None);
        }
        match ready!(this.poll_body(cx)) {
            Some(Ok(data)) => match this.admit(data) {
                Ok(data) => Poll::Ready(Some(Ok(data))),
                Err(cause) => this.cut(cause),
            },
            Some(Err(cause)) => this.cut(cause),
            None if this.left.is_some_and(|left| left > 0) => this.cut(Cause::Reset),
            None => {
                this.end();
                Poll::Ready(None)
            }
        }
    }
}

impl Stall {
    /// Resolves when the peer was silent for too long. The timer is touched only when there is nothing to read.
    fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(self.idle)));
        if !self.armed {
            timer.as_mut().reset(Instant::now() + self.idle);
            self.armed = true;
        }
        timer.as_mut().poll(cx)
    }
}

impl fmt::Debug for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transfer")
            .field("ended", &self.body.is_none())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Turns;

    use futures_util::StreamExt;
    use http_body_util::Empty;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::task::JoinSet;

    const IDLE: Duration = Duration::from_secs(10);

    /// The body of an answer of 100 bytes, of which one comes after each of these pauses. All of time is tokio's.
    async fn arriving(pauses: Vec<Duration>) -> (Transfer, JoinSet<()>) {
        let (near, mut far) = tokio::io::duplex(1 << 10);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(far.read_u8().await.unwrap());
            }
            far.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
                .await
                .unwrap();
            for pause in pauses {
                sleep(pause).await;
                far.write_all(b"x").await.unwrap();
            }
            std::future::pending::<()>().await;
        });
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(near)).await.unwrap();
        tasks.spawn(async move { drop(connection.await) });
        let request = http::Request::get("/").body(Empty::<Bytes>::new()).unwrap();
        let body = sender.send_request(request).await.unwrap().into_body();
        let turn = Turns::new(1, IDLE).take().await.unwrap();
        (Transfer::new(body, turn, IDLE), tasks)
    }

    #[tokio::test(start_paused = true)]
    async fn only_silence_is_counted_and_only_while_somebody_waits() {
        let began = Instant::now();
        let (mut body, _tasks) = arriving(vec![IDLE * 9 / 10; 5]).await;
        for _ in 0..4 {
            assert_eq!(body.next().await, Some(Ok(Bytes::from_static(b"x"))));
        }
        assert_eq!(began.elapsed(), IDLE * 9 / 10 * 4);
        sleep(IDLE * 5).await;
        assert_eq!(body.next().await, Some(Ok(Bytes::from_static(b"x"))));
        let silent = Instant::now();
        assert_eq!(body.next().await, Some(Err(Cut(Cause::Timeout))));
        assert_eq!(silent.elapsed(), IDLE);
        assert_eq!(body.next().await, None);
    }
}
