//! Reads that name the revision they want (rows 1–9).

use std::time::SystemTime;

use http::StatusCode;

use super::detail::Detail;
use super::facts::{Facts, Stored, Told};
use super::learn::{head_of, length_of};
use super::next::{failed, relay, serve, unsatisfiable};
use super::probe::names_listed;
use super::shape::aligned;
use super::step::{Reply, Step, Terms};
use crate::config::Role;
use crate::object::{Cause, Condition, Current, Heard, RangeSpec, StrongETag, Target};
use crate::request::Read;

pub(super) fn pinned(read: &Read, pins: &[StrongETag], facts: &Facts, terms: &Terms, now: SystemTime) -> Step {
    let usable = |stored: &&Stored| {
        let tag = stored.head.tag();
        pins.contains(tag) && facts.local.answers_pins(tag, terms.grace, now)
    };
    let held: Vec<&Stored> = facts.local.stored.iter().filter(usable).collect();
    match &facts.fetched {
        Some(told) => after_fetch(read, pins, &held, told, facts, terms),
        None => before_fetch(read, pins, &held, terms),
    }
}

/// Row 1, or the question of rows 2 and 3.
fn before_fetch(read: &Read, pins: &[StrongETag], held: &[&Stored], terms: &Terms) -> Step {
    let whole = held.iter().filter(|stored| stored.missing.is_none());
    if let Some(serve) = whole
        .clone()
        .find_map(|stored| serve(read, stored, Detail::Disk, terms))
    {
        return Step::Serve(serve);
    }
    if read.control.only_if_cached {
        return Reply::new(StatusCode::GATEWAY_TIMEOUT, Detail::OnlyIfCached).into();
    }
    let partly = held
        .iter()
        .find(|stored| stored.some)
        .and_then(|stored| Some((stored, stored.missing?)));
    match partly {
        // Row 2: what is missing of a revision that is partly here is asked for with that tag alone.
        Some((stored, missing)) => {
            let target = Target::Range(RangeSpec::Span(missing));
            Step::Fetch {
                pins: vec![stored.head.tag().clone()],
                target,
            }
        }
        None => Step::Fetch {
            pins: pins.to_vec(),
            target: aligned(read.target, terms.block_size),
        },
    }
}

/// What the tiers' answers to a fetch come to.
fn after_fetch(
    read: &Read,
    pins: &[StrongETag],
    held: &[&Stored],
    told: &[Told],
    facts: &Facts,
    terms: &Terms,
) -> Step {
    if let Some(last) = told.last().filter(|last| served(pins, last)) {
        return from_answer(read, last, held, facts, terms);
    }
    let asked = told.last().map(pins_of).unwrap_or_default();
    let others: Vec<StrongETag> = pins.iter().filter(|tag| !asked.contains(tag)).cloned().collect();
    // The one that row 2 asked for; a later one that is partly here was asked for after it.
    let partly = held.iter().find(|stored| stored.some);
    let was_partly_here = partly.is_some_and(|stored| asked == [stored.head.tag().clone()]);
    let refused = told
        .last()
        .is_some_and(|last| matches!(last.heard, Heard::PreconditionFailed(_)));
    if was_partly_here && refused && !others.is_empty() {
        return Step::Fetch {
            pins: others,
            target: aligned(read.target, terms.block_size),
        };
    }
    verdict(read, pins, told, facts, terms)
}

/// Rows 2 and 3: a tier has a listed revision.
fn from_answer(read: &Read, told: &Told, held: &[&Stored], facts: &Facts, terms: &Terms) -> Step {
    let tag = told.heard.found().and_then(crate::object::Found::strong_tag);
    let stored = tag.as_ref().and_then(|tag| facts.local.stored(tag));
    let stored = stored.filter(|_| names_revision(told, terms));
    let joined = held
        .iter()
        .any(|stored| stored.some && pins_of(told) == [stored.head.tag().clone()]);
    let detail = if joined { Detail::Joined } else { Detail::Fetched };
    let all = aligned(read.target, terms.block_size);
    match (stored.and_then(|stored| serve(read, stored, detail, terms)), tag) {
        (Some(serve), _) => Step::Serve(serve),
        // What cannot be kept cannot be joined either, so all of it is wanted from there.
        (None, Some(tag)) if told.asked.target != all => Step::Fetch {
            pins: vec![tag],
            target: all,
        },
        (None, _) => relay(read, &told.heard, detail),
    }
}

/// Rows 4–9: nobody has it; which refusal is the truth? An error outweighs whatever else was heard: the revision may
/// be where the error was.
pub(super) fn verdict(read: &Read, pins: &[StrongETag], told: &[Told], facts: &Facts, terms: &Terms) -> Step {
    let authority = told.iter().rev().find(|told| told.tier == terms.authority());
    let authority_says = authority.map(|told| &told.heard);
    match authority_says {
        Some(heard @ Heard::Denied(_)) => return relay(read, heard, Detail::PassedOn),
        Some(heard @ Heard::Other(found)) if !found.status.is_success() => {
            return relay(read, heard, Detail::PassedOn);
        }
        Some(Heard::Other(_) | Heard::NotModified(_)) => {
            return Reply::new(StatusCode::BAD_GATEWAY, Detail::Failed(Cause::Malformed)).into();
        }
        Some(heard @ Heard::Unsatisfiable(_, _)) => {
            // The length is that of whatever is current there; it is the pinned revision's only if the tag says so.
            let length = length_of(heard).filter(|_| names_listed(pins, heard));
            return unsatisfiable(length.map(crate::object::ObjectSize::bytes)).into();
        }
        _ => {}
    }
    let failure = told.iter().rev().find_map(|told| match &told.heard {
        Heard::Failed(failure) => Some(failure),
        _ => None,
    });
    if let Some(failure) = failure {
        return failed(failure).into();
    }
    if matches!(authority_says, Some(Heard::NotFound(_))) && terms.role == Role::Origin {
        return not_found(read, authority);
    }
    let ignored = told
        .iter()
        .any(|told| matches!(told.heard, Heard::Found(_, _) | Heard::Partial(_, _, _)));
    let refused = told
        .iter()
        .any(|told| matches!(told.heard, Heard::PreconditionFailed(_)));
    let known = matches!(&facts.local.current, Current::Is(tag) if !pins.contains(tag))
        || facts
            .local
            .stored
            .iter()
            .any(|stored| !pins.contains(stored.head.tag()));
    match (ignored, refused || known) {
        (true, _) => Reply::new(StatusCode::PRECONDITION_FAILED, Detail::PinIgnored).into(),
        (false, true) => Reply::new(StatusCode::PRECONDITION_FAILED, Detail::PinMismatch).into(),
        (false, false) => not_found(read, authority),
    }
}

/// The authority's own 404 where it is in hand.
pub(super) fn not_found(read: &Read, authority: Option<&Told>) -> Step {
    match authority.filter(|told| told.own && matches!(told.heard, Heard::NotFound(_))) {
        Some(told) => relay(read, &told.heard, Detail::NotFound),
        None => Reply::new(StatusCode::NOT_FOUND, Detail::NotFound).into(),
    }
}

/// Whether an answer brings a listed revision.
pub fn served(pins: &[StrongETag], told: &Told) -> bool {
    matches!(told.heard, Heard::Found(_, _) | Heard::Partial(_, _, _)) && names_listed(pins, &told.heard)
}

fn pins_of(told: &Told) -> Vec<StrongETag> {
    match &told.asked.condition {
        Condition::Pinned(pins) => pins.clone(),
        Condition::Free | Condition::Unless(_) | Condition::OrWhole(_) => Vec::new(),
    }
}

/// Whether a served answer can be a revision's blocks; if not it is handed on.
pub fn names_revision(told: &Told, terms: &Terms) -> bool {
    let keepable = told
        .heard
        .found()
        .is_some_and(|found| super::admit::storable(found, terms.http_authority));
    keepable && head_of(told).is_some()
}
