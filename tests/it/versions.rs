//! A bucket that keeps what is overwritten: a download is finished with the revision that it began with.

use http::StatusCode;
use pinstripe_kit::client::{Discovery, Download};
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::raw::{Answer, End, Wire};
use pinstripe_kit::s3::{Asked, S3Options, S3Server, Store};

use crate::stage::{BLOCK, SIZE, bytes, detail, is_part, is_whole, rev, tag};
use crate::support::{Sidecar, head, s3_config};

const FIRST: &str = "version-00000001";
const SERVED: &str = "pinstripe_versioned_reads_total{outcome=\"served\"}";

async fn versioned() -> S3Server {
    let options = S3Options {
        store: Store::new(true),
        ..S3Options::default()
    };
    S3Server::start_with(options).await.unwrap()
}

/// A sidecar before that server, and revision 1 in it.
async fn before(server: &S3Server) -> Sidecar {
    put(server, 1);
    let config = s3_config(server, "").replace("block_size: 1MiB", "block_size: 64KiB");
    Sidecar::start(&config).await
}

fn put(server: &S3Server, n: u32) {
    server.put_pattern("bucket", "o", rev(n), SIZE);
}

fn pinned(n: u32, first: u64, last: u64) -> String {
    format!("GET /a/o; Range: bytes={first}-{last}; If-Match: {}", tag(n))
}

/// The questions that named a version.
fn by_version(server: &S3Server) -> Vec<Asked> {
    let names = |asked: &Asked| {
        asked
            .uri
            .query()
            .is_some_and(|query| query.contains(&format!("versionId={FIRST}")))
    };
    server.counters().asked().into_iter().filter(names).collect()
}

/// That it is this part of revision 1, and how it came.
#[track_caller]
fn is_past(answer: &Answer, first: u64, last: u64) {
    is_part(answer, 1, first, last);
    assert_eq!(
        (detail(answer), answer.field("x-amz-version-id")),
        ("versioned", Some(FIRST))
    );
}

#[track_caller]
fn is_gone(answer: &Answer) {
    assert_eq!((answer.status(), detail(answer)), (412, "pin-mismatch"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_ends_with_the_revision_that_it_began_with() {
    for discovery in [Discovery::BareRange, Discovery::Head] {
        for deleted in [false, true] {
            let server = versioned().await;
            let sidecar = before(&server).await;
            server.gate().close();
            server.gate().admit(1);
            let download = Download {
                chunk: 96 << 10,
                connections: 4,
                discovery,
                max_restarts: 0,
                ..Download::new([sidecar.address], "/a/o", 1)
            };
            let overwriting = async {
                // The discovery has passed, and chunks were asked for.
                server.gate().waiting(1).await;
                if deleted {
                    server.store().delete("bucket", "o");
                } else {
                    put(&server, 2);
                }
                server.gate().open();
            };
            let (outcome, ()) = tokio::join!(download.run(), overwriting);
            assert_eq!(outcome.verified, Ok(Some(1)), "{outcome:?}");
            assert_eq!(
                (outcome.restarts, outcome.precondition_failed, outcome.foreign_tags),
                (0, 0, 0),
                "{outcome:?}"
            );
            assert!(sidecar.count(SERVED).await > 0);
            assert_eq!(sidecar.count("pinstripe_pin_mismatches_total").await, 0);
            // What is current is what the authority says.
            let now = sidecar.get("GET /a/o; Range: bytes=0-9").await;
            if deleted {
                assert_eq!(now.status(), 404);
            } else {
                is_part(&now, 2, 0, 9);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_by_its_version_is_kept() {
    let server = versioned().await;
    let sidecar = before(&server).await;
    assert_eq!(sidecar.get("HEAD /a/o").await.status(), 200);
    put(&server, 2);
    is_past(&sidecar.get(&pinned(1, 0, 9)).await, 0, 9);
    sidecar.has_stored(1).await;
    let again = sidecar.get(&pinned(1, 5, 9)).await;
    is_part(&again, 1, 5, 9);
    assert_eq!(detail(&again), "disk");
    assert_eq!((by_version(&server).len(), sidecar.count(SERVED).await), (1, 1));
    // Joined with what is here.
    is_past(&sidecar.get(&pinned(1, 0, 2 * BLOCK)).await, 0, 2 * BLOCK);
    let head = sidecar.get(&format!("HEAD /a/o; If-Match: {}", tag(1))).await;
    assert_eq!(head.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revision_that_is_known_to_have_passed_is_not_asked_for_by_its_tag() {
    // Nothing of it is on disk: a HEAD told of it.
    let server = versioned().await;
    let sidecar = before(&server).await;
    assert_eq!(sidecar.get("HEAD /a/o").await.status(), 200);
    put(&server, 2);
    is_part(&sidecar.get("GET /a/o; Range: bytes=0-9").await, 2, 0, 9);
    server.counters().reset();
    is_past(&sidecar.get(&pinned(1, 0, 9)).await, 0, 9);
    assert_eq!(
        (by_version(&server).len(), server.counters().snapshot().requests()),
        (1, 1)
    );
    // Nobody asked what is current, but the tag was refused.
    let server = versioned().await;
    let sidecar = before(&server).await;
    assert_eq!(sidecar.get("HEAD /a/o").await.status(), 200);
    put(&server, 2);
    is_past(&sidecar.get(&pinned(1, 0, 9)).await, 0, 9);
    server.counters().reset();
    is_past(&sidecar.get(&pinned(1, BLOCK, BLOCK + 9)).await, BLOCK, BLOCK + 9);
    assert_eq!(
        (by_version(&server).len(), server.counters().snapshot().requests()),
        (1, 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_on_disk_tell_their_versions_after_a_restart() {
    let server = versioned().await;
    let sidecar = before(&server).await;
    is_part(&sidecar.get("GET /a/o; Range: bytes=0-9").await, 1, 0, 9);
    sidecar.has_stored(1).await;
    put(&server, 2);
    is_part(&sidecar.get("GET /a/o; Range: bytes=0-9").await, 2, 0, 9);
    let config = s3_config(&server, "").replace("block_size: 1MiB", "block_size: 64KiB");
    let disk = sidecar.stop().await;
    let sidecar = Sidecar::start_on(disk, &config, pinstripe::clock::Clock::system()).await;
    is_past(&sidecar.get(&pinned(1, BLOCK, BLOCK + 9)).await, BLOCK, BLOCK + 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_body_is_gone_on_with_by_its_version() {
    for request in ["GET /a/o".to_owned(), pinned(1, 0, SIZE - 1)] {
        let server = versioned().await;
        let sidecar = before(&server).await;
        server.cut_next(BLOCK + BLOCK / 2);
        server.gate().close();
        server.gate().admit(1);
        let overwriting = async {
            server.gate().waiting(1).await;
            put(&server, 2);
            server.gate().open();
        };
        let (answer, ()) = tokio::join!(sidecar.get(&request), overwriting);
        if request == "GET /a/o" {
            is_whole(&answer, 1);
        } else {
            is_part(&answer, 1, 0, SIZE - 1);
        }
        let asked = by_version(&server);
        assert_eq!(asked.len(), 1);
        let rest = format!("bytes={}-{}", BLOCK + BLOCK / 2, SIZE - 1);
        assert_eq!(
            (asked[0].field("range"), asked[0].field("if-match")),
            (Some(&*rest), Some(&*tag(1)))
        );
        sidecar.has_stored(5).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pieces_that_are_fetched_ahead_come_by_their_version() {
    const LENGTH: u64 = 24 << 20;
    let server = versioned().await;
    let one = Pattern::new(1, 1);
    server.put_pattern("bucket", "o", one, LENGTH);
    let config = s3_config(&server, ", parallel: 8") + "limits: { fills: 256MiB }\n";
    let sidecar = Sidecar::start(&config).await;
    let mut wire = Wire::connect(sidecar.address).await.unwrap();
    wire.send(head(sidecar.address, "GET /a/o")).await.unwrap();
    assert_eq!(wire.head().await.unwrap().status, 200);
    put(&server, 2);
    let mut at = 0;
    while at < LENGTH {
        let (bytes, end) = wire.up_to(1 << 20).await;
        assert_eq!(end, End::Complete, "at {at}");
        one.verify(at, &bytes).unwrap();
        at += u64::try_from(bytes.len()).unwrap();
    }
    assert!(!by_version(&server).is_empty());
    assert!(sidecar.count(SERVED).await > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_versions_a_revision_that_was_overwritten_is_gone() {
    let server = S3Server::start().await.unwrap();
    let sidecar = before(&server).await;
    is_part(&sidecar.get("GET /a/o; Range: bytes=0-9").await, 1, 0, 9);
    put(&server, 2);
    server.counters().reset();
    is_gone(&sidecar.get(&pinned(1, BLOCK, BLOCK + 9)).await);
    assert_eq!(server.counters().snapshot().requests(), 1);
    assert!(!sidecar.metrics().await.contains("pinstripe_versioned_reads_total"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_was_deleted_is_gone() {
    let server = versioned().await;
    let sidecar = before(&server).await;
    is_part(&sidecar.get("GET /a/o; Range: bytes=0-9").await, 1, 0, 9);
    put(&server, 2);
    assert!(server.store().delete_version("bucket", "o", FIRST));
    for _ in 0..2 {
        is_gone(&sidecar.get(&pinned(1, BLOCK, BLOCK + 9)).await);
    }
    assert!(sidecar.count("pinstripe_versioned_reads_total{outcome=\"gone\"}").await > 0);
    // It is put again, as another version.
    put(&server, 1);
    is_part(&sidecar.get(&pinned(1, BLOCK, BLOCK + 9)).await, 1, BLOCK, BLOCK + 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_read_versions_is_told_412_and_does_not_ask_again() {
    let server = versioned().await;
    let sidecar = before(&server).await;
    is_part(&sidecar.get("GET /a/o; Range: bytes=0-9").await, 1, 0, 9);
    put(&server, 2);
    server.refuse_versions(StatusCode::FORBIDDEN);
    for first in [BLOCK, 2 * BLOCK, 3 * BLOCK] {
        is_gone(&sidecar.get(&pinned(1, first, first + 9)).await);
    }
    assert_eq!(by_version(&server).len(), 1);
    assert_eq!(
        sidecar
            .count("pinstripe_versioned_reads_total{outcome=\"denied\"}")
            .await,
        1
    );
    is_part(&sidecar.get("GET /a/o; Range: bytes=0-9").await, 2, 0, 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trouble_with_a_version_is_told_as_trouble() {
    let server = versioned().await;
    let sidecar = before(&server).await;
    is_part(&sidecar.get("GET /a/o; Range: bytes=0-9").await, 1, 0, 9);
    put(&server, 2);
    server.refuse_versions(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(sidecar.get(&pinned(1, BLOCK, BLOCK + 9)).await.status(), 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_names_a_version_gets_no_other() {
    let server = versioned().await;
    let sidecar = before(&server).await;
    put(&server, 2);
    let request = format!("GET /a/o?versionId={FIRST}; Range: bytes=0-9");
    let answer = sidecar.get(&request).await;
    assert!(answer.status() == 206 && answer.body == bytes(1, 0..10));
    server.counters().reset();
    is_gone(&sidecar.get(&format!("{request}; If-Match: {}", tag(2))).await);
    assert_eq!(server.counters().snapshot().requests(), 1);
    // Its own version is all that it has.
    assert!(server.store().delete_version("bucket", "o", FIRST));
    server.counters().reset();
    let pin = format!(
        "GET /a/o?versionId={FIRST}; Range: bytes={BLOCK}-; If-Match: {}",
        tag(1)
    );
    assert_eq!(sidecar.get(&pin).await.status(), 404);
    assert_eq!(server.counters().snapshot().requests(), 1);
}
