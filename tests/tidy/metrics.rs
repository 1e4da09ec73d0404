//! The metrics that the source declares and the README tells.

use std::collections::BTreeMap;

use super::files::{File, numbered};
use super::tokens::{Kind, Token};

/// A metric with its labels, as its declaration says.
#[derive(Debug, PartialEq)]
pub(super) struct Metric {
    name: String,
    labels: Vec<String>,
    histogram: bool,
}

/// `make.counters("requests_total", "Requests that ended.", &["route", "class"])`.
pub(super) fn declared(file: &File) -> Vec<Metric> {
    let makers = ["counter", "counters", "gauge", "gauges", "histogram", "histograms"];
    let found = file
        .tokens
        .windows(5)
        .zip(1..)
        .filter_map(|(window, next)| match window {
            [
                of,
                dot,
                maker,
                open,
                Token {
                    kind: Kind::Text(name), ..
                },
            ] if of.is("make") && dot.is(".") && open.is("(") && makers.iter().any(|name| maker.is(name)) => {
                let end = next + file.tokens.iter().skip(next).position(|token| token.is(")"))?;
                let texts = file
                    .tokens
                    .get(next + 4..end)?
                    .iter()
                    .filter_map(|token| match &token.kind {
                        Kind::Text(text) => Some(text.clone()),
                        _ => None,
                    });
                Some(Metric {
                    name: format!("pinstripe_{name}"),
                    labels: texts.skip(1).collect(),
                    histogram: maker.is("histogram") || maker.is("histograms"),
                })
            }
            _ => None,
        });
    found.collect()
}

/// A table row tells a metric and its labels; elsewhere a name must just be one.
pub(super) fn told(path: &str, text: &str, metrics: &[Metric]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut rows: BTreeMap<&str, &str> = BTreeMap::new();
    for (line, content) in numbered(text) {
        for name in names(content) {
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix));
            let exists = |metric: &Metric| metric.name == name || (metric.histogram && Some(&*metric.name) == base);
            if !metrics.iter().any(exists) {
                faults.push(format!("{path}:{line}: there is no metric `{name}` in src/metrics.rs"));
            }
            if content.starts_with(&format!("| `{name}` |")) {
                rows.insert(name, content);
            }
        }
    }
    for Metric { name, labels, .. } in metrics {
        match rows.get(name.as_str()) {
            None => faults.push(format!("{path}:1: no row of the table tells the metric `{name}`")),
            Some(row) => {
                let told = row.split('|').nth(2).unwrap_or_default();
                let expected: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
                if told.trim() != expected.join(", ") {
                    faults.push(format!(
                        "{path}:1: the labels of `{name}` are {}, not {told}",
                        expected.join(", ")
                    ));
                }
            }
        }
    }
    faults
}

/// Whatever looks like one of our metrics.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("pinstripe_"))
}
