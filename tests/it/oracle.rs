//! Random reads through two sidecars over objects that change, against a model of what the contract allows.
//!
//! Seeds are printed; a seed that found something is added to [`FOUND`] and runs for ever.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use futures_util::future::{join, join_all};
use pinstripe::clock::Clock;
use pinstripe_kit::origin::{Origin, Resource};
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::raw::{Answer, End};
use pinstripe_kit::s3::S3Server;

use crate::support::{Sidecar, get, http_config, s3_config};

const FOUND: [u64; 2] = [1, 15_589_949_947_898_986_607];
/// Batches of reads for each seed.
const BATCHES: usize = 60;
const BLOCK: u64 = 64 << 10;
const OBJECT: u32 = 6;

/// SplitMix64: enough to choose by, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.roll(n) == 0
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.roll(u64::try_from(length).unwrap())).unwrap()
    }

    /// Likely at a border of blocks, or one beside it.
    fn position(&mut self) -> u64 {
        if self.one_in(3) {
            return self.roll(7 * BLOCK);
        }
        (self.roll(7) * BLOCK + self.roll(3)).saturating_sub(1)
    }
}

/// The revisions that there were, and which is current.
struct Model {
    sizes: Vec<u64>,
    current: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Range {
    Span(u64, u64),
    From(u64),
    Suffix(u64),
}

#[derive(Clone, Debug)]
enum Pin {
    None,
    Any,
    To(Vec<usize>),
    IfRange(usize),
}

#[derive(Clone, Debug)]
struct Read {
    head: bool,
    range: Option<Range>,
    pin: Pin,
    unless: Option<usize>,
}

/// What may be answered: this, of this revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Allowed {
    Status(u16),
    Whole(usize),
    Slice(usize, u64, u64),
    NotModified(usize),
    Unsatisfiable(usize),
}

fn pattern(revision: usize) -> Pattern {
    Pattern::new(OBJECT, u32::try_from(revision).unwrap())
}

fn tag(revision: usize) -> String {
    pattern(revision).etag()
}

impl Range {
    fn roll(dice: &mut Dice) -> Self {
        match dice.roll(8) {
            0 => Self::From(dice.position()),
            1 => Self::Suffix(dice.position()),
            _ => {
                let (a, b) = (dice.position(), dice.position());
                Self::Span(a.min(b), a.max(b))
            }
        }
    }

    fn resolve(self, size: u64) -> Option<(u64, u64)> {
        let last = size.checked_sub(1)?;
        let (first, last) = match self {
            Self::Span(first, end) => (first, end.min(last)),
            Self::From(first) => (first, last),
            Self::Suffix(0) => return None,
            Self::Suffix(length) => (size.saturating_sub(length), last),
        };
        (first <= last).then_some((first, last))
    }
}

impl Read {
    fn roll(dice: &mut Dice, revisions: usize) -> Self {
        // Mostly of late ones, which are stored here or there.
        let one = |dice: &mut Dice| revisions - 1 - dice.index(revisions.min(4));
        let pin = match dice.roll(10) {
            0..=2 => Pin::None,
            3 => Pin::Any,
            4 => Pin::IfRange(one(dice)),
            5 => Pin::To(vec![one(dice), one(dice)]),
            _ => Pin::To(vec![one(dice)]),
        };
        let ranged = !dice.one_in(4) || matches!(pin, Pin::IfRange(_));
        let range = ranged.then(|| Range::roll(dice));
        Self {
            head: dice.one_in(6) && !matches!(pin, Pin::IfRange(_)),
            range,
            unless: dice.one_in(8).then(|| one(dice)),
            pin,
        }
    }

    fn request(&self, path: &str) -> String {
        let mut request = format!("{} {path}", if self.head { "HEAD" } else { "GET" });
        match self.range {
            Some(Range::Span(first, last)) => request += &format!("; Range: bytes={first}-{last}"),
            Some(Range::From(first)) => request += &format!("; Range: bytes={first}-"),
            Some(Range::Suffix(length)) => request += &format!("; Range: bytes=-{length}"),
            None => {}
        }
        match &self.pin {
            Pin::None => {}
            Pin::Any => request += "; If-Match: *",
            Pin::To(pins) => {
                let tags: Vec<_> = pins.iter().map(|pin| tag(*pin)).collect();
                request += &format!("; If-Match: {}", tags.join(", "));
            }
            Pin::IfRange(pin) => request += &format!("; If-Range: {}", tag(*pin)),
        }
        if let Some(unless) = self.unless {
            request += &format!("; If-None-Match: W/{}", tag(unless));
        }
        request
    }

    /// The answer from a revision.
    fn of(&self, model: &Model, revision: usize, range: Option<Range>) -> Allowed {
        if self.unless == Some(revision) {
            return Allowed::NotModified(revision);
        }
        match range.map(|range| range.resolve(model.sizes[revision])) {
            None => Allowed::Whole(revision),
            Some(Some((first, last))) => Allowed::Slice(revision, first, last),
            Some(None) => Allowed::Unsatisfiable(revision),
        }
    }

    /// All that may be answered while that revision is current.
    fn allowed(&self, model: &Model, current: Option<usize>, s3: bool) -> Vec<Allowed> {
        // HEAD has ranges in S3's dialect only.
        let range = self.range.filter(|_| s3 || !self.head);
        let or_nothing = |of: Option<Allowed>| of.unwrap_or(Allowed::Status(404));
        match &self.pin {
            Pin::None | Pin::Any => vec![or_nothing(current.map(|current| self.of(model, current, range)))],
            Pin::To(pins) => {
                let mut allowed: Vec<_> = pins.iter().map(|pin| self.of(model, *pin, range)).collect();
                // Row 5b: of a 416 without a tag nobody can say whether the client has it already.
                let outside = |pin: &&usize| range.is_some_and(|range| range.resolve(model.sizes[**pin]).is_none());
                allowed.extend(pins.iter().filter(outside).map(|pin| Allowed::Unsatisfiable(*pin)));
                match current {
                    None => allowed.push(Allowed::Status(404)),
                    Some(current) if !pins.contains(&current) => allowed.push(Allowed::Status(412)),
                    Some(_) => {}
                }
                allowed
            }
            Pin::IfRange(pin) => {
                let resumed = self.of(model, *pin, range);
                let whole = current
                    .filter(|current| current != pin)
                    .map(|current| self.of(model, current, None));
                match current {
                    Some(current) if current == *pin => vec![resumed],
                    _ => vec![resumed, or_nothing(whole)],
                }
            }
        }
    }
}

impl Model {
    /// What an answer is; an error if it contradicts itself.
    fn seen(&self, read: &Read, answer: &Answer) -> Result<Vec<Allowed>, String> {
        if answer.end != End::Complete {
            return Err(format!("the body ended {:?}", answer.end));
        }
        let named = (0..self.sizes.len()).find(|revision| answer.field("ETag") == Some(&tag(*revision)));
        match (answer.status(), named) {
            (200, Some(revision)) => {
                self.bytes(read, answer, revision, 0, self.sizes[revision])?;
                Ok(vec![Allowed::Whole(revision)])
            }
            (206, Some(revision)) => {
                let (first, last, total) = answer.head.content_range().ok_or("no Content-Range")?;
                if total != self.sizes[revision] {
                    return Err(format!("total {total}"));
                }
                self.bytes(read, answer, revision, first, last + 1)?;
                Ok(vec![Allowed::Slice(revision, first, last)])
            }
            (304, Some(revision)) => Ok(vec![Allowed::NotModified(revision)]),
            (416, _) => {
                let said = answer.field("Content-Range").map(str::to_owned);
                let fits =
                    |revision: &usize| said.is_none() || said == Some(format!("bytes */{}", self.sizes[*revision]));
                Ok((0..self.sizes.len()).filter(fits).map(Allowed::Unsatisfiable).collect())
            }
            (200..=399, _) => Err("no known tag".to_owned()),
            (status, _) => Ok(vec![Allowed::Status(status)]),
        }
    }

    fn bytes(&self, read: &Read, answer: &Answer, revision: usize, first: u64, end: u64) -> Result<(), String> {
        let length = answer.field("Content-Length").and_then(|length| length.parse().ok());
        if length != Some(end - first) {
            return Err(format!("Content-Length {length:?} for {first}..{end}"));
        }
        let expected = if read.head { 0 } else { end - first };
        if u64::try_from(answer.body.len()) != Ok(expected) {
            return Err(format!("{} bytes", answer.body.len()));
        }
        let verified = pattern(revision).verify(first, &answer.body);
        verified.map_err(|why| why.to_string())
    }

    fn check(&self, read: &Read, answer: &Answer, currents: &[Option<usize>], s3: bool) -> Result<(), String> {
        let seen = self.seen(read, answer)?;
        let mut allowed = Vec::new();
        for current in currents {
            allowed.extend(read.allowed(self, *current, s3));
        }
        if seen.iter().any(|seen| allowed.contains(seen)) {
            return Ok(());
        }
        Err(format!("{seen:?} is none of {allowed:?}"))
    }

    /// The next revision, or none.
    fn change(&mut self, dice: &mut Dice) {
        if dice.one_in(6) {
            self.current = None;
            return;
        }
        let size = match dice.roll(10) {
            0 => 0,
            1 => 1,
            2..=5 => (1 + dice.roll(6)) * BLOCK + dice.roll(3) - 1,
            _ => dice.roll(6 * BLOCK) + 1,
        };
        self.current = Some(self.sizes.len());
        self.sizes.push(size);
    }
}

/// Where the objects are.
enum Authority {
    Http(Origin),
    S3(S3Server),
}

impl Authority {
    fn config(&self) -> String {
        match self {
            Self::Http(origin) => http_config(&origin.url(), ""),
            Self::S3(server) => s3_config(server, "").replace("block_size: 1MiB", "block_size: 64KiB"),
        }
    }

    fn is_s3(&self) -> bool {
        matches!(self, Self::S3(_))
    }

    fn path(&self) -> &'static str {
        if self.is_s3() { "/a/object" } else { "/object" }
    }

    fn put(&self, model: &Model) {
        match (self, model.current) {
            (Self::Http(origin), None) => origin.delete("/object"),
            (Self::Http(origin), Some(revision)) => {
                origin.put("/object", Resource::pattern(pattern(revision), model.sizes[revision]));
            }
            (Self::S3(server), None) => {
                server.store().delete("bucket", "object");
            }
            (Self::S3(server), Some(revision)) => {
                server.put_pattern("bucket", "object", pattern(revision), model.sizes[revision]);
            }
        }
    }
}

async fn play(authority: &Authority, seed: u64) {
    let mut dice = Dice(seed);
    let mut model = Model {
        sizes: vec![3 * BLOCK + 5],
        current: Some(0),
    };
    authority.put(&model);
    let config = authority.config();
    let mut sidecars = vec![Sidecar::start(&config).await, Sidecar::start(&config).await];
    for batch in 0..BATCHES {
        let before = model.current;
        let reads: Vec<_> = (0..6).map(|_| Read::roll(&mut dice, model.sizes.len())).collect();
        let changes = dice.one_in(3);
        if changes {
            model.change(&mut dice);
        }
        let answers = reads.iter().map(|read| {
            let address = sidecars[dice.index(2)].address;
            async move { get(address, &read.request(authority.path())).await }
        });
        let answers: Vec<_> = answers.collect();
        // The same revision put again would be one tag of two dates, as of an origin that uses tags again.
        let change = async {
            if changes {
                authority.put(&model);
            }
        };
        let (answers, ()) = join(join_all(answers), change).await;
        for (read, answer) in reads.iter().zip(&answers) {
            if let Err(why) = model.check(read, answer, &[before, model.current], authority.is_s3()) {
                let request = read.request(authority.path());
                panic!("seed {seed}, batch {batch}: {request}: {why}\n{:?}", answer.head);
            }
        }
        if dice.one_in(20) {
            let stopped = sidecars.swap_remove(dice.index(2));
            sidecars.push(Sidecar::start_on(stopped.stop().await, &config, Clock::system()).await);
        }
    }
}

/// Those that found something, and one that nobody has seen.
fn seeds() -> Vec<u64> {
    let new = RandomState::new().build_hasher().finish();
    println!("seed {new}");
    FOUND.into_iter().chain([new]).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_http() {
    for seed in seeds() {
        play(&Authority::Http(Origin::start().await.unwrap()), seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_s3() {
    for seed in seeds() {
        play(&Authority::S3(S3Server::start().await.unwrap()), seed).await;
    }
}
