//! Fetching ahead of all who read ranges of one revision: a parallel download asks for one range after the other, and what
//! it will ask for next is already on its way.
//!
//! Owns: how far they have come, together, and a task for each revision that is being downloaded so. It ends when nobody has
//! read on for a while. Never: fetches more than they have asked for themselves.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep};

use super::ahead::Ahead;
use super::route::{Request, Route};
use crate::object::{BlockIndex, ByteRange, Head, Revision};
use crate::plan::next_piece;

/// Downloads that something is fetched ahead of at the same time; there is a task for each.
const MOST: usize = 64;
/// How often a download is looked at: a piece that has come makes room for the next.
const LOOK: Duration = Duration::from_millis(100);
/// How long a download may stand still. Clients that retry a chunk pause for a second or so.
const IDLE: Duration = Duration::from_secs(2);

/// The downloads of a route.
#[derive(Debug, Default)]
pub(super) struct Foresight {
    downloads: Mutex<HashMap<Revision, Arc<Download>>>,
    /// How many there are, for those who only look.
    running: AtomicUsize,
}

/// All who read ranges of one revision.
#[derive(Debug, Default)]
struct Download {
    readers: AtomicUsize,
    /// Bytes that were asked for since the last look.
    asked: AtomicU64,
    /// Nobody has asked for anything from there on.
    front: AtomicU64,
}

/// One of them, for as long as it reads.
pub(super) struct Reading(Arc<Download>);

impl Download {
    fn note(&self, range: ByteRange) {
        self.asked.fetch_add(range.len(), Ordering::Relaxed);
        self.front.fetch_max(range.end(), Ordering::Relaxed);
    }
}

impl Foresight {
    /// A range was read that was at hand.
    pub(super) fn note(&self, revision: &Revision, range: ByteRange) {
        // The warm path: nobody downloads anything that is not here.
        if self.running.load(Ordering::Relaxed) == 0 {
            return;
        }
        if let Some(download) = self.downloads.lock().get(revision) {
            download.note(range);
        }
    }

    /// The download of a revision, and whether it is new. `None` if there are too many.
    fn of(&self, revision: &Revision) -> Option<(Arc<Download>, bool)> {
        let mut downloads = self.downloads.lock();
        if let Some(download) = downloads.get(revision) {
            return Some((download.clone(), false));
        }
        if downloads.len() >= MOST {
            return None;
        }
        let download = Arc::new(Download::default());
        downloads.insert(revision.clone(), download.clone());
        self.running.store(downloads.len(), Ordering::Relaxed);
        Some((download, true))
    }

    fn end(&self, revision: &Revision) {
        let mut downloads = self.downloads.lock();
        downloads.remove(revision);
        self.running.store(downloads.len(), Ordering::Relaxed);
    }
}

impl Route {
    /// A range of a revision is read, some of which is not here: what comes after it will be.
    pub(super) fn foresee(
        self: &Arc<Self>,
        request: &Request,
        revision: &Revision,
        head: &Arc<Head>,
        range: ByteRange,
    ) -> Option<Reading> {
        if self.terms.parallel <= 1 || !self.keeps {
            return None;
        }
        // There is something to be fetched ahead.
        let rest = head.size().whole()?.starting_at(range.last())?;
        next_piece(rest, BlockIndex::new(0), self.terms.block_size, self.terms.parallel)?;
        let (download, new) = self.foresight.of(revision)?;
        download.note(range);
        download.readers.fetch_add(1, Ordering::Relaxed);
        if new {
            let (route, request, revision) = (self.clone(), request.clone(), revision.clone());
            let (head, download) = (head.clone(), download.clone());
            self.tasks.spawn(async move {
                route.accompany(&request, &head, &download).await;
                route.foresight.end(&revision);
            });
        }
        Some(Reading(download))
    }

    async fn accompany(self: &Arc<Self>, request: &Request, head: &Head, download: &Download) {
        let mut ahead = Ahead::of_readers();
        let mut moved = Instant::now();
        while !ahead.has_failed() && !self.tasks.is_closed() {
            let asked = download.asked.swap(0, Ordering::Relaxed);
            ahead.took(asked, true);
            let now = Instant::now();
            if asked > 0 || download.readers.load(Ordering::Relaxed) > 0 {
                moved = now;
            } else if now.saturating_duration_since(moved) > IDLE {
                return;
            }
            // From the last byte that was asked for: the next piece may begin right after it.
            let last = download.front.load(Ordering::Relaxed).saturating_sub(1);
            let Some(rest) = head.size().whole().and_then(|whole| whole.starting_at(last)) else {
                return;
            };
            ahead.extend(self, request, head, rest, None).await;
            sleep(LOOK).await;
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reading")
    }
}
