//! Carries the SDK's signed requests over the tier's own client.
//!
//! The SDK resolves the endpoint, finds credentials and signs; it never sees an answer. Answers go past it through a
//! [`Slot`], so that bodies are streamed by one path only, timeouts and failures are those of every tier, and status
//! and fields are read as they came: the SDK's own reading drops fields, and goes by codes that a HEAD does not have.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::config::RuntimeComponents;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderValue, Request, Response, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use parking_lot::Mutex;

use crate::net::{Client, Transfer};
use crate::object::Cause;

/// Bytes of an answer that is read whole: tokens and roles are a few KiB.
const ERRAND: usize = 1 << 20;

/// Where the answer to one question is left. It travels with the request as an extension.
#[derive(Clone)]
pub(super) struct Slot {
    revalidate: bool,
    outcome: Arc<Mutex<Option<Outcome>>>,
}

/// What came of a request.
pub(super) type Outcome = Result<Response<Transfer>, Cause>;

/// The SDK's view of the network.
#[derive(Clone)]
pub(super) struct Wire {
    /// For questions.
    client: Client,
    /// For the SDK's own errands: tokens, roles, sessions. It has permits of its own, since a question that has none
    /// yet waits for these.
    side: Client,
    via: HeaderValue,
}

/// A wire with the timeouts of one of the SDK's clients; questions have the tier's.
#[derive(Clone)]
struct Line {
    wire: Wire,
    errand_within: Option<Duration>,
}

/// What the SDK is told instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer: {}", .0.label())]
struct NoAnswer(Cause);

impl Slot {
    /// An empty one. `revalidate`: caches on the way must ask.
    pub(super) fn new(revalidate: bool) -> Self {
        Self {
            revalidate,
            outcome: Arc::default(),
        }
    }

    /// What came; `None` if the request never left, since it could not be made or signed.
    pub(super) fn take(&self) -> Option<Outcome> {
        self.outcome.lock().take()
    }
}

impl Wire {
    pub(super) fn new(client: Client, side: Client, via: HeaderValue) -> Self {
        Self { client, side, via }
    }

    /// Leaves the answer in the slot, and tells the SDK of an empty 200, with which it is content.
    async fn question(self, mut request: Request<Full<Bytes>>, slot: Slot) -> Result<HttpResponse, ConnectorError> {
        // Added after signing, so that proxies which change these do not break the signature: some do.
        let fields = request.headers_mut();
        fields.append(header::VIA, self.via);
        fields.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if slot.revalidate {
            fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        let outcome = self.client.send(request).await;
        let failed = outcome.as_ref().err().copied();
        *slot.outcome.lock() = Some(outcome);
        match failed {
            Some(cause) => Err(connector_error(cause)),
            None => reply(Response::new(SdkBody::empty())),
        }
    }

    async fn errand(self, request: Request<Full<Bytes>>) -> Result<HttpResponse, ConnectorError> {
        let response = self.side.send(request).await.map_err(connector_error)?;
        let (head, transfer) = response.into_parts();
        let frames = StreamBody::new(transfer.map(|chunk| chunk.map(Frame::data)));
        let body = Limited::new(frames, ERRAND).collect().await;
        let body = body.map_err(ConnectorError::io)?.to_bytes();
        reply(Response::from_parts(head, SdkBody::from(body)))
    }
}

impl HttpConnector for Line {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let slot = request.extension::<Slot>().cloned();
        let request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let (mut head, body) = request.into_parts();
        head.extensions.clear();
        // Errands have small bodies in memory, questions none at all.
        let request = Request::from_parts(
            head,
            Full::new(body.bytes().map(Bytes::copy_from_slice).unwrap_or_default()),
        );
        let line = self.clone();
        HttpConnectorFuture::new(async move {
            match (slot, line.errand_within) {
                (Some(slot), _) => line.wire.question(request, slot).await,
                (None, None) => line.wire.errand(request).await,
                (None, Some(within)) => {
                    let bounded = tokio::time::timeout(within, line.wire.errand(request)).await;
                    bounded.unwrap_or_else(|_| Err(connector_error(Cause::Timeout)))
                }
            }
        })
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let (connect, read) = (settings.connect_timeout(), settings.read_timeout());
        SharedHttpConnector::new(Line {
            wire: self.clone(),
            errand_within: read.map(|read| read.saturating_add(connect.unwrap_or_default())),
        })
    }
}

fn reply(response: Response<SdkBody>) -> Result<HttpResponse, ConnectorError> {
    HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
}

fn connector_error(cause: Cause) -> ConnectorError {
    match cause {
        Cause::Timeout | Cause::Saturated => ConnectorError::timeout(NoAnswer(cause).into()),
        _ => ConnectorError::io(NoAnswer(cause).into()),
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}
