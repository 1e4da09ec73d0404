//! That each rule can fail.

use super::files::{File, declarations};
use super::metrics::{declared, told};
use super::rules::{imports, impurities, strays};

fn file(path: &str, text: &str) -> File {
    let module = path.trim_start_matches("src/").trim_end_matches(".rs").split('/');
    let module: Vec<_> = module
        .filter(|part| *part != "main" && *part != "mod")
        .map(str::to_owned)
        .collect();
    File::new(path, &module, false, text)
}

#[track_caller]
fn check(rule: fn(&File) -> Vec<String>, path: &str, text: &str, expected: &[&str]) {
    let faults = rule(&file(path, text));
    let heads: Vec<_> = faults.iter().map(|fault| fault.split("; ").next().unwrap()).collect();
    assert!(
        heads.len() == expected.len() && heads.iter().zip(expected).all(|(head, start)| head.starts_with(start)),
        "{faults:#?}\n{expected:#?}"
    );
}

#[test]
fn imports_against_the_order() {
    let at = "src/plan/next.rs:1: `plan` names";
    check(imports, "src/plan/next.rs", "use crate::object::{ETag, id};", &[]);
    check(
        imports,
        "src/plan/next.rs",
        "use crate::tier::Store;",
        &[&format!("{at} `tier`")],
    );
    check(
        imports,
        "src/plan/next.rs",
        "fn f(a: &'a crate::fetch::X) {}",
        &[&format!("{at} `fetch`")],
    );
    check(
        imports,
        "src/plan/next.rs",
        "use super::super::proxy;",
        &[&format!("{at} `proxy`")],
    );
    check(
        imports,
        "src/plan/next.rs",
        "use crate::clock;",
        &[&format!("{at} `clock`")],
    );
    check(
        imports,
        "src/plan/next.rs",
        "use crate::{object as o, app::{self, App}};",
        &[&format!("{at} `app`")],
    );
    check(
        imports,
        "src/net/mod.rs",
        "\nuse crate::request;",
        &["src/net/mod.rs:2: `net` names `request`"],
    );
    check(
        imports,
        "src/metrics.rs",
        "use crate::object;",
        &["src/metrics.rs:1: `metrics` names `object`"],
    );
    check(
        imports,
        "src/app.rs",
        "use crate::frob;",
        &["src/app.rs:1: `app` names `crate::frob`"],
    );
    check(
        imports,
        "src/frob.rs",
        "use crate::object;",
        &["src/frob.rs:1: `frob` has no place"],
    );
    check(imports, "src/main.rs", "use pinstripe::app::App;", &[]);
    check(
        imports,
        "src/plan/a.rs",
        "#[cfg(test)]\n#[x(y)]\nmod tests { use crate::app; }\nuse super::b;",
        &[],
    );
    check(
        imports,
        "src/plan/a.rs",
        "// crate::app\n/* /* */ crate::app */ const A: &str = \"crate::app\";",
        &[],
    );
    check(
        imports,
        "src/plan/a.rs",
        "const A: &str = r#\"\" crate::app\"#; const B: char = '\"';",
        &[],
    );
    let quotes = "const A: char = '\\''; use crate::app; const B: u8 = b'\\\\';";
    check(
        imports,
        "src/plan/a.rs",
        quotes,
        &["src/plan/a.rs:1: `plan` names `app`"],
    );
}

#[test]
fn impure_code_in_pure_folders() {
    let at = "src/request/a.rs:1: `request` is pure and does not name";
    check(
        impurities,
        "src/request/a.rs",
        "use std::net::IpAddr; use std::time::Instant;",
        &[],
    );
    check(
        impurities,
        "src/request/a.rs",
        "use std::{fmt, fs};",
        &[&format!("{at} `std::fs`")],
    );
    check(
        impurities,
        "src/request/a.rs",
        "use std::net::{IpAddr, TcpStream};",
        &[at],
    );
    check(
        impurities,
        "src/request/a.rs",
        "let now = std::time::SystemTime::now();",
        &[at],
    );
    check(
        impurities,
        "src/request/a.rs",
        "async fn f() { tokio::task::yield_now().await }",
        &[at, at, at],
    );
    check(impurities, "src/fetch/a.rs", "async fn f() {}", &[]);
}

#[test]
fn frameworks_away_from_home() {
    check(strays, "src/proxy/a.rs", "use pingora::proxy::Session;", &[]);
    check(
        strays,
        "src/fetch/a.rs",
        "use pingora_core::Result;",
        &["src/fetch/a.rs:1: only src/proxy/"],
    );
    check(
        strays,
        "src/tier/http/a.rs",
        "aws_sdk_s3::Client::new()",
        &["src/tier/http/a.rs:1: only src/tier/s3"],
    );
}

#[test]
fn metrics_that_are_not_told_or_not_there() {
    let source =
        "a: make.counters(\n\"a_total\", \"Help (it).\", &[\"x\", \"y\"])?, b: make.histograms(\"b\", \"b\", &[], &B),";
    let metrics = declared(&file("src/metrics.rs", source));
    let check = |text: &str, expected: &[&str]| {
        let faults = told("R", text, &metrics);
        assert!(
            faults.iter().map(String::as_str).eq(expected.iter().copied()),
            "{faults:#?}"
        );
    };
    let b = "| `pinstripe_b` | | |";
    check(
        &format!("rate(pinstripe_b_count[1m])\n| `pinstripe_a_total` | `x`, `y` | |\n{b}"),
        &[],
    );
    check(
        &format!("| `pinstripe_a_total` | `x` | |\n{b}\npinstripe_a_total_sum"),
        &[
            "R:3: there is no metric `pinstripe_a_total_sum` in src/metrics.rs",
            "R:1: the labels of `pinstripe_a_total` are `x`, `y`, not  `x` ",
        ],
    );
    check(b, &["R:1: no row of the table tells the metric `pinstripe_a_total`"]);
}

#[test]
fn modules_are_found_where_they_are() {
    let at = file(
        "src/a/b.rs",
        "mod c; mod d { mod e; fn f() {} } #[path = \"x.rs\"] mod g; mod h;",
    );
    let files: Vec<_> = declarations(&at.tokens).iter().map(|found| found.files(&at)).collect();
    let first: Vec<_> = files.iter().map(|files| files.first().unwrap().as_str()).collect();
    assert_eq!(first, ["src/a/b/c.rs", "src/a/b/d/e.rs", "src/a/x.rs", "src/a/b/h.rs"]);
}
