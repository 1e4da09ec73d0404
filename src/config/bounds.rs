//! Every number's default and range, beside its reason.
//!
//! Owns the numbers; the schema, the messages and the defaults are all made of them. The lower ends leave room for
//! tests and the upper ends are where a typing mistake is likelier than a wish.

use std::fmt;

use serde_json::Value;

use super::quantity::{Count, Size, Timespan};

/// A default and what is accepted instead, both ends included.
#[derive(Debug)]
pub(super) struct Bounds<T> {
    pub(super) default: T,
    pub(super) min: T,
    pub(super) max: T,
}

const fn bounds<T>(default: T, min: T, max: T) -> Bounds<T> {
    Bounds { default, min, max }
}

impl<T: PartialOrd> Bounds<T> {
    pub(super) fn contain(&self, value: &T) -> bool {
        (&self.min..=&self.max).contains(&value)
    }
}

impl<T: fmt::Display> fmt::Display for Bounds<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.min, self.max)
    }
}

/// As the configuration would write it; for the schema.
pub(super) fn text(value: impl fmt::Display) -> Value {
    Value::String(value.to_string())
}

/// As [`text`], for what is written as a number.
pub(super) fn number(count: Count) -> Value {
    Value::from(count.get().get())
}

const MILLISECOND: Timespan = Timespan::millis(1);
const HOUR: Timespan = Timespan::secs(3600);
const DAY: Timespan = Timespan::secs(86_400);

/// Kubernetes kills after 30 s, unless told otherwise.
pub(super) const SHUTDOWN: Bounds<Timespan> = bounds(Timespan::secs(30), Timespan::secs(0), HOUR);
pub(super) const SLOW_REQUEST: Bounds<Timespan> = bounds(Timespan::secs(30), MILLISECOND, DAY);
pub(super) const ACCESS_LOG_SAMPLE: Bounds<Count> = bounds(Count::of(100), Count::of(1), Count::of(1_000_000));

/// A connection costs a descriptor and some 30 KiB; 4096 fit the usual limits of both.
pub(super) const MAX_CONNECTIONS: Bounds<Count> = bounds(Count::of(4096), Count::of(1), Count::of(1_000_000));
/// So that load moves to new replicas in the end, and nothing that leaks per connection leaks for ever.
pub(super) const MAX_REQUESTS_PER_CONNECTION: Bounds<Count> =
    bounds(Count::of(10_000), Count::of(1), Count::of(1_000_000_000));
/// A head is a packet or two; who needs longer is not a client (slow loris).
pub(super) const HEAD_TIMEOUT: Bounds<Timespan> = bounds(Timespan::secs(10), MILLISECOND, HOUR);
pub(super) const KEEP_ALIVE: Bounds<Timespan> = bounds(Timespan::secs(60), MILLISECOND, DAY);
pub(super) const BODY_TIMEOUT: Bounds<Timespan> = bounds(Timespan::secs(60), MILLISECOND, DAY);

/// Requests beyond wait for nothing: they are told 503 at once.
pub(super) const REQUESTS: Bounds<Count> = bounds(Count::of(8192), Count::of(1), Count::of(1_000_000));
/// One read takes up to 1 MiB, so less would let nobody read.
pub(super) const READ_BUFFERS: Bounds<Size> = bounds(Size::mib(16), Size::mib(1), Size::gib(64));
/// What a follower may lag behind before it reads the fill's file.
pub(super) const WINDOW: Bounds<Size> = bounds(Size::kib(256), Size::kib(64), Size::mib(64));
/// Beyond it fills are given up, never downloads.
pub(super) const FILLS: Bounds<Size> = bounds(Size::mib(16), Size::mib(1), Size::gib(64));

/// Half of the 8 MiB that most clients ask for in one range.
pub(super) const BLOCK_SIZE: Size = Size::mib(4);
/// With fewer, every block that comes in pushes out one that is being read.
pub(super) const MIN_BLOCKS: u64 = 4;

/// Each takes up to 128 bytes of memory; a million blocks of the default size are 4 TiB.
pub(super) const ENTRIES: Bounds<Count> = bounds(Count::of(1_000_000), Count::of(16), Count::of(100_000_000));

pub(super) const CONNECT_TIMEOUT: Bounds<Timespan> = bounds(Timespan::secs(5), MILLISECOND, HOUR);
/// Each is dialled every few seconds by everybody who has the list.
pub(super) const ENDPOINTS: usize = 256;
/// Long, since repositories that assemble an answer take their time.
pub(super) const FIRST_BYTE_TIMEOUT: Bounds<Timespan> = bounds(Timespan::secs(60), MILLISECOND, HOUR);
pub(super) const IDLE_TIMEOUT: Bounds<Timespan> = bounds(Timespan::secs(60), MILLISECOND, HOUR);
/// Clients come with up to 127 connections each; most of what they ask is joined or local.
pub(super) const TIER_CONNECTIONS: Bounds<Count> = bounds(Count::of(256), Count::of(1), Count::of(65_536));
/// Signed URLs in redirects and long lists of metadata fit.
pub(super) const TIER_HEAD: Bounds<Size> = bounds(Size::kib(64), Size::kib(4), Size::mib(1));

pub(super) const AUTH_TTL: Bounds<Timespan> = bounds(Timespan::secs(0), Timespan::secs(0), DAY);
/// As many as SDKs fetch at once. Each piece that is on its way takes up to 1 MiB of memory.
pub(super) const PARALLEL: Bounds<Count> = bounds(Count::of(8), Count::of(1), Count::of(64));
/// Longer than a download and its retries.
pub(super) const GRACE: Bounds<Timespan> =
    bounds(Timespan::secs(15 * 60), Timespan::secs(0), Timespan::secs(30 * 86_400));
