//! Reads that name the revision they want (rows 1–9).

use std::time::SystemTime;

use http::StatusCode;

use super::detail::Detail;
use super::facts::{Facts, Stored, Told};
use super::learn::head_of;
use super::next::{client_has, failed, relay, serve, unsatisfiable};
use super::probe::names_listed;
use super::revision::from_answer;
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
        Some(told) => after_fetch(read, pins, told, facts, terms),
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
fn after_fetch(read: &Read, pins: &[StrongETag], told: &[Told], facts: &Facts, terms: &Terms) -> Step {
    let Some(last) = told.last() else {
        return not_found(read, None);
    };
    // Of another listed tag than was asked for, what came need not be the bytes that are wanted: row 3 asks for those.
    if served(pins_of(last), last) {
        return from_answer(read, last, Detail::Fetched, facts, terms);
    }
    // Row 2, refused by any tier: row 3 with the other tags. It comes once, since then all have been asked for. What is
    // partly here by now does not matter: another request may have brought or lost it in the meantime.
    let asked = |tag: &&StrongETag| told.iter().any(|told| pins_of(told).contains(*tag));
    let others: Vec<StrongETag> = pins.iter().filter(|tag| !asked(tag)).cloned().collect();
    let refused = told.iter().any(|told| is_gone(&told.heard));
    if refused && !matches!(last.heard, Heard::Denied(_)) && !others.is_empty() {
        return Step::Fetch {
            pins: others,
            target: aligned(read.target, terms.block_size),
        };
    }
    verdict(read, pins, told, facts, terms)
}

/// Whether an answer to a question that a revision should have satisfied says that the revision is not there.
pub(super) fn is_gone(heard: &Heard) -> bool {
    match heard {
        Heard::PreconditionFailed(_) | Heard::Found(_, _) | Heard::Partial(_, _, _) => true,
        Heard::NotFound(_)
        | Heard::Unsatisfiable(_, _)
        | Heard::NotModified(_)
        | Heard::Denied(_)
        | Heard::Other(_)
        | Heard::Failed(_) => false,
    }
}

/// Rows 4–9: nobody has it; which refusal is the truth? An error outweighs whatever else was heard: the revision may
/// be where the error was.
pub(super) fn verdict(read: &Read, pins: &[StrongETag], told: &[Told], facts: &Facts, terms: &Terms) -> Step {
    let last = told.last().map(|told| &told.heard);
    let authority = told.iter().rev().find(|told| told.tier == terms.authority());
    if let Some(heard @ Heard::Denied(_)) = authority.map(|told| &told.heard) {
        return relay(read, heard, Detail::PassedOn);
    }
    if let Some(heard @ Heard::Unsatisfiable(found, length)) = last.filter(|heard| names_listed(pins, heard)) {
        let has = client_has(read, found);
        return if has {
            relay(read, heard, Detail::PassedOn)
        } else {
            unsatisfiable(*length).into()
        };
    }
    let failure = told.iter().rev().find_map(|told| match &told.heard {
        Heard::Failed(failure) => Some(failure),
        _ => None,
    });
    if let Some(failure) = failure {
        return failed(failure).into();
    }
    match authority.map(|told| &told.heard) {
        Some(heard @ Heard::Other(found)) if !found.status.is_success() => relay(read, heard, Detail::PassedOn),
        Some(Heard::Other(_) | Heard::NotModified(_)) => {
            Reply::new(StatusCode::BAD_GATEWAY, Detail::Failed(Cause::Malformed)).into()
        }
        // The length is that of whatever is current there.
        Some(Heard::Unsatisfiable(_, _)) => unsatisfiable(None).into(),
        Some(Heard::NotFound(_)) if terms.role == Role::Origin => not_found(read, authority),
        _ => mismatch_or_nothing(read, pins, told, facts, authority),
    }
}

/// The end of a search without errors: 412 if there is another revision anywhere, else 404.
fn mismatch_or_nothing(
    read: &Read,
    pins: &[StrongETag],
    told: &[Told],
    facts: &Facts,
    authority: Option<&Told>,
) -> Step {
    let ignored = |told: &Told| {
        matches!(told.heard, Heard::Found(_, _) | Heard::Partial(_, _, _)) && !served(pins_of(told), told)
    };
    let refused = |told: &Told| matches!(told.heard, Heard::PreconditionFailed(_));
    let known = matches!(&facts.local.current, Current::Is(tag) if !pins.contains(tag));
    if told.iter().any(ignored) {
        Reply::new(StatusCode::PRECONDITION_FAILED, Detail::PinIgnored).into()
    } else if known || told.iter().any(refused) {
        Reply::new(StatusCode::PRECONDITION_FAILED, Detail::PinMismatch).into()
    } else {
        not_found(read, authority)
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

fn pins_of(told: &Told) -> &[StrongETag] {
    match &told.asked.condition {
        Condition::Pinned(pins) => pins,
        Condition::Version(tag, _) => std::slice::from_ref(tag),
        Condition::Free | Condition::Unless(_) | Condition::OrWhole(_) => &[],
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
