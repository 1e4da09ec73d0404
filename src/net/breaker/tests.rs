use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// What comes of questions, one a second: `!` is a sign of life, `.` an idle minute, and a letter an object whose question
/// is waited for in vain.
#[track_caller]
fn check(told: &str, expected: bool) {
    let breaker = Breaker::default();
    let mut now = Instant::now();
    for what in told.chars() {
        now += SECOND;
        match what {
            '!' => breaker.alive(),
            '.' => now += WINDOW,
            object => breaker.timed_out(breaker.asked(), object, now),
        }
    }
    assert_eq!(breaker.stands_still(now), expected, "{told}");
}

#[test]
fn it_takes_five_questions_of_three_objects_and_one_sign_of_life_to_end_it() {
    check("", false);
    check("abcd", false);
    check("abcde", true);
    check("aaabc", true);
    check("abcaa", true);
    check("aaabb", false);
    check("aaaaaaaaaabbbbbbbbbb", false);
    // However often one path is asked for, the others are not forgotten.
    check("bcaaaaaaaaaaaaaaaaaaa", true);
    check("abcde!", false);
    check("abcde!abcd", false);
    check("abcde!abcde", true);
    check("abcd!abcd!abcd!", false);
}

#[test]
fn what_is_long_ago_says_nothing_about_now() {
    check("abcde.", false);
    check("abc.de", false);
    check("ab.cccc", false);
    check("a.b.c.d.e", false);
    check("abcde.a", false);
    check("abcde.aabcc", true);
    // But for as long as questions go on to be in vain.
    let (breaker, mut now) = (Breaker::default(), Instant::now());
    for object in 0..5 {
        breaker.timed_out(breaker.asked(), object, now);
    }
    for _ in 0..10 {
        now += WINDOW;
        assert!(breaker.stands_still(now));
        breaker.timed_out(breaker.asked(), 0, now);
    }
    assert!(!breaker.stands_still(now + WINDOW + SECOND));
}

#[test]
fn a_question_that_saw_a_sign_of_life_does_not_count() {
    let (breaker, now) = (Breaker::default(), Instant::now());
    let before = breaker.asked();
    breaker.alive();
    for object in 0..100 {
        breaker.timed_out(before, object, now);
    }
    assert!(!breaker.stands_still(now));
    let after = breaker.asked();
    for object in 0..5 {
        assert!(!breaker.stands_still(now));
        breaker.timed_out(after, object, now);
    }
    assert!(breaker.stands_still(now));
}

#[derive(Clone, Debug)]
enum Told {
    Alive,
    Asked,
    /// Which of the questions so far, about what.
    TimedOut(prop::sample::Index, u8),
    Passes(u64),
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![
        1 => Just(Told::Alive),
        4 => Just(Told::Asked),
        12 => (any::<prop::sample::Index>(), 0u8..5).prop_map(|(which, object)| Told::TimedOut(which, object)),
        3 => (0u64..40).prop_map(Told::Passes),
    ]
}

/// All that counts since the last sign of life, with a memory that is not bounded.
#[derive(Default)]
struct Model {
    in_vain: Vec<(Instant, u8)>,
    stands_still: bool,
}

impl Model {
    fn stands_still(&self, now: Instant) -> bool {
        self.stands_still && self.in_vain.last().is_some_and(|(time, _)| *time + WINDOW >= now)
    }

    fn timed_out(&mut self, object: u8, now: Instant) {
        let stood_still = self.stands_still(now);
        self.in_vain.push((now, object));
        let recent = self.in_vain.iter().filter(|(time, _)| *time + WINDOW >= now);
        let objects: std::collections::BTreeSet<_> = recent.clone().map(|(_, object)| object).collect();
        self.stands_still = stood_still || (recent.count() >= QUESTIONS && objects.len() >= OBJECTS);
    }
}

proptest! {
    #[test]
    fn it_says_what_one_with_a_perfect_memory_says(told in proptest::collection::vec(told(), 0..200)) {
        let (breaker, mut model, mut now) = (Breaker::default(), Model::default(), Instant::now());
        let mut asked = vec![(breaker.asked(), 0)];
        let mut signs = 0;
        for told in told {
            match told {
                Told::Alive => {
                    breaker.alive();
                    signs += 1;
                    model = Model::default();
                    prop_assert!(!breaker.stands_still(now));
                }
                Told::Asked => asked.push((breaker.asked(), signs)),
                Told::TimedOut(which, object) => {
                    let (question, before) = asked[which.index(asked.len())];
                    breaker.timed_out(question, object, now);
                    if before == signs {
                        model.timed_out(object, now);
                    }
                }
                Told::Passes(seconds) => now += SECOND * u32::try_from(seconds).unwrap(),
            }
            prop_assert_eq!(breaker.stands_still(now), model.stands_still(now));
        }
    }
}
