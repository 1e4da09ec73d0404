//! How much, how long, how many: sizes, durations, counts.
//!
//! Owns their spelling, which is narrow on purpose: what it admits has one meaning.

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use schemars::{Schema, json_schema};

use super::value::{Leaf, leaves, or_variable};

leaves!(Size, Timespan, Count);

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

const UNITS: [(&str, u64); 10] = [
    ("PiB", 1 << 50),
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl Size {
    pub(super) const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    pub(super) const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    pub(super) const fn gib(count: u64) -> Self {
        Self(count << 30)
    }

    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// As a length in memory. Nothing that does not fit an address space can be bounded by it either.
    #[must_use]
    pub fn in_memory(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for Size {
    /// In the largest unit that divides it, so that it reads back as the same number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS
            .iter()
            .find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor));
        match unit {
            Some((name, factor)) => write!(f, "{}{name}", self.0 / factor),
            None => write!(f, "{}", self.0),
        }
    }
}

/// Splits `15 min` into its digits and what follows them.
fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

impl Leaf for Size {
    const EXPECTED: &'static str = "a size: a whole number of bytes or one with a unit, such as `64KiB` or `50GiB`";
    const SCHEMA_NAME: &'static str = "Size";

    fn from_text(text: &str) -> Result<Self, String> {
        let (number, rest) = digits(text.trim());
        let unit = rest.trim_start();
        let factor = match unit {
            "" => Some(1),
            _ => UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor),
        };
        let (Some(factor), false) = (factor, number.is_empty()) else {
            return Err(format!("{text:?} is no size"));
        };
        let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
        bytes
            .map(Self)
            .ok_or_else(|| format!("{text:?} is more than 2^64 bytes"))
    }

    fn from_number(number: u64) -> Option<Self> {
        Some(Self(number))
    }

    fn schema() -> Schema {
        json_schema!({
            "description": "A number of bytes: a whole number with a unit (KiB, MiB, GiB, TiB, PiB; kB, MB, GB, TB; B), or none.",
            "type": ["string", "integer"],
            "minimum": 0,
            "pattern": or_variable!(r"[0-9]+ *(?:[KMGTP]iB|[kMGT]B|B)?"),
            "examples": ["64KiB", "50GiB"],
        })
    }
}

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timespan(Duration);

impl Timespan {
    pub(super) const fn millis(count: u64) -> Self {
        Self(Duration::from_millis(count))
    }

    pub(super) const fn secs(count: u64) -> Self {
        Self(Duration::from_secs(count))
    }

    pub(super) const fn get(self) -> Duration {
        self.0
    }
}

const MILLISECONDS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

impl fmt::Display for Timespan {
    /// In the largest unit that divides it, but a minute is 60s and a day 24h.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let least = |factor: u64| if factor > 1_000 { 2 * factor } else { factor };
        let fits = |factor: u64| millis >= least(factor) && millis.is_multiple_of(factor);
        match MILLISECONDS.iter().find(|(_, factor)| fits(*factor)) {
            Some((unit, factor)) => write!(f, "{}{unit}", millis / factor),
            None => f.write_str("0s"),
        }
    }
}

impl Timespan {
    /// The sum of numbers with units; `None` for anything else.
    fn sum(text: &str) -> Option<Duration> {
        let mut sum = Duration::ZERO;
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (number, after) = digits(rest);
            let after = after.trim_start();
            let (unit, after) = after.split_at(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()));
            let (_, factor) = MILLISECONDS.iter().find(|(name, _)| *name == unit)?;
            let millis = number.parse::<u64>().ok()?.checked_mul(*factor)?;
            sum = sum.checked_add(Duration::from_millis(millis))?;
            rest = after.trim_start();
        }
        Some(sum)
    }
}

impl Leaf for Timespan {
    const EXPECTED: &'static str = "a duration in ms, s, m, h or d, such as `250ms` or `15m`";
    const SCHEMA_NAME: &'static str = "Duration";

    fn from_text(text: &str) -> Result<Self, String> {
        let sum = match text.trim() {
            "" => None,
            "0" => Some(Duration::ZERO),
            text => Self::sum(text),
        };
        sum.map(Self).ok_or_else(|| format!("{text:?} is no duration"))
    }

    fn from_number(number: u64) -> Option<Self> {
        (number == 0).then_some(Self(Duration::ZERO))
    }

    fn schema() -> Schema {
        json_schema!({
            "description": "A length of time: whole numbers, each with its unit (ms, s, m, h, d).",
            "type": ["string", "integer"],
            "minimum": 0,
            "maximum": 0,
            "pattern": or_variable!(r"0|[0-9]+ *(?:ms|s|m|h|d)(?: *[0-9]+ *(?:ms|s|m|h|d))*"),
            "examples": ["250ms", "15m"],
        })
    }
}

/// How many of something; never none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Count(NonZeroUsize);

impl Count {
    pub(super) const fn of(count: usize) -> Self {
        match NonZeroUsize::new(count) {
            Some(count) => Self(count),
            None => Self(NonZeroUsize::MIN),
        }
    }

    pub(super) const fn get(self) -> NonZeroUsize {
        self.0
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Leaf for Count {
    const EXPECTED: &'static str = "a whole number from 1";
    const SCHEMA_NAME: &'static str = "Count";

    fn from_text(text: &str) -> Result<Self, String> {
        let number = text.trim().parse().ok().and_then(Self::from_number);
        number.ok_or_else(|| format!("{text:?} is no such number"))
    }

    fn from_number(number: u64) -> Option<Self> {
        NonZeroUsize::new(usize::try_from(number).ok()?).map(Self)
    }

    fn schema() -> Schema {
        json_schema!({
            "description": "A whole number from 1.",
            "type": ["string", "integer"],
            "minimum": 1,
            "pattern": or_variable!(r"0*[1-9][0-9]*"),
        })
    }
}
