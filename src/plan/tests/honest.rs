//! What clients may count on where nobody lies: they get what there is, whatever the local disks hold, and a damaged
//! block is as good as none.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::generate::{Scene, scene};
use super::outcome::{Body, Outcome, run};
use super::parse::tag;
use super::world::{World, meant};
use crate::config::Role;
use crate::object::{StrongETag, Target};
use crate::request::Kind;

type Verdict = Result<(), TestCaseError>;

fn check(cases: u32, property: impl Fn(Scene) -> Verdict) {
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(Config::default().cases.max(cases))
    };
    let honest = scene().prop_map(|mut scene| {
        scene.world.moods.clear();
        scene.world.moves.clear();
        scene
    });
    if let Err(why) = TestRunner::new(config).run(&honest, property) {
        panic!("{why}");
    }
}

fn play(mut scene: Scene) -> (Outcome, World) {
    let outcome = run(&scene.read, &mut scene.disk, scene.rotten, &mut scene.world);
    (outcome, scene.world)
}

fn is_satisfiable(outcome: &Outcome, tag: &StrongETag) -> bool {
    match outcome.read.target {
        Target::Whole => true,
        Target::Range(spec) => meant(spec, tag).is_some(),
        Target::Part(_) => false,
    }
}

#[test]
fn clients_get_what_there_is() {
    check(400, |scene| {
        let only_if_cached = scene.read.control.only_if_cached;
        let (outcome, world) = play(scene);
        let status = outcome.status.as_u16();
        let got = matches!(status, 200 | 206 | 304 | 416);
        prop_assert!(!outcome.status.is_server_error() || only_if_cached, "{status}");
        prop_assert_ne!(&outcome.body, &Body::Aborted);
        if only_if_cached {
            return Ok(());
        }
        let current = world.current().map(tag);
        match &outcome.read.kind {
            Kind::Pinned(pins) => {
                // Of a near tier's 416 nobody can tell whether it is that of the pinned revision.
                let somewhere = |pin: &StrongETag| {
                    let mut tiers = world.near.iter().copied().chain([world.current()]);
                    tiers.any(|has| has.map(tag).as_ref() == Some(pin)) && is_satisfiable(&outcome, pin)
                };
                prop_assert!(got || !pins.iter().any(somewhere), "{status}");
            }
            _ if outcome.log.is_empty() => {}
            Kind::Discovery | Kind::Whole | Kind::Resume(_) => {
                prop_assert!(got || current.is_none(), "{status}");
                let gone = current.is_none() && outcome.terms.role == Role::Origin;
                prop_assert!(!gone || status == 404, "{status}");
                if current.is_some() && outcome.is_good() {
                    prop_assert_eq!(outcome.strong_tag(), current);
                }
            }
        }
        Ok(())
    });
}

/// A fault of a local tier is a miss, never a failed request.
#[test]
fn a_damaged_block_is_as_good_as_none() {
    check(400, |scene| {
        let mut without = scene.clone();
        if let Some(rotten) = without.rotten.take() {
            for revision in &mut without.disk.revisions {
                revision.blocks.remove(&rotten);
            }
        }
        let ((damaged, _), (missing, _)) = (play(scene), play(without));
        // Damage that shows only after the head went out is a cut (row 28).
        if damaged.found_damage {
            prop_assert_eq!(damaged.status, missing.status);
            prop_assert_eq!(damaged.tag(), missing.tag());
            prop_assert_eq!(damaged.body, missing.body);
        }
        Ok(())
    });
}

#[test]
fn a_pin_whose_blocks_are_here_asks_nobody() {
    check(300, |scene| {
        let (outcome, _) = play(Scene { rotten: None, ..scene });
        if outcome.detail.label() == "disk" {
            prop_assert!(outcome.log.is_empty());
            prop_assert_eq!(outcome.hole, None);
        }
        Ok(())
    });
}
