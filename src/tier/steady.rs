//! An upstream under trouble: what is slow now and then is asked twice, what broke is asked again, and what stands still is
//! not waited for as long as ever.
//!
//! Owns: when that is done, and its budgets. Only pinned reads of a span are asked twice or again: their answers are the same
//! whenever they come. Never: changes a question or an answer, or keeps one from being put.

mod pulse;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, Either, select};
use http::{StatusCode, header};
use tokio::time::{Instant, sleep, timeout};

use self::pulse::{Pulse, Wait};
use super::upstream::{Answer, Upstream};
use crate::metrics::TierMetrics;
use crate::net::{Asked, Budget, Latency};
use crate::object::{Cause, Condition, Failure, Heard, Method, Question, RangeSpec, Target};

/// A read is asked a second time when it takes longer than so many in a thousand.
const SLOW: u32 = 950;
/// It is never asked a second time before that: below, it is the machine that is busy.
const SOONEST: Duration = Duration::from_millis(20);
/// Second questions, in a thousand, and how many may be saved up.
const HEDGES: (u64, u64) = (50, 10);
/// Questions that are asked again after a failure, in a thousand, and how many may be saved up.
const RETRIES: (u64, u64) = (100, 10);
/// How long the second try waits at least, and how much longer at most: those that failed at once do not come back at once.
const PAUSE: Duration = Duration::from_millis(50);
const JITTER: u64 = 100;
/// How long a server that stands still is waited for: so many times what is usual, and that long at least, so that what is
/// healthy on it is not cut short where something else hangs.
const PATIENCE: u32 = 4;
const LEAST_PATIENCE: Duration = Duration::from_secs(5);

/// An upstream, asked with care.
pub struct Steady {
    inner: Arc<dyn Upstream>,
    metrics: TierMetrics,
    /// Of pinned reads of a span.
    latency: Latency,
    /// Of all others: a server that lists, looks up or makes what it is asked for takes its time for that.
    latency_of_others: Latency,
    pulse: Arc<Pulse>,
    hedges: Budget,
    retries: Budget,
    chance: RandomState,
}

impl Steady {
    /// Asks that upstream with care.
    pub fn new(inner: Arc<dyn Upstream>, metrics: TierMetrics) -> Self {
        Self {
            inner,
            pulse: Arc::new(Pulse::new(metrics.clone())),
            metrics,
            latency: Latency::default(),
            latency_of_others: Latency::default(),
            hedges: Budget::new(HEDGES.0, HEDGES.1),
            retries: Budget::new(RETRIES.0, RETRIES.1),
            chance: RandomState::new(),
        }
    }

    async fn put(&self, question: &Question) -> Answer {
        if is_block_read(question) {
            return self.read(question).await;
        }
        let asked = Instant::now();
        let answer = self.once(question, &self.latency_of_others).await;
        note(&self.latency_of_others, asked, &answer);
        answer
    }

    /// One question. While the server stands still, it is not waited for as long as ever, but for one at a time.
    async fn once(&self, question: &Question, latency: &Latency) -> Answer {
        let asked = self.pulse.asked();
        let mut asking = self.inner.ask(question);
        let wait = self.pulse.wait();
        let answer = match wait {
            Wait::Full | Wait::Probe(_) => asking.await,
            Wait::Short => match timeout(patience(latency), &mut asking).await {
                Ok(answer) => answer,
                Err(_) if self.pulse.stands_still() => Answer::bare(Heard::failed(Cause::Timeout)),
                // Somebody was answered in the meantime.
                Err(_) => asking.await,
            },
        };
        self.heard(asked, question, answer)
    }

    /// Only what was waited for in vain speaks against a server: what fails otherwise fails by itself, and at once.
    fn heard(&self, asked: Asked, question: &Question, answer: Answer) -> Answer {
        if answer.heard.found().is_some() {
            self.pulse.alive();
            let pulse = Arc::clone(&self.pulse);
            return match question.method {
                Method::Get => answer.noting(move || pulse.alive()),
                Method::Head => answer,
            };
        }
        if cause(&answer.heard) == Some(Cause::Timeout) {
            self.pulse.timed_out(asked, &question.key);
        }
        answer
    }

    async fn read(&self, question: &Question) -> Answer {
        self.retries.earn();
        let first = self.hedged(question).await;
        if !may_pass(&first.heard) || self.pulse.stands_still() || !self.retries.spend() {
            return first;
        }
        drop(first);
        sleep(PAUSE + self.jitter()).await;
        let second = self.hedged(question).await;
        self.metrics.retried(cause(&second.heard).is_none());
        second
    }

    /// The answer that begins first, of two questions if the first takes long.
    async fn hedged(&self, question: &Question) -> Answer {
        self.hedges.earn();
        let asked = Instant::now();
        let mut first = pin!(self.once(question, &self.latency));
        let slow = self.latency.quantile(SLOW).map(|slow| slow.max(SOONEST));
        let answer = match slow {
            None => first.await,
            Some(slow) => match timeout(slow, &mut first).await {
                Ok(answer) => answer,
                Err(_) if self.pulse.stands_still() || !self.hedges.spend() => first.await,
                Err(_) => {
                    let second = pin!(self.once(question, &self.latency));
                    return self.sooner(asked, first, second).await;
                }
            },
        };
        note(&self.latency, asked, &answer);
        answer
    }

    async fn sooner(
        &self,
        asked: Instant,
        first: impl Future<Output = Answer> + Unpin,
        second: impl Future<Output = Answer> + Unpin,
    ) -> Answer {
        let asked_again = Instant::now();
        // An error that comes sooner is not what was hoped for.
        match select(first, second).await {
            Either::Left((answer, second)) if cause(&answer.heard).is_some() => {
                let other = second.await;
                self.metrics.hedged(true);
                note(&self.latency, asked_again, &other);
                other
            }
            Either::Left((answer, _)) => {
                self.metrics.hedged(false);
                note(&self.latency, asked, &answer);
                answer
            }
            Either::Right((answer, first)) if cause(&answer.heard).is_some() => {
                self.metrics.hedged(false);
                let answer = first.await;
                note(&self.latency, asked, &answer);
                answer
            }
            Either::Right((answer, _)) => {
                self.metrics.hedged(true);
                // The first would have taken longer than it has until now.
                self.latency.note(Instant::now().saturating_duration_since(asked));
                note(&self.latency, asked_again, &answer);
                answer
            }
        }
    }

    fn jitter(&self) -> Duration {
        Duration::from_millis(self.chance.hash_one(Instant::now()) % JITTER)
    }
}

/// Whether its answer is the same whenever it comes, and is one piece of many.
fn is_block_read(question: &Question) -> bool {
    question.method == Method::Get
        && matches!(question.condition, Condition::Pinned(_) | Condition::Version(_, _))
        && matches!(question.target, Target::Range(RangeSpec::Span(_)))
}

fn note(latency: &Latency, asked: Instant, answer: &Answer) {
    if cause(&answer.heard).is_none() {
        latency.note(Instant::now().saturating_duration_since(asked));
    }
}

/// How long a question is waited for while nobody is answered.
fn patience(latency: &Latency) -> Duration {
    let usual = latency.quantile(SLOW).unwrap_or_default();
    usual.saturating_mul(PATIENCE).max(LEAST_PATIENCE)
}

fn cause(heard: &Heard) -> Option<Cause> {
    match heard {
        Heard::Failed(failure) => Some(failure.cause),
        _ => None,
    }
}

/// Whether it may go better the next time, and the server does not say when.
fn may_pass(heard: &Heard) -> bool {
    let Heard::Failed(Failure { cause, answer }) = heard else {
        return false;
    };
    match (cause, answer) {
        (Cause::Reset | Cause::Refused, _) => true,
        (Cause::Status, Some(answer)) => {
            let server = matches!(
                answer.status,
                StatusCode::INTERNAL_SERVER_ERROR
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            );
            server && !answer.fields.contains_key(header::RETRY_AFTER)
        }
        _ => false,
    }
}

impl Upstream for Steady {
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Answer> {
        Box::pin(self.put(question))
    }
}

impl fmt::Debug for Steady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steady")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
