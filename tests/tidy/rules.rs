//! What a file of the source may not name.

use std::collections::BTreeSet;

use super::files::File;

/// Later may import earlier; those on one line never each other.
const LAYERS: &[&[&str]] = &[
    &["object"],
    &["config"],
    &["request", "net"],
    &["plan"],
    &["tier"],
    &["fetch"],
    &["proxy"],
    &["app"],
    &["main"],
];
const ONE_WAY: &str =
    "imports point one way: object <- config <- {request, net} <- plan <- tier <- fetch <- proxy <- app <- main";
/// They import nothing, and nothing before `tier` imports them.
const LEAVES: [&str; 2] = ["clock", "metrics"];
/// What decides, without doing.
const PURE: [&str; 3] = ["object", "request", "plan"];
/// Paths that pure code does not name.
const IMPURE: &[&str] = &[
    "tokio",
    "async",
    "await",
    "std::env",
    "std::fs",
    "std::io::Read",
    "std::io::Write",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::os::unix::net",
    "std::process",
    "std::thread",
    "Instant::now",
    "SystemTime::now",
    "clock::now",
];
/// The start of a crate's name, and the only places that name it.
const HOMES: &[(&str, &[&str])] = &[
    ("pingora", &["src/proxy/", "src/app.rs", "src/net/ring.rs"]),
    ("aws_", &["src/tier/s3"]),
];

pub(super) fn imports(file: &File) -> Vec<String> {
    let from = file.top();
    if file.test || from == "lib" {
        return Vec::new();
    }
    let named = file.used().into_iter().filter_map(|(line, path)| {
        let from_root = file.crate_path(&path)?;
        Some((line, from_root.first()?.clone()))
    });
    let wrong = named.filter_map(|(line, to)| Some((line, refusal(from, &to)?)));
    let told: BTreeSet<_> = wrong
        .map(|(line, why)| format!("{}:{line}: {why}", file.path))
        .collect();
    told.into_iter().collect()
}

/// Why `from` may not import `to`.
fn refusal(from: &str, to: &str) -> Option<String> {
    let rank = |name: &str| LAYERS.iter().position(|layer| layer.contains(&name));
    let is_leaf = |name: &str| LEAVES.contains(&name);
    if from == to {
        return None;
    }
    if is_leaf(from) {
        return Some(format!(
            "`{from}` names `{to}`, but leaves ({}) import nothing",
            LEAVES.join(", ")
        ));
    }
    match (rank(from), rank(to)) {
        (None, _) => Some(format!("`{from}` has no place in LAYERS of tests/tidy/rules.rs")),
        (from_rank, None) if is_leaf(to) => (from_rank < rank("tier"))
            .then(|| format!("`{from}` names `{to}`, which only `tier` and what follows may: the others are told")),
        // A macro or a function of lib.rs would be an import against the order, too.
        (_, None) => Some(format!(
            "`{from}` names `crate::{to}`, which is no module in LAYERS of tests/tidy/rules.rs"
        )),
        (from_rank, to_rank) => (from_rank <= to_rank).then(|| format!("`{from}` names `{to}`, but {ONE_WAY}")),
    }
}

pub(super) fn impurities(file: &File) -> Vec<String> {
    if file.test || !PURE.contains(&file.top()) {
        return Vec::new();
    }
    let named = file.used().into_iter().filter_map(|(line, path)| {
        let banned = IMPURE.iter().find(|banned| {
            let banned: Vec<_> = banned.split("::").collect();
            path.windows(banned.len()).any(|window| window == banned)
        })?;
        Some(format!(
            "{}:{line}: `{}` is pure and does not name `{banned}`; pass in what it needs",
            file.path,
            file.top()
        ))
    });
    named.collect()
}

pub(super) fn strays(file: &File) -> Vec<String> {
    let named = file.used().into_iter().filter_map(|(line, path)| {
        let (crates, homes) = HOMES
            .iter()
            .find(|(start, _)| path.first().is_some_and(|name| name.starts_with(start)))?;
        let at_home = homes.iter().any(|home| file.path.starts_with(home));
        (!at_home).then(|| format!("{}:{line}: only {} may name `{crates}…`", file.path, homes.join(", ")))
    });
    named.collect()
}
