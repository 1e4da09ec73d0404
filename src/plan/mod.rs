//! The decisions of the contract (`semantics.md`, Decisions), as pure functions.
//!
//! Owns: what to ask next and what to answer ([`next`]), which answers are believed ([`admit`]), what an answer teaches
//! ([`learn`]), which tier a pin is asked at ([`probe`]), what follows a cut body ([`recover`]), what is fetched ahead of a reader ([`next_piece`]), and the head of every
//! response ([`respond`]). Never: awaits, clocks, disks, metrics. Every choice is an enum whose variant is the reason.

mod admit;
mod ahead;
mod detail;
mod discovery;
mod facts;
mod fallback;
mod fields;
mod learn;
mod next;
mod pinned;
mod probe;
mod recover;
mod respond;
mod resumed;
mod revision;
mod shape;
mod share;
mod step;
#[cfg(test)]
mod tests;

pub use admit::{admit, reuses_tag, storable};
pub use ahead::{affordable, earned, earned_by_ranges, next_piece, piece_end};
pub use detail::{Detail, Forward, Trace};
pub use facts::{Asked, Facts, Local, Stored, Tier, Told};
pub use learn::{Lesson, confirmed, head_of, learn, learn_parts, tells_length};
pub(crate) use next::effective;
pub use next::{focus, next};
pub use pinned::{names_revision, served};
pub use probe::{Past, Versioned, is_in_vain, probe, settled, versioned};
pub use recover::{MOST_RESUMES, Recovery, recover};
pub use respond::{ErrorReply, SliceHeads, relay_fields, reply_fields, served_fields};
pub use shape::{Shape, missing_span, shape, wanted};
pub use share::shareable;
pub use step::{Cut, Relay, Reply, Serve, Step, Terms};
