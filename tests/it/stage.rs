//! A scripted origin with a sidecar in front of it, and what tests read in answers.

use std::time::{Duration, UNIX_EPOCH};

use pinstripe::clock::Clock;
use pinstripe_kit::origin::{Origin, Resource};
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::raw::{Answer, End, Wire};

use crate::support::{Sidecar, get, head, http_config};

/// A test that hangs should say where.
const PATIENCE: Duration = Duration::from_secs(20);
/// Blocks of the disk tier.
pub(crate) const BLOCK: u64 = 64 << 10;
/// Four whole blocks and a short one.
pub(crate) const SIZE: u64 = 4 * BLOCK + 1000;

/// Revision `n` of the one object that these tests are about.
pub(crate) const fn rev(n: u32) -> Pattern {
    Pattern::new(1, n)
}

/// Its tag.
pub(crate) fn tag(n: u32) -> String {
    rev(n).etag()
}

/// It, with a date that is its own whenever it is put: with another, its tag would be one that is used again.
pub(crate) fn resource(n: u32) -> Resource {
    let modified = UNIX_EPOCH + Duration::from_secs(1_700_000_000 + u64::from(n));
    Resource::pattern(rev(n), SIZE).modified(Some(modified))
}

/// Some of its bytes.
pub(crate) fn bytes(n: u32, range: std::ops::Range<u64>) -> bytes::Bytes {
    rev(n).bytes(range)
}

/// An origin, and a sidecar whose route takes everything to it.
pub(crate) struct Stage {
    pub(crate) origin: Origin,
    pub(crate) sidecar: Sidecar,
    pub(crate) clock: Clock,
}

/// A request that was sent; dropped, its client leaves.
pub(crate) struct Asked {
    pub(crate) wire: Wire,
}

impl Asked {
    /// The answer to a GET.
    pub(crate) async fn answer(mut self) -> Answer {
        self.wire.answer(false).await.unwrap()
    }
}

impl Stage {
    /// With revision 1 under `/o`.
    pub(crate) async fn start() -> Self {
        Self::with("", "").await
    }

    /// With more of a tier, as `, role: cache`, and of a route, as `, grace: 1m`.
    pub(crate) async fn with(tier: &str, route: &str) -> Self {
        let origin = Origin::start().await.unwrap();
        origin.put("/o", resource(1));
        let config = config(&origin.url(), tier, route);
        // It stands still, near to the dates that the origin tells.
        let clock = Clock::fixed(Clock::system().now());
        let disk = tempfile::tempdir().unwrap();
        let sidecar = Sidecar::start_on(disk, &config, clock.clone()).await;
        Self { origin, sidecar, clock }
    }

    /// Puts a revision under `/o`.
    pub(crate) fn put(&self, n: u32) {
        self.origin.put("/o", resource(n));
    }

    pub(crate) async fn get(&self, request: &str) -> Answer {
        self.sidecar.get(request).await
    }

    /// Asks, and leaves the answer for later.
    pub(crate) async fn get_later(&self, request: &str) -> Asked {
        let mut wire = Wire::connect(self.sidecar.address).await.unwrap();
        wire.send(head(self.sidecar.address, request)).await.unwrap();
        Asked { wire }
    }

    /// Reads all of `/o`, and waits until all of its blocks are stored.
    pub(crate) async fn fill(&self) {
        let before = self.sidecar.stored().await;
        let whole = self.get("GET /o").await;
        assert_eq!((whole.status(), whole.end), (200, End::Complete), "{whole:?}");
        self.sidecar.has_stored(before + blocks(whole.body.len())).await;
        self.origin.forget();
    }

    /// Reads all of `/o` again, and waits until the blocks are stored that were not.
    pub(crate) async fn fill_rest(&self) {
        assert_eq!(self.get("GET /o").await.status(), 200);
        self.sidecar.has_stored(blocks(usize::try_from(SIZE).unwrap())).await;
        self.origin.forget();
    }

    /// Reads a range of a revision by its pin, and waits until its blocks are stored.
    pub(crate) async fn fill_pinned(&self, n: u32, first: u64, last: u64) {
        let before = self.sidecar.stored().await;
        let part = self.get(&pinned(n, first, last)).await;
        assert_eq!(part.status(), 206, "{part:?}");
        self.sidecar
            .has_stored(before + (last / BLOCK - first / BLOCK + 1))
            .await;
        self.origin.forget();
    }
}

fn blocks(length: usize) -> u64 {
    u64::try_from(length).unwrap().div_ceil(BLOCK)
}

/// [`http_config`] with more of its authority.
pub(crate) fn config(url: &str, tier: &str, route: &str) -> String {
    let place = format!("url: '{url}'");
    http_config(url, route).replace(&place, &format!("{place}{tier}"))
}

/// `GET /o` of a range.
pub(crate) fn ranged(first: u64, last: u64) -> String {
    format!("GET /o; Range: bytes={first}-{last}")
}

/// `GET /o` of a range of one revision.
pub(crate) fn pinned(n: u32, first: u64, last: u64) -> String {
    format!("{}; If-Match: {}", ranged(first, last), tag(n))
}

/// The reason that our own member of Cache-Status gives.
pub(crate) fn detail(answer: &Answer) -> &str {
    parameter(answer, "detail").unwrap_or("")
}

/// A parameter of the last member of Cache-Status, which is ours.
pub(crate) fn parameter<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let mut lines = answer.head.headers.get_all("cache-status").iter();
    let last = lines.next_back()?.to_str().unwrap().rsplit(", ").next()?;
    let mut parameters = last.split("; ").skip(1);
    parameters.find_map(|parameter| match parameter.split_once('=') {
        Some((found, value)) => (found == name).then_some(value),
        None => (parameter == name).then_some(""),
    })
}

/// That an answer is this range of this revision, whole.
#[track_caller]
pub(crate) fn is_part(answer: &Answer, n: u32, first: u64, last: u64) {
    assert_eq!(answer.status(), 206, "{:?}", answer.head);
    assert_eq!(
        answer.head.content_range(),
        Some((first, last, SIZE)),
        "{:?}",
        answer.head
    );
    assert_eq!(answer.field("etag"), Some(&*tag(n)), "{:?}", answer.head);
    assert_eq!(answer.end, End::Complete);
    assert!(
        answer.body == bytes(n, first..last + 1),
        "other bytes: {:?}",
        answer.head
    );
}

/// That an answer is all of this revision.
#[track_caller]
pub(crate) fn is_whole(answer: &Answer, n: u32) {
    assert_eq!(answer.status(), 200, "{:?}", answer.head);
    assert_eq!(answer.field("etag"), Some(&*tag(n)), "{:?}", answer.head);
    assert_eq!(answer.end, End::Complete);
    assert!(answer.body == bytes(n, 0..SIZE), "other bytes: {:?}", answer.head);
}

impl Sidecar {
    /// How many blocks were stored so far.
    pub(crate) async fn stored(&self) -> u64 {
        self.count("pinstripe_fills_total{outcome=\"stored\"}").await
    }

    /// The value of a metric; absent is zero.
    pub(crate) async fn count(&self, name: &str) -> u64 {
        let page = self.metrics().await;
        let line = page.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0, |value| value.trim().parse().unwrap())
    }

    /// Resolves when so many blocks were stored: a client may have its bytes before the disk has.
    pub(crate) async fn has_stored(&self, blocks: u64) {
        self.counted("pinstripe_fills_total{outcome=\"stored\"}", blocks).await;
    }

    /// Resolves when a metric has come that far.
    pub(crate) async fn counted(&self, name: &str, least: u64) {
        let mut page = Wire::connect(self.admin).await.unwrap();
        let begun = tokio::time::Instant::now();
        loop {
            let answer = page.exchange(head(self.admin, "GET /metrics")).await.unwrap();
            let text = String::from_utf8(answer.body.to_vec()).unwrap();
            let value = text.lines().find_map(|line| line.strip_prefix(name));
            if value.is_some_and(|value| value.trim().parse::<u64>().unwrap() >= least) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{name} is {value:?} and not {least}");
            tokio::task::yield_now().await;
        }
    }

    /// Several requests on connections of their own, at once; answers in their order.
    pub(crate) async fn get_all(&self, requests: impl IntoIterator<Item = String>) -> Vec<Answer> {
        let address = self.address;
        let asking = requests
            .into_iter()
            .map(|request| async move { get(address, &request).await });
        futures_util::future::join_all(asking).await
    }
}
