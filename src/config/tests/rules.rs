//! Faults of what does not go together.

use super::{EXAMPLE, check, faults};

#[test]
fn listeners() {
    let admin = "address: 127.0.0.1:9180";
    check(
        (admin, "address: 127.0.0.1:8080"),
        &["admin.address: 127.0.0.1:8080 collides with 127.0.0.1:8080 of listen[0].address"],
    );
    check(
        (admin, "address: 0.0.0.0:8080"),
        &["admin.address: 0.0.0.0:8080 collides"],
    );
    check((admin, "address: '[::1]:8080'"), &[]);
    check((admin, "address: 127.0.0.1:0"), &[]);
}

#[test]
fn several_servers() {
    let tier = |yaml: &str| format!("tiers:\n  extra: {{ http: {yaml} }}");
    let check = |yaml: &str, expected: &[&str]| {
        let unused = ["tiers.extra: no route uses this tier"];
        check(("tiers:", &tier(yaml)), &[&unused, expected].concat());
    };
    check("{ urls: ['http://a', 'http://b:81', 'http://a:81'] }", &[]);
    check("{ url: 'http://a', spread: true }", &[]);
    check("{ urls: ['http://a'], spread: false }", &[]);
    check("{}", &["tiers.extra.http.url: this is missing; expected a URL"]);
    check(
        "{ url: 'http://a', urls: ['http://b'] }",
        &["tiers.extra.http.urls: there is a `url` as well; expected one of `url` and `urls`"],
    );
    check(
        "{ urls: [] }",
        &["tiers.extra.http.urls: this list is empty; expected one URL"],
    );
    check(
        "{ urls: ['http://a', null] }",
        &["tiers.extra.http.urls[1]: this is missing"],
    );
    check(
        "{ urls: ['http://a', request] }",
        &["tiers.extra.http.urls[1]: this is no absolute URL"],
    );
    for other in ["https://b", "http://b/base"] {
        check(
            &format!("{{ urls: ['http://a', '{other}', 'http://c'] }}"),
            &[
                "tiers.extra.http.urls[1]: the scheme or the path differs from that of the first; expected URLs that differ",
            ],
        );
    }
    check(
        "{ urls: ['http://a', 'http://b', 'http://A:80/'] }",
        &["tiers.extra.http.urls[2]: tiers.extra.http.urls[0] is the same; expected each server once"],
    );
    let many: Vec<_> = (0..257).map(|n| format!("'http://a{n}'")).collect();
    check(
        &format!("{{ urls: [{}] }}", many.join(", ")),
        &["tiers.extra.http.urls: these are 257; expected 256 URLs at most"],
    );
    check(
        "{ urls: ['http://a'], spread: true }",
        &["tiers.extra.http.spread: each URL of a list is one server; expected it only beside a `url` with a name"],
    );
    check(
        "{ url: 'http://[::1]', spread: true }",
        &["tiers.extra.http.spread: an address has no others"],
    );
    check(
        "{ url: request, spread: true }",
        &["tiers.extra.http.spread: the request names the server"],
    );
    check(
        "{ urls: ['http://a'], allow: [] }",
        &["tiers.extra.http.allow: this tier dials what its `url` says"],
    );
}

#[test]
fn signatures() {
    let check = |tier: &str, route: &str, expected: &[&str]| {
        let text = EXAMPLE.replacen("url: request\n      allow: [10.20.0.0/16]", tier, 1);
        let text = text.replacen("[local, target]", &format!("[local, target]{route}"), 1);
        assert_ne!(text, EXAMPLE);
        let found = faults(&text);
        let as_expected = found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| f.starts_with(e));
        assert!(as_expected, "{text}\nfound {found:#?}\nexpected {expected:#?}");
    };
    let drop = "url: 'http://a'\n      signatures: drop";
    check(drop, "\n    auth: shared", &[]);
    for route in ["", "\n    auth: bypass"] {
        check("url: 'http://a'\n      signatures: pass", route, &[]);
        check(
            drop,
            route,
            &[
                "routes[1].auth: `target` is not told what clients sign (`signatures: drop`), so whoever reaches the listener \
                reads it; that must be said; expected `auth: shared`",
            ],
        );
    }
    check(
        "url: request\n      signatures: drop",
        "\n    auth: shared",
        &[
            "tiers.target.http.signatures: the request names the server, which may check what is signed; expected `pass`",
        ],
    );
    check(
        "url: 'http://a'\n      signatures: dorp",
        "",
        &["tiers.target.http.signatures: unknown value \"dorp\", did you mean `drop`?; expected `pass` or `drop`"],
    );
}

#[test]
fn tiers() {
    let tier = |yaml: &str| format!("tiers:\n  extra: {yaml}");
    let check = |yaml: &str, expected: &[&str]| check(("tiers:", &tier(yaml)), expected);
    let unused = "tiers.extra: no route uses this tier";
    check("{ http: { url: 'http://a' } }", &[unused]);
    check(
        "",
        &[
            "tiers.extra: this is missing; expected exactly one of `disk`, `s3` and `http`",
            unused,
        ],
    );
    check(
        "{}",
        &["tiers.extra: this tier is of no kind; expected exactly one of", unused],
    );
    check(
        "{ http: { url: 'http://a' }, s3: { bucket: abc } }",
        &["tiers.extra: this tier is of several kinds", unused],
    );
    check(
        "{ http: { url: 'http://a', allow: [] } }",
        &[unused, "tiers.extra.http.allow: this tier dials what its `url` says"],
    );
    check(
        "{ disk: { path: /var/./cache//pinstripe/, capacity: 1GiB } }",
        &[
            unused,
            "tiers.local.disk.path: tiers.extra.disk.path has the same directory",
        ],
    );
    check(
        "{ disk: { path: /var/cache/pinstripe/ab, capacity: 1GiB } }",
        &[
            unused,
            "tiers.local.disk.path: /var/cache/pinstripe/ab of tiers.extra.disk.path is inside of this directory; expected a",
        ],
    );
    check(
        "{ disk: { path: /var/cache, capacity: 1GiB } }",
        &[
            unused,
            "tiers.local.disk.path: this is inside of /var/cache of tiers.extra.disk.path; expected a",
        ],
    );
    check("{ disk: { path: /var/cache/pinstripe2, capacity: 1GiB } }", &[unused]);
    check(
        "{ disk: { path: /, capacity: 1GiB } }",
        &[unused, "tiers.extra.disk.path: this is the root directory"],
    );
    check(
        "{ s3: { bucket: abc, endpoint: 'http://127.0.0.1:9000' } }",
        &[unused, "tiers.extra.s3.path_style: the endpoint is an address"],
    );
}

#[test]
fn order_of_tiers() {
    let check = |tiers: &str, expected: &[&str]| check(("[local, shared]", tiers), expected);
    check("[shared]", &[]);
    check(
        "[local, sharde]",
        &[
            "routes[0].tiers[1]: there is no tier `sharde`, did you mean `shared`?; expected one of `local`, `shared`, `target`",
        ],
    );
    let unused = "tiers.shared: no route uses this tier";
    check("[local]", &[unused, "routes[0].tiers: there is no authority"]);
    check("[local, ]", &[unused, "routes[0].tiers: there is no authority"]);
    check("[shared, local]", &["routes[0].tiers[1]: a disk behind another tier"]);
    check(
        "[local, shared, shared]",
        &["routes[0].tiers[2]: `shared` is in this route already"],
    );
    check(
        "[local, target, shared]",
        &["routes[0].tiers[1]: a `url: request` before other tiers"],
    );
    check("[]", &[unused, "routes[0].tiers: this list is empty"]);
    check("[local, null]", &[unused, "routes[0].tiers[1]: this is missing"]);
}

#[test]
fn routes() {
    check(
        ("name: packages", "name: artifacts"),
        &["routes[1].name: routes[0].name is `artifacts` too"],
    );
    check(
        ("name: packages", "name: pack ages"),
        &["routes[1].name: \"pack ages\" is not possible here"],
    );
    check(
        ("match: { host: \"*.packages.example.com\" }", "match: { path: / }"),
        &["routes[1].match.host: `target` is where the client says"],
    );
    check(
        (
            "match: { host: \"*.packages.example.com\" }",
            "match: { path: /artifacts/x }",
        ),
        &[
            "routes[1].match: no request gets here: routes[0] takes them all",
            "routes[1].match.host: ",
        ],
    );
    check(
        ("match: { path: /artifacts/ }", "match: { strip: false }"),
        &["routes[0].match.strip: there is no prefix to strip"],
    );
    check(
        ("auth: shared", "auth: check"),
        &["routes[0].auth: `check` is not available yet"],
    );
    check(
        ("auth: shared", "auth: bypass"),
        &["routes[0].auth: `shared` is read with an identity of our own"],
    );
    check(
        ("auth: shared", "# unsaid"),
        &["routes[0].auth: `shared` is read with an identity of our own"],
    );
    check(
        ("auth_ttl: 0s", "auth_ttl: 1s"),
        &["routes[0].auth_ttl: nothing is checked that could hold"],
    );
    check(
        ("dialect: auto", "dialect: http"),
        &["routes[0].dialect: the authority is S3"],
    );
    check(
        ("writes: deny", "writes: allow"),
        &["routes[0].writes: `allow` is not available yet"],
    );
    check(
        ("tiers: [local, target]", "tiers: [target]\n    quota: 1GiB"),
        &["routes[1].quota: there is no disk to have a part of"],
    );
    for size in ["15MiB", "51GiB"] {
        let quota = format!("grace: 15m\n    quota: {size}");
        let fault = format!("routes[0].quota: {size} is out of range; expected 4 times the block size to 50GiB");
        check(("grace: 15m", &quota), &[&fault]);
    }
    check(("grace: 15m", "grace: 15m\n    quota: 50GiB"), &[]);
    check(("name: packages", "name: packages\n    writes: deny"), &[]);
    check(("name: packages", "name: packages\n    dialect: s3"), &[]);
}
