//! When a question is put a second time, and how long it is waited for, with time that is paused.

mod standing;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::HeaderMap;
use parking_lot::Mutex;
use prometheus::Registry;

use super::*;
use crate::metrics::Metrics;
use crate::object::{AuthorityId, ByteRange, Found, ObjectKey, ObjectSize, RouteName, StrongETag};

/// What becomes of a question.
#[derive(Clone, Copy)]
enum Turn {
    /// Answered after so many milliseconds.
    After(u64),
    /// An error, at once.
    Fails(u16, bool),
    /// A wait that ended, after so many milliseconds.
    Silent(u64),
    /// No answer, at once.
    Broken(Cause),
    /// Answered at once, with so many bytes of which each comes when it is read.
    Streams(usize),
}

/// An upstream that does as it is told, and then always the same.
#[derive(Debug)]
struct Told {
    turns: Mutex<VecDeque<Turn>>,
    always: u64,
    asked: AtomicUsize,
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turn")
    }
}

fn found(status: u16, retry_after: bool) -> Found {
    let mut fields = HeaderMap::new();
    if retry_after {
        fields.insert(header::RETRY_AFTER, "1".parse().unwrap());
    }
    Found {
        status: StatusCode::from_u16(status).unwrap(),
        fields,
        received: SystemTime::UNIX_EPOCH,
    }
}

fn range() -> ByteRange {
    ByteRange::new(0, 9).unwrap()
}

impl Upstream for Told {
    fn ask<'a>(&'a self, _: &'a Question) -> BoxFuture<'a, Answer> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let turn = self.turns.lock().pop_front().unwrap_or(Turn::After(self.always));
        Box::pin(async move {
            Answer::bare(match turn {
                Turn::After(millis) => {
                    sleep(Duration::from_millis(millis)).await;
                    Heard::Partial(found(206, false), range(), Some(ObjectSize::new(100)))
                }
                Turn::Fails(status, retry_after) => Heard::Failed(Failure {
                    cause: Cause::Status,
                    answer: Some(Box::new(found(status, retry_after))),
                }),
                Turn::Silent(millis) => {
                    sleep(Duration::from_millis(millis)).await;
                    Heard::failed(Cause::Timeout)
                }
                Turn::Broken(cause) => Heard::failed(cause),
                Turn::Streams(bytes) => {
                    let heard = Heard::Partial(found(206, false), range(), None);
                    let body = stream::repeat(Ok(Bytes::from_static(b"x"))).take(bytes);
                    return Answer {
                        heard,
                        body: Box::pin(body),
                    };
                }
            })
        })
    }
}

struct Bench {
    told: Arc<Told>,
    steady: Steady,
    metrics: Metrics,
}

impl Bench {
    /// Every answer takes so long.
    fn new(always: u64) -> Self {
        let told = Arc::new(Told {
            turns: Mutex::default(),
            always,
            asked: AtomicUsize::new(0),
        });
        let metrics = Metrics::new(Registry::new()).unwrap();
        let steady = Steady::new(told.clone(), metrics.tier("t"));
        Self { told, steady, metrics }
    }

    /// One that has seen enough to know what is slow, and has a budget.
    async fn warm(always: u64) -> Self {
        let bench = Self::new(always);
        for _ in 0..200 {
            bench.read().await;
        }
        bench.told.asked.store(0, Ordering::Relaxed);
        bench
    }

    fn then(&self, turns: &[Turn]) {
        self.told.turns.lock().extend(turns);
    }

    async fn read(&self) -> (Heard, u128) {
        self.ask(&read()).await
    }

    async fn ask(&self, question: &Question) -> (Heard, u128) {
        let began = Instant::now();
        let answer = self.steady.ask(question).await;
        (answer.heard, began.elapsed().as_millis())
    }

    fn asked(&self) -> usize {
        self.told.asked.swap(0, Ordering::Relaxed)
    }

    fn counts(&self, line: &str) -> bool {
        let page = String::from_utf8(self.metrics.render().unwrap()).unwrap();
        page.lines().any(|found| found == line)
    }
}

fn read() -> Question {
    Question {
        method: Method::Get,
        key: ObjectKey::new(&RouteName::new("r"), &AuthorityId::new(["s3"]), None, "/o", None),
        query: None,
        target: Target::Range(RangeSpec::Span(range())),
        condition: Condition::Pinned(vec![StrongETag::parse(b"\"a\"").unwrap()]),
        revalidate: false,
        fields: Arc::default(),
    }
}

fn is_found(heard: &Heard) -> bool {
    matches!(heard, Heard::Partial(_, _, _))
}

#[tokio::test(start_paused = true)]
async fn a_read_that_takes_long_is_asked_twice_and_the_sooner_answer_counts() {
    let bench = Bench::warm(25).await;
    bench.then(&[Turn::After(2000)]);
    let (heard, took) = bench.read().await;
    assert!(is_found(&heard));
    // What is usual, and once more.
    assert!((50..75).contains(&took), "{took}");
    assert_eq!(bench.asked(), 2);
    assert!(bench.counts("pinstripe_hedges_total{outcome=\"won\",tier=\"t\"} 1"));
    bench.then(&[Turn::After(40), Turn::After(500)]);
    let (_, took) = bench.read().await;
    assert_eq!((took, bench.asked()), (40, 2));
    assert!(bench.counts("pinstripe_hedges_total{outcome=\"lost\",tier=\"t\"} 1"));
}

#[tokio::test(start_paused = true)]
async fn an_error_is_not_the_sooner_answer() {
    let bench = Bench::warm(25).await;
    bench.then(&[Turn::After(100), Turn::Fails(500, false)]);
    let (heard, took) = bench.read().await;
    assert!(is_found(&heard));
    assert_eq!((took, bench.asked()), (100, 2));
    bench.then(&[Turn::Silent(40), Turn::After(25)]);
    let (heard, took) = bench.read().await;
    assert!(is_found(&heard) && took < 75);
}

#[tokio::test(start_paused = true)]
async fn second_questions_have_a_budget() {
    let bench = Bench::warm(25).await;
    let mut extra = 0;
    for n in 0..2000 {
        // One in four is slow: far more than the budget has.
        if n % 4 == 0 {
            bench.then(&[Turn::After(300)]);
        }
        bench.read().await;
        extra += bench.asked() - 1;
        bench.told.turns.lock().clear();
    }
    assert!((1..=2000 / 20 + 10).contains(&extra), "{extra}");
}

#[tokio::test(start_paused = true)]
async fn only_reads_of_a_pinned_span_are_asked_twice_or_again() {
    let bench = Bench::warm(25).await;
    let others = [
        Question {
            condition: Condition::Free,
            ..read()
        },
        Question {
            method: Method::Head,
            ..read()
        },
        Question {
            target: Target::Whole,
            ..read()
        },
    ];
    for question in others {
        bench.then(&[Turn::After(2000)]);
        assert_eq!((bench.ask(&question).await.1, bench.asked()), (2000, 1));
        bench.then(&[Turn::Fails(503, false)]);
        assert!(!is_found(&bench.ask(&question).await.0));
        assert_eq!(bench.asked(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_twice_before_it_is_known_what_is_slow() {
    let bench = Bench::new(25);
    for _ in 0..20 {
        bench.then(&[Turn::After(2000)]);
        bench.read().await;
        assert_eq!(bench.asked(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_asked_again_unless_the_server_says_when() {
    for (status, retry_after, questions) in [
        (500, false, 2),
        (502, false, 2),
        (503, false, 2),
        (504, false, 2),
        (503, true, 1),
        (429, false, 1),
        (408, false, 1),
    ] {
        let bench = Bench::warm(25).await;
        bench.then(&[Turn::Fails(status, retry_after)]);
        let (heard, took) = bench.read().await;
        assert_eq!(
            (is_found(&heard), bench.asked()),
            (questions == 2, questions),
            "{status}"
        );
        assert!(questions == 1 || (75..=175).contains(&took), "{took}");
    }
    let bench = Bench::new(25);
    bench.then(&[Turn::Fails(503, false)]);
    assert!(!is_found(&bench.read().await.0));
    assert_eq!(bench.asked(), 1, "there was no budget yet");
}
