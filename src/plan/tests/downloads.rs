//! Parallel downloads through several sidecars whose disks hold whatever they hold: invariant 15.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::disk::Disk;
use super::generate::{honest_tiers, interference, route, store};
use super::outcome::{Body, Outcome, run};
use super::parse::{K, request};
use super::print::span;
use super::world::World;
use crate::object::{ByteRange, ContentRange, ObjectSize, StrongETag};
use crate::plan::Detail;

/// More requests than any download needs whose troubles end.
const MOST_REQUESTS: usize = 150;
const MOST_RESTARTS: usize = 10;

/// A client that discovers, then fetches chunk after chunk from another sidecar, each pinned.
struct Download<'a> {
    sidecars: &'a mut [Disk],
    world: &'a mut World,
    chunk: u64,
    requests: usize,
    restarts: usize,
    fallbacks: usize,
}

/// What became of one attempt.
enum Attempt {
    Done,
    Restart,
}

impl Download<'_> {
    fn ask(&mut self, text: &str) -> Outcome {
        self.requests += 1;
        assert!(self.requests < MOST_REQUESTS, "{text}: no end");
        let at = self.requests % self.sidecars.len();
        let read = request(text, &self.world.terms);
        run(&read, &mut self.sidecars[at], None, self.world)
    }

    /// Asks until the answer is no error and its body whole.
    fn insist(&mut self, text: &str) -> Outcome {
        loop {
            let outcome = self.ask(text);
            if outcome.body != Body::Aborted && !outcome.status.is_server_error() && outcome.status != 429 {
                return outcome;
            }
        }
    }

    fn run(&mut self) -> Result<(), TestCaseError> {
        // Who falls back to what others do not hold may begin for ever; a client would give up as well.
        while self.restarts < MOST_RESTARTS && matches!(self.attempt()?, Attempt::Restart) {
            self.restarts += 1;
        }
        let reasons = self.world.moved() + self.fallbacks;
        prop_assert!(
            self.restarts <= reasons,
            "{} restarts, {reasons} reasons",
            self.restarts
        );
        Ok(())
    }

    fn attempt(&mut self) -> Result<Attempt, TestCaseError> {
        let first = self.insist(&format!("GET 0..{}", self.chunk));
        self.fallbacks += usize::from(first.detail == Detail::DiscoveryFallback);
        // There is none, or it is empty.
        let Some(total) = total(&first) else {
            return Ok(Attempt::Done);
        };
        let Some(tag) = first.strong_tag() else {
            return Err(TestCaseError::fail("no tag"));
        };
        let mut position = match check_chunk(&first, &tag, 0)? {
            Some(next) => next,
            None => return Ok(Attempt::Restart),
        };
        while position < total.bytes() {
            let range = ByteRange::at(position, self.chunk).unwrap();
            let name = String::from_utf8_lossy(tag.opaque()).into_owned();
            let chunk = self.insist(&format!("GET {} pin {name}", span(range)));
            match check_chunk(&chunk, &tag, position)? {
                Some(next) => position = next,
                None => return Ok(Attempt::Restart),
            }
        }
        Ok(Attempt::Done)
    }
}

fn total(first: &Outcome) -> Option<ObjectSize> {
    match ContentRange::parse(first.fields.get("content-range")?.as_bytes())? {
        ContentRange::Held { total, .. } => total,
        ContentRange::Unsatisfied { .. } => None,
    }
}

/// Where the next chunk begins; `None` if the client has to start anew.
fn check_chunk(chunk: &Outcome, tag: &StrongETag, position: u64) -> Result<Option<u64>, TestCaseError> {
    // 416 from a tier that ignores If-Match, and has something shorter (row 5b).
    if matches!(chunk.status.as_u16(), 404 | 412 | 416) {
        return Ok(None);
    }
    prop_assert_eq!(chunk.status, 206);
    let Body::Bytes(pieces) = &chunk.body else {
        return Err(TestCaseError::fail("a 206 without bytes"));
    };
    let mut position = position;
    for piece in pieces {
        prop_assert_eq!(&piece.tag, tag);
        prop_assert_eq!(piece.range.first(), position);
        position = piece.range.end();
    }
    Ok(Some(position))
}

fn check(cases: u32, moving: bool) {
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(Config::default().cases.max(cases))
    };
    let worlds = route().prop_flat_map(move |terms| {
        let moods = prop::collection::vec_deque(interference(), 0..12);
        (honest_tiers(terms, moving), moods)
    });
    let chunk = prop_oneof![Just(64 * K), Just(100 * K), Just(40 * K)];
    let setting = (worlds, prop::collection::vec(store(), 1..4), chunk);
    let played = TestRunner::new(config).run(&setting, |((mut world, moods), mut sidecars, chunk)| {
        world.moods = moods;
        let mut download = Download {
            sidecars: &mut sidecars,
            world: &mut world,
            chunk,
            requests: 0,
            restarts: 0,
            fallbacks: 0,
        };
        download.run()?;
        let (restarts, fallbacks) = (download.restarts, download.fallbacks);
        prop_assert!(moving || restarts <= fallbacks, "nothing changed");
        Ok(())
    });
    if let Err(why) = played {
        panic!("{why}");
    }
}

#[test]
fn invariant_15_while_the_authority_names_one_tag_there_is_no_412() {
    check(150, false);
}

#[test]
fn invariant_15_a_download_restarts_no_more_often_than_it_has_reason_to() {
    check(150, true);
}
