//! Questions of every kind to servers that answer them.

use futures_util::future::join_all;
use pinstripe_kit::origin::Resource;
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::s3::Object;

use super::bench::{Bench, Server, get, read, summary, tag};
use crate::object::{Condition, PartNumber, RangeSpec, Target};

const ONE: Pattern = Pattern::new(7, 1);
/// More than fits into one read.
const SIZE: u64 = 300_007;
const PATH: &str = "/dir/a.tar";

pub(super) async fn whole(bench: &Bench) {
    let tag = bench.put(PATH, ONE, SIZE);
    let found = bench.check(&get(PATH), "found 300007", Some((ONE, 0..SIZE))).await;
    assert_eq!(found.strong_tag(), Some(tag));
}

pub(super) async fn span(bench: &Bench) {
    bench.put(PATH, ONE, SIZE);
    let question = get(PATH).span(5, 200_000);
    bench
        .check(&question, "partial 5-200000/300007", Some((ONE, 5..200_001)))
        .await;
    let one = get(PATH).span(0, 0);
    bench.check(&one, "partial 0-0/300007", Some((ONE, 0..1))).await;
    let beyond = get(PATH).span(300_000, 400_000);
    bench
        .check(&beyond, "partial 300000-300006/300007", Some((ONE, 300_000..SIZE)))
        .await;
}

pub(super) async fn from(bench: &Bench) {
    bench.put(PATH, ONE, SIZE);
    let question = get(PATH).target(Target::Range(RangeSpec::From(300_000)));
    bench
        .check(&question, "partial 300000-300006/300007", Some((ONE, 300_000..SIZE)))
        .await;
}

pub(super) async fn suffix(bench: &Bench) {
    bench.put(PATH, ONE, SIZE);
    let last = get(PATH).target(Target::Range(RangeSpec::Suffix(7)));
    bench
        .check(&last, "partial 300000-300006/300007", Some((ONE, 300_000..SIZE)))
        .await;
    let more = get(PATH).target(Target::Range(RangeSpec::Suffix(1 << 30)));
    bench
        .check(&more, "partial 0-300006/300007", Some((ONE, 0..SIZE)))
        .await;
}

pub(super) async fn outside(bench: &Bench) {
    bench.put(PATH, ONE, SIZE);
    bench
        .check(&get(PATH).span(SIZE, SIZE + 9), "unsatisfiable 300007", None)
        .await;
}

pub(super) async fn missing(bench: &Bench) {
    bench.check(&get(PATH), "not found", None).await;
    bench.check(&get(PATH).span(0, 9), "not found", None).await;
}

pub(super) async fn empty(bench: &Bench) {
    let tag = bench.put(PATH, ONE, 0);
    bench.check(&get(PATH), "found 0", Some((ONE, 0..0))).await;
    bench.check(&get(PATH).head(), "found 0", None).await;
    bench
        .check(&get(PATH).pinned(&[&tag]), "found 0", Some((ONE, 0..0)))
        .await;
}

pub(super) async fn empty_ranges(bench: &Bench) {
    bench.put(PATH, ONE, 0);
    bench.check(&get(PATH).span(0, 9), "unsatisfiable 0", None).await;
    let suffix = get(PATH).target(Target::Range(RangeSpec::Suffix(9)));
    bench.check(&suffix, "unsatisfiable 0", None).await;
}

pub(super) async fn pinned(bench: &Bench) {
    let held = bench.put(PATH, ONE, SIZE);
    let other = tag("\"other\"");
    bench
        .check(&get(PATH).pinned(&[&held]), "found 300007", Some((ONE, 0..SIZE)))
        .await;
    bench
        .check(&get(PATH).pinned(&[&other]), "precondition failed", None)
        .await;
}

pub(super) async fn pinned_to_one_of_several(bench: &Bench) {
    let held = bench.put(PATH, ONE, SIZE);
    let others: Vec<_> = (0..6).map(|n| tag(&format!("\"other{n}\""))).collect();
    let mut list: Vec<_> = others.iter().collect();
    bench.check(&get(PATH).pinned(&list), "precondition failed", None).await;
    for place in [0, 1, 6] {
        list.insert(place, &held);
        let question = get(PATH).pinned(&list).span(0, 9);
        bench.check(&question, "partial 0-9/300007", Some((ONE, 0..10))).await;
        list.remove(place);
    }
    bench.check(&get("/gone").pinned(&list), "not found", None).await;
    // A list of none is a fault of ours, and must not become an unpinned question.
    let none = bench.ask(&get(PATH).pinned(&[])).await;
    assert_eq!(summary(&none.heard), "other 400");
}

pub(super) async fn pinned_ranges(bench: &Bench) {
    let held = bench.put(PATH, ONE, SIZE);
    let question = get(PATH).pinned(&[&held]).span(9, 19);
    bench.check(&question, "partial 9-19/300007", Some((ONE, 9..20))).await;
    let miss = get(PATH).pinned(&[&tag("\"other\"")]).span(9, 19);
    bench.check(&miss, "precondition failed", None).await;
    // The precondition comes first (RFC 9110 13.2.2).
    let outside = get(PATH).pinned(&[&tag("\"other\"")]).span(SIZE, SIZE);
    bench.check(&outside, "precondition failed", None).await;
    let outside = get(PATH).pinned(&[&held]).span(SIZE, SIZE);
    bench.check(&outside, "unsatisfiable 300007", None).await;
}

pub(super) async fn unless(bench: &Bench) {
    let held = bench.put(PATH, ONE, SIZE);
    let question = get(PATH).condition(Condition::Unless(held.clone()));
    let found = bench.check(&question, "not modified", None).await;
    assert_eq!(found.strong_tag(), Some(held));
    let other = get(PATH).condition(Condition::Unless(tag("\"other\"")));
    bench.check(&other, "found 300007", Some((ONE, 0..SIZE))).await;
}

pub(super) async fn unless_with_a_range(bench: &Bench) {
    let held = bench.put(PATH, ONE, SIZE);
    let question = get(PATH).span(0, 9).condition(Condition::Unless(held));
    bench.check(&question, "not modified", None).await;
    let other = get(PATH).span(0, 9).condition(Condition::Unless(tag("\"other\"")));
    bench.check(&other, "partial 0-9/300007", Some((ONE, 0..10))).await;
}

/// Where S3 is asked, a 412 stands for the 200 that If-Range would have given.
pub(super) async fn or_whole(bench: &Bench) {
    let held = bench.put(PATH, ONE, SIZE);
    let question = get(PATH).span(9, 19).condition(Condition::OrWhole(held));
    let other = get(PATH).span(9, 19).condition(Condition::OrWhole(tag("\"other\"")));
    if bench.is_s3 {
        bench.check(&question, "partial 9-19/300007", Some((ONE, 9..20))).await;
        bench.check(&other, "precondition failed", None).await;
    } else if matches!(bench.server, Server::Origin(_)) {
        bench.check(&question, "partial 9-19/300007", Some((ONE, 9..20))).await;
        bench.check(&other, "found 300007", Some((ONE, 0..SIZE))).await;
    } else {
        // S3 itself does not know If-Range: a splice that `plan::admit` must notice.
        bench.check(&other, "partial 9-19/300007", Some((ONE, 9..20))).await;
    }
}

pub(super) async fn head(bench: &Bench) {
    let tag = bench.put(PATH, ONE, SIZE);
    let found = bench.check(&get(PATH).head(), "found 300007", None).await;
    assert_eq!(found.strong_tag(), Some(tag));
    bench.check(&get("/gone").head(), "not found", None).await;
}

pub(super) async fn head_with_conditions(bench: &Bench) {
    let held = bench.put(PATH, ONE, SIZE);
    let other = tag("\"other\"");
    bench
        .check(&get(PATH).head().pinned(&[&held]), "found 300007", None)
        .await;
    bench
        .check(&get(PATH).head().pinned(&[&other]), "precondition failed", None)
        .await;
    bench
        .check(&get(PATH).head().pinned(&[&other, &held]), "found 300007", None)
        .await;
    let unless = get(PATH).head().condition(Condition::Unless(held));
    bench.check(&unless, "not modified", None).await;
}

pub(super) async fn head_ignores_ranges(bench: &Bench) {
    bench.put(PATH, ONE, SIZE);
    bench.check(&get(PATH).head().span(9, 19), "found 300007", None).await;
}

pub(super) async fn fields_pass(bench: &Bench) {
    bench.put(PATH, ONE, SIZE);
    for (question, expected) in [
        (get(PATH), "found 300007"),
        (get(PATH).head(), "found 300007"),
        (get(PATH).span(0, 9), "partial 0-9/300007"),
    ] {
        let found = bench.check(&question, expected, None).await;
        assert_eq!(found.fields["x-amz-meta-kit"], "yes");
        assert!(found.fields.contains_key("last-modified"));
        assert!(found.fields.contains_key("date"));
    }
}

pub(super) async fn side_by_side(bench: &Bench) {
    bench.put(PATH, ONE, SIZE);
    let questions: Vec<_> = (0..40).map(|n| get(PATH).span(n * 1000, n * 1000 + 99_999)).collect();
    let asked = questions.iter().enumerate().map(|(n, question)| async move {
        let first = n as u64 * 1000;
        let expected = format!("partial {first}-{}/300007", first + 99_999);
        bench
            .check(question, &expected, Some((ONE, first..first + 100_000)))
            .await;
    });
    join_all(asked).await;
}

pub(super) async fn refused(bench: &Bench) {
    bench.stop().await;
    let answer = bench.ask(&get(PATH)).await;
    assert_eq!(summary(&answer.heard), "failed Refused None");
    assert_eq!(read(answer).await, (Vec::new(), None));
}

pub(super) async fn parts(bench: &Bench) {
    let object = Object::pattern(ONE, 100_000).in_parts(40_000);
    let held = tag(object.etag());
    bench.s3_server().store().put("bucket", "p/dir/a.tar", object);
    let part = |n| get(PATH).target(Target::Part(PartNumber::new(n).unwrap()));
    let found = bench
        .check(&part(1), "partial 0-39999/100000", Some((ONE, 0..40_000)))
        .await;
    assert_eq!(found.fields["x-amz-mp-parts-count"], "3");
    let last = part(3).pinned(&[&held]);
    bench
        .check(&last, "partial 80000-99999/100000", Some((ONE, 80_000..100_000)))
        .await;
    bench.check(&part(2).head(), "partial 40000-79999/100000", None).await;
    bench
        .check(&part(2).pinned(&[&tag("\"other\"")]), "precondition failed", None)
        .await;
    bench.check(&part(4), "unsatisfiable ?", None).await;
}

/// Paths as sent, and the keys that they name in S3.
pub(super) async fn odd_keys(bench: &Bench) {
    let keys = [
        ("/a%20b", "/a b"),
        ("/%C3%A9", "/é"),
        ("/a%2Bb", "/a+b"),
        ("/a%2Fb", "/a/b"),
        ("/what%3Fnow%23%25", "/what?now#%"),
        ("/%2561", "/%61"),
        ("/a//b///c", "/a//b///c"),
        ("//a", "//a"),
        ("/a/", "/a/"),
        ("/~!$&'()*,;=:@-._", "/~!$&'()*,;=:@-._"),
        ("/%7e", "/~"),
    ];
    for (n, (path, key)) in (1..).zip(keys) {
        let pattern = Pattern::new(n, 1);
        bench.put(key, pattern, 100);
        bench.check(&get(path), "found 100", Some((pattern, 0..100))).await;
    }
}

/// Paths and queries reach an HTTP server letter by letter.
pub(super) async fn odd_paths(bench: &Bench) {
    let paths = [
        "/a%20b",
        "/%c3%A9",
        "/a+b",
        "/a%2Fb",
        "/what%3Fnow",
        "/a//b///c",
        "//a",
        "/a/",
        "/~!$&'()*,;=:@-._%7e",
        "/\"{}|",
    ];
    for path in paths {
        for query in [None, Some(""), Some("b=2&a=%20+1&a"), Some("/?;:@")] {
            let mut question = get(path);
            question.query = query.map(Into::into);
            let target = match query {
                None => format!("/base{path}"),
                Some(query) => format!("/base{path}?{query}"),
            };
            bench.origin().put(&target, Resource::pattern(ONE, 10));
            bench.check(&question, "found 10", Some((ONE, 0..10))).await;
            assert_eq!(bench.origin().requests().last().unwrap().target, target);
            bench.origin().delete(&target);
        }
    }
}
