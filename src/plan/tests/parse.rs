//! The little language of the tables: what is here, what is asked, what is answered.
//!
//! Blocks have 64k. `a..b` is the bytes from a up to but not including b; k is 1024. Revisions are named by letters,
//! see [`size`]. Fields stand in braces, separated by `;`.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::disk::{Disk, OnDisk};
use crate::config::Role;
use crate::object::{
    BlockSize, ByteRange, Cause, Current, Failure, Found, Head, Heard, Lie, Method, ObjectSize, PartNumber, Parts,
    RangeSpec, StrongETag, TakenFrom, Target,
};
use crate::plan::{Asked, Terms};
use crate::request::{Class, Read, Rules, classify};

pub(super) const K: u64 = 1 << 10;
pub(super) const BLOCK: BlockSize = BlockSize::new(64 * K).unwrap();
pub(super) const GRACE: Duration = Duration::from_secs(15 * 60);

/// The date of the Last-Modified field that `lm` stands for, and of `since`.
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

pub(super) fn now() -> SystemTime {
    httpdate::parse_http_date(DATE).unwrap() + Duration::from_secs(24 * 60 * 60)
}

/// A route by name: `http`, `cache` (an authority that may forget), `s3`, `nearest`; `+n` near tiers before it.
pub(super) fn terms(name: &str) -> Terms {
    let (kind, near) = name.split_once('+').unwrap_or((name, "0"));
    Terms {
        near: near.parse().unwrap(),
        role: if kind == "cache" { Role::Cache } else { Role::Origin },
        s3_dialect: kind == "s3",
        http_authority: kind != "s3",
        nearest: kind == "nearest",
        grace: GRACE,
        block_size: BLOCK,
        parallel: 1,
    }
}

/// The length of a revision by its tag: A, B and C have several blocks, D is small, E is empty, M-3 has three parts.
pub(super) fn size(tag: &str) -> u64 {
    match tag.trim_start_matches("W/") {
        "B" => 130 * K,
        "D" => 10 * K,
        "E" => 0,
        _ => 250 * K,
    }
}

pub(super) fn tag(name: &str) -> StrongETag {
    StrongETag::parse(format!("\"{name}\"").as_bytes()).unwrap()
}

pub(super) fn number(text: &str) -> u64 {
    match text.strip_suffix('k') {
        Some(kilos) => kilos.parse::<u64>().unwrap() * K,
        None => text.parse().unwrap_or_else(|_| panic!("no number: {text}")),
    }
}

/// `a..b`
pub(super) fn range(text: &str) -> ByteRange {
    let (first, end) = text.split_once("..").unwrap();
    ByteRange::new(number(first), number(end) - 1).unwrap()
}

/// `a..b`, `a..` or `-n`
fn spec(word: &str) -> Option<RangeSpec> {
    if let Some(length) = word.strip_prefix('-') {
        return Some(RangeSpec::Suffix(number(length)));
    }
    match word.split_once("..")? {
        (first, "") => Some(RangeSpec::From(number(first))),
        _ => Some(RangeSpec::Span(range(word))),
    }
}

/// What stands before braces, and the fields within.
fn fields(text: &str) -> (&str, HeaderMap) {
    let Some((before, within)) = text.split_once('{') else {
        return (text.trim(), HeaderMap::new());
    };
    let mut map = HeaderMap::new();
    for field in within.trim_end().trim_end_matches('}').split(';') {
        let field = field.trim();
        let line = match field {
            "lm" => format!("last-modified: {DATE}"),
            "fallback" => "cache-status: behind; fwd=stale; detail=discovery-fallback".to_owned(),
            _ => field.to_owned(),
        };
        let (name, value) = line.split_once(':').unwrap();
        let name: HeaderName = name.trim().parse().unwrap();
        map.append(name, HeaderValue::from_str(value.trim()).unwrap());
    }
    (before.trim(), map)
}

/// `GET 0..10 pin A,B unless A`: a request as it arrives, through the classes.
pub(super) fn request(text: &str, terms: &Terms) -> Read {
    let (text, mut map) = fields(text);
    let mut words = text.split_whitespace();
    let method = words.next().unwrap().parse().unwrap();
    let mut query = None;
    let tags = |list: &str| {
        let quoted: Vec<String> = list.split(',').map(|tag| format!("\"{tag}\"")).collect();
        quoted.join(", ")
    };
    while let Some(word) = words.next() {
        let mut set = |name: HeaderName, value: String| map.append(name, HeaderValue::from_str(&value).unwrap());
        match word {
            "pin" => set(header::IF_MATCH, tags(words.next().unwrap())),
            "resume" => set(header::IF_RANGE, tags(words.next().unwrap())),
            "unless" => set(header::IF_NONE_MATCH, tags(words.next().unwrap())),
            "since" => set(header::IF_MODIFIED_SINCE, DATE.to_owned()),
            "part" => {
                query = words.next().map(|number| format!("partNumber={number}"));
                true
            }
            "no-cache" | "only-if-cached" => set(header::CACHE_CONTROL, word.to_owned()),
            _ => set(header::RANGE, spec(word).unwrap().to_string()),
        };
    }
    let rules = Rules {
        s3_authority: false,
        s3_dialect: terms.s3_dialect,
        reads_only: false,
        shared: true,
        drops_signatures: false,
    };
    match classify(&method, query.as_deref(), &map, rules) {
        Class::Read(read) => *read,
        other => panic!("{text}: {other:?}"),
    }
}

/// `*A 0 2 {cache-control: max-age=9} & B all & former B 20m`: blocks by number, `*` is current, `none` is no revision.
pub(super) fn disk(text: &str) -> Disk {
    let mut disk = Disk::default();
    for item in text.split('&').map(str::trim).filter(|item| !item.is_empty()) {
        let (item, map) = fields(item);
        let words: Vec<&str> = item.split_whitespace().collect();
        match words.as_slice() {
            ["none"] => disk.current = Current::None,
            ["former", name, minutes] => {
                let ago = Duration::from_secs(60 * number(minutes.trim_end_matches('m')));
                disk.former.push((tag(name), now() - ago));
            }
            [name, blocks @ ..] => {
                let bare = name.trim_start_matches('*');
                if bare.len() < name.len() {
                    disk.current = Current::Is(tag(bare));
                }
                disk.revisions.push(on_disk(bare, blocks, map));
            }
            [] => {}
        }
    }
    disk
}

/// Every stored head came a minute ago. `part 2` stands for what is known of the parts of M-3.
fn on_disk(name: &str, words: &[&str], mut map: HeaderMap) -> OnDisk {
    map.insert(header::ETAG, tag(name).to_value());
    let received = now() - Duration::from_secs(60);
    let length = ObjectSize::new(size(name));
    let mut parts = Parts::default();
    let mut blocks = std::collections::BTreeSet::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "all" => blocks = (0..BLOCK.count(length)).collect(),
            "part" => {
                let number: u64 = words.next().unwrap().parse().unwrap();
                let part = PartNumber::new(u16::try_from(number).unwrap()).unwrap();
                parts = parts.with(part, range_of_part(number)).with_count(Some(3));
            }
            index => {
                blocks.insert(index.parse().unwrap());
            }
        }
    }
    let head = Head::new(tag(name), length, &map, received, TakenFrom::Whole).with_parts(parts);
    OnDisk {
        head: Arc::new(head),
        blocks,
    }
}

/// The parts of M-3: 100k, 100k, 50k.
pub(super) fn range_of_part(number: u64) -> ByteRange {
    let first = (number - 1) * 100 * K;
    ByteRange::new(first, (first + 100 * K).min(250 * K) - 1).unwrap()
}

/// `206 A`, `206 A 0..10/250k`, `206 A 0..10/*`, `200 W/A`, `200 -`, `200 A nolen`, `304 A`, `416 /9`, `503 {..}`,
/// `timeout`, `lie`. A 206 holds what was asked for unless it says otherwise.
pub(super) fn answer(text: &str, asked: &Asked) -> Heard {
    let (text, mut map) = fields(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    let (status, rest) = words.split_first().unwrap();
    let Ok(status) = status.parse::<StatusCode>() else {
        return Heard::failed(cause(text));
    };
    let name = rest.first().copied().unwrap_or("-");
    if name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        let value = name
            .strip_prefix("W/")
            .map_or(format!("\"{name}\""), |weak| format!("W/\"{weak}\""));
        map.insert(header::ETAG, HeaderValue::from_str(&value).unwrap());
    }
    let total = match rest.last().and_then(|word| word.split_once('/')) {
        Some((before, "*")) if before != "W" => None,
        Some((before, length)) if before != "W" => Some(ObjectSize::new(number(length))),
        _ if status == StatusCode::RANGE_NOT_SATISFIABLE || rest.contains(&"nolen") => None,
        _ => Some(ObjectSize::new(size(name))),
    };
    let held = rest.get(1).and_then(|word| word.split_once('/'));
    let held = held.filter(|(held, _)| !held.is_empty()).map(|(held, _)| range(held));
    let found = Found {
        status,
        fields: map,
        received: now(),
    };
    match status.as_u16() {
        200 => Heard::Found(found, total),
        206 => Heard::Partial(found, held.or_else(|| held_as_asked(asked, name)).unwrap(), total),
        304 => Heard::NotModified(found),
        412 => Heard::PreconditionFailed(found),
        404 | 410 => Heard::NotFound(found),
        416 => Heard::Unsatisfiable(found, total),
        401 | 403 => Heard::Denied(found),
        408 | 429 | 500 | 502 | 503 | 504 => Heard::Failed(Failure {
            cause: Cause::Status,
            answer: Some(Box::new(found)),
        }),
        _ => Heard::Other(found),
    }
}

fn held_as_asked(asked: &Asked, name: &str) -> Option<ByteRange> {
    match asked.target {
        Target::Whole => ObjectSize::new(size(name)).whole(),
        Target::Range(spec) => spec.resolve(ObjectSize::new(size(name))),
        Target::Part(part) => Some(range_of_part(u64::from(part.get()))),
    }
}

fn cause(name: &str) -> Cause {
    match name {
        "timeout" => Cause::Timeout,
        "refused" => Cause::Refused,
        "reset" => Cause::Reset,
        "tls" => Cause::Tls,
        "own-credentials" => Cause::OwnCredentials,
        "lie" => Cause::Lie(Lie::Unreadable),
        _ => panic!("no cause: {name}"),
    }
}

/// The words of a question's method, for [`super::print`].
pub(super) fn method(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
    }
}
