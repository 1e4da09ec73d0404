//! The next step of a read, decided anew after every fact.

use std::borrow::Cow;
use std::time::SystemTime;

use http::StatusCode;

use super::detail::Detail;
use super::discovery::discovery;
use super::facts::{Facts, Stored};
use super::learn::head_of;
use super::pinned::pinned;
use super::resumed::resumed;
use super::shape::{Shape, shape};
use super::step::{Cut, Relay, Reply, Serve, Step, Terms};
use crate::object::{Cause, Current, ETag, Failure, Found, Heard, RangeSpec, StrongETag, Target};
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
    let detail = if shape == Shape::Unsatisfiable {
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

/// The answer in hand, cut to what the client asked for where it holds more.
pub(super) fn relay(read: &Read, heard: &Heard, detail: Detail) -> Step {
    let Some(found) = heard.found() else {
        return Reply::new(StatusCode::BAD_GATEWAY, detail).into();
    };
    let good = found.status.is_success();
    let modified = found
        .fields
        .get(http::header::LAST_MODIFIED)
        .and_then(|value| value.to_str().ok());
    let modified = modified.and_then(|value| httpdate::parse_http_date(value).ok());
    let tag: Option<ETag> = found.tag();
    let not_modified = good && read.unless.holds(tag.as_ref(), modified);
    let cut = match (heard, read.target) {
        (Heard::Partial(_, held, total), Target::Range(spec)) => {
            let sent = match (spec, total) {
                (_, Some(total)) => spec.resolve(*total),
                (RangeSpec::Span(range), None) => range.intersect(*held),
                (RangeSpec::From(first), None) => held.starting_at(first),
                (RangeSpec::Suffix(_), None) => Some(*held),
            };
            match sent.and_then(|sent| sent.intersect(*held)) {
                Some(sent) => Some(Cut { held: *held, sent }),
                None => return unsatisfiable(total.map(crate::object::ObjectSize::bytes)).into(),
            }
        }
        _ => None,
    };
    Step::Relay(Relay {
        cut,
        not_modified,
        detail,
    })
}

/// 416
pub(super) fn unsatisfiable(length: Option<u64>) -> Reply {
    Reply {
        length,
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
    Reply {
        retry_after: own.and_then(retry_after),
        ..Reply::new(status, Detail::Failed(failure.cause))
    }
}

/// Seconds from when the answer came, in whichever form they were told (RFC 9110 10.2.3).
fn retry_after(answer: &Found) -> Option<u64> {
    let stated = answer.fields.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = |at: SystemTime| at.duration_since(answer.received).unwrap_or_default().as_secs();
    let date = || httpdate::parse_http_date(stated).ok().map(seconds);
    stated.parse().ok().or_else(date)
}
