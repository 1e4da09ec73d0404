//! Killed in the middle of fills, and started again on the same directory: what it serves is right.

use futures_util::future::join_all;
use pinstripe_kit::client::Download;
use pinstripe_kit::gate::Gate;
use pinstripe_kit::origin::{Act, Origin, Resource, Rule};
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::raw::Wire;

use crate::process::Process;
use crate::support::{head, http_config};

const ROUNDS: u32 = 6;
const OBJECTS: u32 = 4;
/// Many blocks of 64 KiB.
const SIZE: u64 = (6 << 20) + 12_345;

fn pattern(object: u32, round: u32) -> Pattern {
    Pattern::new(object, round)
}

async fn begin(process: &Process, object: u32) -> Wire {
    let mut wire = Wire::connect(process.address).await.unwrap();
    wire.send(head(process.address, &format!("GET /{object}")))
        .await
        .unwrap();
    assert_eq!(wire.head().await.unwrap().status, 200);
    wire
}

async fn everything_is_right(process: &Process, round: u32) {
    let check = |object| async move {
        for connections in [1, 6] {
            let download = Download {
                chunk: 100_000,
                connections,
                ..Download::new([process.address], format!("/{object}"), object)
            };
            let outcome = download.run().await;
            assert_eq!(outcome.verified, Ok(Some(round)), "{outcome:?}");
        }
        // What is left of the round before is either whole or gone.
        let Some(former) = round.checked_sub(1).map(|former| pattern(object, former)) else {
            return;
        };
        for first in (0..SIZE).step_by(1 << 20) {
            let request = format!(
                "GET /{object}; Range: bytes={first}-{}; If-Match: {}",
                first + 99_999,
                former.etag()
            );
            let answer = process.get(&request).await;
            match answer.status() {
                206 => former.verify(first, &answer.body).unwrap(),
                status => assert_eq!(status, 412, "{:?}", answer.head),
            }
        }
    };
    join_all((0..OBJECTS).map(check)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_served_after_a_kill_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let origin = Origin::start().await.unwrap();
    let config = http_config(&origin.url(), "");
    for round in 0..ROUNDS {
        let process = Process::start(folder.path(), &config).await;
        let gate = Gate::closed();
        for object in 0..OBJECTS {
            origin.put(format!("/{object}"), Resource::pattern(pattern(object, round), SIZE));
            // Each stands still somewhere else: in a block, at its border, and after the last of several.
            let at = u64::from(round) * 70_001 + u64::from(object) * 65_536;
            let stall = Act::Stall { at, gate: gate.clone() };
            origin.script(Rule::on(format!("/{object}")).times(1).act(stall));
        }
        let downloads = join_all((0..OBJECTS).map(|object| begin(&process, object))).await;
        gate.waiting(usize::try_from(OBJECTS).unwrap()).await;
        process.kill().await;
        drop(downloads);
        gate.open();
        origin.repent();
        let process = Process::start(folder.path(), &config).await;
        everything_is_right(&process, round).await;
        process.kill().await;
    }
}
