//! A pinned question goes from near to deep until a tier has the revision. S3 may have one that has passed under the
//! name of its version.

use super::facts::{Tier, Told};
use super::step::Terms;
use crate::object::{Condition, Found, Heard, StrongETag, VersionId};

/// A listed revision that may have passed, and the version that S3 keeps it as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Past {
    /// The revision.
    pub tag: StrongETag,
    /// The version.
    pub version: VersionId,
    /// Whether it was seen to be current no more: to ask for it by its tag alone would be in vain.
    pub passed: bool,
}

/// What came of a question for a version. The variant is the metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Versioned {
    /// It is there: its bytes, or a range outside of them.
    Served,
    /// It was deleted, or is not of that revision, or S3 does not know what is meant.
    Gone,
    /// Whoever may read objects need not be allowed to read their versions.
    Denied,
    /// The question met an error.
    Failed,
}

/// The next tier to ask for a pin after these answers, and how; `None` if the search is over.
///
/// The authority is asked for the version of a revision that has passed: at once if that is known, and after it refused
/// the tags otherwise. What is refused of a version says nothing about what is current, so that the tags are asked for
/// then if they were not.
pub fn probe(pins: &[StrongETag], past: Option<&Past>, told: &[Told], terms: &Terms) -> Option<(Tier, Condition)> {
    let past = past.filter(|_| !terms.http_authority);
    let by_tags = || Condition::Pinned(pins.to_vec());
    let at = |tier: Tier| match past.filter(|past| past.passed && tier == terms.authority()) {
        Some(past) => (tier, past.condition()),
        None => (tier, by_tags()),
    };
    let Some(last) = told.last() else {
        return Some(at(Tier::new(0)));
    };
    if last.tier != terms.authority() {
        return if settles(pins, &last.heard) {
            None
        } else {
            terms.after(last.tier).map(at)
        };
    }
    let refused = matches!(last.heard, Heard::PreconditionFailed(_) | Heard::NotFound(_));
    let mut before = told.iter().filter(|told| told.tier == terms.authority());
    match versioned(last) {
        Some(Versioned::Gone | Versioned::Denied) => {
            let first = before.all(|told| versioned(told).is_some());
            first.then(|| (last.tier, by_tags()))
        }
        Some(Versioned::Served | Versioned::Failed) => None,
        None => {
            let past = past.filter(|_| refused && before.all(|told| versioned(told).is_none()));
            past.map(|past| (last.tier, past.condition()))
        }
    }
}

impl Past {
    fn condition(&self) -> Condition {
        Condition::Version(self.tag.clone(), self.version.clone())
    }
}

/// What came of asking for a version; `None` if none was asked for.
pub fn versioned(told: &Told) -> Option<Versioned> {
    let Condition::Version(tag, _) = &told.asked.condition else {
        return None;
    };
    Some(match &told.heard {
        Heard::Found(found, _) | Heard::Partial(found, _, _) if found.strong_tag().as_ref() == Some(tag) => {
            Versioned::Served
        }
        Heard::Unsatisfiable(_, _) => Versioned::Served,
        Heard::Denied(_) => Versioned::Denied,
        Heard::Failed(_) => Versioned::Failed,
        // A version that is a delete marker is 405, one that no version can have as its name 400.
        Heard::Found(_, _)
        | Heard::Partial(_, _, _)
        | Heard::NotModified(_)
        | Heard::PreconditionFailed(_)
        | Heard::NotFound(_)
        | Heard::Other(_) => Versioned::Gone,
    })
}

/// Whether a version was asked for that is not to be had: it is then as if nobody had asked for it.
pub fn is_in_vain(told: &Told) -> bool {
    matches!(versioned(told), Some(Versioned::Gone | Versioned::Denied))
}

/// The answers to a search that count, once it is over. If the last does not, the body of the one before is gone.
pub fn settled(mut told: Vec<Told>) -> Vec<Told> {
    if told.last().is_some_and(is_in_vain) {
        for told in &mut told {
            told.own = false;
        }
    }
    told.retain(|told| !is_in_vain(told));
    told
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
        .and_then(Found::strong_tag)
        .is_some_and(|tag| pins.contains(&tag))
}

impl Versioned {
    /// The name in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Gone => "gone",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}
