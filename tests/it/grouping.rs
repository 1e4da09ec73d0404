//! The authority is asked once for all who wait, and never for those who came later.

use pinstripe_kit::gate::Gate;
use pinstripe_kit::origin::{Act, Resource, Rule};
use pinstripe_kit::raw::{Answer, Wire};
use tokio::time::Instant;

use crate::stage::{BLOCK, SIZE, Stage, bytes, is_part, is_whole, parameter, pinned, ranged, rev, tag};
use crate::support::head;

const RUNNING: &str = "pinstripe_requests_in_flight";
const WAITING: &str = "pinstripe_discoveries_waiting";
const MANY: u64 = 500;

/// How many questions those may cost who have waited since: two, and one a second on a machine that is that busy.
fn most(begun: Instant) -> usize {
    2 + usize::try_from(begun.elapsed().as_secs()).unwrap()
}

/// Clients that are connected and have not asked yet.
struct Crowd {
    wires: Vec<Wire>,
}

impl Crowd {
    async fn of(n: u64, stage: &Stage) -> Self {
        let connecting = (0..n).map(|_| Wire::connect(stage.sidecar.address));
        let wires = futures_util::future::try_join_all(connecting).await.unwrap();
        Self { wires }
    }

    async fn ask(&mut self, stage: &Stage, request: &str) {
        let request = head(stage.sidecar.address, request);
        for wire in &mut self.wires {
            wire.send(&request).await.unwrap();
        }
    }

    async fn answers(&mut self) -> Vec<Answer> {
        let answers = self.wires.iter_mut().map(|wire| wire.answer(false));
        futures_util::future::try_join_all(answers).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_discoveries_are_two_questions() {
    let stage = Stage::start().await;
    let gate = Gate::closed();
    stage.origin.script(Rule::any().act(Act::Hold(gate.clone())));
    let mut crowd = Crowd::of(MANY, &stage).await;
    let begun = Instant::now();
    crowd.ask(&stage, &ranged(0, 99)).await;
    gate.waiting(1).await;
    stage.sidecar.counted(WAITING, MANY).await;
    gate.open();
    let answers = crowd.answers().await;
    for answer in &answers {
        is_part(answer, 1, 0, 99);
    }
    let collapsed = answers.iter().filter(|answer| parameter(answer, "collapsed").is_some());
    let questions = stage.origin.requests().len();
    assert!(questions <= most(begun), "{questions}");
    assert_eq!(collapsed.count() + questions, answers.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_reads_of_one_cold_block_are_one_question() {
    let stage = Stage::start().await;
    let gate = Gate::closed();
    stage.origin.script(Rule::any().act(Act::Hold(gate.clone())));
    let mut crowd = Crowd::of(MANY, &stage).await;
    crowd.ask(&stage, &pinned(1, 7, 99)).await;
    gate.waiting(1).await;
    stage.sidecar.counted(RUNNING, MANY).await;
    gate.open();
    for answer in crowd.answers().await {
        is_part(&answer, 1, 7, 99);
    }
    assert_eq!(stage.origin.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_downloads_share_a_question_and_a_body() {
    let stage = Stage::start().await;
    let gate = Gate::closed();
    stage.origin.script(Rule::any().act(Act::Hold(gate.clone())));
    let mut crowd = Crowd::of(50, &stage).await;
    let begun = Instant::now();
    crowd.ask(&stage, "GET /o").await;
    gate.waiting(1).await;
    stage.sidecar.counted(WAITING, 50).await;
    gate.open();
    for answer in crowd.answers().await {
        is_whole(&answer, 1);
    }
    let asked = stage.origin.requests();
    let unpinned = asked.iter().filter(|asked| asked.field("if-match").is_none());
    assert!(unpinned.count() <= most(begun), "{asked:#?}");
    let sent: u64 = asked.iter().map(|asked| asked.body_sent()).sum();
    assert!(sent <= 3 * SIZE, "{sent} bytes in {} answers", asked.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_answered_by_a_question_that_was_sent_before_he_came() {
    let stage = Stage::start().await;
    stage.fill().await;
    // The answer is decided, and the object changes before it is told.
    let told = Gate::closed();
    stage
        .origin
        .script(Rule::any().times(1).act(Act::HoldAnswer(told.clone())));
    let early = stage.get_later(&ranged(0, 99)).await;
    told.waiting(1).await;
    stage.put(2);
    let late = stage.get_later(&ranged(0, 99)).await;
    stage.sidecar.counted(WAITING, 2).await;
    told.open();
    is_part(&late.answer().await, 2, 0, 99);
    // What the early one was told may have passed by the time that he looks.
    let answer = early.answer().await;
    let n = if answer.field("etag") == Some(&*tag(1)) { 1 } else { 2 };
    is_part(&answer, n, 0, 99);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_questions_answer_moves_nothing() {
    let stage = Stage::start().await;
    stage.fill().await;
    let told = Gate::closed();
    stage
        .origin
        .script(Rule::any().times(1).act(Act::HoldAnswer(told.clone())));
    let early = stage.get_later(&ranged(0, 99)).await;
    told.waiting(1).await;
    stage.put(2);
    // It waits for a second, then it is asked beside the one in flight.
    is_part(&stage.get(&ranged(0, 99)).await, 2, 0, 99);
    told.open();
    // What it confirms is no longer current, so it is asked anew.
    is_part(&early.answer().await, 2, 0, 99);
    stage.origin.forget();
    is_part(&stage.get(&ranged(0, 99)).await, 2, 0, 99);
    let asked = stage.origin.requests();
    assert_eq!(asked[0].field("if-none-match"), Some(&*tag(2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_waited_a_second_is_asked_beside_the_one_in_flight() {
    let stage = Stage::start().await;
    let stuck = Gate::closed();
    stage.origin.script(Rule::any().times(1).act(Act::Hold(stuck.clone())));
    let first = stage.get_later(&ranged(0, 99)).await;
    stuck.waiting(1).await;
    let begun = Instant::now();
    let others = stage.sidecar.get_all((0..5).map(|_| ranged(0, 99))).await;
    assert!(begun.elapsed().as_millis() >= 1000);
    for answer in &others {
        is_part(answer, 1, 0, 99);
    }
    assert!((2..=most(begun)).contains(&stage.origin.requests().len()));
    stuck.open();
    is_part(&first.answer().await, 1, 0, 99);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_leader_may_leave_before_the_answer_and_within_the_body() {
    let stage = Stage::start().await;
    let gate = Gate::closed();
    stage.origin.script(Rule::any().times(1).act(Act::Hold(gate.clone())));
    let leader = stage.get_later(&pinned(1, 0, 2 * BLOCK - 1)).await;
    gate.waiting(1).await;
    let follower = stage.get_later(&pinned(1, 5, 99)).await;
    stage.sidecar.counted(RUNNING, 2).await;
    drop(leader);
    stage
        .sidecar
        .counted(
            "pinstripe_requests_total{class=\"pinned\",outcome=\"client-gone\",route=\"artifacts\"}",
            1,
        )
        .await;
    gate.open();
    is_part(&follower.answer().await, 1, 5, 99);
    assert_eq!(stage.origin.requests().len(), 1);

    let gate = Gate::closed();
    let half = Act::Stall {
        at: BLOCK / 2,
        gate: gate.clone(),
    };
    stage.origin.script(Rule::any().times(1).act(half));
    let mut leader = stage.get_later(&pinned(1, 3 * BLOCK, 4 * BLOCK - 1)).await;
    leader.wire.head().await.unwrap();
    gate.waiting(1).await;
    let mut follower = stage.get_later(&pinned(1, 3 * BLOCK, 4 * BLOCK - 1)).await;
    let answer = follower.wire.head().await.unwrap();
    drop(leader);
    stage
        .sidecar
        .counted(
            "pinstripe_requests_total{class=\"pinned\",outcome=\"client-gone\",route=\"artifacts\"}",
            2,
        )
        .await;
    gate.open();
    let (body, _) = follower.wire.body(&answer, false).await.unwrap();
    assert!(body == bytes(1, 3 * BLOCK..4 * BLOCK));
    assert_eq!(stage.origin.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_asker_of_a_discovery_may_leave() {
    let stage = Stage::start().await;
    let gate = Gate::closed();
    stage.origin.script(Rule::any().act(Act::Hold(gate.clone())));
    let begun = Instant::now();
    let first = stage.get_later(&ranged(0, 99)).await;
    gate.waiting(1).await;
    let asker = stage.get_later(&ranged(0, 99)).await;
    stage.sidecar.counted(WAITING, 2).await;
    let member = stage.get_later(&ranged(5, 99)).await;
    stage.sidecar.counted(WAITING, 3).await;
    drop(asker);
    stage
        .sidecar
        .counted(
            "pinstripe_requests_total{class=\"discovery\",outcome=\"client-gone\",route=\"artifacts\"}",
            1,
        )
        .await;
    gate.open();
    is_part(&first.answer().await, 1, 0, 99);
    is_part(&member.answer().await, 1, 5, 99);
    assert!(stage.origin.requests().len() <= most(begun));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_forwarded_fields_are_another_question() {
    let stage = Stage::start().await;
    let gate = Gate::closed();
    stage.origin.script(Rule::any().act(Act::Hold(gate.clone())));
    let languages = ["en", "de"].map(|language| {
        format!(
            "{}; Accept-Language: {language}; X-Request-Id: {language}",
            ranged(0, 99)
        )
    });
    let asking = stage.sidecar.get_all(languages);
    let opening = async {
        gate.waiting(2).await;
        gate.open();
    };
    let (answers, ()) = tokio::join!(asking, opening);
    assert!(answers.iter().all(|answer| answer.status() == 206));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wants_caches_on_the_way_to_ask_joins_nobody_who_does_not() {
    let stage = Stage::start().await;
    for directive in [
        "Cache-Control: no-cache",
        "Cache-Control: max-age=0",
        "Pragma: no-cache",
    ] {
        let gate = Gate::closed();
        stage.origin.script(Rule::any().act(Act::Hold(gate.clone())));
        let first = stage.get_later("GET /o").await;
        gate.waiting(1).await;
        let gathering = stage.get_later("GET /o").await;
        stage.sidecar.counted(WAITING, 2).await;
        let anew = stage.get_later(&format!("GET /o; {directive}")).await;
        stage.sidecar.counted(WAITING, 3).await;
        gate.open();
        for asked in [first, gathering, anew] {
            is_whole(&asked.answer().await, 1);
        }
        let asked = stage.origin.requests();
        let told = asked.iter().filter(|asked| asked.field("cache-control").is_some());
        assert_eq!(told.count(), 1, "{directive}: {asked:#?}");
        stage.origin.repent();
        stage.origin.forget();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_the_askers_alone() {
    let stage = Stage::start().await;
    let gate = Gate::closed();
    stage.origin.script(Rule::any().times(1).act(Act::Hold(gate.clone())));
    stage.origin.script(Rule::any().times(1).act(Act::status(403)));
    let first = stage.get_later(&ranged(0, 99)).await;
    gate.waiting(1).await;
    let mut crowd = Crowd::of(5, &stage).await;
    crowd.ask(&stage, &ranged(0, 99)).await;
    stage.sidecar.counted(WAITING, 6).await;
    gate.open();
    is_part(&first.answer().await, 1, 0, 99);
    let mut statuses: Vec<_> = crowd.answers().await.iter().map(Answer::status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [206, 206, 206, 206, 403]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_416_of_a_range_is_not_that_of_the_whole() {
    let stage = Stage::start().await;
    stage.origin.put("/o", Resource::pattern(rev(1), 0));
    let gate = Gate::closed();
    stage.origin.script(Rule::any().times(1).act(Act::Hold(gate.clone())));
    let part = stage.get_later(&pinned(1, 0, 9)).await;
    gate.waiting(1).await;
    let whole = stage.get_later(&format!("GET /o; If-Match: {}", tag(1))).await;
    stage.sidecar.counted(RUNNING, 2).await;
    gate.open();
    assert_eq!(part.answer().await.status(), 416);
    let whole = whole.answer().await;
    assert_eq!((whole.status(), whole.body.len()), (200, 0), "{:?}", whole.head);
}
