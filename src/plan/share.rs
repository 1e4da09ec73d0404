//! Which answers may be shared among those who waited for the same question.

use super::facts::Told;
use super::pinned::names_revision;
use super::step::Terms;
use crate::object::Heard;

/// Whether an answer is that of all who waited: a revision, its confirmation, its absence, or an error. Any other is
/// the asker's alone (`semantics.md`, Authority is asked once).
pub fn shareable(told: &Told, terms: &Terms) -> bool {
    match &told.heard {
        Heard::Found(_, _) | Heard::Partial(_, _, _) => names_revision(told, terms),
        Heard::NotModified(_) | Heard::NotFound(_) | Heard::Failed(_) => true,
        Heard::PreconditionFailed(_) | Heard::Unsatisfiable(_, _) | Heard::Denied(_) | Heard::Other(_) => false,
    }
}
