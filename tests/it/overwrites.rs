//! Downloads through two sidecars while the object is overwritten again and again: none is spliced, none restarts more
//! often than the object changed, all finish.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use futures_util::StreamExt;
use futures_util::stream;
use pinstripe_kit::client::{Discovery, Download, Outcome};
use pinstripe_kit::origin::{Origin, Resource};
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::s3::{S3Options, S3Server, Store};

use crate::support::{Sidecar, http_config, s3_config};

const DOWNLOADS: u32 = 200;
const AT_ONCE: usize = 32;
const OVERWRITES: u32 = 100;
const CHUNK: u64 = 96 << 10;

fn pattern(revision: u32) -> Pattern {
    Pattern::new(3, revision)
}

/// Every revision has another length: several blocks of 64 KiB, and some bytes.
fn size(revision: u32) -> u64 {
    (9 + u64::from(revision % 5)) * (64 << 10) - u64::from(revision)
}

/// Revisions, as one writer puts them: with every second download that ends comes another one, so that downloads make
/// progress however slow the machine is, until there are no more.
struct Writer<F> {
    put: F,
    ended: AtomicU32,
    begun: AtomicU32,
    done: AtomicU32,
}

impl<F: Fn(u32)> Writer<F> {
    fn new(put: F) -> Self {
        put(0);
        Self {
            put,
            ended: AtomicU32::new(0),
            begun: AtomicU32::new(0),
            done: AtomicU32::new(0),
        }
    }

    fn one_ended(&self) {
        if self.ended.fetch_add(1, SeqCst).is_multiple_of(DOWNLOADS / OVERWRITES) {
            let revision = self.begun.fetch_add(1, SeqCst) + 1;
            (self.put)(revision);
            self.done.fetch_max(revision, SeqCst);
        }
    }

    async fn follow(&self, number: u32, targets: &[SocketAddr], path: &str, max_restarts: u32) {
        let discovery = if number % 4 == 3 {
            Discovery::Head
        } else {
            Discovery::BareRange
        };
        let download = Download {
            chunk: CHUNK,
            connections: 4,
            discovery,
            max_restarts,
            ..Download::new(targets, path, 3)
        };
        let oldest = self.done.load(SeqCst);
        let outcome = download.run().await;
        let newest = self.begun.load(SeqCst);
        self.one_ended();
        check(&outcome, oldest, newest);
    }
}

fn check(outcome: &Outcome, oldest: u32, newest: u32) {
    assert!(!outcome.spliced, "{outcome:?}");
    let revision = outcome
        .verified
        .clone()
        .unwrap_or_else(|why| panic!("{why}: {outcome:?}"));
    let revision = revision.unwrap_or_else(|| panic!("{outcome:?}"));
    // A discovery that the authority answered never reports a revision older than the one that was current before it.
    assert!(
        (oldest..=newest).contains(&revision),
        "{oldest}..={newest}: {outcome:?}"
    );
    assert!(outcome.restarts <= newest - oldest, "{oldest}..={newest}: {outcome:?}");
    assert_eq!(outcome.size, Some(size(revision)));
    assert_eq!(outcome.foreign_tags, 0, "{outcome:?}");
}

async fn storm(sidecars: &[Sidecar], path: &str, max_restarts: u32, put: impl Fn(u32)) {
    let writer = Writer::new(put);
    let targets: Vec<_> = sidecars.iter().map(|sidecar| sidecar.address).collect();
    stream::iter(0..DOWNLOADS)
        .for_each_concurrent(AT_ONCE, |number| writer.follow(number, &targets, path, max_restarts))
        .await;
    assert_eq!(writer.done.load(SeqCst), OVERWRITES);
    // It has come to rest: what is current is what everyone gets, without a restart.
    writer.follow(0, &targets, path, max_restarts).await;
}

fn small_blocks(config: &str) -> String {
    config.replace("block_size: 1MiB", "block_size: 64KiB")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_object_in_s3() {
    let server = S3Server::start().await.unwrap();
    let config = small_blocks(&s3_config(&server, ""));
    let sidecars = [Sidecar::start(&config).await, Sidecar::start(&config).await];
    storm(&sidecars, "/a/object", OVERWRITES, |revision| {
        server.put_pattern("bucket", "object", pattern(revision), size(revision));
    })
    .await;
}

/// Who has seen the discovery knows the version: not one download begins anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_object_in_s3_that_keeps_versions() {
    let options = S3Options {
        store: Store::new(true),
        ..S3Options::default()
    };
    let server = S3Server::start_with(options).await.unwrap();
    let sidecar = Sidecar::start(&small_blocks(&s3_config(&server, ""))).await;
    storm(&[sidecar], "/a/object", 0, |revision| {
        server.put_pattern("bucket", "object", pattern(revision), size(revision));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_object_behind_http() {
    let origin = Origin::start().await.unwrap();
    let config = http_config(&origin.url(), "");
    let sidecars = [Sidecar::start(&config).await, Sidecar::start(&config).await];
    storm(&sidecars, "/object", OVERWRITES, |revision| {
        origin.put("/object", Resource::pattern(pattern(revision), size(revision)));
    })
    .await;
}
