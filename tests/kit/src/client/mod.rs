//! A parallel download as real clients do it: learn size and tag from a first read, fetch the rest in ranges pinned to that
//! tag, start again when a pin fails, and here also verify every byte.
//!
//! Bodies are verified while they stream, so a download takes no memory whatever its size. It never hides a failure: nothing
//! but a 412 starts it again, and nothing is asked twice but what a kept connection lost before its answer began.

mod link;
mod outcome;

pub use outcome::{Failure, Outcome};

use crate::pattern::{Pattern, Verifier, WORD};
use crate::raw::content_range;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HOST, IF_MATCH, RANGE};
use http::{HeaderMap, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Empty};
use link::{Links, Reply};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How the size and the tag are learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discovery {
    /// A GET of the first chunk without a pin: AWS CRT, the Rust and Go transfer managers, cachew.
    BareRange,
    /// boto3, aws-cli, s3fs.
    Head,
}

/// What to download, and how.
#[derive(Clone, Debug)]
pub struct Download {
    /// Each request goes to the next one, as connections do behind a Service.
    pub targets: Vec<SocketAddr>,
    /// A proxy to ask instead, in absolute form (RFC 9112, 3.2.2).
    pub proxy: Option<SocketAddr>,
    /// `Host`, and the authority in absolute form.
    pub host: String,
    /// Path and query.
    pub path: String,
    /// Fields to add to every request.
    pub headers: HeaderMap,
    /// Whose pattern the body must be.
    pub object: u32,
    pub chunk: u64,
    pub connections: usize,
    pub discovery: Discovery,
    /// Without it, the ranges are bare, as those of rclone, aria2 and s5cmd.
    pub pin: bool,
    /// How often a 412 may start it again.
    pub max_restarts: u32,
}

impl Download {
    /// 8 connections of 8 MiB chunks, a bare range as discovery, pinned.
    #[must_use]
    pub fn new(targets: impl Into<Vec<SocketAddr>>, path: impl Into<String>, object: u32) -> Self {
        let targets = targets.into();
        Self {
            host: targets.first().map(ToString::to_string).unwrap_or_default(),
            targets,
            proxy: None,
            path: path.into(),
            headers: HeaderMap::new(),
            object,
            chunk: 8 << 20,
            connections: 8,
            discovery: Discovery::BareRange,
            pin: true,
            max_restarts: 8,
        }
    }

    /// Downloads and verifies.
    pub async fn run(&self) -> Outcome {
        let begun = Instant::now();
        let shared = Arc::new(Shared {
            download: self.clone(),
            turn: AtomicUsize::new(0),
            tally: Mutex::default(),
        });
        let mut restarts = 0;
        let (found, verified) = loop {
            let mut found = None;
            match attempt(&shared, &mut found).await {
                Err(Failure::Changed) if restarts < self.max_restarts => restarts += 1,
                verified => break (found, verified),
            }
        };
        let tally = std::mem::take(&mut *shared.tally.lock());
        Outcome {
            size: found.as_ref().map(|found| found.size),
            etag: found.map(|found| found.etag),
            restarts,
            precondition_failed: tally.statuses.get(&412).copied().unwrap_or(0),
            statuses: tally.statuses,
            bytes: tally.bytes,
            foreign_tags: tally.foreign_tags,
            spliced: matches!(&verified, Err(Failure::Mismatch(mismatch)) if mismatch.is_splice()),
            verified,
            elapsed: begun.elapsed(),
        }
    }
}

#[derive(Debug)]
struct Shared {
    download: Download,
    turn: AtomicUsize,
    tally: Mutex<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    statuses: BTreeMap<u16, u64>,
    bytes: u64,
    foreign_tags: u64,
}

/// What discovery learnt.
#[derive(Clone, Debug)]
struct Found {
    size: u64,
    etag: String,
    /// The revision of the bytes that came with it.
    revision: Option<u32>,
    /// Up to where they reach.
    have: u64,
}

async fn attempt(shared: &Arc<Shared>, out: &mut Option<Found>) -> Result<Option<u32>, Failure> {
    let mut links = Links::default();
    let found = match shared.download.discovery {
        Discovery::BareRange => shared.discover_by_range(&mut links).await?,
        Discovery::Head => shared.discover_by_head(&mut links).await?,
    };
    *out = Some(found.clone());
    let rest = Arc::new(Rest {
        next: AtomicU64::new(found.have),
        revision: Mutex::new(found.revision),
        found,
    });
    // Dropped at the first failure: what the others still do is of no use.
    let mut workers = JoinSet::new();
    for _ in 0..shared.download.connections.max(1) {
        let (shared, rest, mut links) = (Arc::clone(shared), Arc::clone(&rest), std::mem::take(&mut links));
        workers.spawn(async move {
            while let Some(range) = rest.take(shared.download.chunk) {
                shared.fetch(&mut links, &rest, range).await?;
            }
            Ok(())
        });
    }
    while let Some(worked) = workers.join_next().await {
        worked.map_err(|why| Failure::Cut(why.to_string()))??;
    }
    let revision = *rest.revision.lock();
    Ok(revision)
}

/// What is left to fetch, in order.
#[derive(Debug)]
struct Rest {
    found: Found,
    next: AtomicU64,
    /// Of the whole body; set by the first bytes.
    revision: Mutex<Option<u32>>,
}

impl Rest {
    fn take(&self, chunk: u64) -> Option<Range<u64>> {
        let start = self.next.fetch_add(chunk.max(1), Relaxed);
        (start < self.found.size).then(|| start..self.found.size.min(start + chunk.max(1)))
    }
}

impl Shared {
    async fn discover_by_range(&self, links: &mut Links) -> Result<Found, Failure> {
        let asked = 0..self.download.chunk.max(1);
        let reply = self.ask(links, Method::GET, Some(&asked), None).await?;
        let size = match reply.status().as_u16() {
            206 => match content_range(reply.headers()) {
                Some((0, last, total)) if last + 1 == asked.end.min(total) => total,
                _ => {
                    return Err(Failure::Head(format!(
                        "206 with {:?}",
                        reply.headers().get(CONTENT_RANGE)
                    )));
                }
            },
            200 => length(reply.headers())?,
            // A bare range on an empty object: there is nothing to pin.
            416 if reply
                .headers()
                .get(CONTENT_RANGE)
                .is_some_and(|range| range == "bytes */0") =>
            {
                return Ok(Found {
                    size: 0,
                    etag: String::new(),
                    revision: None,
                    have: 0,
                });
            }
            status => return Err(Failure::Status(status)),
        };
        let etag = tag(reply.headers())?;
        let have = if reply.status() == 200 {
            size
        } else {
            asked.end.min(size)
        };
        let revision = self
            .receive(reply, Verifier::new(self.download.object, 0), have)
            .await?;
        Ok(Found {
            size,
            etag,
            revision,
            have,
        })
    }

    async fn discover_by_head(&self, links: &mut Links) -> Result<Found, Failure> {
        let reply = self.ask(links, Method::HEAD, None, None).await?;
        match reply.status().as_u16() {
            200 => Ok(Found {
                size: length(reply.headers())?,
                etag: tag(reply.headers())?,
                revision: None,
                have: 0,
            }),
            status => Err(Failure::Status(status)),
        }
    }

    /// One chunk, held to the revision of those before it.
    async fn fetch(&self, links: &mut Links, rest: &Rest, range: Range<u64>) -> Result<(), Failure> {
        let pin = self.download.pin.then_some(rest.found.etag.as_str());
        let reply = self.ask(links, Method::GET, Some(&range), pin).await?;
        match reply.status().as_u16() {
            206 => {}
            412 => return Err(Failure::Changed),
            status => return Err(Failure::Status(status)),
        }
        if content_range(reply.headers()) != Some((range.start, range.end - 1, rest.found.size)) {
            return Err(Failure::Head(format!(
                "{range:?} answered by {:?}",
                reply.headers().get(CONTENT_RANGE)
            )));
        }
        if reply
            .headers()
            .get(ETAG)
            .is_none_or(|etag| etag != rest.found.etag.as_str())
        {
            self.tally.lock().foreign_tags += 1;
        }
        let object = self.download.object;
        let known = *rest.revision.lock();
        let verifier = known.map_or_else(
            || Verifier::new(object, range.start),
            |revision| Verifier::of(Pattern::new(object, revision), range.start),
        );
        let revision = self.receive(reply, verifier, range.end).await?;
        let Some(revision) = revision else { return Ok(()) };
        // Others may have learnt theirs at the same time; the first one holds.
        let first = { *rest.revision.lock().get_or_insert(revision) };
        if revision == first {
            return Ok(());
        }
        let words = range.start.next_multiple_of(WORD)..range.end;
        let spliced = Pattern::new(object, revision).bytes(words.clone());
        Pattern::new(object, first)
            .verify(words.start, &spliced)
            .map_err(Failure::Mismatch)
    }

    /// Sends a request to the next target.
    async fn ask(
        &self,
        links: &mut Links,
        method: Method,
        range: Option<&Range<u64>>,
        pin: Option<&str>,
    ) -> Result<Reply, Failure> {
        let download = &self.download;
        let turn = self
            .turn
            .fetch_add(1, Relaxed)
            .checked_rem(download.targets.len())
            .unwrap_or(0);
        let target = download.proxy.or(download.targets.get(turn).copied());
        let target = target.ok_or_else(|| Failure::Cut("no target".into()))?;
        let uri = match download.proxy {
            Some(_) => format!("http://{}{}", download.host, download.path),
            None => download.path.clone(),
        };
        let mut request = Request::builder().method(method).uri(uri).header(HOST, &download.host);
        if let Some(range) = range {
            request = request.header(RANGE, format!("bytes={}-{}", range.start, range.end - 1));
        }
        if let Some(pin) = pin {
            request = request.header(IF_MATCH, pin);
        }
        let mut request = request
            .body(Empty::new())
            .map_err(|why| Failure::Head(why.to_string()))?;
        request.headers_mut().extend(download.headers.clone());
        let reply = links.send(target, request).await.map_err(Failure::Cut)?;
        *self.tally.lock().statuses.entry(reply.status().as_u16()).or_default() += 1;
        Ok(reply)
    }

    /// Verifies a body that must end at `end`, piece by piece.
    async fn receive(&self, mut reply: Reply, mut verifier: Verifier, end: u64) -> Result<Option<u32>, Failure> {
        while let Some(frame) = reply.body_mut().frame().await {
            let frame = frame.map_err(|why| Failure::Cut(format!("{why:?} at {}", verifier.position())))?;
            if let Some(data) = frame.data_ref() {
                self.tally.lock().bytes += u64::try_from(data.len()).unwrap_or(0);
                verifier.feed(data).map_err(Failure::Mismatch)?;
            }
        }
        // A close-delimited body has no length that hyper could hold it to.
        if verifier.position() != end {
            return Err(Failure::Cut(format!(
                "ended at {} and not at {end}",
                verifier.position()
            )));
        }
        verifier.finish().map_err(Failure::Mismatch)
    }
}

fn length(headers: &HeaderMap) -> Result<u64, Failure> {
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    length.ok_or_else(|| Failure::Head("no Content-Length".into()))
}

fn tag(headers: &HeaderMap) -> Result<String, Failure> {
    let tag = headers.get(ETAG).map(HeaderValue::to_str).and_then(Result::ok);
    tag.map(str::to_owned).ok_or_else(|| Failure::Head("no ETag".into()))
}
