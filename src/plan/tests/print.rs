//! Runs the tables: a case is a paragraph, and what happens is compared with it line by line.
//!
//! ```text
//! 2 what is missing is asked for with that tag alone        the name: the row and what it is about
//! http | *A 0 2 | GET 0..192k pin A,B                       the route, what is here, the request
//! fetch GET 64k..128k if A -> 206 A                         questions and their answers
//! = 206 A 0..192k joined                                    what the client gets, why, what became of current
//! ```

use std::collections::VecDeque;

use super::disk::Disk;
use super::engine::{Answer, Asking, End, Engine, Tiers};
use super::parse::{K, answer, disk, method, now, request, terms};
use crate::object::{ByteRange, Condition, Current, Heard, RangeSpec, StrongETag, Target};
use crate::plan::{Asked, Shape, Terms, Tier, Trace, effective, relay_fields, reply_fields, served_fields};
use crate::request::Read;

/// Checks every paragraph of a table.
pub(super) fn check(table: &str) {
    let lines: Vec<&str> = table.lines().map(str::trim).collect();
    let cases = lines.split(|line| line.is_empty()).filter(|case| !case.is_empty());
    // All that fails is told, not only the first.
    let failed: Vec<String> = cases
        .filter_map(|case| std::panic::catch_unwind(|| check_case(case)).err())
        .map(|why| why.downcast_ref::<String>().cloned().unwrap_or_default())
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn check_case(case: &[&str]) {
    let [name, given, talk @ .., end] = case else {
        panic!("no case: {case:?}")
    };
    let [route, here, asks] = given.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
        panic!("{name}: route | here | request")
    };
    let terms = terms(route);
    let read = request(asks, &terms);
    let mut disk = disk(here);
    let before = disk.clone();
    let mut script = Script {
        name: name.to_string(),
        numbered: terms.near > 0,
        lines: talk.iter().map(ToString::to_string).collect(),
    };
    let mut engine = Engine::new(&read, &terms, now(), &mut disk, &mut script);
    let ended = engine.run();
    let read = effective(&read, &engine.facts).into_owned();
    let seen = format!("= {}{}", told(&ended, &read, &terms), moved(&before, &disk));
    assert_eq!(seen, *end, "{name}");
    assert!(script.lines.is_empty(), "{name}: not asked: {:?}", script.lines);
}

/// Tiers that say what the table says.
struct Script {
    name: String,
    numbered: bool,
    lines: VecDeque<String>,
}

impl Tiers for Script {
    fn answer(&mut self, asking: Asking, tier: Tier, asked: Asked) -> Answer {
        let seen = question(asking, tier, &asked, self.numbered);
        let line = self.lines.pop_front().unwrap_or_default();
        let (expected, said) = line.split_once(" -> ").unwrap_or((&line, ""));
        assert_eq!(seen, expected, "{}", self.name);
        let shared = said.strip_prefix("shared ");
        let heard = answer(shared.unwrap_or(said), &asked);
        // Of a shared answer the range is what somebody else asked for.
        let target = match &heard {
            Heard::Partial(_, held, _) if shared.is_some() => Target::Range(RangeSpec::Span(*held)),
            _ => asked.target,
        };
        Answer {
            asked: Asked { target, ..asked },
            heard,
            own: shared.is_none(),
            bytes: None,
        }
    }
}

fn question(asking: Asking, tier: Tier, asked: &Asked, numbered: bool) -> String {
    let how = match asking {
        Asking::Discover => "discover",
        Asking::Anew => "anew",
        Asking::Beside => "ask",
        Asking::Fetch => "fetch",
    };
    let at = if numbered {
        format!("@{}", tier.get())
    } else {
        String::new()
    };
    let target = match asked.target {
        Target::Whole => String::new(),
        Target::Range(RangeSpec::Span(range)) => format!(" {}", span(range)),
        Target::Range(RangeSpec::From(first)) => format!(" {}..", bytes(first)),
        Target::Range(RangeSpec::Suffix(length)) => format!(" -{}", bytes(length)),
        Target::Part(part) => format!(" part {}", part.get()),
    };
    let condition = match &asked.condition {
        Condition::Free => String::new(),
        Condition::Pinned(pins) => format!(" if {}", pins.iter().map(name).collect::<Vec<_>>().join(",")),
        Condition::Unless(tag) => format!(" unless {}", name(tag)),
        Condition::OrWhole(tag) => format!(" or-whole {}", name(tag)),
        Condition::Version(tag, version) => format!(" version {} if {}", version.as_str(), name(tag)),
    };
    format!("{how}{at} {}{target}{condition}", method(asked.method))
}

/// What the client sees, by way of the fields that are sent.
fn told(end: &End, read: &Read, terms: &Terms) -> String {
    let trace = Trace::default();
    match end {
        End::Serve(serve) => match served_fields(serve, read, &trace, "pinstripe", now()) {
            Some((status, _)) => {
                let slice = match serve.shape {
                    Shape::Slice(range) => format!(" {}", span(range)),
                    Shape::Whole | Shape::NotModified | Shape::Unsatisfiable => String::new(),
                };
                let tag = name(serve.head.tag());
                format!("{} {tag}{slice} {}", status.as_u16(), serve.detail.label())
            }
            None => format!("416 /{} {}", bytes(serve.head.size().bytes()), serve.detail.label()),
        },
        End::Relay(relay, told, _) => {
            let found = told.heard.found().unwrap();
            let (status, _) = relay_fields(relay, found, None, read.method, &trace, "pinstripe");
            let tag = found
                .fields
                .get("etag")
                .map(|tag| format!(" {}", tag.to_str().unwrap().replace('"', "")));
            let cut = relay.cut.map(|cut| format!(" {}", span(cut.sent)));
            let (tag, cut) = (tag.unwrap_or_default(), cut.unwrap_or_default());
            format!("relay {}{tag}{cut} {}", status.as_u16(), relay.detail.label())
        }
        End::Reply(reply) => {
            let made = reply_fields(reply, terms.s3_dialect, &trace, "pinstripe");
            let length = reply.length.map(|length| format!(" /{}", bytes(length)));
            let later = reply.retry_after.map(|seconds| format!(" retry-after {seconds}"));
            let (length, later) = (length.unwrap_or_default(), later.unwrap_or_default());
            format!("{}{length} {}{later}", made.status.as_u16(), reply.detail.label())
        }
    }
}

/// What became of current: ` := B`, or ` confirmed`.
fn moved(before: &Disk, after: &Disk) -> String {
    let received = |disk: &Disk| match &disk.current {
        Current::Is(tag) => disk.head(tag).map(|head| head.received()),
        Current::None | Current::Unknown => None,
    };
    match &after.current {
        current if *current == before.current && received(before) == received(after) => String::new(),
        current if *current == before.current => ", confirmed".to_owned(),
        Current::Is(tag) => format!(", current := {}", name(tag)),
        Current::None => ", current := none".to_owned(),
        Current::Unknown => ", current := unknown".to_owned(),
    }
}

fn name(tag: &StrongETag) -> String {
    String::from_utf8_lossy(tag.opaque()).into_owned()
}

pub(super) fn span(range: ByteRange) -> String {
    format!("{}..{}", bytes(range.first()), bytes(range.end()))
}

fn bytes(number: u64) -> String {
    if number > 0 && number.is_multiple_of(K) {
        format!("{}k", number / K)
    } else {
        number.to_string()
    }
}
