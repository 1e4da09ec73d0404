//! The access log: which requests leave a line, and what is in it.
//!
//! Owns: the choice of lines. A line costs more than a small answer does [M], so most leave none by default.
//! Never: a query, a field of a request or a tag; they may hold secrets.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::errors::Level;
use crate::config::AccessLog;

/// Chooses and writes lines.
#[derive(Debug)]
pub(super) struct Access {
    mode: AccessLog,
    slow: Duration,
    sample: NonZeroUsize,
    /// Unremarkable requests so far; wraps.
    seen: AtomicUsize,
}

/// What a line tells.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) route: &'a str,
    pub(super) class: &'a str,
    pub(super) status: u16,
    pub(super) outcome: &'a str,
    pub(super) notable: bool,
    pub(super) level: Level,
    pub(super) bytes: u64,
    pub(super) first_byte: Option<Duration>,
    pub(super) duration: Duration,
    pub(super) client: Option<SocketAddr>,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    /// What went wrong, in more words.
    pub(super) cause: Option<String>,
}

/// An event's level must be constant, hence not a function.
macro_rules! write {
    ($level:ident, $line:expr) => {
        tracing::$level!(
            target: "access",
            route = $line.route,
            class = $line.class,
            status = $line.status,
            outcome = $line.outcome,
            bytes = $line.bytes,
            ttfb_ms = $line.first_byte.map(milliseconds),
            duration_ms = milliseconds($line.duration),
            client = $line.client.map(tracing::field::display),
            method = $line.method,
            path = $line.path,
            cause = $line.cause,
        )
    };
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

impl Access {
    pub(super) fn new(mode: AccessLog, slow: Duration, sample: NonZeroUsize) -> Self {
        Self {
            mode,
            slow,
            sample,
            seen: AtomicUsize::new(0),
        }
    }

    /// Writes the line, if it is one of those that are wanted.
    pub(super) fn log(&self, line: &Line<'_>) {
        if !self.wants(line) {
            return;
        }
        match line.level {
            Level::Quiet => write!(info, line),
            Level::Warn => write!(warn, line),
            Level::Error => write!(error, line),
        }
    }

    fn wants(&self, line: &Line<'_>) -> bool {
        let remarkable = line.notable || line.status >= 500 || line.level != Level::Quiet || line.duration >= self.slow;
        match self.mode {
            AccessLog::Off => false,
            AccessLog::Errors => remarkable,
            AccessLog::All => true,
            AccessLog::Sample => {
                remarkable
                    || self
                        .seen
                        .fetch_add(1, Ordering::Relaxed)
                        .is_multiple_of(self.sample.get())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(status: u16) -> Line<'static> {
        Line {
            route: "r",
            class: "pinned",
            status,
            outcome: "disk",
            notable: false,
            level: Level::Quiet,
            bytes: 0,
            first_byte: None,
            duration: Duration::from_millis(1),
            client: None,
            method: "GET",
            path: "/",
            cause: None,
        }
    }

    #[test]
    fn lines_are_chosen_by_mode() {
        let check = |mode, line: &Line<'_>, expected: [bool; 4]| {
            let access = Access::new(mode, Duration::from_secs(5), NonZeroUsize::new(3).unwrap());
            assert_eq!([(); 4].map(|()| access.wants(line)), expected, "{mode:?} {line:?}");
        };
        let notable = Line {
            notable: true,
            ..line(200)
        };
        let slow = Line {
            duration: Duration::from_secs(5),
            ..line(200)
        };
        let warned = Line {
            level: Level::Warn,
            ..line(200)
        };
        for remarkable in [line(502), notable, slow, warned] {
            check(AccessLog::Off, &remarkable, [false; 4]);
            check(AccessLog::Errors, &remarkable, [true; 4]);
            check(AccessLog::All, &remarkable, [true; 4]);
            check(AccessLog::Sample, &remarkable, [true; 4]);
        }
        check(AccessLog::Off, &line(404), [false; 4]);
        check(AccessLog::Errors, &line(404), [false; 4]);
        check(AccessLog::All, &line(404), [true; 4]);
        check(AccessLog::Sample, &line(404), [true, false, false, true]);
    }
}
