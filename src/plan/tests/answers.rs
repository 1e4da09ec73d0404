//! What every answer carries: the fields that are sent, field by field.

use http::{HeaderMap, StatusCode};

use super::parse::{K, answer, disk, now, range, request, tag, terms};
use crate::object::{Cause, Head, Heard, Method, Target};
use crate::plan::{
    Asked, Cut, Detail, Forward, Relay, Reply, Serve, Shape, SliceHeads, Trace, relay_fields, reply_fields,
    served_fields,
};
use crate::request::Read;

/// All lines of a head, sorted, without those that every answer has.
fn lines(fields: &HeaderMap) -> Vec<String> {
    let mut lines: Vec<String> = fields
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "via" | "cache-status"))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    lines.sort_unstable();
    lines
}

fn of_disk(text: &str, name: &str) -> std::sync::Arc<Head> {
    disk(text).head(&tag(name)).unwrap()
}

fn check_served(stored: &str, shape: Shape, asks: &str, status: u16, expected: &[&str]) {
    let serve = Serve {
        head: of_disk(stored, "D"),
        shape,
        detail: Detail::Disk,
    };
    let read = request(asks, &terms("s3"));
    let (seen, fields) = served_fields(&serve, &read, &Trace::default(), "me", now()).unwrap();
    assert_eq!(
        (seen.as_u16(), lines(&fields)),
        (status, expected.iter().map(ToString::to_string).collect())
    );
    assert_eq!(fields.get("via").unwrap(), "1.1 me");
    assert_eq!(fields.get("cache-status").unwrap(), "me; hit; detail=disk");
    check_sent(&serve, &read, &fields);
}

/// Slices are sent with the same fields, also those of another range after the first.
fn check_sent(serve: &Serve, read: &Read, fields: &HeaderMap) {
    let heads = SliceHeads::new(serve, "me");
    let Shape::Slice(_) = serve.shape else {
        assert!(heads.is_none());
        return;
    };
    let heads = heads.unwrap();
    check_wire(&heads.head(serve, read, now()).unwrap(), fields);
    let other = Serve {
        shape: Shape::Slice(range("1..9")),
        ..serve.clone()
    };
    let (_, fields) = served_fields(&other, read, &Trace::default(), "me", now()).unwrap();
    check_wire(&heads.head(&other, read, now()).unwrap(), &fields);
    for foreign in [
        Serve {
            head: of_disk(STORED, "D"),
            ..serve.clone()
        },
        Serve {
            detail: Detail::Nearest,
            ..serve.clone()
        },
        Serve {
            shape: Shape::Whole,
            ..serve.clone()
        },
    ] {
        assert!(heads.head(&foreign, read, now()).is_none());
    }
}

fn check_wire(sent: &[u8], fields: &HeaderMap) {
    let sent = std::str::from_utf8(sent).unwrap();
    let sent = sent.strip_prefix("HTTP/1.1 206 Partial Content\r\n").unwrap();
    let sent = sent.strip_suffix("\r\n\r\n").unwrap();
    let mut sent: Vec<&str> = sent.split("\r\n").collect();
    let mut expected: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    sent.sort_unstable();
    expected.sort_unstable();
    assert_eq!(sent, expected);
}

const STORED: &str = "*D all {cache-control: max-age=9; content-md5: x; x-amz-checksum-crc32c: y; content-type: a/b;
    repr-digest: z; lm; age: 5; connection: x-hop; x-hop: 1; keep-alive: 1; x-own: 1}";

#[test]
fn served_whole_it_has_the_authoritys_own_fields() {
    check_served(
        STORED,
        Shape::Whole,
        "GET",
        200,
        &[
            "accept-ranges: bytes",
            "age: 65",
            "cache-control: max-age=9",
            "content-length: 10240",
            "content-md5: x",
            "content-type: a/b",
            "date: Mon, 07 Nov 1994 08:48:37 GMT",
            "etag: \"D\"",
            "last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
            "repr-digest: z",
            "x-amz-checksum-crc32c: y",
            "x-own: 1",
        ],
    );
}

#[test]
fn a_slice_has_no_digests_of_other_bytes() {
    check_served(
        "*D all {content-md5: x; content-digest: x; digest: x; x-amz-checksum-sha256: y; accept-ranges: bytes}",
        Shape::Slice(range("5..7")),
        "GET 5..7",
        206,
        &[
            "accept-ranges: bytes",
            "age: 60",
            "content-length: 2",
            "content-range: bytes 5-6/10240",
            "date: Mon, 07 Nov 1994 08:48:37 GMT",
            "etag: \"D\"",
        ],
    );
}

#[test]
fn a_304_repeats_only_what_it_may() {
    check_served(
        STORED,
        Shape::NotModified,
        "GET unless D",
        304,
        &[
            "accept-ranges: bytes",
            "age: 65",
            "cache-control: max-age=9",
            "date: Mon, 07 Nov 1994 08:48:37 GMT",
            "etag: \"D\"",
            "last-modified: Sun, 06 Nov 1994 08:49:37 GMT",
        ],
    );
}

#[test]
fn a_416_is_a_reply() {
    let serve = Serve {
        head: of_disk("*D", "D"),
        shape: Shape::Unsatisfiable,
        detail: Detail::Unsatisfiable,
    };
    let read = request("GET 10k..", &terms("http"));
    assert!(served_fields(&serve, &read, &Trace::default(), "me", now()).is_none());
}

fn check_relayed(said: &str, relay: Relay, length: Option<u64>, status: u16, expected: &[&str]) {
    let asked = Asked::free(Method::Get, Target::Whole);
    let heard: Heard = answer(said, &asked);
    let found = heard.found().unwrap();
    let (seen, fields) = relay_fields(&relay, found, length, Method::Get, &Trace::default(), "me");
    assert_eq!(
        (seen.as_u16(), lines(&fields)),
        (status, expected.iter().map(ToString::to_string).collect())
    );
}

const AS_IT_CAME: Relay = Relay {
    cut: None,
    not_modified: false,
    detail: Detail::PassedOn,
};

#[test]
fn what_is_handed_on_keeps_its_end_to_end_fields() {
    check_relayed(
        "418 {x-own: 1; connection: close, x-hop; x-hop: 1; transfer-encoding: chunked; set-cookie: a=b}",
        AS_IT_CAME,
        None,
        418,
        &["set-cookie: a=b", "x-own: 1"],
    );
    check_relayed(
        "200 W/D {content-length: 10240; content-md5: x}",
        AS_IT_CAME,
        Some(10_240),
        200,
        &["content-length: 10240", "content-md5: x", "etag: W/\"D\""],
    );
    let not_modified = Relay {
        not_modified: true,
        ..AS_IT_CAME
    };
    check_relayed(
        "200 W/D {content-length: 10240; content-md5: x}",
        not_modified,
        Some(10_240),
        304,
        &["etag: W/\"D\""],
    );
}

#[test]
fn what_is_cut_says_what_of_which_total() {
    let cut = |held: &str, sent: &str| Relay {
        cut: Some(Cut {
            held: range(held),
            sent: range(sent),
        }),
        ..AS_IT_CAME
    };
    check_relayed(
        "206 W/D {content-range: bytes 0-99/10240; content-length: 100; content-md5: x}",
        cut("0..100", "5..7"),
        Some(100),
        206,
        &["content-length: 2", "content-range: bytes 5-6/10240", "etag: W/\"D\""],
    );
    check_relayed(
        "206 W/D {content-range: bytes 0-99/*; content-length: 100; content-md5: x}",
        cut("0..100", "0..100"),
        Some(100),
        206,
        &[
            "content-length: 100",
            "content-md5: x",
            "content-range: bytes 0-99/*",
            "etag: W/\"D\"",
        ],
    );
    check_relayed(
        "200 D {content-length: 10240; x-amz-checksum-crc32c: y}",
        cut("0..10k", "5..7"),
        Some(10 * K),
        206,
        &["content-length: 2", "content-range: bytes 5-6/10240", "etag: \"D\""],
    );
}

#[test]
fn replies_say_what_they_can() {
    let check = |reply: Reply, s3: bool, expected: &[&str], body: &str| {
        let made = reply_fields(&reply, s3, &Trace::default(), "me");
        assert_eq!(
            lines(&made.fields),
            expected.iter().map(ToString::to_string).collect::<Vec<_>>()
        );
        assert_eq!(std::str::from_utf8(&made.body).unwrap(), body);
    };
    let unsatisfiable = Reply {
        length: Some(0),
        ..Reply::new(StatusCode::RANGE_NOT_SATISFIABLE, Detail::Unsatisfiable)
    };
    check(
        unsatisfiable,
        true,
        &[
            "content-length: 180",
            "content-range: bytes */0",
            "content-type: application/xml",
        ],
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>InvalidRange</Code><Message>the range lies outside of \
         the representation</Message><ActualObjectSize>0</ActualObjectSize></Error>",
    );
    let busy = Reply {
        retry_after: Some(7),
        ..Reply::new(StatusCode::SERVICE_UNAVAILABLE, Detail::Failed(Cause::Status))
    };
    check(
        busy,
        false,
        &[
            "content-length: 29",
            "content-type: text/plain; charset=utf-8",
            "retry-after: 7",
        ],
        "the upstream failed (status)\n",
    );
}

#[test]
fn cache_status_says_what_happened() {
    let check = |detail: Detail, trace: Trace, expected: &str| {
        let made = reply_fields(&Reply::new(StatusCode::OK, detail), false, &trace, "me");
        assert_eq!(made.fields.get("cache-status").unwrap(), expected);
    };
    let trace = Trace::default();
    check(Detail::Disk, trace, "me; hit; detail=disk");
    check(Detail::OnlyIfCached, trace, "me; detail=only-if-cached");
    let forward = Trace {
        forward: Some(Forward::UriMiss),
        forward_status: Some(StatusCode::PARTIAL_CONTENT),
        stored: true,
        ..trace
    };
    check(
        Detail::Fetched,
        forward,
        "me; fwd=uri-miss; fwd-status=206; stored; detail=fetched",
    );
    let shared = Trace {
        forward: Some(Forward::Stale),
        collapsed: true,
        ..trace
    };
    check(Detail::Validated, shared, "me; fwd=stale; collapsed; detail=validated");
}

#[test]
fn the_word_of_those_behind_stays_in_front_of_ours() {
    let asked = Asked::free(Method::Get, Target::Whole);
    let heard = answer("200 D {fallback}", &asked);
    let fallback = Relay {
        detail: Detail::DiscoveryFallback,
        ..AS_IT_CAME
    };
    let (_, fields) = relay_fields(
        &fallback,
        heard.found().unwrap(),
        None,
        Method::Get,
        &Trace::default(),
        "me",
    );
    let seen: Vec<_> = fields.get_all("cache-status").iter().collect();
    assert_eq!(
        seen,
        [
            "behind; fwd=stale; detail=discovery-fallback",
            "me; detail=discovery-fallback"
        ]
    );
}
