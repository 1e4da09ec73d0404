//! The invariants of the contract, over generated reads, disks and worlds. 12 is beside `recover`, 15 in `downloads`.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::engine::Asking;
use super::generate::scene;
use super::judge::{is_marked, named, pieces, sent, was_misled};
use super::outcome::{Body, Outcome, is_error, run};
use super::parse;
use super::world::{Has, meant, size_of};
use crate::config::Role;
use crate::object::{Condition, Current, ETag, Found, Heard, Method, Target};
use crate::plan::{Detail, Lesson, Told, Versioned, learn, names_revision, versioned};
use crate::request::{Kind, NoneMatch, Unless};

type Verdict = Result<(), TestCaseError>;

type Invariant = fn(&Outcome) -> Verdict;

const INVARIANTS: [(&str, Invariant); 15] = [
    (
        "1 a pinned 2xx carries bytes of a listed revision",
        invariant_1_a_pinned_2xx_carries_bytes_of_a_listed_revision,
    ),
    (
        "2 a discoverys tag is the authoritys whenever it named one",
        invariant_2_a_discoverys_tag_is_the_authoritys_whenever_it_named_one,
    ),
    ("3 denials are never masked", invariant_3_denials_are_never_masked),
    (
        "4 an error is never told as 404",
        invariant_4_an_error_is_never_told_as_404,
    ),
    (
        "5 a 412 needs if match and no error",
        invariant_5_a_412_needs_if_match_and_no_error,
    ),
    (
        "6 what is stored is what it is stored as",
        invariant_6_what_is_stored_is_what_it_is_stored_as,
    ),
    (
        "7 no response mixes two revisions",
        invariant_7_no_response_mixes_two_revisions,
    ),
    (
        "8 a head has no body nor range",
        invariant_8_a_head_has_no_body_nor_range,
    ),
    (
        "9 304 is for those who have it",
        invariant_9_304_is_for_those_who_have_it,
    ),
    (
        "10 a 206 is the range that was asked for",
        invariant_10_a_206_is_the_range_that_was_asked_for,
    ),
    (
        "11 the 404 of an origin is never hidden",
        invariant_11_the_404_of_an_origin_is_never_hidden,
    ),
    (
        "13 an unpinned fallback needs a complete revision",
        invariant_13_an_unpinned_fallback_needs_a_complete_revision,
    ),
    ("14 every answer says why", invariant_14_every_answer_says_why),
    (
        "16 current moves only to what the authority has",
        invariant_16_current_moves_only_to_what_the_authority_has,
    ),
    (
        "16 a version says nothing about what is current",
        invariant_16_a_version_says_nothing_about_what_is_current,
    ),
];

/// All of them see the same scenes: to make up a scene costs more than to play it.
#[test]
fn invariants_hold_of_whatever_a_client_gets() {
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(Config::default().cases.max(2_500))
    };
    let played = TestRunner::new(config).run(&scene(), |mut scene| {
        let outcome = run(&scene.read, &mut scene.disk, scene.rotten, &mut scene.world);
        INVARIANTS
            .iter()
            .try_for_each(|(name, holds)| holds(&outcome).map_err(|why| TestCaseError::fail(format!("{name}: {why}"))))
    });
    if let Err(why) = played {
        panic!("{why}");
    }
}

fn invariant_1_a_pinned_2xx_carries_bytes_of_a_listed_revision(outcome: &Outcome) -> Verdict {
    let Kind::Pinned(pins) = &outcome.read.kind else {
        return Ok(());
    };
    if outcome.status.is_success() {
        let tag = outcome.strong_tag();
        prop_assert!(outcome.is_good());
        prop_assert!(tag.as_ref().is_some_and(|tag| pins.contains(tag)), "{tag:?}");
        prop_assert!(pieces(outcome).iter().all(|piece| Some(&piece.tag) == tag.as_ref()));
    }
    Ok(())
}

fn invariant_2_a_discoverys_tag_is_the_authoritys_whenever_it_named_one(outcome: &Outcome) -> Verdict {
    let asks = matches!(outcome.read.kind, Kind::Discovery | Kind::Whole);
    let Some((word, had)) = outcome.words().last().filter(|_| asks) else {
        return Ok(());
    };
    if let Some(tag) = named(word) {
        prop_assert_eq!(had.map(parse::tag), Some(tag.clone()), "the world is honest about tags");
        prop_assert!(!matches!(outcome.status.as_u16(), 404 | 412), "{}", outcome.status);
        if outcome.is_good() || outcome.status == 304 {
            prop_assert_eq!(outcome.strong_tag(), Some(tag));
        }
    }
    Ok(())
}

fn invariant_3_denials_are_never_masked(outcome: &Outcome) -> Verdict {
    // A HEAD for the length that a 416 did not name is our own question, and not the client's, who may have sent a HEAD, too.
    let no_length = |told: &Told| matches!(told.heard, Heard::Unsatisfiable(_, None));
    let after_416 = outcome.authority().any(no_length);
    let ours = |told: &&Told| {
        let length = told.asked.method == Method::Head && (outcome.read.method != Method::Head || after_416);
        // Whoever may read the object need not be allowed to read its versions, which the client did not ask for.
        length || versioned(told).is_some()
    };
    let mut denied = outcome
        .authority()
        .filter(|told| matches!(told.heard, Heard::Denied(_)));
    let denied = denied.find(|told| !ours(told));
    if let Some(found) = denied.and_then(|told| told.heard.found()) {
        prop_assert!(outcome.relayed);
        prop_assert_eq!(outcome.status, found.status);
    }
    Ok(())
}

fn invariant_4_an_error_is_never_told_as_404(outcome: &Outcome) -> Verdict {
    if outcome.status != 404 {
        return Ok(());
    }
    let by_tag = |told: &&Told| versioned(told).is_none();
    prop_assert!(
        outcome
            .authority()
            .filter(by_tag)
            .any(|told| matches!(told.heard, Heard::NotFound(_)))
    );
    if matches!(outcome.read.kind, Kind::Pinned(_)) {
        prop_assert!(!outcome.met(is_error));
    } else {
        let last = outcome.authority().rfind(by_tag).map(|told| &told.heard);
        prop_assert!(matches!(last, Some(Heard::NotFound(_))));
    }
    let beside = |(asking, told, _): &(Asking, Told, Option<Has>)| *asking == Asking::Beside && is_error(&told.heard);
    prop_assert!(!outcome.log.iter().any(beside));
    Ok(())
}

fn invariant_5_a_412_needs_if_match_and_no_error(outcome: &Outcome) -> Verdict {
    if outcome.status == 412 {
        prop_assert!(matches!(outcome.read.kind, Kind::Pinned(_)));
        prop_assert!(!outcome.met(is_error), "{:?}", outcome.log);
    }
    Ok(())
}

fn invariant_6_what_is_stored_is_what_it_is_stored_as(outcome: &Outcome) -> Verdict {
    const BARRED: [&str; 4] = ["set-cookie", "vary", "cache-status", "cache-control"];
    for flight in &outcome.flights {
        let Some(bytes) = &flight.bytes else { continue };
        prop_assert_eq!(&bytes.tag, &flight.tag);
        prop_assert_eq!(bytes.range, flight.range);
    }
    for (_, told, _) in &outcome.log {
        let barred = |found: &Found| BARRED.iter().any(|name| found.fields.contains_key(*name));
        let weak = |found: &Found| found.strong_tag().is_none();
        if told.heard.found().is_none_or(|found| barred(found) || weak(found)) {
            prop_assert!(!names_revision(told, &outcome.terms));
            prop_assert!(!matches!(learn(told, &outcome.terms), Lesson::Is(_)));
        }
    }
    Ok(())
}

fn invariant_7_no_response_mixes_two_revisions(outcome: &Outcome) -> Verdict {
    let pieces = pieces(outcome);
    let Some(first) = pieces.first() else { return Ok(()) };
    prop_assert!(outcome.is_good());
    prop_assert!(pieces.iter().all(|piece| piece.tag == first.tag));
    prop_assert!(sent(pieces).is_some(), "{pieces:?}");
    if let Some(tag) = outcome.tag() {
        prop_assert!(tag.weakly_equals(&first.tag));
    }
    Ok(())
}

fn invariant_8_a_head_has_no_body_nor_range(outcome: &Outcome) -> Verdict {
    if outcome.read.method == Method::Head {
        prop_assert_eq!(&outcome.body, &Body::Empty);
        prop_assert!(outcome.terms.s3_dialect || !matches!(outcome.status.as_u16(), 206 | 416));
    }
    Ok(())
}

/// Both ways: a client that has it gets 304, and nobody else does.
fn invariant_9_304_is_for_those_who_have_it(outcome: &Outcome) -> Verdict {
    let tag = outcome.tag();
    let has = match &outcome.read.unless {
        Unless::Never => false,
        Unless::NoneMatch(NoneMatch::Any) => true,
        Unless::NoneMatch(NoneMatch::Tags(list)) => list.iter().any(|listed| match (listed, &tag) {
            (ETag::Strong(listed), Some(tag)) => tag.weakly_equals(listed),
            _ => false,
        }),
        Unless::ModifiedSince(_) => outcome.fields.contains_key("last-modified"),
    };
    prop_assert!(has || outcome.status != 304);
    prop_assert!(!has || !outcome.is_good(), "{} {tag:?}", outcome.status);
    if let (Kind::Pinned(pins), 304) = (&outcome.read.kind, outcome.status.as_u16()) {
        prop_assert!(outcome.strong_tag().is_some_and(|tag| pins.contains(&tag)));
    }
    Ok(())
}

fn invariant_10_a_206_is_the_range_that_was_asked_for(outcome: &Outcome) -> Verdict {
    let read = &outcome.effective;
    let body = sent(pieces(outcome));
    if outcome.status == 206 && !outcome.terms.s3_dialect {
        prop_assert_eq!(read.method, Method::Get);
        prop_assert!(matches!(read.target, Target::Range(_)));
    }
    if let (206, Target::Range(spec), Some(body), false) =
        (outcome.status.as_u16(), read.target, body, was_misled(outcome))
    {
        prop_assert_eq!(Some(body), meant(spec, &pieces(outcome)[0].tag));
    }
    if let (200, Some(body), false) = (outcome.status.as_u16(), body, was_misled(outcome)) {
        prop_assert_eq!((body.first(), body.len()), (0, size_of(&pieces(outcome)[0].tag)));
    }
    Ok(())
}

fn invariant_11_the_404_of_an_origin_is_never_hidden(outcome: &Outcome) -> Verdict {
    // A pin may still be served by a nearer tier, which is asked about another listed tag.
    let by_tag = |told: &&Told| versioned(told).is_none();
    let last = outcome.log.iter().rev().map(|(_, told, _)| told).find(by_tag);
    let served_by_version = outcome
        .log
        .iter()
        .any(|(_, told, _)| versioned(told) == Some(Versioned::Served));
    let last = last
        .filter(|told| told.tier == outcome.terms.authority())
        .map(|told| &told.heard);
    let gone = outcome.terms.role == Role::Origin && matches!(last, Some(Heard::NotFound(_)));
    let error_of_a_pin = matches!(outcome.read.kind, Kind::Pinned(_)) && outcome.met(is_error);
    if gone && !error_of_a_pin && !served_by_version {
        prop_assert_eq!(outcome.status, 404);
    }
    Ok(())
}

fn invariant_13_an_unpinned_fallback_needs_a_complete_revision(outcome: &Outcome) -> Verdict {
    let fell_back = matches!(outcome.detail, Detail::Stale | Detail::DiscoveryFallback);
    let near = outcome.log.iter().any(|(asking, _, _)| *asking == Asking::Beside);
    let behind = outcome.met(|heard| heard.found().is_some_and(is_marked));
    if fell_back && !near && !behind {
        prop_assert!(!matches!(outcome.read.kind, Kind::Pinned(_) | Kind::Resume(_)));
        if let Some(tag) = outcome.strong_tag() {
            prop_assert!(outcome.before.is_complete(&tag));
            prop_assert_eq!(&outcome.before.current, &Current::Is(tag));
        }
    }
    Ok(())
}

fn invariant_14_every_answer_says_why(outcome: &Outcome) -> Verdict {
    let reasons = outcome.fields.get_all("cache-status").into_iter();
    let own = reasons
        .filter_map(|value| value.to_str().ok())
        .next_back()
        .unwrap_or_default();
    prop_assert!(own.starts_with("pinstripe;"), "{own}");
    prop_assert!(own.ends_with(&format!("detail={}", outcome.detail.label())), "{own}");
    Ok(())
}

/// What plan knows of 16; the order of questions is the engine's.
fn invariant_16_current_moves_only_to_what_the_authority_has(outcome: &Outcome) -> Verdict {
    let (before, after) = (&outcome.before.current, &outcome.after.current);
    let said = |told: &Told| {
        let moves = matches!(
            told.heard,
            Heard::Found(_, _) | Heard::Partial(_, _, _) | Heard::NotModified(_) | Heard::NotFound(_)
        );
        let lied = matches!(&told.heard, Heard::Failed(failure) if failure.answer.is_none());
        moves || lied
    };
    if !outcome.authority().any(said) && !outcome.met(is_error) {
        prop_assert_eq!(before, after);
    }
    if let Current::Is(tag) = after
        && before != after
    {
        let unpinned = |told: &Told| !matches!(told.asked.condition, Condition::Pinned(_) | Condition::Version(_, _));
        let naming =
            outcome.log.iter().rev().find(|(_, told, had)| {
                had.is_some() && unpinned(told) && learn(told, &outcome.terms) != Lesson::Nothing
            });
        let had = naming.and_then(|(_, _, had)| (*had)?);
        prop_assert_eq!(had.map(parse::tag), Some(tag.clone()));
    }
    Ok(())
}

fn invariant_16_a_version_says_nothing_about_what_is_current(outcome: &Outcome) -> Verdict {
    for (_, told, _) in &outcome.log {
        if versioned(told).is_some() {
            prop_assert_eq!(learn(told, &outcome.terms), Lesson::Nothing);
        }
    }
    if outcome.log.iter().all(|(_, told, _)| versioned(told).is_some()) {
        prop_assert_eq!(&outcome.before.current, &outcome.after.current);
    }
    Ok(())
}
