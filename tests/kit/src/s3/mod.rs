//! An S3 server: SigV4, path style, in memory, honest.
//!
//! In reading order: `object` (a revision), `store` (what is current), `reads` and `writes` (the protocol), `counts`. Owns a
//! listener; everything it serves may be put and looked at from the outside, without a request. Faults are few on purpose:
//! gates, a refusal of the next requests or of all that name a version, a body that is cut. For lies use [`crate::origin`].
//!
//! Left out: `If-Range` (no part of the S3 API, so it is ignored), SSE, ACLs, lifecycle, checks of uploaded checksums,
//! `delimiter` in listings.

mod counts;
mod object;
mod reads;
mod store;
mod writes;

pub use counts::{Asked, Counters, Counts, Op};
pub use object::Object;
pub use store::Store;

use crate::gate::Gate;
use crate::pattern::Pattern;
use crate::serve::Serving;
use bytes::Bytes;
use counts::Metered;
use http::header::{CONTENT_TYPE, SERVER};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use tokio::net::TcpStream;

/// How to start a server.
#[derive(Clone, Debug)]
pub struct S3Options {
    pub access_key: String,
    pub secret_key: String,
    /// Whether objects can be read without a signature, as a bucket's policy may allow. A wrong signature is refused all the
    /// same.
    pub public_reads: bool,
    /// Port 0 takes a free one; a port given again takes up where a stopped server was.
    pub address: SocketAddr,
    pub store: Store,
}

impl Default for S3Options {
    fn default() -> Self {
        Self {
            access_key: "kit-access-key".into(),
            secret_key: "kit-secret-key".into(),
            public_reads: false,
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            store: Store::default(),
        }
    }
}

/// A running server; stops when it is dropped.
#[derive(Debug)]
pub struct S3Server {
    options: S3Options,
    serving: Serving,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    service: S3Service,
    counters: Counters,
    before: Gate,
    answers: Gate,
    refusal: Mutex<Option<(u64, StatusCode)>>,
    versions_refused: Mutex<Option<StatusCode>>,
    cut: Mutex<Option<u64>>,
    request_ids: AtomicU64,
}

impl S3Server {
    /// With default keys, an empty store without versions, and a free port.
    ///
    /// # Errors
    /// Nothing can be bound on loopback.
    pub async fn start() -> io::Result<Self> {
        Self::start_with(S3Options::default()).await
    }

    /// # Errors
    /// The address cannot be bound.
    pub async fn start_with(mut options: S3Options) -> io::Result<Self> {
        let mut builder = S3ServiceBuilder::new(writes::Writes(options.store.clone()));
        builder.set_auth(SimpleAuth::from_single(
            options.access_key.clone(),
            options.secret_key.clone(),
        ));
        builder.set_route(reads::Reads {
            store: options.store.clone(),
            public: options.public_reads,
        });
        let shared = Arc::new(Shared {
            service: builder.build(),
            counters: Counters::default(),
            before: Gate::opened(),
            answers: Gate::opened(),
            refusal: Mutex::default(),
            versions_refused: Mutex::default(),
            cut: Mutex::default(),
            request_ids: AtomicU64::new(1),
        });
        let accepted = Arc::clone(&shared);
        let serving = Serving::start(options.address, move |stream| connection(Arc::clone(&accepted), stream)).await?;
        options.address = serving.addr();
        Ok(Self {
            options,
            serving,
            shared,
        })
    }

    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.serving.addr()
    }

    /// The endpoint: `http://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// What it was started with, at the address that it got: a stopped server starts again from them.
    #[must_use]
    pub fn options(&self) -> &S3Options {
        &self.options
    }

    #[must_use]
    pub fn store(&self) -> &Store {
        &self.options.store
    }

    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Holds requests before they look at the store: what they see is what is current when it opens.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.shared.before
    }

    /// Holds answers that are decided, before their heads go out: they tell of a revision that may have passed.
    #[must_use]
    pub fn answers(&self) -> &Gate {
        &self.shared.answers
    }

    /// Answers the next `n` requests with this status and S3's XML.
    pub fn refuse_next(&self, n: u64, status: StatusCode) {
        *self.shared.refusal.lock() = Some((n, status));
    }

    /// Answers requests that name a version with this status from now on: 403 to whoever may read objects only.
    pub fn refuse_versions(&self, status: StatusCode) {
        *self.shared.versions_refused.lock() = Some(status);
    }

    /// Breaks off the next body that has more than so many bytes after those.
    pub fn cut_next(&self, bytes: u64) {
        *self.shared.cut.lock() = Some(bytes);
    }

    /// Overwrites a key with a pattern; returns its tag.
    pub fn put_pattern(&self, bucket: &str, key: &str, pattern: Pattern, size: u64) -> String {
        self.store().put(bucket, key, Object::pattern(pattern, size))
    }

    /// Overwrites a key with bytes; returns their tag.
    pub fn put_bytes(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) -> String {
        self.store().put(bucket, key, Object::bytes(bytes))
    }

    /// Closes every connection and the listener: connections are refused when this returns.
    pub async fn stop(&self) {
        self.serving.stop().await;
    }
}

async fn connection(shared: Arc<Shared>, stream: TcpStream) {
    let service = service_fn(move |request| answer(Arc::clone(&shared), request));
    // A client that goes away is an everyday event, and so is our own stop.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Metered<s3s::Body>>, Infallible> {
    let in_flight = shared.counters.begin(&request);
    shared.before.pass().await;
    let refusal = shared.next_refusal().or_else(|| shared.version_refusal(request.uri()));
    let mut response = match refusal {
        Some(status) => refuse(status),
        None => {
            let answered = shared.service.call(request.map(s3s::Body::from)).await;
            answered.unwrap_or_else(|_| refuse(StatusCode::INTERNAL_SERVER_ERROR))
        }
    };
    shared.answers.pass().await;
    in_flight.answered(response.status().as_u16());
    let id = format!("{:016X}", shared.request_ids.fetch_add(1, Relaxed));
    let headers = response.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("AmazonS3"));
    headers.extend(
        HeaderValue::from_str(&id)
            .ok()
            .map(|id| (http::HeaderName::from_static("x-amz-request-id"), id)),
    );
    let cut = shared.next_cut(response.body());
    Ok(response.map(|body| Metered::new(body, in_flight, cut)))
}

impl Shared {
    fn next_refusal(&self) -> Option<StatusCode> {
        let mut refusal = self.refusal.lock();
        let (left, status) = refusal.take()?;
        *refusal = left.checked_sub(1).filter(|left| *left > 0).map(|left| (left, status));
        (left > 0).then_some(status)
    }

    fn version_refusal(&self, uri: &Uri) -> Option<StatusCode> {
        let names = counts::query(uri).any(|(name, _)| name == "versionId");
        self.versions_refused.lock().filter(|_| names)
    }

    fn next_cut(&self, body: &s3s::Body) -> Option<u64> {
        let length = body.size_hint().exact();
        let mut cut = self.cut.lock();
        let due = cut.is_some_and(|cut| length.is_some_and(|length| length > cut));
        if due { cut.take() } else { None }
    }
}

/// Of S3's codes the two that mean something to retries; others are told by their status.
fn refuse(status: StatusCode) -> Response<s3s::Body> {
    let code = match status {
        StatusCode::SERVICE_UNAVAILABLE => "SlowDown",
        StatusCode::FORBIDDEN => "AccessDenied",
        _ => "InternalError",
    };
    let xml = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code></Error>");
    let mut response = Response::new(s3s::Body::from(xml));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}
