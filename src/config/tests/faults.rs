//! Faults of text, keys and single values, and what is said of them.

use super::check;
use crate::config::Config;

#[test]
fn keys() {
    check(
        ("forward: true", "foward: true"),
        &["listen[0].foward: unknown key, did you mean `forward`?; expected one of `address`"],
    );
    check(("admin:", "zzz:"), &["zzz: unknown key; expected one of `instance`"]);
    // A misspelt key is not a missing one as well.
    check(
        ("capacity:", "capcity:"),
        &["tiers.local.disk.capcity: unknown key, did you mean `capacity`?"],
    );
    check(("tiers:", "tires:"), &["tires: unknown key, did you mean `tiers`?"]);
    check(
        ("    disk:", "    dsk:"),
        &["tiers.local.dsk: unknown key, did you mean `disk`?"],
    );
    check(
        ("region: us-east-1", "bucket: again"),
        &["tiers.shared.s3.bucket: this key was there before"],
    );
    check(("access_log: errors", "1: 2"), &["a key that is not text"]);
    check(("access_log: errors", "<<: {a: 1}"), &["\"<<\": unknown key"]);
    check(
        ("access_log: errors", "access_log: !word errors"),
        &["access_log: a tag, \"word\""],
    );
}

#[test]
fn types() {
    check(
        ("forward: true", "forward: yes"),
        &["listen[0].forward: \"yes\" is neither; expected `true` or `false`"],
    );
    check(
        ("forward: true", "forward: 1"),
        &["listen[0].forward: invalid value: integer `1`; expected `true`"],
    );
    check(
        ("address: 127.0.0.1:8080", "address: 8080"),
        &["listen[0].address: invalid value: integer `8080`; expected an IP address"],
    );
    check(
        ("50GiB", "lots"),
        &["tiers.local.disk.capacity: \"lots\" is no size; expected a size"],
    );
    check(
        ("50GiB", "[50GiB]"),
        &["tiers.local.disk.capacity: invalid type: sequence; expected a size"],
    );
    check(
        ("50GiB", "-1"),
        &["tiers.local.disk.capacity: invalid type: integer `-1`; expected a size"],
    );
    check(
        ("50GiB", "1e300"),
        &["tiers.local.disk.capacity: invalid type: floating point"],
    );
    check(
        ("50GiB", "100000000000000000000"),
        &["tiers.local.disk.capacity: \"100000000000000000000\" is more than"],
    );
    check(
        ("grace: 15m", "grace: 15"),
        &["routes[0].grace: invalid value: integer `15`; expected a duration"],
    );
    check(
        ("role: origin", "role: orign"),
        &["tiers.shared.s3.role: unknown value \"orign\", did you mean `origin`?; expected `origin` or `cache`"],
    );
    check(
        ("dialect: auto", "dialect: {}"),
        &["routes[0].dialect: invalid type: map; expected `auto`"],
    );
    check(
        ("bucket: ci-artifacts", "bucket: 12"),
        &["tiers.shared.s3.bucket: invalid value: integer `12`"],
    );
    check(
        ("{ path: /artifacts/ }", "/artifacts/"),
        &["routes[0].match: invalid type: string \"/artifacts/\"; expected a mapping"],
    );
    // By position, as serde would have it, is not by name.
    check(
        ("{ path: /artifacts/ }", "[/artifacts/]"),
        &["routes[0].match: invalid type: sequence; expected a mapping"],
    );
    check(
        ("[local, shared]", "local"),
        &["routes[0].tiers: invalid type: string \"local\"; expected a sequence"],
    );
    check(
        ("[10.20.0.0/16]", "[10.20.0.1/16]"),
        &["tiers.target.http.allow[0]: \"10.20.0.1/16\" has bits beyond its mask (did you mean `10.20.0.0/16`?)"],
    );
    check(
        ("/var/cache/pinstripe", "cache"),
        &["tiers.local.disk.path: \"cache\" is not absolute"],
    );
    check(
        ("/artifacts/ }", "artifacts }"),
        &["routes[0].match.path: \"artifacts\" does not begin with `/`"],
    );
    check(
        ("http://127.0.0.1:3900", "http://user:secret@a"),
        &["tiers.shared.s3.endpoint: the URL has a user or password in it; expected a URL"],
    );
    check(
        ("url: request", "url: reqest"),
        &[
            "tiers.target.http.url: this is no absolute URL; expected a URL such as `https://artifacts.example.com`, or `request`",
        ],
    );
}

#[test]
fn ranges() {
    check(
        ("access_log: errors", "shutdown: 2h"),
        &["shutdown: 2h is out of range; expected 0s to 60m"],
    );
    check(
        ("access_log: errors", "slow_request: 0s"),
        &["slow_request: 0s is out of range"],
    );
    check(
        ("access_log: errors", "access_log_sample: 0"),
        &["access_log_sample: invalid value: integer `0`; expected a whole number from 1"],
    );
    check(
        ("access_log: errors", "limits: { window: 1KiB, requests: 1000001 }"),
        &[
            "limits.window: 1KiB is out of range; expected 64KiB to 64MiB",
            "limits.requests: 1000001 is out of range",
        ],
    );
    check(
        ("forward: true", "timeouts: { head: 0s }"),
        &[
            "listen[0].timeouts.head: 0s is out of range",
            "routes[1].tiers: `target` is where the client of a forward proxy says, and there is none; expected a listener with `forward: true`",
        ],
    );
    check(
        ("role: origin", "timeouts: { connect: 2h }"),
        &["tiers.shared.s3.timeouts.connect: 2h is out of range"],
    );
    check(
        ("role: origin", "limits: { head: 1KiB, connections: 70000 }"),
        &[
            "tiers.shared.s3.limits.head: 1KiB is out of range",
            "tiers.shared.s3.limits.connections: 70000 is out of range",
        ],
    );
    check(("grace: 15m", "grace: 31d"), &["routes[0].grace: 31d is out of range"]);
    for size in ["3MiB", "32KiB", "128MiB", "0"] {
        check(("4MiB", size), &["tiers.local.disk.block_size: "]);
    }
    check(
        ("50GiB", "15MiB"),
        &["tiers.local.disk.capacity: 15MiB is too little; expected 4 times the block size at least"],
    );
}

#[test]
fn what_is_missing() {
    check(
        ("address: 127.0.0.1:8080", "max_connections: 1"),
        &["listen[0].address: this is missing; expected an IP address"],
    );
    check(
        ("    s3:\n      bucket: ci-artifacts", "    s3:"),
        &["tiers.shared.s3.bucket: this is missing"],
    );
    check(
        ("- name: artifacts\n    match", "- match"),
        &["routes[0].name: this is missing"],
    );
    check(
        ("    tiers: [local, target]", ""),
        &[
            "tiers.target: no route uses this tier",
            "routes[1].tiers: this is missing",
        ],
    );
    check(
        ("- address: 127.0.0.1:8080", "-\n  - address: 127.0.0.1:8080"),
        &["listen[0]: this is missing"],
    );
}

#[test]
fn variables() {
    check(
        ("50GiB", "${UNSET}"),
        &[
            "tiers.local.disk.capacity: the variable UNSET is not set and has no default; expected it in the environment",
        ],
    );
    check(("50GiB", "${SET}GiB"), &[]);
    check(("50GiB", "${SET"), &["tiers.local.disk.capacity: `${` without `}`"]);
    check(
        ("50GiB", "${A B}"),
        &["tiers.local.disk.capacity: \"A B\" is no name of a variable"],
    );
    check(
        ("forward: true", "max_connections: ${N:-0}\n    forward: ${F:-true}"),
        &["listen[0].max_connections: \"0\" is no such number"],
    );
    check(
        ("bucket: ci-artifacts", "bucket: ${B:-}"),
        &["tiers.shared.s3.bucket: this is missing"],
    );
    check(("bucket: ci-artifacts", "bucket: ${SET}"), &[]);
}

#[test]
fn documents() {
    let check = |text: &str, expected: &str| {
        let found = Config::parse(text, &|_| None).unwrap_err().in_file("f").to_string();
        assert!(found.starts_with(expected), "{text:?}\n{found}");
    };
    check("", "f:1:1: there is nothing in it");
    check("# only this\n", "f:1:1: there is nothing in it");
    check("- a\n", "f:1:1: this is no mapping");
    check("a", "f:1:1: this is no mapping");
    check(
        "a: 1\n---\nb: 2\n",
        "f:3:1: a second document begins here; expected one document",
    );
    check("a: [1\nb: 2\n", "f:2:2: did not find expected ',' or ']'");
    check("listen:\n\t- a\n", "f:2:1: found character that cannot start any token");
    check(
        "a: { b: ${C} }\n",
        "f:1:10: did not find expected ',' or '}', while parsing a flow mapping at line 1 column 4; expected quotes around variables",
    );
    check("a: *b\n", "f:1:4: unknown anchor");
    check("a: &a [*a]\n", "f:1:4: recursion limit exceeded");
    let many = |of: &str, count| vec![of; count].join(", ");
    let bomb = format!("a: &a [{}]\nb: [{}]\n", many("x", 1000), many("*a", 200));
    check(&bomb, "f:1:1: there is too much in it");
    let found = Config::parse_bytes(b"listen:\n  - a\xff", &|_| None)
        .unwrap_err()
        .in_file("f")
        .to_string();
    assert_eq!(found, "f:2:6: this is no UTF-8; expected text in UTF-8");
}

/// The point of it all: one run, every fault, none that only follows from another.
#[test]
fn all_at_once() {
    let text = "\
listen:
  - address: 127.0.0.1
    foward: true
access_log: eror
tiers:
  local:
    disk: { path: /a, capacty: 1GiB, block_size: 3MiB }
  shared:
    s3: { bucket: [], region: '${REGION}' }
routes:
  - name: a
    tiers: [local, share]
    auth: yes
  - tiers: [local]
    grace: 1
";
    let faults = Config::parse(text, &|_| None)
        .unwrap_err()
        .in_file("p.yaml")
        .to_string();
    insta::assert_snapshot!(faults, @r#"
p.yaml:2:14: listen[0].address: "127.0.0.1" is no such address; expected an IP address and a port, such as `127.0.0.1:8080` or `[::]:8080`
p.yaml:3:5: listen[0].foward: unknown key, did you mean `forward`?; expected one of `address`, `forward`, `max_connections`, `max_requests_per_connection`, `timeouts`
p.yaml:4:13: access_log: unknown value "eror", did you mean `errors`?; expected `off`, `errors`, `all` or `sample`
p.yaml:7:23: tiers.local.disk.capacty: unknown key, did you mean `capacity`?; expected one of `path`, `capacity`, `block_size`, `entries`, `min_free`
p.yaml:7:50: tiers.local.disk.block_size: 3MiB is not possible; expected a power of two from 64KiB to 64MiB
p.yaml:9:11: tiers.shared.s3.bucket: invalid type: sequence; expected the name of a bucket or the ARN of an access point
p.yaml:9:31: tiers.shared.s3.region: the variable REGION is not set and has no default; expected it in the environment, or `${NAME:-default}`
p.yaml:12:20: routes[0].tiers[1]: there is no tier `share`, did you mean `shared`?; expected one of `local`, `shared`
p.yaml:13:11: routes[0].auth: unknown value "yes"; expected `bypass`, `check` or `shared`
p.yaml:14:5: routes[1].name: this is missing; expected a name: up to 64 letters, digits, `-` and `_`, beginning with a letter or digit
p.yaml:14:5: routes[1].match: no request gets here: routes[0] takes them all; expected the narrower route first
p.yaml:15:12: routes[1].grace: invalid value: integer `1`; expected a duration in ms, s, m, h or d, such as `250ms` or `15m`
"#);
}
