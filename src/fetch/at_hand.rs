//! The short way to most answers: a pinned range that is at hand, served without waiting for anybody.
//!
//! Owns: gathering the facts of that one case. Never: decides it. That is [`plan::next`]'s, as on the long way, and
//! whatever it does not serve at once goes there.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::StatusCode;

use super::route::Route;
use crate::object::{Current, Head, Method, ObjectKey, RangeSpec, Revision, StrongETag, Target};
use crate::plan::{self, Detail, Facts, Local, Step, Stored, Trace, served_head};
use crate::request::{Kind, Read};
use crate::tier::store;

/// An answer that nobody has to wait for.
#[derive(Debug)]
pub struct AtHand {
    /// The status.
    pub status: StatusCode,
    /// The head as it is sent.
    pub head: Vec<u8>,
    /// All of the body, read from a local block.
    pub body: Bytes,
    /// Why this answer.
    pub detail: Detail,
}

impl Route {
    /// The whole answer to a read of a range within one block, if it is pinned to one revision and at hand.
    pub fn at_hand(&self, key: &ObjectKey, read: &Read) -> Option<AtHand> {
        let Target::Range(RangeSpec::Span(range)) = read.target else {
            return None;
        };
        let (Kind::Pinned(pins), Method::Get) = (&read.kind, read.method) else {
            return None;
        };
        let [tag] = pins.as_slice() else { return None };
        let span = self.terms.block_size.span_of(range);
        if span.len() > 1 {
            return None;
        }
        let revision = Revision {
            key: key.clone(),
            tag: tag.clone(),
        };
        let store::AtHand { known, head, bytes } = self.store.at_hand(&revision, span.first(), range)?;
        // The head of the current revision is renewed at every confirmation; a block's is as old as the block.
        let current = known.head.filter(|head| head.tag() == tag);
        let facts = facts(known.current, known.former, current.unwrap_or(head));
        let now = self.clock.now();
        let Step::Serve(serve) = plan::next(read, &facts, &self.terms, now) else {
            return None;
        };
        // What is at hand are the bytes of the range, and not the nothing of a 304.
        serve
            .shape
            .body(read.method, serve.head.size())
            .filter(|body| *body == range)?;
        let (status, head) = served_head(&serve, read, &Trace::default(), &self.instance, now)?;
        self.metrics.answered(&read.kind, serve.detail);
        self.foresight.note(&revision, range);
        Some(AtHand {
            status,
            head,
            body: bytes,
            detail: serve.detail,
        })
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
