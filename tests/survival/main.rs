//! What the disk survives, at length: kills, damage, a volume that is too small. Each test prints a summary line; how long
//! it goes on is told by the environment, and short by default (`tests/README.md`).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::panic, reason = "a test that cannot go on has failed")]
#![expect(clippy::indexing_slicing, reason = "a test that cannot go on has failed")]
#![expect(
    clippy::disallowed_methods,
    reason = "files are damaged from outside, and the environment says for how long"
)]

mod damage;
mod kills;
#[path = "../it/process.rs"]
#[expect(dead_code, reason = "shared with the integration tests, which use all of it")]
mod process;
mod random;
mod small;
#[path = "../it/support.rs"]
#[expect(dead_code, reason = "shared with the integration tests, which use all of it")]
mod support;

/// How often a test does what it does: by default, or as a variable says.
fn rounds(variable: &str, otherwise: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is no number")),
        Err(_) => otherwise,
    }
}

/// The sum of a metric over its labels.
fn sum(metrics: &str, name: &str) -> u64 {
    let lines = metrics.lines().filter_map(|line| line.strip_prefix(name));
    let values = lines.filter_map(|rest| rest.rsplit_once(' ')?.1.parse::<u64>().ok());
    values.sum()
}
