//! Reads that want what is current (rows 10–15, 19–22, 29, 30).

use std::time::SystemTime;

use http::StatusCode;

use super::admit::is_fallback;
use super::detail::Detail;
use super::facts::{Asked, Facts, Stored, Told};
use super::fallback::fall_back;
use super::learn::{confirmed, head_of, length_of};
use super::next::{client_has, failed, relay, serve, unsatisfiable};
use super::pinned::{names_revision, not_found};
use super::revision::revision;
use super::shape::aligned;
use super::step::{Reply, Step, Terms};
use crate::config::Role;
use crate::object::{Cause, Condition, Current, Found, Freshness, Heard, Method, ObjectSize, Target};
use crate::request::{Kind, Read, Unless};

pub(super) fn discovery(read: &Read, facts: &Facts, terms: &Terms, now: SystemTime) -> Step {
    match &facts.word {
        Some(word) => by_word(read, word, facts, terms, now),
        None => unasked(read, facts, terms, now),
    }
}

/// The current revision, if it is known and something of it is here.
pub(super) fn current(facts: &Facts) -> Option<&Stored> {
    match &facts.local.current {
        Current::Is(tag) => facts.local.stored(tag),
        Current::None | Current::Unknown => None,
    }
}

/// Row 19, or the question to the authority.
fn unasked(read: &Read, facts: &Facts, terms: &Terms, now: SystemTime) -> Step {
    let current = current(facts);
    if let Some(stored) = current.filter(|stored| needs_no_word(read, stored, terms, now)) {
        let detail = if read.kind == Kind::Whole {
            Detail::Disk
        } else {
            Detail::Nearest
        };
        if let Some(serve) = serve(read, stored, detail, terms) {
            return Step::Serve(serve);
        }
    }
    if read.control.only_if_cached {
        return Reply::new(StatusCode::GATEWAY_TIMEOUT, Detail::OnlyIfCached).into();
    }
    Step::Discover(question(read, current, terms))
}

/// Whether a local revision answers without the authority's word.
fn needs_no_word(read: &Read, stored: &Stored, terms: &Terms, now: SystemTime) -> bool {
    if read.kind != Kind::Whole {
        // A discovery of another Pinstripe says no-cache: it wants the authority's word.
        return terms.nearest && !read.control.no_cache && stored.missing.is_none();
    }
    let control = &read.control;
    let young = control.max_age.is_none_or(|most| stored.head.age(now) <= most);
    match stored.head.freshness(now) {
        Freshness::Fresh(left) => {
            let lasts = control.min_fresh.is_none_or(|least| left >= least);
            stored.complete && !control.no_cache && young && lasts
        }
        Freshness::Stale(_) | Freshness::Unstated => false,
    }
}

/// The question that a discovery puts: a validation where local bytes would serve, else the bytes themselves.
pub(super) fn question(read: &Read, current: Option<&Stored>, terms: &Terms) -> Asked {
    if read.method == Method::Head {
        return Asked::free(Method::Head, head_target(read));
    }
    let target = aligned(read.target, terms.block_size);
    match current.filter(|stored| stored.some) {
        Some(stored) => Asked {
            method: Method::Get,
            target,
            condition: Condition::Unless(stored.head.tag().clone()),
        },
        None => Asked::free(Method::Get, target),
    }
}

/// A HEAD asks for the whole even if the client named a range, which is resolved here; a part is S3's to resolve.
fn head_target(read: &Read) -> Target {
    match read.target {
        Target::Part(part) => Target::Part(part),
        Target::Whole | Target::Range(_) => Target::Whole,
    }
}

/// What the authority's word comes to.
pub(super) fn by_word(read: &Read, word: &Told, facts: &Facts, terms: &Terms, now: SystemTime) -> Step {
    let again = || anew(read, facts, terms);
    match &word.heard {
        Heard::Found(_, _) | Heard::Partial(_, _, _) => match head_of(word) {
            Some(head) if names_revision(word, terms) => {
                revision(read, head.tag(), Detail::Fetched, facts, terms, again)
            }
            _ => relay(read, &word.heard, passed_on(word)),
        },
        Heard::NotModified(_) => match confirmed(&word.heard, &word.asked.condition) {
            Some(tag) => revision(read, tag, confirmation(word), facts, terms, again),
            None => again(),
        },
        Heard::NotFound(_) if terms.role == Role::Cache => fall_back(read, facts, terms, now, None),
        Heard::NotFound(_) => not_found(read, Some(word)),
        Heard::Unsatisfiable(_, length) => out_of_range(read, word, *length, facts, terms),
        Heard::Denied(_) | Heard::Other(_) => relay(read, &word.heard, Detail::PassedOn),
        // A 412 to a question without a pin was made a failure by `admit`.
        Heard::PreconditionFailed(_) => Reply::new(StatusCode::BAD_GATEWAY, Detail::Failed(Cause::Malformed)).into(),
        // Row 27: a lie is told as one, and not hidden by what is here.
        Heard::Failed(failure) if matches!(failure.cause, Cause::Lie(_)) => failed(failure).into(),
        Heard::Failed(failure) => fall_back(read, facts, terms, now, Some(failure)),
    }
}

/// The reason of an answer that is handed on: a fallback of another Pinstripe is one here too.
fn passed_on(told: &Told) -> Detail {
    if told.heard.found().is_some_and(is_fallback) {
        Detail::DiscoveryFallback
    } else {
        Detail::PassedOn
    }
}

/// The reason of an answer that a 304 confirms.
fn confirmation(told: &Told) -> Detail {
    match passed_on(told) {
        Detail::DiscoveryFallback => Detail::DiscoveryFallback,
        _ => Detail::Validated,
    }
}

/// Row 29: what was named a moment ago is gone. Asked once more, alone and without a condition; the answer stands. It
/// brings its own bytes, so this ends.
fn anew(read: &Read, facts: &Facts, terms: &Terms) -> Step {
    if facts.asked_anew > 0 {
        return Reply::new(StatusCode::BAD_GATEWAY, Detail::Failed(Cause::Malformed)).into();
    }
    Step::AskAnew(question(read, None, terms))
}

/// Row 14: the length is learnt by HEAD where the answer does not name it, and so is whether the client has it. That
/// the HEAD is denied says nothing about the GET, which was not: a signature may be good for one method only.
pub(super) fn out_of_range(read: &Read, word: &Told, length: Option<ObjectSize>, facts: &Facts, terms: &Terms) -> Step {
    let told = facts.asked.last();
    let heard = told.map_or(&word.heard, |told| &told.heard);
    let has = heard.found().is_some_and(|found| client_has(read, found));
    match told.map(|told| &told.heard) {
        _ if has => relay(read, heard, Detail::PassedOn),
        None if length.is_none() || read.unless != Unless::Never => {
            Step::Ask(terms.authority(), Asked::free(Method::Head, Target::Whole))
        }
        None => unsatisfiable(length).into(),
        // Deleted since. The answer to a HEAD has no body to hand on.
        Some(Heard::NotFound(_)) if terms.role == Role::Origin => {
            Reply::new(StatusCode::NOT_FOUND, Detail::NotFound).into()
        }
        Some(heard) => unsatisfiable(length.or(length_outside(read, heard))).into(),
    }
}

/// The length that a HEAD tells, if the range does lie outside of it, and if it is that of the revision in question.
fn length_outside(read: &Read, heard: &Heard) -> Option<ObjectSize> {
    let length = length_of(heard)?;
    let satisfiable = matches!(read.target, Target::Range(spec) if spec.resolve(length).is_some());
    let another = match &read.kind {
        Kind::Resume(tag) => heard.found().and_then(Found::strong_tag).as_ref() != Some(tag),
        Kind::Pinned(_) | Kind::Discovery | Kind::Whole => false,
    };
    (!satisfiable && !another).then_some(length)
}
