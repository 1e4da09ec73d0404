//! A world for the properties: tiers that hold revisions, are honest or in one of many moods, and what was really true.

use std::collections::VecDeque;

use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::engine::{Answer, Asking, Carried, Tiers};
use super::parse::{K, now, range_of_part, size, tag};
use crate::object::{
    ByteRange, Cause, Condition, Failure, Found, Heard, Lie, Method, ObjectSize, RangeSpec, StrongETag, Target,
};
use crate::plan::{Asked, Terms, Tier, Told, shareable};

/// The name of a revision (see [`size`]), or none.
pub(super) type Has = Option<&'static str>;

/// How a tier answers one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Honest,
    /// An error without an answer.
    Fails(Cause),
    /// A status of its own: errors, denials, redirects, anything.
    Says(u16),
    IgnoresCondition,
    IgnoresRange,
    Weakens,
    HidesTag,
    HidesLength,
    /// 206 with total `*`, 416 without a length.
    HidesTotal,
    /// 206 with another first byte, last byte or total, or to whatever was asked.
    Lies(Lie),
    /// With this field.
    Adds(&'static str, &'static str),
    /// 304 with a tag that is not the one that was asked about.
    NamesAnother,
}

/// The name of whatever version: beside a tag there is no need to tell them apart.
pub(super) const VERSION: &str = "v";

/// The tiers, and their story.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) terms: Terms,
    /// What near tiers have, from near to deep.
    pub(super) near: Vec<Has>,
    /// What the authority has, in order of time.
    pub(super) history: Vec<Has>,
    /// Whether it moves on before a question.
    pub(super) moves: VecDeque<bool>,
    /// One for each question; then all are honest.
    pub(super) moods: VecDeque<Mood>,
    /// Whether a discovery is answered by what somebody else asked.
    pub(super) shared: Option<Target>,
    /// Whether the authority keeps what it had, under names that its answers tell.
    pub(super) versioned: bool,
    at: usize,
    /// What the authority had when it was asked, question by question; `None` for near tiers.
    pub(super) truth: Vec<Option<Has>>,
}

impl World {
    pub(super) fn new(terms: Terms, near: Vec<Has>, history: Vec<Has>) -> Self {
        Self {
            terms,
            near,
            history,
            moves: VecDeque::new(),
            moods: VecDeque::new(),
            shared: None,
            versioned: false,
            at: 0,
            truth: Vec::new(),
        }
    }

    /// What the authority has now.
    pub(super) fn current(&self) -> Has {
        self.history[self.at]
    }

    /// How often it was overwritten or deleted so far.
    pub(super) fn moved(&self) -> usize {
        self.at
    }

    fn move_on(&mut self) {
        if self.moves.pop_front().unwrap_or(false) && self.at + 1 < self.history.len() {
            self.at += 1;
        }
    }
}

impl Tiers for World {
    fn answer(&mut self, asking: Asking, tier: Tier, asked: Asked) -> Answer {
        let deepest = tier == self.terms.authority();
        if deepest {
            self.move_on();
        }
        let has = if deepest { self.current() } else { self.near[tier.get()] };
        self.truth.push(deepest.then_some(has));
        let mood = self.moods.pop_front().unwrap_or(Mood::Honest);
        let has = match &asked.condition {
            Condition::Version(tag, _) if mood != Mood::IgnoresCondition => self.had(tag),
            _ => has,
        };
        let target = self
            .shared
            .take()
            .filter(|_| asking == Asking::Discover && asked.method == Method::Get);
        let leaders = Asked {
            target: target.unwrap_or(asked.target),
            ..asked.clone()
        };
        let shared = self.with_version(in_mood(mood, has, &leaders, &self.terms));
        if target.is_some() && self.is_shareable(tier, &leaders, &shared.0) {
            return answer(leaders, shared, false);
        }
        let own = self.with_version(in_mood(mood, has, &asked, &self.terms));
        answer(asked, own, true)
    }
}

impl World {
    /// A revision that was overwritten, if it is kept.
    fn had(&self, tag: &StrongETag) -> Has {
        let mut had = self.history.iter().take(self.at + 1).filter(|_| self.versioned);
        had.find_map(|had| had.filter(|name| super::parse::tag(name) == *tag))
    }

    fn with_version(&self, (mut heard, bytes): Said) -> Said {
        if let Heard::Found(found, _) | Heard::Partial(found, _, _) | Heard::NotModified(found) = &mut heard
            && self.versioned
        {
            found
                .fields
                .insert("x-amz-version-id", HeaderValue::from_static(VERSION));
        }
        (heard, bytes)
    }

    fn is_shareable(&self, tier: Tier, asked: &Asked, heard: &Heard) -> bool {
        let told = Told {
            tier,
            asked: asked.clone(),
            heard: heard.clone(),
            own: true,
        };
        shareable(&told, &self.terms)
    }
}

fn answer(asked: Asked, (heard, bytes): (Heard, Option<Carried>), own: bool) -> Answer {
    Answer {
        asked,
        heard,
        own,
        bytes,
    }
}

/// An answer and its body.
type Said = (Heard, Option<Carried>);

fn in_mood(mood: Mood, has: Has, asked: &Asked, terms: &Terms) -> Said {
    let honest = |asked: &Asked| honest(has, asked, terms);
    match mood {
        Mood::Honest => honest(asked),
        Mood::Fails(cause) => (Heard::failed(cause), None),
        Mood::Says(status) => (says(status), None),
        Mood::IgnoresCondition => honest(&Asked::free(asked.method, asked.target)),
        Mood::IgnoresRange => honest(&Asked {
            target: Target::Whole,
            ..asked.clone()
        }),
        Mood::Weakens | Mood::HidesTag | Mood::Adds(_, _) => with_fields(mood, honest(asked)),
        Mood::HidesLength | Mood::HidesTotal => without_total(mood, honest(asked)),
        Mood::Lies(lie) => lying(lie, honest(asked)),
        Mood::NamesAnother => match honest(asked) {
            (Heard::NotModified(_), _) => (Heard::NotModified(found(304, Some("X"))), None),
            said => said,
        },
    }
}

/// What an honest server says (RFC 9110 13.2.2: conditions before ranges). S3 has no If-Range: it is asked by If-Match.
fn honest(has: Has, asked: &Asked, terms: &Terms) -> Said {
    let Some(name) = has else {
        return (Heard::NotFound(found(404, None)), None);
    };
    let (current, total) = (tag(name), ObjectSize::new(size(name)));
    let mut target = asked.target;
    match &asked.condition {
        Condition::Pinned(pins) if !pins.contains(&current) => return refusal(name),
        Condition::Unless(tag) if *tag == current => return (Heard::NotModified(found(304, Some(name))), None),
        Condition::OrWhole(tag) if *tag != current && terms.s3_dialect => return refusal(name),
        Condition::OrWhole(tag) if *tag != current => target = Target::Whole,
        _ => {}
    }
    let bare_head = asked.method == Method::Head && !terms.s3_dialect;
    let ranged = match target {
        _ if bare_head => None,
        Target::Whole => None,
        Target::Range(spec) => Some(spec.resolve(total)),
        Target::Part(part) if name == "M-3" => Some((part.get() <= 3).then(|| range_of_part(u64::from(part.get())))),
        Target::Part(_) => Some(total.whole()),
    };
    let carried = |range: Option<ByteRange>| {
        range.filter(|_| asked.method == Method::Get).map(|range| Carried {
            tag: current.clone(),
            range,
        })
    };
    match ranged {
        None => (
            Heard::Found(found(200, Some(name)), Some(total)),
            carried(total.whole()),
        ),
        Some(Some(range)) => (
            Heard::Partial(found(206, Some(name)), range, Some(total)),
            carried(Some(range)),
        ),
        Some(None) if terms.s3_dialect => (Heard::Unsatisfiable(found(416, None), None), None),
        Some(None) => (Heard::Unsatisfiable(found(416, None), Some(total)), None),
    }
}

fn refusal(name: &str) -> Said {
    (Heard::PreconditionFailed(found(412, Some(name))), None)
}

fn found(status: u16, name: Option<&str>) -> Found {
    let mut fields = HeaderMap::new();
    if let Some(name) = name {
        fields.insert(header::ETAG, tag(name).to_value());
    }
    Found {
        status: StatusCode::from_u16(status).unwrap(),
        fields,
        received: now(),
    }
}

fn says(status: u16) -> Heard {
    let found = found(status, None);
    match status {
        401 | 403 => Heard::Denied(found),
        404 => Heard::NotFound(found),
        412 => Heard::PreconditionFailed(found),
        429 | 500..=599 => Heard::Failed(Failure {
            cause: Cause::Status,
            answer: Some(Box::new(found)),
        }),
        _ => Heard::Other(found),
    }
}

fn with_fields(mood: Mood, (mut heard, bytes): Said) -> Said {
    if let Heard::Found(found, _) | Heard::Partial(found, _, _) | Heard::NotModified(found) = &mut heard {
        let weak = found
            .fields
            .get(header::ETAG)
            .map(|tag| [b"W/", tag.as_bytes()].concat());
        match (mood, weak) {
            (Mood::Weakens, Some(weak)) => {
                found
                    .fields
                    .insert(header::ETAG, HeaderValue::from_bytes(&weak).unwrap());
            }
            (Mood::HidesTag, _) => {
                found.fields.remove(header::ETAG);
            }
            (Mood::Adds(name, value), _) => {
                found.fields.insert(name, HeaderValue::from_static(value));
            }
            _ => {}
        }
    }
    (heard, bytes)
}

fn without_total(mood: Mood, (heard, bytes): Said) -> Said {
    let heard = match heard {
        Heard::Found(found, _) if mood == Mood::HidesLength => Heard::Found(found, None),
        Heard::Partial(found, range, _) if mood == Mood::HidesTotal => Heard::Partial(found, range, None),
        Heard::Unsatisfiable(found, _) if mood == Mood::HidesTotal => Heard::Unsatisfiable(found, None),
        heard => heard,
    };
    (heard, bytes)
}

/// What comes is what the answer says, but not what was asked for; only a lie about the total is one about itself.
fn lying(lie: Lie, (heard, bytes): Said) -> Said {
    let (range, total) = match &heard {
        Heard::Partial(_, range, total) => (*range, *total),
        Heard::Found(_, Some(total)) if total.bytes() > 0 => (total.whole().unwrap(), Some(*total)),
        _ => return (heard, bytes),
    };
    let (first, last) = (range.first(), range.last());
    let (range, total) = match lie {
        Lie::FirstByte => (ByteRange::new(first + 1, last), total),
        Lie::LastByte => (ByteRange::new(first, last.saturating_sub(1)), total),
        Lie::Total => (Some(range), total.map(|total| ObjectSize::new(total.bytes() + K))),
        _ => (Some(range), total),
    };
    let Some(range) = range else { return (heard, bytes) };
    let found = heard.found().unwrap().clone();
    let bytes = bytes.map(|bytes| Carried { range, ..bytes });
    let status = StatusCode::PARTIAL_CONTENT;
    (Heard::Partial(Found { status, ..found }, range, total), bytes)
}

/// The true length of a revision.
pub(super) fn size_of(tag: &StrongETag) -> u64 {
    size(&String::from_utf8_lossy(tag.opaque()))
}

/// The range that a client means by what it asked of a revision.
pub(super) fn meant(spec: RangeSpec, tag: &StrongETag) -> Option<ByteRange> {
    spec.resolve(ObjectSize::new(size_of(tag)))
}
