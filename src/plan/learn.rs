//! What an answer teaches about which revision is current.

use std::sync::Arc;

use super::admit::{is_fallback, storable};
use super::facts::{Asked, Told};
use super::pinned::names_revision;
use super::step::Terms;
use crate::config::Role;
use crate::object::{Condition, Found, Head, Heard, Method, ObjectSize, Parts, StrongETag, TakenFrom, Target};

/// The consequence of an answer for *current*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lesson {
    /// None: it was not the authority's, an error, or an answer to a pin, which another cache may give from its disk.
    Nothing,
    /// The revision with this head is current (rows 11, 11b, 21).
    Is(Arc<Head>),
    /// What was asked about is still current; these are its fields now (rows 10, 20).
    Still(StrongETag, Found),
    /// There is none (rows 7, 13, 15).
    None,
    /// It changed to something that cannot be kept.
    Unknown,
}

/// What an answer teaches of a revision's parts, whichever tier it is from: who has a revision knows its parts, also in
/// answer to a pin.
pub fn learn_parts(told: &Told, terms: &Terms) -> Option<Arc<Head>> {
    let head = head_of(told).filter(|head| names_revision(told, terms) && *head.parts() != Parts::default())?;
    Some(Arc::new(head))
}

/// What an answer of the authority teaches. Answers of other tiers teach nothing.
pub fn learn(told: &Told, terms: &Terms) -> Lesson {
    if told.tier != terms.authority() {
        return Lesson::Nothing;
    }
    let pinned = matches!(told.asked.condition, Condition::Pinned(_) | Condition::OrWhole(_));
    match &told.heard {
        // Whatever became of a version, it says nothing about what is current.
        _ if matches!(told.asked.condition, Condition::Version(_, _)) => Lesson::Nothing,
        Heard::NotFound(_) if terms.role == Role::Origin => Lesson::None,
        // A strong If-Range may be answered from a disk on the way; a 200 to it may not.
        Heard::Found(_, _) if !matches!(told.asked.condition, Condition::Pinned(_)) => named(told, terms),
        _ if pinned => Lesson::Nothing,
        Heard::Found(_, _) | Heard::Partial(_, _, _) => named(told, terms),
        Heard::NotModified(found) if is_fallback(found) => Lesson::Nothing,
        Heard::NotModified(found) => match confirmed(&told.heard, &told.asked.condition) {
            // It is the same, but may not be kept any more.
            Some(_) if !storable(found, terms.http_authority) => Lesson::Unknown,
            Some(tag) => Lesson::Still(tag.clone(), found.clone()),
            None => Lesson::Nothing,
        },
        _ => Lesson::Nothing,
    }
}

/// The tag that a 304 confirms: the one that it was asked about, unless it names another. A weak form of it is another:
/// If-None-Match compares weakly (RFC 9110 13.1.2), so what is there now need not have the same bytes.
pub fn confirmed<'a>(heard: &Heard, asked: &'a Condition) -> Option<&'a StrongETag> {
    match (heard, asked) {
        (Heard::NotModified(found), Condition::Unless(tag)) => {
            let unnamed = !found.fields.contains_key(http::header::ETAG);
            (unnamed || found.strong_tag().as_ref() == Some(tag)).then_some(tag)
        }
        _ => None,
    }
}

fn named(told: &Told, terms: &Terms) -> Lesson {
    let Some(found) = told.heard.found() else {
        return Lesson::Nothing;
    };
    if is_fallback(found) || is_part_of_its_own(told) {
        return Lesson::Nothing;
    }
    match head_of(told) {
        Some(head) if storable(found, terms.http_authority) => Lesson::Is(Arc::new(head)),
        Some(_) => Lesson::Unknown,
        None if found.strong_tag().is_none() => Lesson::None,
        // Row 30: a 206 of unknown total is passed on and moves nothing.
        None if matches!(told.heard, Heard::Partial(_, _, _)) => Lesson::Nothing,
        // A strong tag without a length: it changed, but no block can be made of it.
        None => Lesson::Unknown,
    }
}

/// The head of the revision that a 200 or 206 names: it takes a strong tag and a proven length.
pub fn head_of(told: &Told) -> Option<Head> {
    if is_part_of_its_own(told) {
        return None;
    }
    let (found, total, from) = match &told.heard {
        Heard::Found(found, total) => (found, *total, TakenFrom::Whole),
        Heard::Partial(found, _, total) if describes_the_whole(&told.asked) => (found, *total, TakenFrom::Whole),
        Heard::Partial(found, _, total) => (found, *total, TakenFrom::Piece),
        _ => return None,
    };
    let head = Head::new(found.strong_tag()?, total?, &found.fields, found.received, from);
    let parts = parts_of(&told.asked, &told.heard);
    Some(if parts == Parts::default() {
        head
    } else {
        head.with_parts(parts)
    })
}

/// The digests in a 206 to a HEAD are those of the object, but a part's where a part was asked for.
fn describes_the_whole(asked: &Asked) -> bool {
    asked.method == Method::Head && !matches!(asked.target, Target::Part(_))
}

/// What an answer to a question by part number teaches of the parts.
fn parts_of(asked: &Asked, heard: &Heard) -> Parts {
    match (asked.target, heard) {
        (Target::Part(part), Heard::Partial(found, range, _)) => {
            Parts::default().with_count(parts_count(found)).with(part, *range)
        }
        _ => Parts::default(),
    }
}

fn parts_count(found: &Found) -> Option<u32> {
    found.fields.get("x-amz-mp-parts-count")?.to_str().ok()?.parse().ok()
}

/// Ceph answers a question by part number with the part's own tag, which names no revision of the object. It shows: the
/// tag of a multipart object has a `-`.
fn is_part_of_its_own(told: &Told) -> bool {
    let Some(found) = told.heard.found() else { return false };
    let many = parts_count(found).is_some_and(|count| count > 1);
    let plain = found.strong_tag().is_none_or(|tag| !tag.looks_multipart());
    matches!(told.asked.target, Target::Part(_)) && many && plain
}

/// The tag whose known length a whole answer must have that does not tell its own: the bytes of another coding have
/// another.
pub fn tells_length(found: &Found) -> Option<StrongETag> {
    let whole = found.status == http::StatusCode::OK && !found.fields.contains_key(http::header::CONTENT_ENCODING);
    found.strong_tag().filter(|_| whole)
}

/// The length that an answer names, wherever it does.
pub(super) fn length_of(heard: &Heard) -> Option<ObjectSize> {
    match heard {
        Heard::Found(_, total) | Heard::Partial(_, _, total) | Heard::Unsatisfiable(_, total) => *total,
        _ => None,
    }
}
