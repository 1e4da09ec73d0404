//! A pinned question goes from near to deep until a tier has the revision.

use super::facts::{Tier, Told};
use super::step::Terms;
use crate::object::{Heard, StrongETag};

/// The next tier to ask for a pin after these answers; `None` if the search is over.
pub fn probe(pins: &[StrongETag], told: &[Told], terms: &Terms) -> Option<Tier> {
    let Some(last) = told.last() else {
        return Some(Tier::new(0));
    };
    let over = last.tier == terms.authority() || settles(pins, &last.heard);
    if over { None } else { terms.after(last.tier) }
}

/// Whether an answer of a near tier ends the search: it has what was asked for. Only the authority's refusals do.
fn settles(pins: &[StrongETag], heard: &Heard) -> bool {
    match heard {
        Heard::Found(_, _) | Heard::Partial(_, _, _) | Heard::Unsatisfiable(_, _) => names_listed(pins, heard),
        Heard::NotModified(_)
        | Heard::PreconditionFailed(_)
        | Heard::NotFound(_)
        | Heard::Denied(_)
        | Heard::Other(_)
        | Heard::Failed(_) => false,
    }
}

/// Whether an answer's tag is one of the list.
pub(super) fn names_listed(pins: &[StrongETag], heard: &Heard) -> bool {
    heard
        .found()
        .and_then(crate::object::Found::strong_tag)
        .is_some_and(|tag| pins.contains(&tag))
}
