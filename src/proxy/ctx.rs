//! What the edge remembers of one request while Pingora runs it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use prometheus::IntGauge;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::errors::Fault;
use super::head::Head;
use super::pass::Passing;
use crate::metrics::RouteMetrics;
use crate::request::Framing;

/// The state of one request.
pub(super) struct Ctx {
    started: Instant,
    first_byte: Option<Duration>,
    pub(super) route: Option<Arc<RouteMetrics>>,
    pub(super) class: &'static str,
    /// Set with the answer's head.
    pub(super) outcome: Option<&'static str>,
    pub(super) status: Option<StatusCode>,
    pub(super) notable: bool,
    /// What went wrong, where we know better than Pingora.
    pub(super) fault: Option<Fault>,
    /// Why a body was given up.
    pub(super) aborted: Option<&'static str>,
    /// The same in more words, for the log.
    pub(super) cause: Option<String>,
    pub(super) passing: Option<Box<Passing>>,
    /// How the request's body is delimited.
    pub(super) framing: Framing,
    /// What was asked, for the log.
    pub(super) head: Option<Arc<Head>>,
    pub(super) client: Option<SocketAddr>,
    pub(super) sent: u64,
    running: Option<Running>,
}

/// A request that runs; no longer when it is dropped, however it ended.
struct Running {
    gauge: IntGauge,
    _permit: OwnedSemaphorePermit,
}

impl Ctx {
    pub(super) fn new() -> Self {
        Self {
            started: Instant::now(),
            first_byte: None,
            route: None,
            class: "refuse",
            outcome: None,
            status: None,
            notable: false,
            fault: None,
            aborted: None,
            cause: None,
            passing: None,
            framing: Framing::Empty,
            head: None,
            client: None,
            sent: 0,
            running: None,
        }
    }

    /// Counts as running from now on.
    pub(super) fn run(&mut self, gauge: &IntGauge, permit: OwnedSemaphorePermit) {
        gauge.inc();
        self.running = Some(Running {
            gauge: gauge.clone(),
            _permit: permit,
        });
    }

    /// The upstream has nothing more to do with it.
    pub(super) fn end_passing(&mut self) {
        if let Some(passing) = &mut self.passing {
            passing.end();
        }
    }

    /// The answer's head goes out now.
    pub(super) fn begins(&mut self, status: StatusCode, outcome: &'static str) {
        self.status = Some(status);
        self.outcome = Some(outcome);
        self.first_byte = Some(self.started.elapsed());
    }

    pub(super) fn first_byte(&self) -> Option<Duration> {
        self.first_byte
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}
