//! A download in ranges finds what it asks for next on its way.

use pinstripe_kit::gate::Gate;
use pinstripe_kit::origin::{Act, Recorded, Rule};
use pinstripe_kit::pattern::Pattern;

use crate::large::Stage;

const ONE: Pattern = Pattern::new(8, 1);
const MIB: u64 = 1 << 20;
const SIZE: u64 = 64 * MIB;
const PIECE: u64 = 8 * MIB;

impl Stage {
    /// Reads a range and compares it.
    async fn read(&self, first: u64, length: u64, fields: &str) {
        let request = format!("GET /x; Range: bytes={first}-{}{fields}", first + length - 1);
        let answer = self.sidecar.get(&request).await;
        assert_eq!(answer.status(), 206, "{request}");
        assert_eq!(u64::try_from(answer.body.len()).unwrap(), length);
        ONE.verify(first, &answer.body).unwrap();
    }

    /// Questions for what begins at a position or beyond stand still before the first byte, until the gate opens.
    fn holds_from(&self, position: u64) -> Gate {
        let gate = Gate::closed();
        let beyond = move |request: &Recorded| first(request).is_some_and(|first| first >= position);
        let hold = Act::Stall {
            at: 0,
            gate: gate.clone(),
        };
        self.origin.script(Rule::any().when(beyond).act(hold));
        gate
    }

    fn asked_from(&self, position: u64) -> usize {
        let requests = self.origin.requests().into_iter();
        requests.filter(|request| first(request) >= Some(position)).count()
    }
}

fn first(request: &Recorded) -> Option<u64> {
    let range = request.field("Range")?.strip_prefix("bytes=")?;
    range.split_once('-')?.0.parse().ok()
}

fn pin() -> String {
    format!("; If-Match: {}", ONE.etag())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_next_is_on_its_way_before_it_is_asked_for() {
    let stage = Stage::start(ONE, SIZE, "").await;
    let gate = stage.holds_from(PIECE);
    stage.read(0, PIECE, "").await;
    // Nobody has asked for it.
    gate.waiting(1).await;
    gate.open();
    stage.read(PIECE, PIECE, &pin()).await;
    for chunk in 2..SIZE / PIECE {
        stage.read(chunk * PIECE, PIECE, &pin()).await;
    }
    // Also what sockets hold of pieces that met a busy disk.
    let sent: u64 = stage.origin.requests().iter().map(Recorded::body_sent).sum();
    assert!(sent < SIZE * 3 / 2, "{sent} bytes for {SIZE}");
}

/// As many bytes may be on their way as were asked for, and no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_little_causes_nothing() {
    let stage = Stage::start(ONE, SIZE, "").await;
    for chunk in 0..7 {
        stage.read(chunk * MIB, MIB, &pin()).await;
    }
    let gate = stage.holds_from(PIECE);
    stage.read(7 * MIB, MIB, &pin()).await;
    gate.waiting(1).await;
    assert_eq!(stage.asked_from(PIECE), 1);
    gate.open();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_with_those_who_read() {
    let stage = Stage::start(ONE, SIZE, "").await;
    let gate = stage.holds_from(PIECE);
    stage.read(0, PIECE, "").await;
    gate.waiting(1).await;
    for request in stage.origin.requests() {
        if first(&request) >= Some(PIECE) {
            request.left().await;
        }
    }
    gate.open();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_piece_at_a_time_is_what_is_asked_for() {
    let stage = Stage::start(ONE, SIZE, ", parallel: 1").await;
    stage.read(0, 2 * PIECE, "").await;
    stage.read(2 * PIECE, PIECE, &pin()).await;
    assert_eq!(stage.asked_from(3 * PIECE), 0);
}
