//! A revision that is to be served: what is here of it, and what a pinned fetch brings (rows 2, 3, 10, 22, 29).

use super::detail::Detail;
use super::facts::{Facts, Stored, Told};
use super::next::{relay, serve};
use super::pinned::{is_gone, names_revision, served, verdict};
use super::probe::versioned;
use super::shape::{aligned, asked_for, wanted};
use super::step::{Serve, Step, Terms};
use crate::object::{Heard, RangeSpec, StrongETag, Target};
use crate::request::Read;

/// Serves the revision that was named: what is here and, if its beginning is not, a pinned fetch first. `gone` is what
/// follows if it is not there any more.
pub(super) fn revision(
    read: &Read,
    tag: &StrongETag,
    detail: Detail,
    facts: &Facts,
    terms: &Terms,
    gone: impl FnOnce() -> Step,
) -> Step {
    let Some(stored) = facts.local.stored(tag) else {
        return gone();
    };
    let pins = std::slice::from_ref(tag);
    match facts.fetched.as_deref() {
        None => from_here(read, stored, detail, facts, terms),
        Some([.., last]) if served(pins, last) => from_answer(read, last, detail, facts, terms),
        // Near tiers do not matter here: it is the authority that named it, and says now that it is not there. An error
        // met by asking for its version does not either: there is something else to be asked for.
        Some(told) if last_by_tag(told).is_some_and(|last| contradicts(&last.heard)) => gone(),
        Some(told) => verdict(read, pins, told, facts, terms),
    }
}

fn last_by_tag(told: &[Told]) -> Option<&Told> {
    told.iter().rev().find(|told| versioned(told).is_none())
}

/// Row 29. A 416 contradicts, too: what is asked for lies within the revision.
fn contradicts(heard: &Heard) -> bool {
    is_gone(heard) || matches!(heard, Heard::NotFound(_) | Heard::Unsatisfiable(_, _))
}

/// What is here, or the first question for what is not.
fn from_here(read: &Read, stored: &Stored, detail: Detail, facts: &Facts, terms: &Terms) -> Step {
    match (serve(read, stored, detail, terms), stored.missing) {
        (Some(ready), None) => Step::Serve(ready),
        (Some(_), Some(missing)) => fetch(stored, Target::Range(RangeSpec::Span(missing))),
        // A part whose place is not known: it is handed on if it is in hand, and asked for by number otherwise.
        (None, _) => match facts.in_hand().filter(|told| brings_all(read, told, terms)) {
            Some(told) => relay(read, &told.heard, detail),
            None => fetch(stored, aligned(read.target, terms.block_size)),
        },
    }
}

/// Rows 2 and 3: an answer has brought what it was asked for.
pub(super) fn from_answer(read: &Read, told: &Told, detail: Detail, facts: &Facts, terms: &Terms) -> Step {
    let detail = match detail {
        Detail::DiscoveryFallback => detail,
        _ if versioned(told).is_some() => Detail::Versioned,
        _ => detail,
    };
    let tag = told.heard.found().and_then(crate::object::Found::strong_tag);
    let Some(stored) = tag.as_ref().and_then(|tag| facts.local.stored(tag)) else {
        return relay(read, &told.heard, detail);
    };
    let detail = reason(read, stored, told, detail, terms);
    match serve(read, stored, detail, terms) {
        Some(ready) if names_revision(told, terms) => ready_or_earlier(ready, stored, told),
        _ if brings_all(read, told, terms) => relay(read, &told.heard, detail),
        // A piece that may not be kept cannot be joined with what is here: all of it in one answer, then.
        _ => fetch(stored, aligned(read.target, terms.block_size)),
    }
}

/// A block that was here may have turned out damaged since the question; later ones are seen to on the way.
fn ready_or_earlier(ready: Serve, stored: &Stored, told: &Told) -> Step {
    match (stored.missing, told.asked.target) {
        (Some(missing), Target::Range(RangeSpec::Span(asked))) if missing.first() < asked.first() => {
            fetch(stored, Target::Range(RangeSpec::Span(missing)))
        }
        _ => Step::Serve(ready),
    }
}

fn fetch(stored: &Stored, target: Target) -> Step {
    Step::Fetch {
        pins: vec![stored.head.tag().clone()],
        target,
    }
}

/// Whether an answer that cannot be blocks has all that the client wants: it was asked for just that.
fn brings_all(read: &Read, told: &Told, terms: &Terms) -> bool {
    let brings = matches!(told.heard, Heard::Found(_, _) | Heard::Partial(_, _, _));
    told.own
        && brings
        && told.asked.method == read.method
        && told.asked.target == aligned(read.target, terms.block_size)
}

/// Whether local bytes go into the answer as well. A fallback stays one, whatever it is made of, and so does what came by
/// its version.
fn reason(read: &Read, stored: &Stored, told: &Told, detail: Detail, terms: &Terms) -> Detail {
    let all = wanted(read, &stored.head, terms).is_none_or(|wanted| asked_for(told.asked.target, wanted));
    match detail {
        Detail::DiscoveryFallback | Detail::Versioned => detail,
        _ if all => Detail::Fetched,
        _ => Detail::Joined,
    }
}
