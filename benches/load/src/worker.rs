//! A thread with its share of the connections.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};

use crate::ask::Asks;
use crate::connection::{Connection, Progress};
use crate::now;
use crate::schedule::Schedule;
use crate::tally::Tally;

/// As much as is discarded by one call.
const DISCARD: usize = 4 << 20;
const EVENTS: usize = 256;
/// How long a server may be silent before the run is given up.
const PATIENCE: Duration = Duration::from_secs(20);
/// The timer's name among the connections' indices.
const TIMER: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) enum Pace {
    /// Each connection asks again as soon as it has its answer.
    Closed,
    Open(Schedule),
}

/// While requests are begun; without an end until all is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Period {
    pub(crate) start: Instant,
    pub(crate) until: Option<Instant>,
}

impl Period {
    pub(crate) fn from(start: Instant, length: Option<Duration>) -> Self {
        Self {
            start,
            until: length.map(|length| start + length),
        }
    }

    fn holds(&self, at: Instant) -> bool {
        self.until.is_none_or(|until| at < until)
    }
}

#[derive(Debug)]
pub(crate) struct Worker {
    server: SocketAddr,
    epoll: OwnedFd,
    timer: OwnedFd,
    connections: Vec<Connection>,
    /// Longest idle first, so that a low rate uses them all.
    idle: VecDeque<usize>,
    asks: Asks,
    tally: Tally,
    discard: Vec<u8>,
}

impl Worker {
    pub(crate) fn connect(server: SocketAddr, connections: usize, asks: Asks) -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let data = epoll::EventData::new_u64(TIMER);
        // Told once each time that it is set anew, so that nobody has to read it.
        epoll::add(&epoll, &timer, data, epoll::EventFlags::IN | epoll::EventFlags::ET)?;
        let mut worker = Self {
            server,
            epoll,
            timer,
            connections: Vec::new(),
            idle: (0..connections).collect(),
            asks,
            tally: Tally::default(),
            discard: vec![0; DISCARD],
        };
        for index in 0..connections {
            let connection = worker.open(index)?;
            worker.connections.push(connection);
        }
        Ok(worker)
    }

    fn open(&self, index: usize) -> Result<Connection> {
        let connection = Connection::open(self.server)?;
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(&self.epoll, &connection.stream, data, epoll::EventFlags::IN)?;
        Ok(connection)
    }

    pub(crate) fn run(mut self, mut pace: Pace, period: Period) -> Result<Tally> {
        let mut events = Vec::with_capacity(EVENTS);
        loop {
            let coming = self.begin(&mut pace, period)?;
            if !coming && self.idle.len() == self.connections.len() {
                return Ok(self.tally);
            }
            let patience = Timespec {
                tv_sec: PATIENCE.as_secs().try_into()?,
                tv_nsec: 0,
            };
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&patience)) {
                Ok(0) => bail!("no answer for {PATIENCE:?}"),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error).context("waiting"),
            }
            for event in &events {
                let data = event.data;
                if data.u64() != TIMER {
                    self.read(data.u64().try_into()?, period)?;
                }
            }
        }
    }

    /// Begins what is due, as far as there are idle connections. Whether there is more to begin, later.
    fn begin(&mut self, pace: &mut Pace, period: Period) -> Result<bool> {
        while let Some(&index) = self.idle.front() {
            let now = now();
            let due = match pace {
                Pace::Closed => now,
                Pace::Open(schedule) => period.start + schedule.due(),
            };
            if !period.holds(due) {
                return Ok(false);
            }
            if due > now {
                self.wake(due - now)?;
                return Ok(true);
            }
            let Some(ask) = self.asks.next() else {
                return Ok(false);
            };
            if let Pace::Open(schedule) = pace {
                schedule.advance();
            }
            self.idle.pop_front();
            self.tally.sent(now - due);
            self.connection(index)?.send(ask, due)?;
        }
        Ok(true)
    }

    fn read(&mut self, index: usize, period: Period) -> Result<()> {
        let connection = self.connections.get_mut(index).context("no such connection")?;
        let progress = connection.read(&mut self.discard)?;
        let now = now();
        let (Progress::More { bytes } | Progress::Done { bytes, .. }) = progress;
        self.tally.bytes(bytes, period.holds(now));
        if let Progress::Done { due, close, .. } = progress {
            self.tally.answered(now - due, now);
            self.idle.push_back(index);
            if close {
                self.tally.reconnects += 1;
                *self.connection(index)? = self.open(index)?;
            }
        }
        Ok(())
    }

    fn connection(&mut self, index: usize) -> Result<&mut Connection> {
        self.connections.get_mut(index).context("no such connection")
    }

    /// Waits no longer than that. Not by epoll's own time, which is in milliseconds.
    fn wake(&self, after: Duration) -> Result<()> {
        ensure!(!after.is_zero(), "a timer of no time is none");
        let once = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec {
                tv_sec: after.as_secs().try_into()?,
                tv_nsec: after.subsec_nanos().into(),
            },
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}
