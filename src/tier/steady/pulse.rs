//! Whether a tier's server is heard, and what follows for who waits for it.
//!
//! Owns: that while it stands still one question at a time is waited for as long as ever, and what operators are told.
//! Never: keeps a question from being put.

use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::metrics::TierMetrics;
use crate::net::{Asked, Breaker};

/// How long after one question another may be waited for as long as ever.
const BETWEEN: Duration = Duration::from_secs(1);

/// What is known of one tier's server.
pub(super) struct Pulse {
    breaker: Breaker,
    probes: Mutex<Probes>,
    /// What `told` says, for those who only look.
    stood_still: AtomicBool,
    /// What operators were told last.
    told: Mutex<bool>,
    metrics: TierMetrics,
}

/// Questions that are waited for as long as ever while the server stands still.
#[derive(Default)]
struct Probes {
    running: bool,
    begun: Option<Instant>,
}

/// How long a question may be waited for.
pub(super) enum Wait<'a> {
    /// As long as the tier's own timeouts say.
    Full,
    /// That, too, since nobody else does.
    Probe(#[expect(dead_code, reason = "it is held for as long as the question takes")] Turn<'a>),
    /// Not long: so far nobody is answered.
    Short,
}

/// The turn of the one question; given back when it is dropped.
pub(super) struct Turn<'a>(&'a Pulse);

impl Pulse {
    pub(super) fn new(metrics: TierMetrics) -> Self {
        metrics.stands_still(false);
        Self {
            breaker: Breaker::default(),
            probes: Mutex::default(),
            stood_still: AtomicBool::new(false),
            told: Mutex::new(false),
            metrics,
        }
    }

    /// A question is put now.
    pub(super) fn asked(&self) -> Asked {
        self.breaker.asked()
    }

    /// How long a question that is put now may be waited for.
    pub(super) fn wait(&self) -> Wait<'_> {
        if !self.stands_still() {
            return Wait::Full;
        }
        self.turn().map_or(Wait::Short, Wait::Probe)
    }

    /// It answered, or went on with an answer.
    pub(super) fn alive(&self) {
        self.breaker.alive();
        self.stands_still();
    }

    /// A question about that object was waited for in vain.
    pub(super) fn timed_out(&self, asked: Asked, object: impl Hash) {
        self.breaker.timed_out(asked, object, Instant::now());
        self.look();
    }

    /// Whether it stands still. That begins with a question in vain only, so otherwise there is nothing to look at.
    pub(super) fn stands_still(&self) -> bool {
        self.stood_still.load(Ordering::Relaxed) && self.look()
    }

    fn look(&self) -> bool {
        let mut told = self.told.lock();
        let still = self.breaker.stands_still(Instant::now());
        if *told != still {
            *told = still;
            self.stood_still.store(still, Ordering::Relaxed);
            self.metrics.stands_still(still);
            let tier = self.metrics.name();
            if still {
                tracing::warn!(tier, "a tier answers nothing, and is waited for briefly");
            } else {
                tracing::info!(tier, "a tier is waited for as before");
            }
        }
        still
    }

    fn turn(&self) -> Option<Turn<'_>> {
        let mut probes = self.probes.lock();
        let now = Instant::now();
        let soon = probes.begun.is_some_and(|begun| now < begun + BETWEEN);
        if probes.running || soon {
            return None;
        }
        *probes = Probes {
            running: true,
            begun: Some(now),
        };
        Some(Turn(self))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.probes.lock().running = false;
    }
}
