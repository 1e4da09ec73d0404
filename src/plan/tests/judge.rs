//! What an outcome says, read off without the help of what made it.

use super::engine::Carried;
use super::outcome::{Body, Outcome};
use super::parse::size;
use crate::object::{ByteRange, Condition, Found, Heard, StrongETag};
use crate::plan::Told;

pub(super) fn is_marked(found: &Found) -> bool {
    found.fields.contains_key("cache-status")
}

/// The strong tag that a word names: itself, or by confirming it.
pub(super) fn named(word: &Told) -> Option<StrongETag> {
    let found = word.heard.found().filter(|found| !is_marked(found))?;
    match (&word.heard, &word.asked.condition) {
        (Heard::Found(_, _) | Heard::Partial(_, _, _), _) => found.strong_tag(),
        (Heard::NotModified(_), Condition::Unless(tag)) if found.tag().is_none() => Some(tag.clone()),
        (Heard::NotModified(_), Condition::Unless(tag)) => found.strong_tag().filter(|named| named == tag),
        _ => None,
    }
}

pub(super) fn pieces(outcome: &Outcome) -> &[Carried] {
    match &outcome.body {
        Body::Bytes(pieces) => pieces,
        Body::Empty | Body::Aborted => &[],
    }
}

/// The bytes that were sent, if they are in order and without gaps.
pub(super) fn sent(pieces: &[Carried]) -> Option<ByteRange> {
    let (first, last) = (pieces.first()?, pieces.last()?);
    let joined = pieces
        .windows(2)
        .all(|pair| pair[0].range.end() == pair[1].range.first());
    ByteRange::new(first.range.first(), last.range.last()).filter(|_| joined)
}

/// Whether a tier told another length than a revision has; nobody could know.
pub(super) fn was_misled(outcome: &Outcome) -> bool {
    outcome.log.iter().any(|(_, told, _)| match &told.heard {
        Heard::Found(found, Some(total)) | Heard::Partial(found, _, Some(total)) => {
            let name = found
                .fields
                .get("etag")
                .and_then(|tag| tag.to_str().ok())
                .unwrap_or_default();
            size(&name.replace('"', "")) != total.bytes()
        }
        _ => false,
    })
}
