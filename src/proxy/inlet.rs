//! The reading half of a connection, without its I/O: which bytes are a head, which are a body, which are the next
//! request's.
//!
//! Owns: the bytes that were read and not yet handed over, and the place within the current request.
//! Never: hands over a byte of the next request before the current one has ended. So pipelining works whatever
//! Pingora makes of it, and a client that sent more is not taken for one that left.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr_iter;
use tokio::io::ReadBuf;

use super::chunks::{Chunks, Malformed};
use super::head::{self, Asked, Head};
use crate::request::strict::MAX_HEAD;
use crate::request::{Framing, Refusal};

/// What is read at once of a head, and kept allocated for each connection.
const HEAD_ROOM: usize = 2 << 10;

/// The bytes of a connection on their way in.
#[derive(Debug)]
pub(super) struct Inlet {
    /// Read, and not yet handed over.
    inbox: BytesMut,
    /// How much of the inbox holds no end of a head.
    scanned: usize,
    /// A head on its way to Pingora.
    handout: Bytes,
    /// The head before, by which the next chunk of the same download is known.
    last: Option<Arc<Head>>,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// Nothing of a head was seen.
    Idle,
    /// A part of one.
    Partial,
    /// A request runs, with this much of its body still to come.
    Running(Body),
}

#[derive(Debug)]
enum Body {
    Left(u64),
    Chunks(Chunks),
}

/// What the connection waits for when it has nothing to hand over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaits {
    /// The first byte of a request.
    Request,
    /// The rest of a head.
    Head,
    /// More of a body.
    Body,
    /// Nothing but the client's leaving: the request is complete and its answer is not.
    Leaving,
}

impl Inlet {
    pub(super) fn new() -> Self {
        Self {
            inbox: BytesMut::new(),
            scanned: 0,
            handout: Bytes::new(),
            last: None,
            phase: Phase::Idle,
        }
    }

    /// Where bytes from the socket go, and how many it takes now. There is space for more than a usual head: a read that
    /// fills its space has to be followed by another to learn that there is no more.
    pub(super) fn room(&mut self) -> (&mut BytesMut, usize) {
        let room = match self.awaits() {
            Awaits::Request | Awaits::Head => HEAD_ROOM,
            Awaits::Body => 64 << 10,
            // Bytes of pipelined requests are read only to see whether the client leaves after them.
            Awaits::Leaving => MAX_HEAD.saturating_sub(self.inbox.len()),
        };
        self.inbox.reserve(room.min(HEAD_ROOM));
        (&mut self.inbox, room)
    }

    pub(super) fn awaits(&self) -> Awaits {
        match &self.phase {
            Phase::Idle => Awaits::Request,
            Phase::Partial => Awaits::Head,
            Phase::Running(body) if body.done() => Awaits::Leaving,
            Phase::Running(_) => Awaits::Body,
        }
    }

    /// Copies what the current request may read; whether there was anything.
    pub(super) fn hand_over(&mut self, out: &mut ReadBuf<'_>) -> Result<bool, Malformed> {
        if !self.handout.is_empty() {
            let part = self.handout.split_to(self.handout.len().min(out.remaining()));
            out.put_slice(&part);
            return Ok(true);
        }
        let Phase::Running(body) = &mut self.phase else {
            return Ok(false);
        };
        let offered = self
            .inbox
            .get(..self.inbox.len().min(out.remaining()))
            .unwrap_or_default();
        let taken = body.take(offered)?;
        out.put_slice(offered.get(..taken).unwrap_or_default());
        self.inbox.advance(taken);
        Ok(taken > 0)
    }

    /// The next head, once it is whole or cannot become one. From then on the request runs.
    pub(super) fn next_head(&mut self) -> Option<Result<Asked, Refusal>> {
        // RFC 9112 2.2: empty lines before a request line are ignored.
        while matches!(self.phase, Phase::Idle) && self.inbox.starts_with(b"\r\n") {
            self.inbox.advance(2);
        }
        if self.inbox.is_empty() || &*self.inbox == b"\r" {
            return None;
        }
        self.phase = Phase::Partial;
        match find_end(&self.inbox, self.scanned) {
            Ok(Some(end)) => Some(self.begin(end)),
            Ok(None) if self.inbox.len() < MAX_HEAD => {
                self.scanned = self.inbox.len();
                None
            }
            Ok(None) => Some(Err(self.refuse(Refusal::HeadSize))),
            Err(refusal) => Some(Err(self.refuse(refusal))),
        }
    }

    fn begin(&mut self, end: usize) -> Result<Asked, Refusal> {
        let raw = self.inbox.split_to(end).freeze();
        match head::read(&raw, self.last.as_ref()) {
            Ok((asked, bytes)) => {
                self.run(bytes, Body::of(asked.head.framing));
                self.last = Some(Arc::clone(&asked.head));
                Ok(asked)
            }
            Err(refusal) => {
                self.run(head::stand_in(&raw), Body::Left(0));
                Err(refusal)
            }
        }
    }

    /// Gives a head up, for good: what follows it cannot be told from it.
    pub(super) fn refuse(&mut self, refusal: Refusal) -> Refusal {
        self.run(head::stand_in(&self.inbox), Body::Left(0));
        refusal
    }

    fn run(&mut self, handout: Bytes, body: Body) {
        self.handout = handout;
        self.scanned = 0;
        self.phase = Phase::Running(body);
    }

    /// The request that runs was answered without Pingora, which shall not read its head.
    pub(super) fn withhold(&mut self) {
        self.handout = Bytes::new();
    }

    /// Ends the request that runs, if its body has ended too; whether it did.
    pub(super) fn end(&mut self) -> bool {
        let ends = self.awaits() == Awaits::Leaving && self.handout.is_empty();
        if ends {
            self.phase = Phase::Idle;
        }
        ends
    }

    /// Whether the client sent, or is about to send, bytes that nobody will read.
    pub(super) fn unread(&self) -> bool {
        !self.inbox.is_empty() || self.awaits() == Awaits::Body
    }
}

impl Body {
    fn of(framing: Framing) -> Self {
        match framing {
            Framing::Empty => Self::Left(0),
            Framing::Length(length) => Self::Left(length),
            Framing::Chunked => Self::Chunks(Chunks::new()),
        }
    }

    fn done(&self) -> bool {
        match self {
            Self::Left(left) => *left == 0,
            Self::Chunks(chunks) => chunks.done(),
        }
    }

    /// How many of the next bytes are of this body.
    fn take(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        match self {
            Self::Left(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left = left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
                Ok(taken)
            }
            Self::Chunks(chunks) => chunks.scan(bytes),
        }
    }
}

/// The position after the empty line that ends a head. What can be refused before it is there, is: a client that
/// speaks something else should not have to wait for the deadline.
fn find_end(bytes: &[u8], scanned: usize) -> Result<Option<usize>, Refusal> {
    if bytes.first().is_some_and(|b| b.is_ascii_control() || !b.is_ascii()) {
        return Err(Refusal::Method);
    }
    // Three bytes back, as an end may straddle two reads.
    let from = scanned.saturating_sub(3);
    let fresh = bytes.get(from..).unwrap_or_default();
    for at in memchr_iter(b'\n', fresh) {
        let line_end = from + at + 1;
        let upto = bytes.get(..line_end).unwrap_or_default();
        if upto.ends_with(b"\r\n\r\n") {
            return Ok((line_end <= MAX_HEAD).then_some(line_end));
        }
        if !upto.ends_with(b"\r\n") {
            return Err(Refusal::BareLf);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All that a connection would hand over for these bytes, request by request.
    fn requests(bytes: &[u8], piece: usize) -> Vec<String> {
        let mut inlet = Inlet::new();
        let mut seen = Vec::new();
        for part in bytes.chunks(piece) {
            inlet.room().0.extend_from_slice(part);
            loop {
                if let Some(Err(refusal)) = matches!(inlet.awaits(), Awaits::Request | Awaits::Head)
                    .then(|| inlet.next_head())
                    .flatten()
                {
                    seen.push(format!("{refusal:?}"));
                    return seen;
                }
                let mut space = [0; 7];
                let mut out = ReadBuf::new(&mut space);
                if inlet.hand_over(&mut out).unwrap() {
                    if seen.is_empty() {
                        seen.push(String::new());
                    }
                    seen.last_mut()
                        .unwrap()
                        .push_str(std::str::from_utf8(out.filled()).unwrap());
                } else if inlet.end() {
                    seen.push(String::new());
                } else {
                    break;
                }
            }
        }
        seen.retain(|request| !request.is_empty());
        seen
    }

    const GET: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
    const PUT: &str = "PUT /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nGET /";
    const CHUNKED: &str = "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\n\r\n";

    proptest! {
        #[test]
        fn every_request_gets_its_own_bytes(
            order in prop::collection::vec(prop::sample::select(vec![GET, PUT, CHUNKED]), 1..6),
            piece in 1_usize..200,
        ) {
            let wire = order.join("\r\n");
            prop_assert_eq!(requests(wire.as_bytes(), piece), order);
        }

        #[test]
        fn never_panics(
            bytes in prop::collection::vec(prop::sample::select(b"GET / HTP.1\r\n:\x00\xff".to_vec()), 0..60),
            piece in 1_usize..9,
        ) {
            let _ = requests(&bytes, piece);
        }
    }

    #[test]
    fn refuses_early_what_cannot_become_a_head() {
        let check = |bytes: &[u8], expected: &str| assert_eq!(requests(bytes, 1), [expected]);
        check(b"\x16\x03\x01", "Method");
        check(b"GET / HTTP/1.1\n", "BareLf");
        check(b"GET / HTTP/1.1\r\nHost: h\r\nX: \0\r\n\r\n", "FieldValue");
        check(&[b'a'; MAX_HEAD], "HeadSize");
        let large = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "a".repeat(MAX_HEAD));
        assert_eq!(requests(large.as_bytes(), 1 << 20), ["HeadSize"]);
    }
}
