//! Reads that go on with a revision if it is still the one, and want all of the new one otherwise (rows 24–26).

use std::time::SystemTime;

use http::StatusCode;

use super::detail::Detail;
use super::discovery::{by_word, out_of_range};
use super::facts::{Asked, Facts, Told};
use super::next::{failed, serve};
use super::pinned::not_found;
use super::revision::from_answer;
use super::shape::aligned;
use super::step::{Reply, Step, Terms};
use crate::object::{Cause, Condition, Heard, Method, StrongETag, Target};
use crate::request::Read;

pub(super) fn resumed(read: &Read, tag: &StrongETag, facts: &Facts, terms: &Terms, now: SystemTime) -> Step {
    match &facts.word {
        Some(word) => after_word(read, tag, word, facts, terms, now),
        None => before_word(read, tag, facts, terms, now),
    }
}

/// Row 24, or the question.
fn before_word(read: &Read, tag: &StrongETag, facts: &Facts, terms: &Terms, now: SystemTime) -> Step {
    let here = facts.local.stored(tag).filter(|stored| {
        stored.missing.is_none() && !read.control.no_cache && facts.local.answers_pins(tag, terms.grace, now)
    });
    if let Some(serve) = here.and_then(|stored| serve(read, stored, Detail::Disk, terms)) {
        return Step::Serve(serve);
    }
    if read.control.only_if_cached {
        return Reply::new(StatusCode::GATEWAY_TIMEOUT, Detail::OnlyIfCached).into();
    }
    Step::AskAnew(Asked {
        method: Method::Get,
        target: aligned(read.target, terms.block_size),
        condition: Condition::OrWhole(tag.clone()),
    })
}

/// Rows 25–26. A 200 never gets here: it made the read a plain GET.
fn after_word(read: &Read, tag: &StrongETag, word: &Told, facts: &Facts, terms: &Terms, now: SystemTime) -> Step {
    match &word.heard {
        Heard::Partial(found, _, _) if found.strong_tag().as_ref() == Some(tag) => {
            from_answer(read, word, Detail::Fetched, facts, terms)
        }
        Heard::Partial(_, _, _) | Heard::PreconditionFailed(_) => {
            Step::AskAnew(Asked::free(Method::Get, Target::Whole))
        }
        Heard::Unsatisfiable(_, length) => out_of_range(read, word, *length, facts, terms),
        Heard::NotModified(_) => Reply::new(StatusCode::BAD_GATEWAY, Detail::Failed(Cause::Malformed)).into(),
        // Not a stale 200: the client has half of something and wants to know.
        Heard::Failed(failure) => failed(failure).into(),
        Heard::NotFound(_) => not_found(read, Some(word)),
        Heard::Found(_, _) | Heard::Denied(_) | Heard::Other(_) => by_word(read, word, facts, terms, now),
    }
}
