//! What is known when a decision is taken.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::object::{ByteRange, Cause, Condition, Current, Head, Heard, Method, StrongETag, Target};

/// The place of an upstream in its route, nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tier(usize);

/// What was asked, as far as it matters for reading the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// GET or HEAD.
    pub method: Method,
    /// Which bytes.
    pub target: Target,
    /// On which condition.
    pub condition: Condition,
}

/// A question and its answer, after [`super::admit`].
#[derive(Clone, Debug)]
pub struct Told {
    /// Who was asked.
    pub tier: Tier,
    /// What was asked.
    pub asked: Asked,
    /// What was said.
    pub heard: Heard,
    /// Whether the body of the answer is this request's own; a shared answer teaches, but has no bytes to hand on.
    pub own: bool,
}

/// A revision of which something is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its head.
    pub head: Arc<Head>,
    /// The first run of wanted blocks that is neither here nor on its way, in bytes of the object.
    pub missing: Option<ByteRange>,
    /// Whether any wanted byte is here or on its way.
    pub some: bool,
    /// Whether all blocks of the revision are here.
    pub complete: bool,
}

/// What the local tiers hold of the object.
#[derive(Clone, Debug, Default)]
pub struct Local {
    /// What the authority's latest word names.
    pub current: Current,
    /// Since when `current` has been what it is, as far as it is remembered.
    pub former: Vec<(StrongETag, SystemTime)>,
    /// Revisions in focus (see [`super::focus`]) of which something is here.
    pub stored: Vec<Stored>,
}

/// Everything that a decision sees.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// What is here.
    pub local: Local,
    /// The authority's word on what is current, asked for this request.
    pub word: Option<Told>,
    /// How often the authority was asked alone, without a condition, after its word did not hold (row 29).
    pub asked_anew: u8,
    /// The answers to every [`super::Step::Fetch`] since the word, in order; `None` if there was none.
    pub fetched: Option<Vec<Told>>,
    /// The answers of near tiers to a discovery that the authority failed, or of the authority to a HEAD for a length.
    pub asked: Vec<Told>,
}

impl Tier {
    /// The n-th upstream.
    pub const fn new(index: usize) -> Self {
        Self(index)
    }

    /// Its place.
    pub const fn get(self) -> usize {
        self.0
    }
}

impl Told {
    /// What waits for an answer that will not come, since whoever was to bring it is gone.
    pub fn lost(tier: Tier, method: Method) -> Self {
        Self {
            tier,
            asked: Asked::free(method, Target::Whole),
            heard: Heard::failed(Cause::Reset),
            own: false,
        }
    }
}

impl Asked {
    /// A question without a condition.
    pub const fn free(method: Method, target: Target) -> Self {
        Self {
            method,
            target,
            condition: Condition::Free,
        }
    }
}

impl Local {
    /// The stored revision with that tag.
    pub fn stored(&self, tag: &StrongETag) -> Option<&Stored> {
        self.stored.iter().find(|stored| stored.head.tag() == tag)
    }

    /// Whether a revision may answer pins: it is current, or it stopped being so less than `grace` ago
    /// (`semantics.md`, Grace). Of a revision that was never seen as current here nothing is remembered, and the client
    /// named the very bytes: it may.
    pub fn answers_pins(&self, tag: &StrongETag, grace: Duration, now: SystemTime) -> bool {
        if matches!(&self.current, Current::Is(current) if current == tag) {
            return true;
        }
        let since = self
            .former
            .iter()
            .rev()
            .find(|(former, _)| former == tag)
            .map(|(_, since)| *since);
        since.is_none_or(|since| now.duration_since(since).unwrap_or_default() < grace)
    }
}

impl Facts {
    /// Notes the answers to a [`super::Step::Fetch`]. Those to an earlier one stay: an error that was met with one
    /// listed tag is still an error when the others are nowhere (invariant 5).
    pub fn note_fetched(&mut self, told: Vec<Told>) {
        self.fetched.get_or_insert_default().extend(told);
    }

    /// The latest answer.
    pub fn latest(&self) -> Option<&Told> {
        let fetched = self.fetched.as_deref().unwrap_or_default().last();
        fetched.or(self.asked.last()).or(self.word.as_ref())
    }

    /// The same, if its body is this request's own. Only that one can be handed on: the bodies of earlier ones are gone.
    pub fn in_hand(&self) -> Option<&Told> {
        self.latest().filter(|told| told.own)
    }
}
