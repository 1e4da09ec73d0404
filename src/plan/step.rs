//! What may follow next: a question, or an answer to the client.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::detail::Detail;
use super::facts::{Asked, Tier};
use super::shape::Shape;
use crate::config::Role;
use crate::object::{BlockSize, ByteRange, Head, StrongETag, Target};

/// What of a route decides about its reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How many upstreams there are before the authority.
    pub near: usize,
    /// What the authority's 404 means.
    pub role: Role,
    /// Whether S3's dialect is spoken.
    pub s3_dialect: bool,
    /// Whether the authority is an HTTP server, whose content codings are not those of the representation.
    pub http_authority: bool,
    /// `discovery: nearest`.
    pub nearest: bool,
    /// How long former revisions answer pins.
    pub grace: Duration,
    /// The size of blocks.
    pub block_size: BlockSize,
    /// How many pieces of one revision are fetched at once for one reader.
    pub parallel: usize,
}

/// The next thing to do.
#[derive(Clone, Debug)]
pub enum Step {
    /// Ask the authority what is current, together with everyone who waits for that.
    Discover(Asked),
    /// Ask the authority for this request alone; its answer is the new word.
    AskAnew(Asked),
    /// Ask one tier for this request alone, beside the authority's word.
    Ask(Tier, Asked),
    /// Fetch bytes of a listed revision, from near to deep, together with everyone who wants the same block.
    Fetch {
        /// The acceptable revisions; never empty.
        pins: Vec<StrongETag>,
        /// Which bytes.
        target: Target,
    },
    /// Answer from a revision: local blocks, blocks in flight and, for what is missing, pinned questions.
    Serve(Serve),
    /// Hand on the answer in hand.
    Relay(Relay),
    /// Answer with a status of our own.
    Reply(Reply),
}

/// An answer made of one revision.
#[derive(Clone, Debug)]
pub struct Serve {
    /// The revision's head.
    pub head: Arc<Head>,
    /// What of it is sent.
    pub shape: Shape,
    /// Why.
    pub detail: Detail,
}

/// An answer that is handed on, because it cannot be blocks of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relay {
    /// Which of its bytes; `None` for all of the body as it comes.
    pub cut: Option<Cut>,
    /// Whether the client has it already: 304.
    pub not_modified: bool,
    /// Why.
    pub detail: Detail,
}

/// The client's bytes within an answer that has more of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The bytes that the answer holds.
    pub held: ByteRange,
    /// The bytes that are sent.
    pub sent: ByteRange,
}

/// An answer without an upstream's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// Why.
    pub detail: Detail,
    /// Seconds of a `Retry-After` that a tier sent.
    pub retry_after: Option<u64>,
    /// The length of the representation, for a 416 that can tell it.
    pub length: Option<u64>,
}

impl Terms {
    /// The authority.
    pub const fn authority(&self) -> Tier {
        Tier::new(self.near)
    }

    /// The tier after one, from near to deep.
    pub const fn after(&self, tier: Tier) -> Option<Tier> {
        if tier.get() < self.near {
            Some(Tier::new(tier.get() + 1))
        } else {
            None
        }
    }
}

impl Reply {
    /// A status and its reason.
    pub const fn new(status: StatusCode, detail: Detail) -> Self {
        Self {
            status,
            detail,
            retry_after: None,
            length: None,
        }
    }
}

impl From<Reply> for Step {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}
