//! The authority is in trouble, or does not have it (rows 16–18, 23): first what is here, then nearer tiers from near
//! to deep, then the truth.

use std::time::SystemTime;

use http::StatusCode;

use super::admit::is_fallback;
use super::detail::Detail;
use super::discovery::{current, question};
use super::facts::{Facts, Stored, Tier, Told};
use super::learn::head_of;
use super::next::{failed, relay, serve};
use super::pinned::{names_revision, not_found};
use super::revision::revision;
use super::step::{Reply, Step, Terms};
use crate::object::{Cause, Failure, Found, Freshness, Heard, StaleBar};
use crate::request::{Kind, Read};

/// What follows the authority's failure, or its 404 if it is a cache.
pub(super) fn fall_back(read: &Read, facts: &Facts, terms: &Terms, now: SystemTime, failure: Option<&Failure>) -> Step {
    // Who asked anew was told that it is not what is here any more.
    let local = current(facts).filter(|_| facts.asked_anew == 0);
    let local = local.filter(|stored| may_fall_back(read, stored, failure, now));
    let detail = if read.kind == Kind::Whole && failure.is_some() {
        Detail::Stale
    } else {
        Detail::DiscoveryFallback
    };
    if let Some(serve) = local.and_then(|stored| serve(read, stored, detail, terms)) {
        return Step::Serve(serve);
    }
    let near = facts
        .asked
        .last()
        .and_then(|told| nearer(read, told, facts, terms, failure));
    match near {
        Some(step) => step,
        None if facts.asked.len() < terms.near => Step::Ask(Tier::new(facts.asked.len()), question(read, None, terms)),
        None => truth(read, facts, failure),
    }
}

/// What the answer of a nearer tier comes to, if it names a revision. One that is itself a fallback is handed on.
fn nearer(read: &Read, told: &Told, facts: &Facts, terms: &Terms, failure: Option<&Failure>) -> Option<Step> {
    let brings = matches!(told.heard, Heard::Found(_, _) | Heard::Partial(_, _, _));
    let found = told.heard.found().filter(|_| brings)?;
    if names_revision(told, terms) {
        let head = head_of(told)?;
        let gone = || truth(read, facts, failure);
        return Some(revision(
            read,
            head.tag(),
            Detail::DiscoveryFallback,
            facts,
            terms,
            gone,
        ));
    }
    let fallback = is_fallback(found) && Found::strong_tag(found).is_some();
    fallback.then(|| relay(read, &told.heard, Detail::DiscoveryFallback))
}

/// The authority's error; or if it is a cache that has none, the error of a tier that may have it, else its 404.
fn truth(read: &Read, facts: &Facts, failure: Option<&Failure>) -> Step {
    let near = facts.asked.iter().rev().find_map(|told| match &told.heard {
        Heard::Failed(failure) => Some(failure),
        _ => None,
    });
    match failure.or(near) {
        Some(failure) => failed(failure).into(),
        None if facts.asked.is_empty() => not_found(read, facts.word.as_ref()),
        // The body of its 404 is gone by now.
        None => Reply::new(StatusCode::NOT_FOUND, Detail::NotFound).into(),
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
/// it takes `stale-if-error` (RFC 5861 4), of either side. Who says `max-age` wants nothing stale (9111 5.2.1.1).
fn stale_allowed(read: &Read, stored: &Stored, failure: &Failure, now: SystemTime) -> bool {
    let stale = match stored.head.freshness(now) {
        Freshness::Fresh(_) => return true,
        Freshness::Stale(by) => by,
        Freshness::Unstated => stored.head.age(now),
    };
    if read.control.stale_if_error.is_some_and(|bound| stale <= bound) {
        return true;
    }
    let bound = stored.head.cache_control().stale_if_error;
    let allowed = is_disconnected(failure.cause) || bound.is_some_and(|bound| stale <= bound);
    allowed && read.control.max_age.is_none()
}

/// Whether a failure means that the authority could not be reached, rather than that it answered.
fn is_disconnected(cause: Cause) -> bool {
    match cause {
        Cause::NoAddress
        | Cause::Forbidden
        | Cause::Refused
        | Cause::Reset
        | Cause::Timeout
        | Cause::Tls
        | Cause::Saturated => true,
        Cause::Malformed | Cause::Status | Cause::OwnCredentials | Cause::Lie(_) | Cause::Loop => false,
    }
}
