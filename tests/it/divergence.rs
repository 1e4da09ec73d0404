//! The reason to exist: two sidecars whose disks hold different old revisions.

use pinstripe_kit::client::Download;
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::s3::S3Server;

use crate::support::{Sidecar, s3_config};

const SIZE: u64 = 24 << 20;

fn pattern(revision: u32) -> Pattern {
    Pattern { object: 1, revision }
}

/// Each sidecar has downloaded another revision, and a third one is current.
async fn diverged(server: &S3Server, discovery: &str) -> [Sidecar; 2] {
    let config = s3_config(server, &format!(", discovery: {discovery}"));
    let sidecars = [Sidecar::start(&config).await, Sidecar::start(&config).await];
    for (revision, sidecar) in [1, 2].into_iter().zip(&sidecars) {
        server.put_pattern("bucket", "object", pattern(revision), SIZE);
        let outcome = Download {
            chunk: 1 << 20,
            ..Download::new([sidecar.address], "/a/object", 1)
        }
        .run()
        .await;
        assert_eq!(outcome.verified, Ok(Some(revision)), "{outcome:?}");
    }
    server.put_pattern("bucket", "object", pattern(3), SIZE);
    sidecars
}

fn through(sidecars: &[Sidecar; 2]) -> Download {
    let targets: Vec<_> = sidecars.iter().map(|sidecar| sidecar.address).collect();
    Download {
        chunk: 1 << 20,
        ..Download::new(targets, "/a/object", 1)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_authority_no_chunk_fails_and_the_second_time_none_is_fetched() {
    let server = S3Server::start().await.unwrap();
    let sidecars = diverged(&server, "authority").await;
    let cold = through(&sidecars).run().await;
    assert_eq!(cold.verified, Ok(Some(3)), "{cold:?}");
    assert_eq!((cold.precondition_failed, cold.restarts), (0, 0), "{cold:?}");
    // Both sidecars hold what they served; fetch the rest through each.
    for sidecar in &sidecars {
        let filled = Download {
            chunk: 1 << 20,
            ..Download::new([sidecar.address], "/a/object", 1)
        }
        .run()
        .await;
        assert_eq!(filled.verified, Ok(Some(3)), "{filled:?}");
    }
    server.counters().idle().await;
    server.counters().reset();
    let warm = through(&sidecars).run().await;
    assert_eq!(warm.verified, Ok(Some(3)), "{warm:?}");
    assert_eq!(server.counters().snapshot().body_bytes, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_nearest_chunks_fail() {
    let server = S3Server::start().await.unwrap();
    let sidecars = diverged(&server, "nearest").await;
    let outcome = through(&sidecars).run().await;
    assert!(outcome.precondition_failed > 0, "{outcome:?}");
    assert!(!outcome.spliced, "{outcome:?}");
}
