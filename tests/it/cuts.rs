//! A body that is cut is gone on with, or ends in an abort: never short and in order (row 28).

use pinstripe_kit::gate::Gate;
use pinstripe_kit::origin::{Act, Ending, Rule};
use pinstripe_kit::raw::{Answer, End};

use crate::stage::{BLOCK, SIZE, Stage, bytes, is_part, is_whole, pinned, ranged, resource, tag};

const AT: u64 = BLOCK + BLOCK / 2;

fn cut(how: Ending) -> Act {
    Act::Cut { at: AT, how }
}

/// That a client got a part of it and saw that it is one.
#[track_caller]
fn is_aborted(answer: &Answer, n: u32) {
    assert_eq!(answer.end, End::Cut, "{:?}", answer.head);
    let length = u64::try_from(answer.body.len()).unwrap();
    assert!(length < SIZE && answer.body == bytes(n, 0..length));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rest_is_asked_for_with_the_tag() {
    for how in [Ending::Fin, Ending::Rst] {
        for request in [ranged(0, SIZE - 1), "GET /o".to_owned(), pinned(1, 0, SIZE - 1)] {
            let stage = Stage::start().await;
            stage.origin.script(Rule::any().times(1).act(cut(how)));
            let answer = stage.get(&request).await;
            if request == "GET /o" {
                is_whole(&answer, 1);
            } else {
                is_part(&answer, 1, 0, SIZE - 1);
            }
            let asked = stage.origin.requests();
            assert_eq!((asked.len(), asked[1].field("if-match")), (2, Some(&*tag(1))));
            let range = asked[1].field("range").unwrap();
            let from: u64 = range
                .strip_prefix("bytes=")
                .unwrap()
                .split('-')
                .next()
                .unwrap()
                .parse()
                .unwrap();
            // A reset may lose what was sent before it.
            assert!(from == AT || how == Ending::Rst && from < AT, "{range}");
            stage.sidecar.has_stored(5).await;
        }
    }
}

/// All of a block is asked for, for later readers; whoever wants the end of it is not to be cut off by what comes before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_before_what_is_wanted_does_not_keep_it_from_coming() {
    let stage = Stage::start().await;
    let how = Ending::Fin;
    stage.origin.script(Rule::any().act(Act::Cut { at: 1000, how }));
    let (first, last) = (BLOCK - 5000, BLOCK - 4500);
    is_part(&stage.get(&pinned(1, first, last)).await, 1, first, last);
    let rest = format!("bytes={first}-{}", BLOCK - 1);
    let asked = stage.origin.requests();
    assert!(asked.iter().any(|request| request.field("range") == Some(&rest)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_cuts_are_survived_and_a_fourth_is_an_abort() {
    let cuts = |n| {
        Rule::any().times(n).act(Act::Cut {
            at: 1000,
            how: Ending::Fin,
        })
    };
    let stage = Stage::start().await;
    stage.origin.script(cuts(3));
    is_whole(&stage.get("GET /o").await, 1);
    let stage = Stage::start().await;
    stage.origin.script(cuts(4));
    let answer = stage.get("GET /o").await;
    is_aborted(&answer, 1);
    assert_eq!((answer.body.len(), stage.origin.requests().len()), (4000, 4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revision_that_changes_in_between_is_never_finished() {
    for request in [ranged(0, SIZE - 1), "GET /o".to_owned(), pinned(1, 0, SIZE - 1)] {
        let stage = Stage::start().await;
        let gate = Gate::closed();
        let stalled = Rule::any().times(1).act(Act::Stall {
            at: AT,
            gate: gate.clone(),
        });
        stage.origin.script(stalled.act(Act::Cut {
            at: AT + 1,
            how: Ending::Fin,
        }));
        let asked = stage.get_later(&request).await;
        gate.waiting(1).await;
        stage.put(2);
        gate.open();
        is_aborted(&asked.answer().await, 1);
        // What was whole before is of use to pins.
        stage.sidecar.has_stored(1).await;
        is_part(&stage.get(&pinned(1, 0, 99)).await, 1, 0, 99);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_where_the_pin_is_ignored() {
    let stage = Stage::start().await;
    let gate = Gate::closed();
    let stalled = Rule::any().times(1).act(Act::Stall {
        at: AT,
        gate: gate.clone(),
    });
    stage.origin.script(stalled.act(Act::Cut {
        at: AT,
        how: Ending::Fin,
    }));
    stage
        .origin
        .script(Rule::any().act(Act::Ignore(http::header::IF_MATCH)));
    let asked = stage.get_later("GET /o").await;
    gate.waiting(1).await;
    stage.put(2);
    gate.open();
    is_aborted(&asked.answer().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_strong_tag_there_is_no_rest_to_ask_for() {
    let stage = Stage::start().await;
    for request in ["GET /o".to_owned(), ranged(0, SIZE - 1)] {
        for tag in [Some("W/\"w\""), None] {
            let weak = resource(1).untagged();
            stage.origin.put("/o", tag.map_or(weak.clone(), |tag| weak.tag(tag)));
            for how in [Ending::Fin, Ending::Rst] {
                for chunked in [false, true] {
                    let mut rule = Rule::any().act(cut(how));
                    if chunked {
                        rule = rule.act(Act::Chunked);
                    }
                    stage.origin.script(rule);
                    stage.origin.forget();
                    is_aborted(&stage.get(&request).await, 1);
                    assert_eq!(stage.origin.requests().len(), 1);
                    stage.origin.repent();
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_blocks_that_came_whole_are_kept() {
    let stage = Stage::start().await;
    stage.origin.script(Rule::any().times(1).act(Act::Cut {
        at: 2 * BLOCK + 5,
        how: Ending::Fin,
    }));
    stage.origin.script(Rule::any().act(Act::status(503)));
    is_aborted(&stage.get("GET /o").await, 1);
    stage.sidecar.has_stored(2).await;
    assert_eq!(stage.origin.requests().len(), 4);
    is_part(&stage.get(&pinned(1, 0, 2 * BLOCK - 1)).await, 1, 0, 2 * BLOCK - 1);
    assert_eq!(stage.get(&pinned(1, 2 * BLOCK, 2 * BLOCK)).await.status(), 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_stands_still_is_a_cut() {
    let stage = Stage::with(", timeouts: { idle: 300ms }", "").await;
    let gate = Gate::closed();
    stage
        .origin
        .script(Rule::any().times(1).act(Act::Stall { at: AT, gate }));
    is_part(&stage.get(&pinned(1, 0, SIZE - 1)).await, 1, 0, SIZE - 1);
    assert_eq!(stage.origin.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_who_follow_a_cut_body_get_all_of_it() {
    let stage = Stage::start().await;
    let gate = Gate::closed();
    let rule = Rule::any().times(1).act(Act::Stall {
        at: AT,
        gate: gate.clone(),
    });
    stage.origin.script(rule.act(cut(Ending::Fin)));
    let first = stage.get_later(&pinned(1, 0, SIZE - 1)).await;
    gate.waiting(1).await;
    let others = stage
        .sidecar
        .get_all([7, BLOCK, SIZE - 3].map(|first| pinned(1, first, SIZE - 1)));
    let opening = async {
        stage.sidecar.counted("pinstripe_requests_in_flight", 4).await;
        gate.open();
    };
    let (answers, ()) = tokio::join!(others, opening);
    is_part(&first.answer().await, 1, 0, SIZE - 1);
    for (answer, first) in answers.iter().zip([7, BLOCK, SIZE - 3]) {
        is_part(answer, 1, first, SIZE - 1);
    }
    assert_eq!(stage.origin.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_that_is_shorter_than_its_tag_allows_is_aborted() {
    let stage = Stage::start().await;
    stage.fill().await;
    let short = bytes(1, 0..SIZE - 7);
    let answer = Act::answer(200, &[("ETag", &*tag(1))], short.clone());
    stage.origin.script(Rule::any().act(answer).act(Act::UntilClose));
    for request in ["GET /o; Cache-Control: no-cache", "GET /o"] {
        let answer = stage.get(request).await;
        assert_eq!(answer.end, End::Cut, "{:?}", answer.head);
    }
}
