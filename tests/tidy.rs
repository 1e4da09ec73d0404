//! The shape of the source, held: which module may import which, what pure folders may not name, how long files get, and
//! that nothing lies around that is not compiled or not true.
//!
//! It reads tokens, not text, so that comments and strings say what they like; code under `#[cfg(test)]` may import
//! anything. What it cannot see (macros that build paths, renamed imports) is left to reviewers.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "it reads the source")]

#[path = "tidy/can_fail.rs"]
mod can_fail;
#[path = "tidy/files.rs"]
mod files;
#[path = "tidy/metrics.rs"]
mod metrics;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/tokens.rs"]
mod tokens;

use std::collections::BTreeSet;

use files::{files, modules, numbered, packages, read, root, tree};
use metrics::{declared, told};
use rules::{imports, impurities, strays};

const LONGEST: usize = 450;

#[test]
fn imports_point_one_way() {
    report(tree().iter().flat_map(imports));
}

#[test]
fn pure_folders_stay_pure() {
    report(tree().iter().flat_map(impurities));
}

#[test]
fn frameworks_stay_at_home() {
    report(tree().iter().flat_map(strays));
}

#[test]
fn files_stay_short() {
    let long = tree().into_iter().filter(|file| file.lines > LONGEST);
    report(long.map(|file| format!("{}:{}: longer than {LONGEST} lines; split it", file.path, file.lines)));
}

#[test]
fn every_file_is_compiled() {
    let compiled: BTreeSet<_> = packages()
        .flat_map(|package| modules(&package))
        .map(|f| f.path)
        .collect();
    assert!(compiled.contains("src/lib.rs") && compiled.contains("tests/tidy.rs") && compiled.len() > 50);
    let orphans = files("rs").into_iter().filter(|path| !compiled.contains(path));
    report(orphans.map(|path| format!("{path}:1: no `mod` leads here, so it is never compiled")));
}

#[test]
fn the_readme_tells_the_metrics_there_are() {
    let sources = tree().into_iter().filter(|file| file.top() == "metrics" && !file.test);
    let metrics: Vec<_> = sources.flat_map(|file| declared(&file)).collect();
    assert!(metrics.len() > 10, "declarations look different now: {metrics:?}");
    report(told("README.md", &read("README.md"), &metrics));
}

#[test]
fn the_readme_points_at_files_that_exist() {
    let text = read("README.md");
    let links = numbered(&text).flat_map(|(line, text)| text.split("](").skip(1).map(move |rest| (line, rest)));
    let links = links.filter_map(|(line, rest)| Some((line, rest.split_once(')')?.0.split('#').next()?)));
    let broken = links.filter(|(_, to)| !to.is_empty() && !to.contains("://") && !root().join(to).exists());
    report(broken.map(|(line, to)| format!("README.md:{line}: links to {to}, which is not there")));
}

fn report(faults: impl IntoIterator<Item = String>) {
    let faults: Vec<_> = faults.into_iter().collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
