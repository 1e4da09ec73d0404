//! What is counted, as one struct that is made from a passed-in registry.
//!
//! Owns: names, labels and buckets of all metrics; handles that are resolved once per route and tier.
//! Never: holds a global, or takes a label from a request. Labels are names from the configuration, or `'static`.

mod disk;
mod register;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus::{
    Encoder, Error, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder,
};

use disk::DiskMetrics;
use register::Maker;

pub use disk::DiskSnapshot;

/// Everything that is counted here.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    first_byte: HistogramVec,
    duration: HistogramVec,
    sent: SentBytes,
    tier_requests: IntCounterVec,
    tier_seconds: HistogramVec,
    hedges: IntCounterVec,
    retries: IntCounterVec,
    stands_still: IntGaugeVec,
    left_out: IntCounterVec,
    discoveries: IntCounterVec,
    splices: IntCounterVec,
    contradictions: IntCounterVec,
    fills: IntCounterVec,
    ahead: IntCounterVec,
    versioned: IntCounterVec,
    disk: DiskMetrics,
    /// Pinned requests that no tier could serve with a listed revision.
    pub pin_mismatches: IntCounter,
    /// Discoveries that were answered without the authority's word.
    pub discovery_fallbacks: IntCounter,
    /// Bodies that were cut and resumed.
    pub body_resumes: IntCounter,
    /// Requests that run.
    pub requests_in_flight: IntGauge,
    /// Requests that wait for the authority to say what is current.
    pub discoveries_waiting: IntGauge,
    /// Connections of clients that are open.
    pub connections_open: IntGauge,
    /// Connections of clients that were over the cap.
    pub connections_refused: IntCounter,
    /// System calls that wrote to clients; a small answer takes one.
    pub client_writes: IntCounter,
}

/// The kind of splice that an upstream's answer without regard to If-Match would have been.
pub const PIN_IGNORED: &str = "if-match";

/// What a client's bytes were read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A local block.
    Disk,
    /// A block in flight, from memory.
    Flight,
    /// An answer of an upstream, as it came.
    Upstream,
    /// Made here: errors, for example.
    Generated,
}

/// The handles of one route.
#[derive(Clone)]
pub struct RouteMetrics {
    name: Arc<str>,
    requests: IntCounterVec,
    /// The one that counts most, found beforehand.
    pinned_disk: IntCounter,
    first_byte: Histogram,
    duration: Histogram,
}

/// The handles of one tier.
#[derive(Clone)]
pub struct TierMetrics {
    name: Arc<str>,
    requests: IntCounterVec,
    seconds: Histogram,
    hedges: IntCounterVec,
    retries: IntCounterVec,
    stands_still: IntGaugeVec,
    left_out: IntCounterVec,
}

#[derive(Clone)]
struct SentBytes {
    disk: IntCounter,
    flight: IntCounter,
    upstream: IntCounter,
    generated: IntCounter,
}

/// A disk hit takes a fraction of a millisecond, a shared tier some ten of them.
const FIRST_BYTE: [f64; 14] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];
/// Up to downloads of many GiB.
const DURATION: [f64; 14] = [
    0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0,
];

impl Metrics {
    /// Registers everything; fails only if that registry already has a metric of the same name.
    pub fn new(registry: Registry) -> Result<Self, Error> {
        let make = Maker::new(&registry);
        let build = make.gauges("build_info", "Which build runs; always 1.", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let sent = make.counters("sent_bytes_total", "Bytes of bodies sent to clients.", &["source"])?;
        Ok(Self {
            requests: make.counters("requests_total", "Requests that ended.", &["route", "class", "outcome"])?,
            first_byte: make.histograms(
                "request_first_byte_seconds",
                "From a request's head to its answer's.",
                &["route"],
                &FIRST_BYTE,
            )?,
            duration: make.histograms(
                "request_duration_seconds",
                "From a request's head to its end.",
                &["route"],
                &DURATION,
            )?,
            sent: SentBytes::new(&sent),
            tier_requests: make.counters("tier_requests_total", "Questions to a tier.", &["tier", "outcome"])?,
            tier_seconds: make.histograms(
                "tier_first_byte_seconds",
                "From a question to a tier to the head of its answer.",
                &["tier"],
                &FIRST_BYTE,
            )?,
            hedges: make.counters(
                "hedges_total",
                "Reads that were asked for twice since the first answer took long.",
                &["tier", "outcome"],
            )?,
            retries: make.counters(
                "retries_total",
                "Reads that were asked for again after an error.",
                &["tier", "outcome"],
            )?,
            stands_still: make.gauges(
                "tier_stands_still",
                "1 while a tier says nothing to any question, so that most are waited for briefly.",
                &["tier"],
            )?,
            left_out: make.counters(
                "endpoints_left_out_total",
                "How often one of several servers of a tier was left out.",
                &["tier", "reason"],
            )?,
            discoveries: make.counters(
                "discoveries_total",
                "Discoveries by how they were answered.",
                &["detail"],
            )?,
            splices: make.counters(
                "splices_refused_total",
                "Answers that contradict their question.",
                &["kind"],
            )?,
            contradictions: make.counters(
                "revisions_contradicted_total",
                "Revisions that were dropped since the authority's word on them changed.",
                &["kind"],
            )?,
            ahead: make.counters(
                "pieces_ahead_total",
                "Pieces that were fetched ahead of a reader of a whole object.",
                &["outcome"],
            )?,
            versioned: make.counters(
                "versioned_reads_total",
                "Questions for a version of an object, put since its revision was current no more.",
                &["outcome"],
            )?,
            fills: make.counters("fills_total", "Blocks on their way into a store.", &["outcome"])?,
            disk: DiskMetrics::new(&make)?,
            pin_mismatches: make.counter("pin_mismatches_total", "Pins that were answered 412.")?,
            discovery_fallbacks: make.counter(
                "discovery_fallbacks_total",
                "Discoveries that were answered without the authority's word.",
            )?,
            body_resumes: make.counter("body_resumes_total", "Bodies that were cut and resumed.")?,
            requests_in_flight: make.gauge("requests_in_flight", "Requests that run.")?,
            discoveries_waiting: make.gauge(
                "discoveries_waiting",
                "Requests that wait for the authority to say what is current.",
            )?,
            connections_open: make.gauge("connections_open", "Connections of clients that are open.")?,
            connections_refused: make.counter("connections_refused_total", "Connections over the cap.")?,
            client_writes: make.counter("client_writes_total", "System calls that wrote to clients.")?,
            registry,
        })
    }

    /// The handles of a route, to be made once.
    pub fn route(&self, name: &str) -> RouteMetrics {
        RouteMetrics {
            name: name.into(),
            requests: self.requests.clone(),
            pinned_disk: self.requests.with_label_values(&[name, "pinned", "disk"]),
            first_byte: self.first_byte.with_label_values(&[name]),
            duration: self.duration.with_label_values(&[name]),
        }
    }

    /// The handles of a tier, to be made once.
    pub fn tier(&self, name: &str) -> TierMetrics {
        TierMetrics {
            name: name.into(),
            requests: self.tier_requests.clone(),
            seconds: self.tier_seconds.with_label_values(&[name]),
            hedges: self.hedges.clone(),
            retries: self.retries.clone(),
            stands_still: self.stands_still.clone(),
            left_out: self.left_out.clone(),
        }
    }

    /// Bytes of a body that a client was sent.
    pub fn sent(&self, source: Source, bytes: u64) {
        self.sent.of(source).inc_by(bytes);
    }

    /// A discovery was answered; the detail is that of Cache-Status.
    pub fn discovery(&self, detail: &'static str) {
        self.discoveries.with_label_values(&[detail]).inc();
    }

    /// An answer was refused since it contradicts its question.
    pub fn splice_refused(&self, kind: &'static str) {
        self.splices.with_label_values(&[kind]).inc();
    }

    /// What is known of a revision was contradicted, and what is stored under its tag dropped.
    pub fn contradicted(&self, kind: &'static str) {
        self.contradictions.with_label_values(&[kind]).inc();
    }

    /// A fill ended.
    pub fn fill(&self, outcome: &'static str) {
        self.fills.with_label_values(&[outcome]).inc();
    }

    /// A piece that was fetched ahead of a reader ended.
    pub fn ahead(&self, outcome: &'static str) {
        self.ahead.with_label_values(&[outcome]).inc();
    }

    /// A version of an object was asked for, since its revision is current no more.
    pub fn versioned(&self, outcome: &'static str) {
        self.versioned.with_label_values(&[outcome]).inc();
    }

    /// Asks that disk tier at every scrape.
    pub fn watch_disk(&self, tier: &str, ask: impl Fn() -> DiskSnapshot + Send + Sync + 'static) {
        self.disk.watch(tier, Box::new(ask));
    }

    /// Everything, in Prometheus' text format.
    pub fn render(&self) -> Result<Vec<u8>, Error> {
        self.disk.refresh();
        let mut out = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut out)?;
        Ok(out)
    }

    /// The media type of [`Metrics::render`].
    pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;
}

impl Source {
    /// The label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Flight => "flight",
            Self::Upstream => "upstream",
            Self::Generated => "generated",
        }
    }
}

impl RouteMetrics {
    /// The route's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A request ended. Without a first byte it was given up before its answer began.
    pub fn ended(&self, class: &str, outcome: &str, first_byte: Option<Duration>, duration: Duration) {
        match (class, outcome) {
            ("pinned", "disk") => self.pinned_disk.inc(),
            _ => self.requests.with_label_values(&[&*self.name, class, outcome]).inc(),
        }
        self.duration.observe(duration.as_secs_f64());
        if let Some(first_byte) = first_byte {
            self.first_byte.observe(first_byte.as_secs_f64());
        }
    }
}

impl TierMetrics {
    /// The tier's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it stands still, from now on.
    pub fn stands_still(&self, stands_still: bool) {
        let value = i64::from(stands_still);
        self.stands_still.with_label_values(&[&*self.name]).set(value);
    }

    /// One of its servers is left out from now on.
    pub fn left_out(&self, reason: &'static str) {
        self.left_out.with_label_values(&[&*self.name, reason]).inc();
    }

    /// A question was put a second time before it was answered. Whether that was of use.
    pub fn hedged(&self, won: bool) {
        let outcome = if won { "won" } else { "lost" };
        self.hedges.with_label_values(&[&*self.name, outcome]).inc();
    }

    /// A question was put again after it had failed. Whether that was of use.
    pub fn retried(&self, answered: bool) {
        let outcome = if answered { "answered" } else { "failed" };
        self.retries.with_label_values(&[&*self.name, outcome]).inc();
    }

    /// A question was answered, or failed.
    pub fn asked(&self, outcome: &'static str, elapsed: Duration) {
        self.requests.with_label_values(&[&*self.name, outcome]).inc();
        self.seconds.observe(elapsed.as_secs_f64());
    }
}

impl SentBytes {
    fn new(bytes: &IntCounterVec) -> Self {
        let of = |source: Source| bytes.with_label_values(&[source.as_str()]);
        Self {
            disk: of(Source::Disk),
            flight: of(Source::Flight),
            upstream: of(Source::Upstream),
            generated: of(Source::Generated),
        }
    }

    fn of(&self, source: Source) -> &IntCounter {
        match source {
            Source::Disk => &self.disk,
            Source::Flight => &self.flight,
            Source::Upstream => &self.upstream,
            Source::Generated => &self.generated,
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl fmt::Debug for RouteMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RouteMetrics").field(&self.name).finish()
    }
}

impl fmt::Debug for TierMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TierMetrics").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(metrics: &Metrics, line: &str) {
        let text = String::from_utf8(metrics.render().unwrap()).unwrap();
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }

    #[test]
    fn everything_is_told() {
        let metrics = Metrics::new(Registry::new()).unwrap();
        let route = metrics.route("artifacts");
        route.ended(
            "pinned",
            "hit",
            Some(Duration::from_millis(1)),
            Duration::from_millis(7),
        );
        route.ended("pinned", "client-gone", None, Duration::from_secs(2));
        metrics.tier("shared").asked("partial", Duration::from_millis(20));
        metrics.sent(Source::Disk, 17);
        metrics.discovery("validated");
        metrics.splice_refused("total");
        metrics.fill("stored");
        metrics.pin_mismatches.inc();
        for line in [
            "pinstripe_requests_total{class=\"pinned\",outcome=\"hit\",route=\"artifacts\"} 1",
            "pinstripe_request_first_byte_seconds_count{route=\"artifacts\"} 1",
            "pinstripe_request_duration_seconds_count{route=\"artifacts\"} 2",
            "pinstripe_tier_requests_total{outcome=\"partial\",tier=\"shared\"} 1",
            "pinstripe_tier_first_byte_seconds_bucket{tier=\"shared\",le=\"0.025\"} 1",
            "pinstripe_sent_bytes_total{source=\"disk\"} 17",
            "pinstripe_sent_bytes_total{source=\"generated\"} 0",
            "pinstripe_discoveries_total{detail=\"validated\"} 1",
            "pinstripe_splices_refused_total{kind=\"total\"} 1",
            "pinstripe_fills_total{outcome=\"stored\"} 1",
            "pinstripe_pin_mismatches_total 1",
            "pinstripe_discovery_fallbacks_total 0",
            "pinstripe_requests_in_flight 0",
            "pinstripe_discoveries_waiting 0",
            concat!("pinstripe_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            check(&metrics, line);
        }
    }

    #[test]
    fn two_in_one_registry_is_an_error() {
        let registry = Registry::new();
        assert!(Metrics::new(registry.clone()).is_ok());
        assert!(Metrics::new(registry).is_err());
    }
}
