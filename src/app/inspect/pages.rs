//! The three pages, as values: pure, and the same for people and for programs.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::Serialize;

use super::tally::{Held, Object, Tally};
use crate::object::{Current, Named};
use crate::tier::store::Known;

/// `verify`: what was checked, and what did not check.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(super) struct Checks {
    pub(super) tier: String,
    pub(super) path: String,
    pub(super) blocks: u64,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) foreign: Vec<String>,
    pub(super) damaged: Vec<Bad>,
}

/// A file that did not check.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) file: String,
    pub(super) why: String,
}

/// `list`: objects with their revisions.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) tier: String,
    pub(super) path: String,
    pub(super) objects: Vec<Listed>,
    pub(super) damaged: Vec<Bad>,
}

/// An object.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) route: String,
    pub(super) object: String,
    /// When the authority's word on it was last heard.
    pub(super) confirmed_seconds_ago: Option<u64>,
    pub(super) revisions: Vec<Revision>,
}

/// A revision, the current one also if nothing is held of it.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(super) struct Revision {
    pub(super) tag: String,
    pub(super) standing: Standing,
    pub(super) blocks: u64,
    pub(super) of_blocks: u64,
    pub(super) block_size: u64,
    /// The length of the object.
    pub(super) size: u64,
    /// What its files take.
    pub(super) bytes: u64,
    pub(super) received_seconds_ago: Option<u64>,
}

/// What is known of a revision.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Standing {
    Current,
    /// It was current before.
    Former,
    /// Nothing is known of it.
    Unknown,
}

/// `usage`: sums.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) tier: String,
    pub(super) path: String,
    pub(super) routes: BTreeMap<String, Sums>,
    pub(super) damaged: u64,
    pub(super) foreign: u64,
}

/// What a route holds.
#[derive(Debug, Default, Serialize, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) objects: u64,
    pub(super) revisions: u64,
    pub(super) blocks: u64,
    pub(super) bytes: u64,
}

impl Checks {
    pub(super) fn of(tally: &Tally) -> Self {
        Self {
            tier: tally.tier.clone(),
            path: tally.path.clone(),
            blocks: tally.blocks,
            records: tally.records,
            bytes: tally.bytes,
            foreign: tally.foreign.iter().map(|file| file.path.clone()).collect(),
            damaged: bad(tally),
        }
    }
}

fn bad(tally: &Tally) -> Vec<Bad> {
    let damaged = tally.damaged.iter();
    let mut bad: Vec<_> = damaged
        .map(|(file, why)| Bad {
            file: file.path.clone(),
            why: why.to_string(),
        })
        .collect();
    bad.sort_by(|a, b| a.file.cmp(&b.file));
    bad
}

impl Listing {
    pub(super) fn of(tally: &Tally, now: SystemTime) -> Self {
        let mut objects: Vec<_> = tally
            .objects
            .iter()
            .map(|(key, object)| Listed::of(&named(key), object, now))
            .collect();
        objects.sort_by(|a, b| (&a.route, &a.object).cmp(&(&b.route, &b.object)));
        Self {
            tier: tally.tier.clone(),
            path: tally.path.clone(),
            objects,
            damaged: bad(tally),
        }
    }
}

impl Listed {
    fn of(named: &Named, object: &Object, now: SystemTime) -> Self {
        let mut revisions: Vec<_> = object
            .revisions
            .values()
            .map(|held| Revision::of(held, &object.known, now))
            .collect();
        revisions.extend(missing(object, now));
        revisions.sort_by_key(|revision| (revision.standing.rank(), revision.received_seconds_ago));
        Self {
            route: named.route.clone(),
            object: named.to_string(),
            confirmed_seconds_ago: (object.record > 0).then(|| seconds(object.known.confirmed, now)),
            revisions,
        }
    }
}

/// The current revision of an object, if no block of it is held.
fn missing(object: &Object, now: SystemTime) -> Option<Revision> {
    let head = object.known.head.as_ref()?;
    let held = object.revisions.values().any(|held| held.tag == *head.tag());
    (!held).then(|| Revision {
        tag: text(&head.tag().as_sent()),
        standing: Standing::of(&object.known, head.tag()),
        blocks: 0,
        of_blocks: 0,
        block_size: 0,
        size: head.size().bytes(),
        bytes: 0,
        received_seconds_ago: Some(seconds(head.received(), now)),
    })
}

impl Revision {
    fn of(held: &Held, known: &Known, now: SystemTime) -> Self {
        Self {
            tag: text(&held.tag.as_sent()),
            standing: Standing::of(known, &held.tag),
            blocks: held.blocks,
            of_blocks: held.block_size.count(held.size),
            block_size: held.block_size.bytes(),
            size: held.size.bytes(),
            bytes: held.bytes,
            received_seconds_ago: Some(seconds(held.received, now)),
        }
    }
}

impl Standing {
    fn of(known: &Known, tag: &crate::object::StrongETag) -> Self {
        match &known.current {
            Current::Is(current) if current == tag => Self::Current,
            _ if known.former.iter().any(|(former, _)| former == tag) => Self::Former,
            _ => Self::Unknown,
        }
    }

    const fn rank(self) -> u8 {
        match self {
            Self::Current => 0,
            Self::Former => 1,
            Self::Unknown => 2,
        }
    }
}

impl Usage {
    pub(super) fn of(tally: &Tally) -> Self {
        let mut routes: BTreeMap<String, Sums> = BTreeMap::new();
        for (key, object) in &tally.objects {
            let sums = routes.entry(named(key).route).or_default();
            sums.objects += 1;
            sums.bytes += object.record;
            for held in object.revisions.values() {
                sums.revisions += 1;
                sums.blocks += held.blocks;
                sums.bytes += held.bytes;
            }
        }
        Self {
            tier: tally.tier.clone(),
            path: tally.path.clone(),
            routes,
            damaged: count(&tally.damaged),
            foreign: count(&tally.foreign),
        }
    }
}

/// A key whose checksum matched, but which does not parse, was made by nobody that we know.
fn named(key: &[u8]) -> Named {
    Named::decode(key).unwrap_or_else(|| Named {
        route: "-".to_owned(),
        authority: Vec::new(),
        target: None,
        path: text(key),
        query: None,
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn seconds(since: SystemTime, now: SystemTime) -> u64 {
    now.duration_since(since).unwrap_or_default().as_secs()
}

fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}
