//! Reads, disks and worlds, generated so that what interferes does so often.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use super::disk::Disk;
use super::parse::{disk, now, request, tag, terms};
use super::world::{Has, Mood, World};
use crate::object::{ByteRange, Cause, Lie, PartNumber, RangeSpec, Target};
use crate::plan::Terms;
use crate::request::Read;

/// A read in a world.
#[derive(Clone)]
pub(super) struct Scene {
    pub(super) text: String,
    pub(super) read: Read,
    pub(super) disk: Disk,
    pub(super) rotten: Option<u64>,
    pub(super) world: World,
}

/// As short as the tables: failures are read by people.
impl fmt::Debug for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let world = &self.world;
        let kind = if world.terms.s3_dialect { "s3" } else { "http" };
        writeln!(
            f,
            "{kind} {:?}, near {}: {}",
            world.terms.role, world.terms.near, self.text
        )?;
        writeln!(f, "{:?}, damaged {:?}", self.disk, self.rotten)?;
        writeln!(
            f,
            "near {:?}, authority {:?} moves {:?}",
            world.near, world.history, world.moves
        )?;
        write!(
            f,
            "moods {:?}, shared {:?}, versioned {:?}",
            world.moods, world.shared, world.versioned
        )
    }
}

const REVISIONS: [&str; 5] = ["A", "B", "D", "E", "M-3"];
const RANGES: [&str; 16] = [
    "",
    "",
    "",
    "",
    "0..10",
    "0..64k",
    "60k..70k",
    "0..100k",
    "64k..128k",
    "100k..",
    "0..",
    "249k..300k",
    "999k..",
    "-10",
    "-100k",
    "-0",
];
const FIELDS: [&str; 7] = [
    "",
    "{x-amz-version-id: v}",
    "{cache-control: max-age=100}",
    "{cache-control: max-age=1}",
    "{cache-control: max-age=1, must-revalidate}",
    "{cache-control: stale-if-error=999; lm}",
    "{lm}",
];

fn revision() -> impl Strategy<Value = &'static str> {
    // Two of them meet often.
    prop_oneof![3 => Just("A"), 3 => Just("B"), 2 => select(&REVISIONS[..])]
}

fn has() -> impl Strategy<Value = Has> {
    prop_oneof![6 => revision().prop_map(Some), 1 => Just(None)]
}

/// A read as the tables write it.
fn ask(s3: bool) -> impl Strategy<Value = String> {
    let method = prop_oneof![4 => Just("GET"), 1 => Just("HEAD")];
    let range = select(&RANGES[..]);
    let part = prop_oneof![3 => Just(None), 1 => (1u16..=4).prop_map(Some)].prop_map(move |part| part.filter(|_| s3));
    let condition = prop_oneof![
        3 => Just(String::new()),
        3 => revision().prop_map(|tag| format!(" pin {tag}")),
        2 => (revision(), revision()).prop_map(|(a, b)| format!(" pin {a},{b}")),
        2 => revision().prop_map(|tag| format!(" resume {tag}")),
    ];
    let unless = prop_oneof![
        5 => Just(String::new()),
        2 => revision().prop_map(|tag| format!(" unless {tag}")),
        1 => Just(" since".to_owned()),
    ];
    let control = prop_oneof![20 => Just(""), 3 => Just(" no-cache"), 1 => Just(" only-if-cached")];
    (method, range, part, condition, unless, control).prop_map(|(method, range, part, condition, unless, control)| {
        let target = part.map_or(range.to_owned(), |part| format!("part {part}"));
        format!("{method} {target}{condition}{unless}{control}")
    })
}

pub(super) fn store() -> impl Strategy<Value = Disk> {
    let one = (revision(), 0u8..16, any::<bool>(), select(&FIELDS[..]));
    let current = prop_oneof![1 => Just(None), 1 => Just(Some(None)), 6 => revision().prop_map(|tag| Some(Some(tag)))];
    let former = prop::collection::vec((revision(), 0u64..30), 0..2);
    (prop::collection::vec(one, 0..4), current, former).prop_map(|(revisions, current, former)| {
        let mut items: Vec<String> = Vec::new();
        let mut seen = BTreeSet::new();
        for (name, blocks, all, fields) in revisions {
            let bits = (0..4).filter(|bit| blocks & 1 << bit != 0).map(|bit| bit.to_string());
            let blocks = match (all, name) {
                (true, "M-3") => vec!["all part 1 part 2".to_owned()],
                (true, _) => vec!["all".to_owned()],
                (false, _) => bits.collect(),
            };
            if seen.insert(name) {
                items.push(format!("{}{name} {} {fields}", star(name, current), blocks.join(" ")));
            }
        }
        match current {
            // The head of the current revision is known, blocks or not.
            Some(Some(name)) if !seen.contains(name) => items.push(format!("*{name}")),
            Some(None) => items.push("none".to_owned()),
            _ => {}
        }
        let mut disk = disk(&items.join(" & "));
        let ago = |minutes: u64| now() - Duration::from_secs(60 * minutes);
        disk.former = former
            .into_iter()
            .map(|(name, minutes)| (tag(name), ago(minutes)))
            .collect();
        let current = disk.current.clone();
        disk.former
            .retain(|(tag, _)| current != crate::object::Current::Is(tag.clone()));
        within_their_size(disk)
    })
}

fn star(name: &str, current: Option<Option<&str>>) -> &'static str {
    if current == Some(Some(name)) { "*" } else { "" }
}

fn within_their_size(mut disk: Disk) -> Disk {
    for revision in &mut disk.revisions {
        let count = super::parse::BLOCK.count(revision.head.size());
        revision.blocks.retain(|index| *index < count);
    }
    disk
}

pub(super) fn route() -> impl Strategy<Value = Terms> {
    let kind = prop_oneof![3 => Just("http"), 2 => Just("cache"), 2 => Just("s3")];
    let near = prop_oneof![3 => Just(0), 2 => Just(1), 1 => Just(2)];
    (kind, near).prop_map(|(kind, near)| terms(&format!("{kind}+{near}")))
}

/// Troubles that are not lies about what there is.
pub(super) fn trouble() -> impl Strategy<Value = Mood> {
    prop_oneof![
        select(&[Cause::Timeout, Cause::Refused, Cause::Reset][..]).prop_map(Mood::Fails),
        select(&[500, 503, 429][..]).prop_map(Mood::Says),
    ]
}

pub(super) fn mood() -> impl Strategy<Value = Mood> {
    const FIELDS: [(&str, &str); 6] = [
        ("cache-control", "no-store"),
        ("cache-control", "private"),
        ("set-cookie", "a=b"),
        ("vary", "accept-language"),
        ("content-encoding", "gzip"),
        ("cache-status", "behind; fwd=stale; detail=discovery-fallback"),
    ];
    prop_oneof![
        8 => Just(Mood::Honest),
        3 => trouble(),
        2 => select(&[401, 403, 404, 412, 302, 204, 418][..]).prop_map(Mood::Says),
        2 => Just(Mood::IgnoresCondition),
        2 => Just(Mood::IgnoresRange),
        1 => Just(Mood::Weakens),
        1 => Just(Mood::HidesTag),
        1 => Just(Mood::HidesLength),
        1 => Just(Mood::HidesTotal),
        2 => select(&[Lie::FirstByte, Lie::LastByte, Lie::Total, Lie::Unasked][..]).prop_map(Mood::Lies),
        2 => select(&FIELDS[..]).prop_map(|(name, value)| Mood::Adds(name, value)),
        1 => Just(Mood::NamesAnother),
    ]
}

/// What somebody else in the group asked for.
fn elsewhere() -> impl Strategy<Value = Option<Target>> {
    let span = |first, last| Target::Range(RangeSpec::Span(ByteRange::new(first, last).unwrap()));
    let part = Target::Part(PartNumber::new(1).unwrap());
    prop_oneof![4 => Just(None), 1 => Just(Some(span(0, 65535))), 1 => Just(Some(span(65536, 131_071))), 1 => Just(Some(part))]
}

pub(super) fn world(terms: Terms) -> impl Strategy<Value = World> {
    let near = prop::collection::vec(has(), terms.near);
    let history = prop::collection::vec(has(), 1..4);
    let moves = prop::collection::vec_deque(prop::bool::weighted(0.3), 0..6);
    let moods = prop::collection::vec_deque(mood(), 0..6);
    let told = (near, history, moves, moods, elsewhere(), any::<bool>());
    told.prop_map(move |(near, history, moves, moods, shared, versioned)| {
        let shared = shared.filter(|target| terms.s3_dialect || !matches!(target, Target::Part(_)));
        let mut world = World::new(terms, near, history);
        (world.moves, world.moods, world.shared) = (moves, moods, shared);
        world.versioned = versioned;
        world
    })
}

pub(super) fn scene() -> impl Strategy<Value = Scene> {
    let rotten = prop_oneof![3 => Just(None), 1 => (0u64..4).prop_map(Some)];
    let parts = route().prop_flat_map(|terms| (ask(terms.s3_dialect), world(terms)));
    (parts, store(), rotten).prop_map(|((text, world), disk, rotten)| Scene {
        read: request(&text, &world.terms),
        text,
        disk,
        rotten,
        world,
    })
}

/// What may disturb a download without anybody lying about what there is.
pub(super) fn interference() -> impl Strategy<Value = Mood> {
    let lie = select(&[Lie::FirstByte, Lie::LastByte, Lie::Unasked][..]).prop_map(Mood::Lies);
    let ignores = select(&[Mood::IgnoresCondition, Mood::IgnoresRange][..]);
    prop_oneof![4 => Just(Mood::Honest), 2 => trouble(), 1 => lie, 2 => ignores]
}

/// Tiers that have something; the authority overwrites or deletes it now and then if it is `moving`.
pub(super) fn honest_tiers(terms: Terms, moving: bool) -> impl Strategy<Value = World> {
    let near = prop::collection::vec(has(), terms.near);
    let later = prop::collection::vec(has(), if moving { 0..4 } else { 0..1 });
    let moves = prop::collection::vec_deque(prop::bool::weighted(0.2), 0..20);
    (near, revision(), later, moves, any::<bool>()).prop_map(move |(near, first, later, moves, versioned)| {
        let history = std::iter::once(Some(first)).chain(later).collect();
        let mut world = World::new(terms, near, history);
        (world.moves, world.versioned) = (moves, versioned);
        world
    })
}
