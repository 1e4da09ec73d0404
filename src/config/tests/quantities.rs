//! Spellings of sizes, durations and counts, and how they are written back.

use std::fmt;

use crate::config::quantity::{Count, Size, Timespan};
use crate::config::value::Leaf;

fn check<T: Leaf + fmt::Display>(cases: &[(&str, Option<&str>)]) {
    for (text, expected) in cases {
        let read = T::from_text(text).ok().map(|value| value.to_string());
        assert_eq!(read.as_deref(), *expected, "{text:?}");
    }
}

#[test]
fn sizes() {
    check::<Size>(&[
        ("0", Some("0")),
        ("1000", Some("1kB")),
        ("1024", Some("1KiB")),
        ("64KiB", Some("64KiB")),
        ("65536", Some("64KiB")),
        ("50 GiB", Some("50GiB")),
        ("1536MiB", Some("1536MiB")),
        ("1MB", Some("1MB")),
        ("7B", Some("7B")),
        ("16383PiB", Some("16383PiB")),
        // More than 2^64.
        ("16384PiB", None),
        ("18446744073709551616", None),
        // Which one is it?
        ("64K", None),
        ("64kb", None),
        ("64KB", None),
        ("1.5GiB", None),
        ("-1", None),
        ("", None),
        ("GiB", None),
        ("1GiB 2MiB", None),
    ]);
    assert_eq!(Size::from_text("7").ok().map(Size::bytes), Some(7));
}

#[test]
fn durations() {
    check::<Timespan>(&[
        ("0", Some("0s")),
        ("0s", Some("0s")),
        ("250ms", Some("250ms")),
        ("1000ms", Some("1s")),
        ("60s", Some("60s")),
        ("1m", Some("60s")),
        ("15m", Some("15m")),
        ("1h30m", Some("90m")),
        ("1h 30 m", Some("90m")),
        ("1d", Some("24h")),
        ("7d", Some("7d")),
        ("1M", None),
        ("1 month", None),
        ("10", None),
        ("s", None),
        ("1.5s", None),
        ("-1s", None),
        ("", None),
        ("99999999999999999999s", None),
        ("18446744073709551615d", None),
    ]);
}

#[test]
fn counts() {
    check::<Count>(&[
        ("1", Some("1")),
        ("08", Some("8")),
        ("0", None),
        ("-1", None),
        ("1e3", None),
        ("", None),
    ]);
}
