//! One connection, a request at a time. Bodies are discarded by the kernel.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::ask::Ask;
use crate::head::{Expected, Head};

/// Most heads are shorter, and no more than that of a body is copied.
const FIRST_READ: usize = 1 << 10;
const LONGEST_HEAD: usize = 16 << 10;

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    head: Vec<u8>,
    state: State,
}

#[derive(Debug)]
enum State {
    Idle,
    Head { due: Instant, expected: Expected },
    Body { due: Instant, left: u64, close: bool },
}

#[derive(Debug, PartialEq)]
pub(crate) enum Progress {
    /// There is more to come.
    More {
        bytes: u64,
    },
    Done {
        bytes: u64,
        due: Instant,
        close: bool,
    },
}

impl Connection {
    pub(crate) fn open(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(server).with_context(|| format!("connecting to {server}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            head: Vec::new(),
            state: State::Idle,
        })
    }

    pub(crate) fn send(&mut self, ask: Ask, due: Instant) -> Result<()> {
        ensure!(matches!(self.state, State::Idle), "the last answer has not ended");
        let sent = self.stream.write(ask.request.as_bytes()).context("sending")?;
        ensure!(
            sent == ask.request.len(),
            "a request did not fit into the socket's buffer"
        );
        self.head.clear();
        self.state = State::Head {
            due,
            expected: ask.expected,
        };
        Ok(())
    }

    /// Takes what has arrived. `discard` is as large as what may be discarded at once, and nothing is written to it.
    pub(crate) fn read(&mut self, discard: &mut [u8]) -> Result<Progress> {
        let mut bytes = 0;
        if let State::Head { due, expected } = &self.state {
            let Some(head) = read_head(&self.stream, &mut self.head)? else {
                return Ok(Progress::More { bytes });
            };
            head.check(expected)?;
            bytes = u64::try_from(self.head.len() - head.bytes)?;
            let left = expected.length.checked_sub(bytes).context("more body than promised")?;
            self.state = State::Body {
                due: *due,
                left,
                close: head.close,
            };
        }
        let State::Body { due, left, close } = &mut self.state else {
            bail!("the server closed the connection, or sent what nobody asked for");
        };
        while *left > 0 {
            let most = usize::try_from(*left).unwrap_or(usize::MAX).min(discard.len());
            let asked = discard.get_mut(..most).unwrap_or_default();
            let Some(taken) = take(&self.stream, asked, RecvFlags::TRUNC)? else {
                return Ok(Progress::More { bytes });
            };
            bytes += u64::try_from(taken)?;
            *left -= u64::try_from(taken)?;
        }
        let (due, close) = (*due, *close);
        self.state = State::Idle;
        Ok(Progress::Done { bytes, due, close })
    }
}

fn read_head(stream: &TcpStream, head: &mut Vec<u8>) -> Result<Option<Head>> {
    let begin = head.len();
    ensure!(begin < LONGEST_HEAD, "a head longer than {LONGEST_HEAD} bytes");
    head.resize(begin + FIRST_READ, 0);
    let taken = take(stream, head.get_mut(begin..).unwrap_or_default(), RecvFlags::empty())?;
    head.truncate(begin + taken.unwrap_or(0));
    Head::parse(head)
}

/// `None` if nothing is there yet.
fn take(stream: &TcpStream, buffer: &mut [u8], flags: RecvFlags) -> Result<Option<usize>> {
    match recv(stream, buffer, flags) {
        Ok((_, 0)) => bail!("the server closed the connection within an answer"),
        Ok((_, taken)) => Ok(Some(taken)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(error) => Err(error).context("receiving"),
    }
}
