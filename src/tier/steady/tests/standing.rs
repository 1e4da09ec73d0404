//! How long a server that stands still is waited for.

use futures_util::future::join_all;

use super::*;

/// The timeout of the upstream itself, in milliseconds.
const FULL: u64 = 10_000;
const LEAST: u128 = 5000;
const STILL: &str = "pinstripe_tier_stands_still{tier=\"t\"} 1";
const NOT_STILL: &str = "pinstripe_tier_stands_still{tier=\"t\"} 0";

/// A question that is put once only.
fn about(object: u8) -> Question {
    let path = format!("/{object}");
    Question {
        key: ObjectKey::new(&RouteName::new("r"), &AuthorityId::new(["s3"]), None, &path, None),
        condition: Condition::Free,
        ..read()
    }
}

impl Bench {
    /// Questions about these objects, at the same time.
    async fn ask_all(&self, objects: &[u8]) -> Vec<(bool, u128)> {
        let questions: Vec<_> = objects.iter().map(|object| about(*object)).collect();
        let asking = questions.iter().map(|question| self.ask(question));
        let heard = join_all(asking).await.into_iter();
        heard.map(|(heard, took)| (is_found(&heard), took)).collect()
    }

    /// Questions about these objects, at the same time, that are all waited for in vain and in full.
    async fn is_silent_to(&self, objects: &[u8]) {
        self.then(&vec![Turn::Silent(FULL); objects.len()]);
        for heard in self.ask_all(objects).await {
            assert_eq!(heard, (false, u128::from(FULL)), "{objects:?}");
        }
    }

    /// It stands still, and so much time has passed that one is waited for in full.
    async fn stands_still(&self) {
        self.is_silent_to(&[1, 2, 3, 4, 5]).await;
        assert!(self.counts(STILL));
        self.asked();
    }
}

#[tokio::test(start_paused = true)]
async fn the_fifth_question_in_vain_about_three_objects_makes_waits_short() {
    let bench = Bench::new(25);
    bench.is_silent_to(&[1, 2, 1, 2, 1, 2]).await;
    assert!(bench.counts(NOT_STILL));
    bench.then(&[Turn::After(1)]);
    bench.ask_all(&[1]).await;
    bench.is_silent_to(&[1, 2, 3, 1]).await;
    assert!(bench.counts(NOT_STILL));
    bench.is_silent_to(&[1]).await;
    assert!(bench.counts(STILL));
    bench.asked();
    // All are asked, and one is waited for in full.
    bench.then(&[Turn::Silent(FULL); 4]);
    let heard = bench.ask_all(&[1, 2, 3, 4]).await;
    assert_eq!(heard[0], (false, u128::from(FULL)));
    assert_eq!(heard[1..], [(false, LEAST); 3]);
    assert_eq!(bench.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn one_healthy_path_among_those_that_hang_keeps_waits_long() {
    let bench = Bench::new(25);
    for _ in 0..10 {
        bench.then(&[Turn::Silent(FULL); 8]);
        let healthy = async {
            sleep(Duration::from_millis(FULL / 2)).await;
            bench.ask_all(&[0]).await
        };
        let (hanging, healthy) = tokio::join!(bench.ask_all(&[1, 2, 3, 4, 5, 6, 7, 8]), healthy);
        assert_eq!(healthy, [(true, 25)]);
        assert!(hanging.iter().all(|heard| *heard == (false, u128::from(FULL))));
        assert!(bench.counts(NOT_STILL));
    }
}

#[tokio::test(start_paused = true)]
async fn any_answer_makes_waits_long_again() {
    for answer in [Turn::After(25), Turn::Fails(503, false), Turn::Fails(404, false)] {
        let bench = Bench::new(25);
        bench.stands_still().await;
        bench.then(&[answer]);
        bench.ask_all(&[1]).await;
        assert!(bench.counts(NOT_STILL));
        bench.is_silent_to(&[1, 2, 3, 4]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_at_once_tells_nothing() {
    let causes = [
        Cause::Refused,
        Cause::NoAddress,
        Cause::Tls,
        Cause::Reset,
        Cause::Saturated,
    ];
    let bench = Bench::new(25);
    bench.then(&causes.map(Turn::Broken));
    bench.ask_all(&[1, 2, 3, 4, 5]).await;
    assert!(bench.counts(NOT_STILL));
    bench.stands_still().await;
    bench.then(&causes.map(Turn::Broken));
    bench.ask_all(&[1, 2, 3, 4, 5]).await;
    assert!(bench.counts(STILL));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_slow_comes_back_by_the_one_that_waits() {
    let bench = Bench::new(6000);
    bench.stands_still().await;
    assert_eq!(
        bench.ask_all(&[1, 2, 3]).await,
        [(true, 6000), (false, LEAST), (false, LEAST)]
    );
    assert!(bench.counts(NOT_STILL));
    assert_eq!(bench.ask_all(&[1, 2, 3]).await, [(true, 6000); 3]);
}

#[tokio::test(start_paused = true)]
async fn one_at_a_time_waits_in_full_and_one_a_second() {
    let bench = Bench::new(25);
    bench.stands_still().await;
    bench.then(&[Turn::Broken(Cause::Reset), Turn::Silent(FULL), Turn::Silent(FULL)]);
    bench.ask_all(&[1]).await;
    // The turn was over at once, but there is one a second.
    assert_eq!(bench.ask_all(&[2]).await, [(false, LEAST)]);
    // Who is gone gives back the turn.
    let gone = timeout(Duration::from_secs(5), bench.ask_all(&[3]));
    assert!(gone.await.is_err());
    bench.then(&[Turn::Silent(FULL); 2]);
    let late = async {
        sleep(Duration::from_secs(5)).await;
        bench.ask_all(&[5]).await
    };
    let heard = tokio::join!(bench.ask_all(&[4]), late);
    assert_eq!(heard, (vec![(false, u128::from(FULL))], vec![(false, LEAST)]));
}

#[tokio::test(start_paused = true)]
async fn who_waits_goes_on_when_somebody_is_answered() {
    let bench = Bench::new(25);
    bench.stands_still().await;
    bench.then(&[Turn::After(900), Turn::After(5000)]);
    assert_eq!(bench.ask_all(&[1, 2]).await, [(true, 900), (true, 5000)]);
}

#[tokio::test(start_paused = true)]
async fn bytes_of_a_body_are_a_sign_of_life() {
    let bench = Bench::new(25);
    bench.then(&[Turn::Streams(2)]);
    let mut answer = bench.steady.ask(&about(0)).await;
    bench.stands_still().await;
    assert!(answer.body.next().await.is_some());
    assert!(bench.counts(NOT_STILL));
    bench.stands_still().await;
    assert!(answer.body.next().await.is_some());
    assert!(bench.counts(NOT_STILL));
    bench.stands_still().await;
    assert!(answer.body.next().await.is_none());
    assert!(bench.counts(STILL), "an end is not");
}

#[tokio::test(start_paused = true)]
async fn patience_is_several_times_what_is_usual_for_such_a_question() {
    let bench = Bench::warm(25).await;
    let head = Question {
        method: Method::Head,
        ..read()
    };
    for _ in 0..200 {
        bench.then(&[Turn::After(1500)]);
        bench.ask(&head).await;
    }
    bench.stands_still().await;
    bench.then(&[Turn::Silent(FULL); 3]);
    let read = read();
    let ((_, probe), (_, read), (_, head)) = tokio::join!(bench.ask(&read), bench.ask(&read), bench.ask(&head));
    assert_eq!((probe, read), (u128::from(FULL), LEAST));
    assert!((6000..7600).contains(&head), "{head}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_twice_or_again_while_it_stands_still() {
    let bench = Bench::warm(25).await;
    bench.stands_still().await;
    bench.then(&[Turn::Silent(FULL), Turn::Silent(FULL)]);
    let read = read();
    let ((_, probe), (_, short)) = tokio::join!(bench.ask(&read), bench.ask(&read));
    assert_eq!((probe, short, bench.asked()), (u128::from(FULL), LEAST, 2));
    bench.then(&[Turn::Broken(Cause::Reset)]);
    bench.read().await;
    assert_eq!(bench.asked(), 1);
    // There was a budget for both.
    bench.read().await;
    bench.asked();
    bench.then(&[Turn::Broken(Cause::Reset)]);
    bench.read().await;
    assert_eq!(bench.asked(), 2);
    bench.then(&[Turn::After(2000)]);
    bench.read().await;
    assert_eq!(bench.asked(), 2);
}
