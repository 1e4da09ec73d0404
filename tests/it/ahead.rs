//! A plain GET of a large object is fetched in pinned pieces side by side, and is never worse off for it.

use std::pin::pin;
use std::time::Duration;

use pinstripe_kit::gate::Gate;
use pinstripe_kit::origin::{Act, Origin, Recorded, Resource, Rule};
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::raw::{End, Wire};

use crate::large::Stage;
use crate::support::{Sidecar, head, http_config};

const ONE: Pattern = Pattern::new(7, 1);
const MIB: u64 = 1 << 20;
const SIZE: u64 = 40 * MIB + 1000;
const PIECE: u64 = 8 * MIB;
/// Of [`http_config`].
const BLOCK: u64 = 64 << 10;

impl Stage {
    async fn begin(&self) -> Wire {
        let mut wire = Wire::connect(self.sidecar.address).await.unwrap();
        wire.send(head(self.sidecar.address, "GET /x")).await.unwrap();
        assert_eq!(wire.head().await.unwrap().status, 200);
        wire
    }

    /// Answers that fit stand still after so many bytes, until the gate opens.
    fn stalls(&self, rule: Rule, at: u64) -> Gate {
        let gate = Gate::closed();
        self.origin.script(rule.act(Act::Stall { at, gate: gate.clone() }));
        gate
    }

    /// What was asked for pieces.
    fn pinned(&self) -> Vec<Recorded> {
        let requests = self.origin.requests().into_iter();
        requests.filter(|request| request.field("If-Match").is_some()).collect()
    }
}

/// Reads and compares bytes of a body from one position to another.
async fn read(wire: &mut Wire, from: u64, to: u64) {
    let mut at = from;
    while at < to {
        let (bytes, end) = wire.up_to(usize::try_from((to - at).min(MIB)).unwrap()).await;
        assert_eq!(end, End::Complete, "at {at}");
        ONE.verify(at, &bytes).unwrap();
        at += u64::try_from(bytes.len()).unwrap();
    }
}

fn range(request: &Recorded) -> (u64, u64) {
    let range = request.field("Range").unwrap().strip_prefix("bytes=").unwrap();
    let (first, last) = range.split_once('-').unwrap();
    (first.parse().unwrap(), last.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pieces_are_pinned_and_come_side_by_side() {
    let stage = Stage::start(ONE, SIZE, ", parallel: 8").await;
    let gate = stage.stalls(Rule::any().with("If-Match"), 0);
    let mut wire = stage.begin().await;
    // The first piece proves that there are ranges; then come the others, and none of them waits for another.
    gate.waiting(4).await;
    gate.open();
    read(&mut wire, 0, SIZE).await;
    let pinned = stage.pinned();
    let ranges: Vec<_> = pinned.iter().map(range).collect();
    for piece in 2..5 {
        assert!(
            ranges.contains(&(piece * PIECE, piece * PIECE + PIECE - 1)),
            "{ranges:?}"
        );
    }
    let tag = ONE.etag();
    assert!(pinned.iter().all(|request| request.field("If-Match") == Some(&*tag)));
    let free = stage.origin.requests().len() - pinned.len();
    assert_eq!(free, 1);
}

/// The first answer comes to the first piece before that does. It goes on for as long as it has to, and claims nothing of what
/// is to come side by side.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_answer_that_is_faster_leaves_the_rest_to_pieces() {
    let stage = Stage::start(ONE, SIZE, "").await;
    let gate = Gate::closed();
    let hold = Act::Hold(gate.clone());
    stage.origin.script(Rule::any().with("If-Match").act(hold));
    let mut wire = stage.begin().await;
    let mut at = 10 * MIB;
    {
        let mut reading = pin!(read(&mut wire, 0, at));
        tokio::select! {
            () = &mut reading => gate.open(),
            // It may have gone over to the first piece before, and then asks for that once more.
            () = gate.waiting(2) => {
                gate.open();
                reading.await;
            }
        }
    }
    // It is looked at while somebody reads.
    while stage.pinned().len() < 2 && at < 14 * MIB {
        read(&mut wire, at, at + BLOCK).await;
        at += BLOCK;
        stage.sidecar.metrics().await;
    }
    read(&mut wire, at, SIZE).await;
    let ranges: Vec<_> = stage.pinned().iter().map(range).collect();
    assert!(ranges.contains(&(2 * PIECE, 3 * PIECE - 1)), "{ranges:?}");
}

/// Those that have come make room for others, to the end of the object.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pieces_that_have_come_are_followed_by_others() {
    let stage = Stage::start(ONE, SIZE, ", parallel: 2").await;
    let third = |request: &Recorded| request.field("Range").is_some() && range(request).0 >= 3 * PIECE;
    let gate = stage.stalls(Rule::any().with("If-Match").when(third), 0);
    let mut wire = stage.begin().await;
    let (mut at, end) = (0, 3 * PIECE - MIB);
    // It is looked at while somebody reads.
    while stage.pinned().len() < 4 && at < end {
        read(&mut wire, at, at + BLOCK).await;
        at += BLOCK;
        stage.sidecar.metrics().await;
    }
    let asked = stage.pinned();
    gate.open();
    read(&mut wire, at, SIZE).await;
    let ranges: Vec<_> = asked.iter().map(range).collect();
    for piece in [3 * PIECE, 4 * PIECE] {
        assert!(ranges.contains(&(piece, piece + PIECE - 1)), "{ranges:?}");
    }
}

/// One transfer of several stands still: a download by a single one would not have waited for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_piece_that_stands_still_is_overtaken() {
    let stage = Stage::start(ONE, SIZE, ", parallel: 8").await;
    let third = |request: &Recorded| request.field("Range").is_some() && range(request).0 == 2 * PIECE;
    let gate = stage.stalls(Rule::any().with("If-Match").when(third), MIB + 1000);
    read(&mut stage.begin().await, 0, SIZE).await;
    gate.open();
    let rest = stage.pinned().into_iter().map(|request| range(&request).0);
    assert!(rest.into_iter().any(|first| first > 2 * PIECE && first < 3 * PIECE));
}

/// All but the first answer stand still, and so does whatever is asked for in their place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_answer_takes_over_where_all_pieces_stand_still() {
    let stage = Stage::start(ONE, SIZE, ", parallel: 8").await;
    let gate = stage.stalls(Rule::any().with("If-Match"), MIB);
    read(&mut stage.begin().await, 0, SIZE).await;
    gate.open();
    let free = stage.origin.requests().len() - stage.pinned().len();
    assert_eq!(free, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_at_a_time_asks_once() {
    let stage = Stage::start(ONE, SIZE, ", parallel: 1").await;
    read(&mut stage.begin().await, 0, SIZE).await;
    assert_eq!(stage.origin.requests().len(), 1);
}

/// As when the object is overwritten: what was begun is finished all the same, as it would be without a cache.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pieces_that_are_refused_cost_nothing_but_time() {
    for refusal in [412, 404, 503, 403] {
        let stage = Stage::start(ONE, SIZE, ", parallel: 8").await;
        stage
            .origin
            .script(Rule::any().with("If-Match").act(Act::status(refusal)));
        read(&mut stage.begin().await, 0, SIZE).await;
        assert_eq!(stage.origin.requests().len() - stage.pinned().len(), 1, "{refusal}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn some_pieces_come_and_then_it_is_overwritten() {
    let stage = Stage::start(ONE, SIZE, ", parallel: 8").await;
    let after = |request: &Recorded| request.field("Range").is_some() && range(request).0 >= 3 * PIECE;
    stage
        .origin
        .script(Rule::any().with("If-Match").when(after).act(Act::status(412)));
    read(&mut stage.begin().await, 0, SIZE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_ranges_is_asked_for_little_more() {
    let stage = Stage::start(ONE, SIZE, ", parallel: 8").await;
    stage.origin.script(Rule::any().act(Act::Ignore(http::header::RANGE)));
    read(&mut stage.begin().await, 0, SIZE).await;
    assert!(stage.pinned().len() <= 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pieces_end_with_the_client_that_they_were_for() {
    let stage = Stage::start(ONE, SIZE, ", parallel: 8").await;
    // In the middle of a block.
    let gate = stage.stalls(Rule::any().with("If-Match"), 1000);
    let mut wire = stage.begin().await;
    read(&mut wire, 0, 2 * MIB).await;
    gate.waiting(1).await;
    drop(wire);
    for request in stage.origin.requests() {
        request.left().await;
    }
    // They may still be about to be counted, and no more than these are begun.
    let recalled = "pinstripe_pieces_ahead_total{outcome=\"recalled\"}";
    assert!(stage.sidecar.metrics().await.contains(recalled));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_little_causes_little() {
    let stage = Stage::start(ONE, SIZE, ", parallel: 8").await;
    // Not in the middle of a block, which would be finished for those to come.
    let _gate = stage.stalls(Rule::any(), MIB - BLOCK);
    let mut wire = stage.begin().await;
    read(&mut wire, 0, MIB - BLOCK).await;
    drop(wire);
    stage.origin.requests().first().unwrap().left().await;
    assert_eq!(stage.origin.requests().len(), 1);
}

/// A disk that takes next to nothing: who reads does not wait for it, and what nobody reads yet is not brought at its pace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_disk_ends_it() {
    let origin = Origin::start().await.unwrap();
    origin.put("/x", Resource::pattern(ONE, SIZE));
    let sidecar = Sidecar::start_slow(&http_config(&origin.url(), ", parallel: 8"), 50_000).await;
    let stage = Stage { origin, sidecar };
    let mut wire = stage.begin().await;
    read(&mut wire, 0, 2 * MIB).await;
    let abandoned = "pinstripe_pieces_ahead_total{outcome=\"abandoned\"}";
    // It is told of when the reader looks at what is on its way.
    let mut at = 2 * MIB;
    while !stage.sidecar.metrics().await.contains(abandoned) && at < SIZE - MIB {
        read(&mut wire, at, at + BLOCK).await;
        at += BLOCK;
    }
    assert!(at < SIZE - MIB);
    read(&mut wire, at, SIZE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_share_pieces() {
    let stage = Stage::start(ONE, SIZE, ", parallel: 8").await;
    futures_util::future::join_all((0..6).map(|_| async { read(&mut stage.begin().await, 0, SIZE).await })).await;
    // Also what sockets hold of the first answer, of which little was read, and of pieces that met a busy disk.
    let sent: u64 = stage.origin.requests().iter().map(Recorded::body_sent).sum();
    assert!(sent < 3 * SIZE, "{sent} bytes for {SIZE}");
}

/// Who waits for bytes finds a connection, however many pieces could be fetched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pieces_leave_half_of_the_connections_to_others() {
    let origin = Origin::start().await.unwrap();
    origin.put("/x", Resource::pattern(ONE, SIZE));
    let url = format!("{}', limits: {{ connections: 4 }}, role: 'origin", origin.url());
    let sidecar = Sidecar::start(&http_config(&url, ", parallel: 8")).await;
    let stage = Stage { origin, sidecar };
    let gate = stage.stalls(Rule::any().with("If-Match"), 0);
    let mut wire = stage.begin().await;
    gate.waiting(2).await;
    // The first answer is the third connection, and this the fourth.
    assert_eq!(stage.sidecar.get("HEAD /x").await.status(), 200);
    assert_eq!(stage.pinned().len(), 2);
    gate.open();
    read(&mut wire, 0, SIZE).await;
}

/// The authority uses the tag again for other bytes in mid-download: neither body nor store ever hold some of both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_that_is_used_again_mixes_nothing() {
    const TWO: Pattern = Pattern::new(7, 2);
    let stage = Stage::start(ONE, SIZE, ", parallel: 8").await;
    let gate = Gate::closed();
    stage
        .origin
        .script(Rule::any().with("If-Match").act(Act::Hold(gate.clone())));
    let mut wire = stage.begin().await;
    gate.waiting(1).await;
    let later = std::time::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let again = Resource::pattern(TWO, SIZE).tag(ONE.etag()).modified(Some(later));
    stage.origin.put("/x", again);
    gate.open();
    read(&mut wire, 0, SIZE).await;
    for _ in 0..3 {
        let answer = stage.sidecar.get("GET /x").await;
        assert_eq!(u64::try_from(answer.body.len()).unwrap(), SIZE);
        TWO.verify(0, &answer.body).unwrap();
    }
}

/// A reader that waits for a piece goes on with what it began with, or not at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_piece_gets_none_of_the_next_use_of_its_tag() {
    const TWO: Pattern = Pattern::new(7, 2);
    let stage = Stage::start(ONE, SIZE, ", parallel: 8").await;
    let third = |request: &Recorded| request.field("Range").is_some() && range(request).0 >= 2 * PIECE;
    let gate = stage.stalls(Rule::any().with("If-Match").when(third), 0);
    let mut wire = stage.begin().await;
    gate.waiting(1).await;
    read(&mut wire, 0, 2 * PIECE - BLOCK).await;
    let later = std::time::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let again = Resource::pattern(TWO, SIZE).tag(ONE.etag()).modified(Some(later));
    stage.origin.repent();
    stage.origin.put("/x", again);
    // The authority's word on it; then somebody else has all of it fetched and stored.
    assert_eq!(stage.sidecar.get("HEAD /x").await.status(), 200);
    let other = stage.sidecar.get("GET /x").await;
    TWO.verify(0, &other.body).unwrap();
    gate.open();
    let (mut at, mut end) = (2 * PIECE - BLOCK, End::Complete);
    while at < SIZE && end == End::Complete {
        let most = usize::try_from((SIZE - at).min(MIB)).unwrap();
        let bytes;
        (bytes, end) = wire.up_to(most).await;
        ONE.verify(at, &bytes).unwrap();
        at += u64::try_from(bytes.len()).unwrap();
    }
}
