//! The short way to most answers: a pinned range that is at hand, served without waiting for anybody.
//!
//! Owns: gathering the facts of that one case. Never: decides it. That is [`plan::next`]'s, as on the long way, and
//! whatever it does not serve at once goes there.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use super::route::Route;
use crate::object::{ByteRange, Current, Head, Method, ObjectKey, RangeSpec, Revision, StrongETag, Target};
use crate::plan::{self, Detail, Facts, Local, SliceHeads, Step, Stored};
use crate::request::{Kind, Read};
use crate::tier::store;

/// A download in chunks that are pinned to one revision: what all of them ask for but their ranges.
pub struct Download {
    route: Arc<Route>,
    revision: Revision,
    read: Read,
    /// Of the answer before.
    heads: Option<SliceHeads>,
}

/// An answer that nobody has to wait for.
#[derive(Debug)]
pub struct AtHand {
    /// The head of a 206 as it is sent.
    pub head: Vec<u8>,
    /// All of the body, read from a local block.
    pub body: Bytes,
    /// Why this answer.
    pub detail: Detail,
}

impl Download {
    /// The download that a read is a chunk of. `None` if it is none: not a GET of a span, or not pinned to one revision.
    pub fn of(route: &Arc<Route>, key: ObjectKey, read: Read) -> Option<Self> {
        let (Kind::Pinned(pins), Method::Get) = (&read.kind, read.method) else {
            return None;
        };
        let ([tag], Target::Range(RangeSpec::Span(_))) = (pins.as_slice(), read.target) else {
            return None;
        };
        let tag = tag.clone();
        Some(Self {
            route: Arc::clone(route),
            revision: Revision { key, tag },
            read,
            heads: None,
        })
    }

    /// The whole answer to the chunk with that range, if it is within one block and at hand.
    pub fn at_hand(&mut self, range: ByteRange) -> Option<AtHand> {
        let Self {
            route,
            revision,
            read,
            heads,
        } = self;
        read.target = Target::Range(RangeSpec::Span(range));
        let span = route.terms.block_size.span_of(range);
        if span.len() > 1 {
            return None;
        }
        let store::AtHand { known, head, bytes } = route.store.at_hand(revision, span.first(), range)?;
        // The head of the current revision is renewed at every confirmation; a block's is as old as the block.
        let current = known.head.filter(|head| *head.tag() == revision.tag);
        let facts = facts(known.current, known.former, current.unwrap_or(head));
        let now = route.clock.now();
        let Step::Serve(serve) = plan::next(read, &facts, &route.terms, now) else {
            return None;
        };
        // What is at hand are the bytes of the range, and not the nothing of a 304.
        serve
            .shape
            .body(read.method, serve.head.size())
            .filter(|body| *body == range)?;
        let again = heads.as_ref().and_then(|heads| heads.head(&serve, read, now));
        let head = match again {
            Some(head) => head,
            None => heads
                .insert(SliceHeads::new(&serve, &route.instance)?)
                .head(&serve, read, now)?,
        };
        route.metrics.answered(&read.kind, serve.detail);
        route.foresight.note(revision, range);
        Some(AtHand {
            head,
            body: bytes,
            detail: serve.detail,
        })
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

fn facts(current: Current, former: Vec<(StrongETag, SystemTime)>, head: Arc<Head>) -> Facts {
    let stored = Stored {
        head,
        missing: None,
        some: true,
        // Matters only to reads of the whole.
        complete: false,
    };
    let local = Local {
        current,
        former,
        stored: vec![stored],
    };
    Facts {
        local,
        ..Facts::default()
    }
}
