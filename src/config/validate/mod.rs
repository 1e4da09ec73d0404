//! From the mirror of the file to a valid configuration: what is required, in range, and goes together.
//!
//! Owns the judgement; it looks at everything and notes every fault, and has a result only if nothing is missing.
//! Never looks at the text: faults have paths, and `fault` finds the lines.

mod disks;
mod listen;
mod routes;
mod tiers;

use std::fmt;

use super::bounds::{self, Bounds};
use super::choice::AccessLog;
use super::fault::Notes;
use super::file::{self, File};
use super::locate::YamlPath;
use super::text::Instance;
use super::value::{Leaf, Section};
use super::{Config, Limits};

pub(super) fn validate(file: File, notes: &mut Notes) -> Option<Config> {
    let root = YamlPath::root();
    let limits = limits(file.limits, &root.key("limits"), notes);
    let access_log_sample = bounded(
        file.access_log_sample,
        &root.key("access_log_sample"),
        &bounds::ACCESS_LOG_SAMPLE,
        notes,
    );
    let slow_request = bounded(
        file.slow_request,
        &root.key("slow_request"),
        &bounds::SLOW_REQUEST,
        notes,
    );
    let shutdown = bounded(file.shutdown, &root.key("shutdown"), &bounds::SHUTDOWN, notes);
    let doors = listen::listeners(file.listen, file.admin, notes);
    let tiers = tiers::tiers(file.tiers, notes);
    let routes = routes::routes(file.routes, &tiers, doors.forward, notes);
    Some(Config {
        instance: file.instance.or_else(|| Instance::from_text("pinstripe").ok())?,
        listen: doors.listeners?,
        admin: doors.admin,
        access_log: file.access_log.unwrap_or(AccessLog::Errors),
        access_log_sample: access_log_sample.get(),
        slow_request: slow_request.get(),
        shutdown: shutdown.get(),
        limits,
        routes: routes?,
    })
}

fn limits(limits: Option<Section<file::Limits>>, path: &YamlPath, notes: &mut Notes) -> Limits {
    let limits = section(limits);
    Limits {
        requests: bounded(limits.requests, &path.key("requests"), &bounds::REQUESTS, notes).get(),
        read_buffers: bounded(
            limits.read_buffers,
            &path.key("read_buffers"),
            &bounds::READ_BUFFERS,
            notes,
        ),
        window: bounded(limits.window, &path.key("window"), &bounds::WINDOW, notes),
        fills: bounded(limits.fills, &path.key("fills"), &bounds::FILLS, notes),
    }
}

/// A section that is left out is one in which everything is.
fn section<T: Default>(section: Option<Section<T>>) -> T {
    section.unwrap_or_default().0
}

fn required<T>(value: Option<T>, path: &YamlPath, expected: &str, notes: &mut Notes) -> Option<T> {
    if value.is_none() {
        notes.fault(path, "this is missing", expected);
    }
    value
}

fn required_leaf<T: Leaf>(value: Option<T>, path: &YamlPath, notes: &mut Notes) -> Option<T> {
    required(value, path, T::EXPECTED, notes)
}

/// The value or its default; out of range, a fault beside it.
fn bounded<T: PartialOrd + fmt::Display + Copy>(
    value: Option<T>,
    path: &YamlPath,
    bounds: &Bounds<T>,
    notes: &mut Notes,
) -> T {
    let value = value.unwrap_or(bounds.default);
    if !bounds.contain(&value) {
        notes.fault(path, format!("{value} is out of range"), bounds.to_string());
    }
    value
}

/// The elements of a list that has at least one; `None` if any of them is missing.
fn elements<T, U>(
    list: Option<Vec<Option<T>>>,
    path: &YamlPath,
    expected: &str,
    notes: &mut Notes,
    mut judge: impl FnMut(T, &YamlPath, &mut Notes) -> Option<U>,
) -> Option<Vec<U>> {
    let list = required(list, path, expected, notes)?;
    if list.is_empty() {
        notes.fault(path, "this list is empty", expected);
    }
    let judged: Vec<Option<U>> = list
        .into_iter()
        .enumerate()
        .map(|(at, element)| {
            let path = path.index(at);
            required(element, &path, expected, notes).and_then(|element| judge(element, &path, notes))
        })
        .collect();
    judged.into_iter().collect()
}
