//! Reads that want what is current (rows 10–23, 29, 30).

use std::time::SystemTime;

use http::StatusCode;

use super::detail::Detail;
use super::facts::{Asked, Facts, Stored, Tier, Told};
use super::learn::{Lesson, head_of, learn, length_of};
use super::next::{failed, relay, serve, unsatisfiable};
use super::pinned::{names_revision, not_found, served, verdict};
use super::shape::{aligned, never_satisfiable};
use super::step::{Reply, Step, Terms};
use crate::config::Role;
use crate::object::{
    Cause, Condition, Current, Failure, Freshness, Heard, Method, ObjectSize, RangeSpec, StaleBar, StrongETag, Target,
};
use crate::request::{Kind, Read};

pub(super) fn discovery(read: &Read, facts: &Facts, terms: &Terms, now: SystemTime) -> Step {
    match &facts.word {
        Some(word) => by_word(read, word, facts, terms, now),
        None => unasked(read, facts, terms, now),
    }
}

/// The current revision, if it is known and something of it is here.
fn current(facts: &Facts) -> Option<&Stored> {
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
        return terms.nearest && stored.missing.is_none();
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
fn question(read: &Read, current: Option<&Stored>, terms: &Terms) -> Asked {
    if read.method == Method::Head || never_satisfiable(read) {
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
    match &word.heard {
        Heard::Found(_, _) | Heard::Partial(_, _, _) => match head_of(word) {
            Some(head) if names_revision(word, terms) => revision(read, head.tag(), Detail::Fetched, facts, terms),
            _ => relay(read, &word.heard, Detail::PassedOn),
        },
        Heard::NotModified(_) => match learn(word, terms) {
            Lesson::Still(tag, _) => revision(read, &tag, Detail::Validated, facts, terms),
            _ => anew(read, facts, terms),
        },
        Heard::NotFound(_) if terms.role == Role::Cache => {
            fall_back(read, facts, terms, now, None, || not_found(read, Some(word)))
        }
        Heard::NotFound(_) => not_found(read, Some(word)),
        Heard::Unsatisfiable(_, length) => out_of_range(*length, facts, terms),
        Heard::Denied(_) | Heard::Other(_) => relay(read, &word.heard, Detail::PassedOn),
        // A 412 to a question without a pin was made a failure by `admit`.
        Heard::PreconditionFailed(_) => Reply::new(StatusCode::BAD_GATEWAY, Detail::Failed(Cause::Malformed)).into(),
        // Row 27, whatever is here: of a tier that lies nobody knows what it means.
        Heard::Failed(failure) if matches!(failure.cause, Cause::Lie(_)) => failed(failure).into(),
        Heard::Failed(failure) => fall_back(read, facts, terms, now, Some(failure), || failed(failure).into()),
    }
}

/// Serve the revision that was named: what is here and, if its beginning is not, a pinned fetch first (rows 10, 22).
fn revision(read: &Read, tag: &StrongETag, detail: Detail, facts: &Facts, terms: &Terms) -> Step {
    let Some(stored) = facts.local.stored(tag) else {
        return anew(read, facts, terms);
    };
    let pins = || vec![tag.clone()];
    let Some(ready) = serve(read, stored, detail, terms) else {
        return match &facts.fetched {
            None => Step::Fetch {
                pins: pins(),
                target: read.target,
            },
            Some(told) => verdict(read, &pins(), told, facts, terms),
        };
    };
    match (stored.missing, facts.fetched.as_deref()) {
        (_, Some([.., last])) if served(&pins(), last) && names_revision(last, terms) => {
            // What was confirmed is partly here: nothing else is asked about with `If-None-Match`.
            let joined = detail == Detail::Validated && ready.detail == detail;
            let detail = if joined { Detail::Joined } else { ready.detail };
            Step::Serve(super::step::Serve { detail, ..ready })
        }
        (None, _) => Step::Serve(ready),
        (Some(missing), None) => Step::Fetch {
            pins: pins(),
            target: Target::Range(RangeSpec::Span(missing)),
        },
        (_, Some(told)) if is_refusal(told) => anew(read, facts, terms),
        (_, Some(told)) => verdict(read, &pins(), told, facts, terms),
    }
}

/// Row 29: the revision that was named a moment ago is gone.
fn is_refusal(told: &[Told]) -> bool {
    told.iter().all(|told| {
        matches!(
            told.heard,
            Heard::PreconditionFailed(_) | Heard::NotFound(_) | Heard::Found(_, _) | Heard::Partial(_, _, _)
        )
    })
}

/// Asked once more, alone and without a condition; the answer stands. It brings its own bytes, so this ends.
fn anew(read: &Read, facts: &Facts, terms: &Terms) -> Step {
    if facts.asked_anew > 0 {
        return Reply::new(StatusCode::BAD_GATEWAY, Detail::Failed(Cause::Malformed)).into();
    }
    Step::AskAnew(question(read, None, terms))
}

/// Row 14: the length is learnt by HEAD where the answer does not name it.
pub(super) fn out_of_range(length: Option<ObjectSize>, facts: &Facts, terms: &Terms) -> Step {
    match (length, facts.asked.last()) {
        (Some(length), _) => unsatisfiable(Some(length.bytes())).into(),
        (None, None) => Step::Ask(terms.authority(), Asked::free(Method::Head, Target::Whole)),
        (None, Some(told)) => unsatisfiable(length_of(&told.heard).map(ObjectSize::bytes)).into(),
    }
}

/// Rows 16–18, 23: the authority is in trouble, or does not have it. First what is here, then nearer tiers from near
/// to deep, then the truth.
fn fall_back(
    read: &Read,
    facts: &Facts,
    terms: &Terms,
    now: SystemTime,
    failure: Option<&Failure>,
    truth: impl FnOnce() -> Step,
) -> Step {
    let local = current(facts).filter(|stored| may_fall_back(read, stored, failure, now));
    let detail = if read.kind == Kind::Whole && failure.is_some() {
        Detail::Stale
    } else {
        Detail::DiscoveryFallback
    };
    if let Some(serve) = local.and_then(|stored| serve(read, stored, detail, terms)) {
        return Step::Serve(serve);
    }
    let usable = facts.asked.last().filter(|told| names_revision(told, terms));
    if let Some(head) = usable.and_then(head_of) {
        return revision(read, head.tag(), Detail::DiscoveryFallback, facts, terms);
    }
    let next = facts.asked.len();
    if next < terms.near {
        Step::Ask(Tier::new(next), question(read, None, terms))
    } else {
        truth()
    }
}

/// Whether a local revision may stand in for the authority's word. It must be complete: what it lacks could not be
/// fetched.
fn may_fall_back(read: &Read, stored: &Stored, failure: Option<&Failure>, now: SystemTime) -> bool {
    let fresh = stored.head.freshness(now).is_fresh();
    let open = stored.head.cache_control().stale_bar() == StaleBar::Open;
    let lawful = match failure {
        Some(failure) if read.kind == Kind::Whole => {
            !read.control.no_cache && stale_allowed(read, stored, failure, now)
        }
        _ => true,
    };
    stored.complete && (fresh || open) && lawful
}

/// RFC 9111 4.2.4 allows a stale answer to a plain GET when disconnected; for an authority that answers with an error
/// it takes `stale-if-error` (RFC 5861 4), of either side.
fn stale_allowed(read: &Read, stored: &Stored, failure: &Failure, now: SystemTime) -> bool {
    if failure.answer.is_none() {
        return true;
    }
    let stale = match stored.head.freshness(now) {
        Freshness::Fresh(_) => return true,
        Freshness::Stale(by) => by,
        Freshness::Unstated => stored.head.age(now),
    };
    let bounds = [stored.head.cache_control().stale_if_error, read.control.stale_if_error];
    bounds.into_iter().flatten().any(|bound| stale <= bound)
}
