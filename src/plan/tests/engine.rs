//! The engine in miniature: look up, decide, ask, learn, learn_parts, until there is an answer. It keeps what the real one keeps and
//! nothing more, so that a decision which needs another fact fails here first.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use super::disk::Disk;
use crate::object::{BlockIndex, ByteRange, Condition, Current, Head, Heard, Method, StrongETag, Target, VersionId};
use crate::plan::pinned::names_revision;
use crate::plan::{
    Asked, Facts, Local, Past, Relay, Reply, Serve, Step, Stored, Terms, Tier, Told, admit, effective, focus, head_of,
    learn, learn_parts, missing_span, next, probe, settled, wanted,
};
use crate::request::Read;

/// The longest way that a read may take; the real engine gives up at 32.
const MOST_STEPS: usize = 12;

/// How a question is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    Discover,
    Anew,
    Beside,
    Fetch,
}

/// What a tier answers.
pub(super) struct Answer {
    /// The question that was put: of a shared answer that of whoever asked.
    pub(super) asked: Asked,
    pub(super) heard: Heard,
    /// Whether the body is this request's own.
    pub(super) own: bool,
    /// Which bytes the body really has.
    pub(super) bytes: Option<Carried>,
}

/// Bytes of a revision, by its true tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Carried {
    pub(super) tag: StrongETag,
    pub(super) range: ByteRange,
}

pub(super) trait Tiers {
    fn answer(&mut self, asking: Asking, tier: Tier, asked: Asked) -> Answer;
}

/// A body on its way: what it is taken for, and what it is.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) tag: StrongETag,
    pub(super) range: ByteRange,
    pub(super) bytes: Option<Carried>,
}

#[derive(Debug)]
pub(super) enum End {
    Serve(Serve),
    Relay(Relay, Box<Told>, Option<Carried>),
    Reply(Reply),
}

/// A read on its way to an answer.
pub(super) struct Engine<'a, T> {
    pub(super) read: &'a Read,
    pub(super) terms: &'a Terms,
    pub(super) now: SystemTime,
    pub(super) disk: &'a mut Disk,
    pub(super) tiers: &'a mut T,
    pub(super) facts: Facts,
    pub(super) flights: Vec<Flight>,
    /// Blocks that are damaged, and those of them that were found to be when they were read.
    pub(super) rotten: BTreeSet<u64>,
    pub(super) damaged: BTreeSet<u64>,
    /// Every answer as it was believed.
    pub(super) log: Vec<(Asking, Told)>,
    latest: Option<(Told, Option<Carried>)>,
}

impl<'a, T: Tiers> Engine<'a, T> {
    pub(super) fn new(read: &'a Read, terms: &'a Terms, now: SystemTime, disk: &'a mut Disk, tiers: &'a mut T) -> Self {
        Self {
            read,
            terms,
            now,
            disk,
            tiers,
            facts: Facts::default(),
            flights: Vec::new(),
            rotten: BTreeSet::new(),
            damaged: BTreeSet::new(),
            log: Vec::new(),
            latest: None,
        }
    }

    /// Drives the read to its end, which comes within a bounded number of steps.
    pub(super) fn run(&mut self) -> End {
        for _ in 0..MOST_STEPS {
            if let Some(end) = self.step() {
                return end;
            }
        }
        panic!("no end after {MOST_STEPS} steps: {:?} {:#?}", self.read, self.log);
    }

    /// One step; `None` if there is no answer yet.
    pub(super) fn step(&mut self) -> Option<End> {
        self.facts.local = self.local();
        match next(self.read, &self.facts, self.terms, self.now) {
            Step::Discover(asked) => {
                self.facts.word = Some(self.ask(Asking::Discover, self.terms.authority(), asked));
            }
            Step::AskAnew(asked) => {
                self.facts.word = Some(self.ask(Asking::Anew, self.terms.authority(), asked));
                self.facts.asked_anew += 1;
                self.facts.fetched = None;
            }
            Step::Ask(tier, asked) => {
                let told = self.ask(Asking::Beside, tier, asked);
                self.facts.asked.push(told);
            }
            Step::Fetch { pins, target } => {
                let told = self.fetch(&pins, target);
                self.facts.note_fetched(told);
            }
            Step::Serve(serve) => return self.serve(serve),
            Step::Relay(relay) => return Some(self.relay(relay)),
            Step::Reply(reply) => return Some(End::Reply(reply)),
        }
        None
    }

    /// The first bytes are read before the head goes out: if they are not what they should be, it is decided again.
    fn serve(&mut self, serve: Serve) -> Option<End> {
        let Some(range) = serve.shape.body(self.read.method, serve.head.size()) else {
            return Some(End::Serve(serve));
        };
        let first = range.first();
        let index = self.terms.block_size.index_of(first);
        let flying = self.flights.iter().any(|flight| flight.brings(serve.head.tag(), first));
        if !flying && self.rotten.contains(&index.get()) && self.damaged.insert(index.get()) {
            return None;
        }
        Some(End::Serve(serve))
    }

    /// The body of every answer but the latest is gone.
    fn relay(&self, relay: Relay) -> End {
        let told = self.facts.in_hand().expect("an answer in hand").clone();
        let (latest, bytes) = self.latest.clone().expect("an answer");
        assert!(told.own, "a shared body is handed on: {told:?}");
        assert_eq!(told.heard, latest.heard, "the body of an earlier answer is handed on");
        let has_a_body = told.asked.method == self.read.method || relay.not_modified;
        assert!(has_a_body, "the answer to a HEAD is handed on to a GET: {told:?}");
        End::Relay(relay, Box::new(told), bytes)
    }

    pub(super) fn fetch(&mut self, pins: &[StrongETag], target: Target) -> Vec<Told> {
        assert!(!pins.is_empty());
        let mut told = Vec::new();
        let past = self.past(pins);
        while let Some((tier, condition)) = probe(pins, past.as_ref(), &told, self.terms) {
            let asked = Asked {
                method: self.read.method,
                target,
                condition,
            };
            told.push(self.ask(Asking::Fetch, tier, asked));
        }
        settled(told)
    }

    fn past(&self, pins: &[StrongETag]) -> Option<Past> {
        pins.iter().find_map(|tag| {
            Some(Past {
                tag: tag.clone(),
                version: VersionId::named(self.disk.head(tag)?.fields())?,
                passed: self.disk.former.iter().any(|(former, _)| former == tag),
            })
        })
    }

    fn ask(&mut self, asking: Asking, tier: Tier, asked: Asked) -> Told {
        let answer = self.tiers.answer(asking, tier, asked);
        let asked = answer.asked;
        let known = |tag: &StrongETag| self.disk.size(tag);
        let heard = admit(&asked, answer.heard.clone(), self.terms.block_size, known);
        let before = self.disk.current.clone();
        if heard.found().is_none() && answer.heard.found().is_some() {
            self.disk.contradicted(&heard, &answer.heard, self.now);
        }
        if matches!(asked.condition, Condition::Version(_, _)) {
            self.disk.current = before;
        }
        let told = Told {
            tier,
            asked,
            heard,
            own: answer.own,
        };
        self.disk.learn(learn(&told, self.terms), self.now);
        if let Some(head) = learn_parts(&told, self.terms) {
            self.disk.learn_parts(&head);
        }
        self.flights.extend(self.flight(&told, answer.bytes.clone()));
        self.log.push((asking, told.clone()));
        self.latest = Some((told.clone(), answer.bytes));
        told
    }

    fn flight(&self, told: &Told, bytes: Option<Carried>) -> Option<Flight> {
        let head = head_of(told).filter(|_| names_revision(told, self.terms))?;
        let range = match &told.heard {
            Heard::Partial(_, range, _) => *range,
            _ => head.size().whole()?,
        };
        let pins: &[StrongETag] = match &told.asked.condition {
            Condition::Pinned(pins) => pins,
            Condition::Version(tag, _) => std::slice::from_ref(tag),
            _ => std::slice::from_ref(head.tag()),
        };
        let carries = told.asked.method == Method::Get && pins.contains(head.tag());
        carries.then(|| Flight {
            tag: head.tag().clone(),
            range,
            bytes,
        })
    }

    fn local(&self) -> Local {
        let facts = Facts {
            local: Local {
                current: self.disk.current.clone(),
                ..Local::default()
            },
            ..self.facts.clone()
        };
        let tags = focus(self.read, &facts);
        Local {
            current: self.disk.current.clone(),
            former: self.disk.former.clone(),
            stored: tags.iter().filter_map(|tag| self.stored(tag)).collect(),
        }
    }

    fn stored(&self, tag: &StrongETag) -> Option<Stored> {
        let told = self.facts.fetched.iter().flatten();
        let told = told.chain(&self.facts.asked).chain(&self.facts.word);
        let named = told.filter_map(head_of).find(|head| head.tag() == tag);
        // The head of the current revision as it is known, of others as an answer told it, or as a block holds it.
        let current = self.disk.current == Current::Is(tag.clone());
        let head = self.disk.head(tag).filter(|_| current);
        let head = head.or(named.map(Arc::new)).or(self.disk.head(tag))?;
        let damaged = |index: &u64| self.disk.holds(tag, *index);
        let complete = self.disk.is_complete(tag) && !self.damaged.iter().any(damaged);
        let read = effective(self.read, &self.facts);
        let Some(range) = wanted(&read, &head, self.terms) else {
            return Some(Stored {
                head,
                missing: None,
                some: true,
                complete,
            });
        };
        let span = self.terms.block_size.span_of(range);
        let held: Vec<bool> = span.iter().map(|index| self.has(&head, index, range)).collect();
        Some(Stored {
            missing: missing_span(range, head.size(), self.terms.block_size, &held),
            some: held.contains(&true),
            complete,
            head,
        })
    }

    /// Whether what is wanted of a block is here or on its way.
    pub(super) fn has(&self, head: &Head, index: BlockIndex, wanted: ByteRange) -> bool {
        let block = self.terms.block_size.range_of(index, head.size());
        let part = block.and_then(|block| block.intersect(wanted));
        let flying = |flight: &Flight| flight.tag == *head.tag() && part.is_some_and(|part| flight.range.covers(part));
        self.is_stored(head, index) || self.flights.iter().any(flying)
    }

    pub(super) fn is_stored(&self, head: &Head, index: BlockIndex) -> bool {
        self.disk.holds(head.tag(), index.get()) && !self.damaged.contains(&index.get())
    }
}

impl Flight {
    fn brings(&self, tag: &StrongETag, position: u64) -> bool {
        self.tag == *tag && self.range.first() <= position && position <= self.range.last()
    }
}
