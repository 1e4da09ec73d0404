//! What the S3 server counts: questions by operation, answers by status, bytes that really left. And the last heads it saw.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri, header};
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use tokio::sync::watch;

/// An operation of the S3 API, as far as the kit tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    GetObject,
    HeadObject,
    PutObject,
    DeleteObject,
    ListObjects,
    CreateUpload,
    UploadPart,
    CompleteUpload,
    AbortUpload,
    Other,
}

impl Op {
    /// By method, by whether there is a key, and by the query's names; S3 tells them apart in no other way.
    pub(crate) fn of(method: &Method, uri: &Uri) -> Self {
        let keyed = uri
            .path()
            .trim_start_matches('/')
            .split_once('/')
            .is_some_and(|(_, key)| !key.is_empty());
        let names: Vec<_> = query(uri).map(|(name, _)| name).collect();
        let read = names.iter().all(|name| reads_with(name));
        let has = |name: &str| names.contains(&name);
        match *method {
            Method::GET if keyed && read => Self::GetObject,
            Method::HEAD if keyed && read => Self::HeadObject,
            Method::GET if !keyed => Self::ListObjects,
            Method::PUT if keyed && has("partNumber") => Self::UploadPart,
            Method::PUT if keyed => Self::PutObject,
            Method::DELETE if keyed && has("uploadId") => Self::AbortUpload,
            Method::DELETE if keyed => Self::DeleteObject,
            Method::POST if has("uploads") => Self::CreateUpload,
            Method::POST if has("uploadId") => Self::CompleteUpload,
            _ => Self::Other,
        }
    }
}

/// The names and raw values of a query.
pub(crate) fn query(uri: &Uri) -> impl Iterator<Item = (&str, &str)> {
    let pairs = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Query names that leave a GET what it is; every other one names a subresource (`?acl`, `?tagging`, ...).
fn reads_with(name: &str) -> bool {
    ["partNumber", "versionId", "x-id"].contains(&name) || name.starts_with("response-") || name.starts_with("X-Amz-")
}

/// A snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub by_op: BTreeMap<Op, u64>,
    pub by_status: BTreeMap<u16, u64>,
    /// GETs of objects with `If-Match`.
    pub pinned: u64,
    /// GETs of objects without.
    pub unpinned: u64,
    /// Bytes of bodies that the connection has taken, not those that were promised.
    pub body_bytes: u64,
    /// Requests whose answer is not yet wholly sent or dropped.
    pub in_flight: u64,
}

impl Counts {
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.by_op.values().sum()
    }

    #[must_use]
    pub fn op(&self, op: Op) -> u64 {
        self.by_op.get(&op).copied().unwrap_or(0)
    }

    #[must_use]
    pub fn status(&self, status: u16) -> u64 {
        self.by_status.get(&status).copied().unwrap_or(0)
    }

    /// 412s.
    #[must_use]
    pub fn precondition_failed(&self) -> u64 {
        self.status(412)
    }
}

/// A request as it came, signature and all.
#[derive(Clone, Debug)]
pub struct Asked {
    pub op: Op,
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
}

impl Asked {
    /// The first line of a field, if it is text.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Of a server that is measured nobody looks at the heads.
const KEPT_HEADS: usize = 1024;

/// The live counters; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Counters(Arc<Live>);

#[derive(Debug, Default)]
struct Live {
    counts: Mutex<Counts>,
    asked: Mutex<VecDeque<Asked>>,
    body_bytes: AtomicU64,
    in_flight: watch::Sender<u64>,
}

impl Counters {
    #[must_use]
    pub fn snapshot(&self) -> Counts {
        Counts {
            body_bytes: self.0.body_bytes.load(Relaxed),
            in_flight: *self.0.in_flight.borrow(),
            ..self.0.counts.lock().clone()
        }
    }

    /// The last heads, oldest first.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.0.asked.lock().iter().cloned().collect()
    }

    /// Resolves when nothing is in flight: a client may have its answer before the server has let go of it.
    pub async fn idle(&self) {
        // Fails only when the sender is gone, and `self` holds it.
        let _ = self.0.in_flight.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Back to zero, but for what is in flight.
    pub fn reset(&self) {
        *self.0.counts.lock() = Counts::default();
        self.0.asked.lock().clear();
        self.0.body_bytes.store(0, Relaxed);
    }

    pub(crate) fn begin<B>(&self, request: &Request<B>) -> InFlight {
        let (method, uri, headers) = (
            request.method().clone(),
            request.uri().clone(),
            request.headers().clone(),
        );
        let op = Op::of(&method, &uri);
        self.0.in_flight.send_modify(|count| *count += 1);
        let mut counts = self.0.counts.lock();
        *counts.by_op.entry(op).or_default() += 1;
        if op == Op::GetObject {
            let pinned = headers.contains_key(header::IF_MATCH);
            *(if pinned {
                &mut counts.pinned
            } else {
                &mut counts.unpinned
            }) += 1;
        }
        drop(counts);
        let mut asked = self.0.asked.lock();
        if asked.len() == KEPT_HEADS {
            asked.pop_front();
        }
        asked.push_back(Asked {
            op,
            method,
            uri,
            headers,
        });
        InFlight(Arc::clone(&self.0))
    }
}

/// One request from its head to the end of its answer.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Live>);

impl InFlight {
    pub(crate) fn answered(&self, status: u16) {
        *self.0.counts.lock().by_status.entry(status).or_default() += 1;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.send_modify(|count| *count -= 1);
    }
}

/// A body that counts what is taken out of it, and ends its request when it is dropped.
#[derive(Debug)]
pub(crate) struct Metered<B> {
    body: B,
    request: InFlight,
    /// After how many more bytes it breaks off.
    left: Option<u64>,
    /// Whether what came before the break had a turn to go out.
    flushed: bool,
}

impl<B> Metered<B> {
    pub(crate) fn new(body: B, request: InFlight, cut: Option<u64>) -> Self {
        Self {
            body,
            request,
            left: cut,
            flushed: false,
        }
    }

    /// The part of a frame that still goes out.
    fn within(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        let Some(left) = &mut self.left else { return frame };
        frame.map_data(|mut data| {
            data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            *left = left.saturating_sub(u64::try_from(data.len()).unwrap_or(0));
            data
        })
    }
}

type Fault = Box<dyn std::error::Error + Send + Sync>;

impl<B: Body<Data = Bytes, Error: Into<Fault>> + Unpin> Body for Metered<B> {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        if self.left == Some(0) && !std::mem::replace(&mut self.flushed, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.left == Some(0) {
            return Poll::Ready(Some(Err("cut".into())));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let frame = frame.map(|frame| Ok(self.within(frame.map_err(Into::into)?)));
        if let Some(data) = frame
            .as_ref()
            .and_then(|frame| frame.as_ref().ok())
            .and_then(Frame::data_ref)
        {
            self.request
                .0
                .body_bytes
                .fetch_add(u64::try_from(data.len()).unwrap_or(0), Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
