//! The next step of a read, decided anew after every fact.

use std::borrow::Cow;
use std::time::SystemTime;

use http::StatusCode;

use super::detail::Detail;
use super::discovery::discovery;
use super::facts::{Facts, Stored};
use super::learn::{head_of, length_of};
use super::pinned::pinned;
use super::resumed::resumed;
use super::shape::{NO_BYTES, Shape, shape};
use super::step::{Cut, Relay, Reply, Serve, Step, Terms};
use crate::object::{Cause, Current, Failure, Found, Heard, ObjectSize, RangeSpec, StrongETag, Target, parse_digits};
use crate::request::{Kind, Read};

/// What to do next.
pub fn next(read: &Read, facts: &Facts, terms: &Terms, now: SystemTime) -> Step {
    let read = effective(read, facts);
    match &read.kind {
        Kind::Pinned(pins) => pinned(&read, pins, facts, terms, now),
        Kind::Resume(tag) => resumed(&read, tag, facts, terms, now),
        Kind::Discovery | Kind::Whole => discovery(&read, facts, terms, now),
    }
}

/// The revisions whose blocks matter for the next step, the preferred one first.
pub fn focus(read: &Read, facts: &Facts) -> Vec<StrongETag> {
    let named = |told: &super::facts::Told| head_of(told).map(|head| head.tag().clone());
    match &read.kind {
        Kind::Pinned(pins) => pins.clone(),
        Kind::Resume(tag) if facts.word.is_none() => vec![tag.clone()],
        Kind::Resume(_) | Kind::Discovery | Kind::Whole => {
            let fallback = facts.asked.iter().rev().find_map(named);
            let word = facts.word.as_ref().and_then(named);
            match (fallback.or(word), &facts.local.current) {
                (Some(tag), _) => vec![tag],
                (None, Current::Is(tag)) => vec![tag.clone()],
                (None, Current::None | Current::Unknown) => Vec::new(),
            }
        }
    }
}

/// A Resume whose If-Range turned out false is a plain GET (RFC 9110 13.1.5).
pub(crate) fn effective<'a>(read: &'a Read, facts: &Facts) -> Cow<'a, Read> {
    let whole = matches!(facts.word.as_ref().map(|word| &word.heard), Some(Heard::Found(_, _)));
    if matches!(read.kind, Kind::Resume(_)) && whole {
        return Cow::Owned(Read {
            kind: Kind::Whole,
            target: Target::Whole,
            ..read.clone()
        });
    }
    Cow::Borrowed(read)
}

/// An answer from a revision, if the shape of it can be told.
pub(super) fn serve(read: &Read, stored: &Stored, detail: Detail, terms: &Terms) -> Option<Serve> {
    let shape = shape(read, &stored.head, terms)?;
    // A fallback stays one, and is counted, whatever its status.
    let detail = if shape == Shape::Unsatisfiable && detail != Detail::DiscoveryFallback {
        Detail::Unsatisfiable
    } else {
        detail
    };
    Some(Serve {
        head: stored.head.clone(),
        shape,
        detail,
    })
}

/// The answer in hand, cut to what the client asked for where it holds more. 304 if the client has it: preconditions go
/// before ranges (RFC 9110 13.2.2).
pub(super) fn relay(read: &Read, heard: &Heard, detail: Detail) -> Step {
    let Some(found) = heard.found() else {
        return Reply::new(StatusCode::BAD_GATEWAY, detail).into();
    };
    if client_has(read, found) {
        return Step::Relay(Relay {
            cut: None,
            not_modified: true,
            detail,
        });
    }
    if read.target == NO_BYTES && found.status.is_success() {
        return unsatisfiable(length_of(heard)).into();
    }
    match cut(read, heard) {
        Some(Err(length)) => unsatisfiable(length).into(),
        cut => Step::Relay(Relay {
            cut: cut.and_then(Result::ok),
            not_modified: false,
            detail,
        }),
    }
}

/// Whether an answer is of a representation that the client says it has.
pub(super) fn client_has(read: &Read, found: &Found) -> bool {
    let exists = found.status.is_success() || found.status == StatusCode::RANGE_NOT_SATISFIABLE;
    let modified = found
        .fields
        .get(http::header::LAST_MODIFIED)
        .and_then(|value| value.to_str().ok());
    let modified = modified.and_then(|value| httpdate::parse_http_date(value).ok());
    exists && read.unless.holds(found.tag().as_ref(), modified)
}

/// The client's bytes within an answer, or the length that they lie outside of; `None` if all of it is sent. A 200 is
/// cut only under a strong tag: nobody could ask for another piece of the same otherwise (rows 12, 13).
fn cut(read: &Read, heard: &Heard) -> Option<Result<Cut, Option<ObjectSize>>> {
    let Target::Range(spec) = read.target else { return None };
    let (held, total) = match heard {
        Heard::Partial(_, held, total) => (Some(*held), *total),
        Heard::Found(found, Some(total)) if found.strong_tag().is_some() => (total.whole(), Some(*total)),
        _ => return None,
    };
    let sent = held.and_then(|held| match (spec, total) {
        (_, Some(total)) => spec.resolve(total)?.intersect(held),
        (RangeSpec::Span(range), None) => range.intersect(held),
        (RangeSpec::From(first), None) => held.starting_at(first),
        (RangeSpec::Suffix(_), None) => Some(held),
    });
    Some(match (held, sent) {
        (Some(held), Some(sent)) => Ok(Cut { held, sent }),
        _ => Err(total),
    })
}

/// 416
pub(super) fn unsatisfiable(length: Option<ObjectSize>) -> Reply {
    Reply {
        length: length.map(ObjectSize::bytes),
        ..Reply::new(StatusCode::RANGE_NOT_SATISFIABLE, Detail::Unsatisfiable)
    }
}

/// Row 8: the tier's own status if it answered 429 or 5xx, else 504 or 502; never 404 or 412.
pub(super) fn failed(failure: &Failure) -> Reply {
    let answer = failure.answer.as_deref();
    let own = answer.filter(|a| a.status == StatusCode::TOO_MANY_REQUESTS || a.status.is_server_error());
    let timed_out = answer.is_some_and(|a| a.status == StatusCode::REQUEST_TIMEOUT);
    let status = match (own, failure.cause) {
        (Some(answer), Cause::Status) => answer.status,
        (_, Cause::Timeout) => StatusCode::GATEWAY_TIMEOUT,
        _ if timed_out => StatusCode::GATEWAY_TIMEOUT,
        (_, Cause::Forbidden) => StatusCode::FORBIDDEN,
        (_, Cause::Saturated) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_GATEWAY,
    };
    let retry_after = own.and_then(retry_after);
    Reply {
        retry_after,
        ..Reply::new(status, Detail::Failed(failure.cause))
    }
}

/// The seconds of a Retry-After, which may be told as a date (RFC 9110 10.2.3).
fn retry_after(found: &Found) -> Option<u64> {
    let value = found.fields.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    let until = || {
        let date = httpdate::parse_http_date(value).ok()?;
        Some(date.duration_since(found.received).unwrap_or_default().as_secs())
    };
    parse_digits(value).or_else(until)
}
