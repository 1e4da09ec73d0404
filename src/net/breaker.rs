//! Whether a server stands still: it takes questions, and says nothing to any of them.
//!
//! Owns: what became of the last questions, in memory of fixed size. Never: reads a clock, or decides what follows.

use std::array;
use std::hash::{BuildHasher, Hash, RandomState};
use std::iter;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// So many questions in a row are waited for in vain before a server is said to stand still: fewer may be bad luck.
const QUESTIONS: usize = 5;
/// They are about so many objects at least: paths that hang are asked for again and again, and say nothing of the others.
const OBJECTS: usize = 3;
/// How long that is remembered. A server that was asked nothing since then may be as good as any.
const WINDOW: Duration = Duration::from_secs(60);

/// Told what comes of questions to one server.
///
/// Only a question counts that saw no sign of life in all of its wait, so a single path that is answered now and then is
/// enough to say that the server does not stand still.
#[derive(Debug, Default)]
pub struct Breaker {
    /// How many signs of life there were.
    signs: AtomicU64,
    silence: Mutex<Silence>,
    hashes: RandomState,
}

/// When a question was put, in signs of life.
#[derive(Clone, Copy, Debug)]
pub struct Asked(u64);

/// The last questions without an answer since a sign of life, the newest first.
#[derive(Debug, Default)]
struct Silence {
    after: u64,
    times: [Option<Instant>; QUESTIONS],
    objects: [Option<(u64, Instant)>; OBJECTS],
    stands_still: bool,
}

impl Breaker {
    /// A question is put now.
    pub fn asked(&self) -> Asked {
        Asked(self.signs.load(Ordering::Relaxed))
    }

    /// The head of an answer came, whatever it says, or bytes of a body.
    pub fn alive(&self) {
        self.signs.fetch_add(1, Ordering::Relaxed);
    }

    /// A question about that object was waited for in vain.
    pub fn timed_out(&self, asked: Asked, object: impl Hash, now: Instant) {
        let mut silence = self.silence.lock();
        let signs = self.signs.load(Ordering::Relaxed);
        if asked.0 != signs {
            return;
        }
        if silence.after != signs {
            *silence = Silence {
                after: signs,
                ..Silence::default()
            };
        }
        silence.note(self.hashes.hash_one(object), now);
    }

    /// Whether it stands still, as far as is known.
    pub fn stands_still(&self, now: Instant) -> bool {
        let silence = self.silence.lock();
        silence.after == self.signs.load(Ordering::Relaxed) && silence.is_told_at(now)
    }
}

impl Silence {
    fn note(&mut self, object: u64, now: Instant) {
        let stood_still = self.is_told_at(now);
        let mut times = iter::once(now).chain(self.times.into_iter().flatten());
        let others = self.objects.into_iter().flatten();
        let others = others.filter(|(other, _)| *other != object);
        let mut objects = iter::once((object, now)).chain(others);
        self.times = array::from_fn(|_| times.next());
        self.objects = array::from_fn(|_| objects.next());
        let times = self.times.iter().flatten();
        let objects = self.objects.iter().flatten().map(|(_, time)| time);
        let enough = times.filter(|time| is_recent(**time, now)).count() == QUESTIONS
            && objects.filter(|time| is_recent(**time, now)).count() == OBJECTS;
        self.stands_still = stood_still || enough;
    }

    /// From then on a question now and then is enough to go on.
    fn is_told_at(&self, now: Instant) -> bool {
        let [newest, ..] = self.times;
        self.stands_still && newest.is_some_and(|newest| is_recent(newest, now))
    }
}

fn is_recent(time: Instant, now: Instant) -> bool {
    now.saturating_duration_since(time) <= WINDOW
}

#[cfg(test)]
mod tests;
