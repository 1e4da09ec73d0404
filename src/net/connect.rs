//! Connections: resolve, ask the guard, dial that very address, TLS.
//!
//! Owns: the connect timeout, which bounds all of that. Never: keeps a connection; the pool of the client does.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Uri;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, MaybeHttpsStream};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tower_service::Service;

use super::cause;
use super::dialled::Dialled;
use super::guard::Guard;
use super::resolve::Resolver;
use crate::object::Cause;

/// Addresses of one name that are tried; each gets its share of the connect timeout.
const ATTEMPTS: usize = 4;

/// Why there is no connection.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("no connection: {}", .0.label())]
pub(super) struct ConnectFailed(pub(super) Cause);

/// Connects to the authority of a URI, with TLS if its scheme is `https`.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    inner: HttpsConnector<Dialer>,
    within: Duration,
}

/// The TCP half.
#[derive(Clone, Debug)]
struct Dialer {
    resolver: Resolver,
    guard: Arc<Guard>,
    within: Duration,
}

impl Connector {
    /// `name`: whom certificates are for, where it is not the host of the URI.
    pub(super) fn new(guard: Guard, within: Duration, tls: rustls::ClientConfig, name: Option<&str>) -> Self {
        let dialer = Dialer {
            resolver: Resolver::new(within),
            guard: Arc::new(guard),
            within,
        };
        let name = name.and_then(|name| ServerName::try_from(name.to_owned()).ok());
        let inner = match name {
            None => HttpsConnector::from((dialer, tls)),
            Some(name) => HttpsConnector::new(dialer, tls, false, Arc::new(FixedServerNameResolver::new(name))),
        };
        Self { inner, within }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<Dialled>;
    type Error = ConnectFailed;
    type Future = BoxFuture<'static, Result<Self::Response, ConnectFailed>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectFailed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let connecting = timeout(self.within, self.inner.call(target));
        Box::pin(async move {
            match connecting.await {
                Ok(Ok(stream)) => Ok(stream),
                // What did not fail in dialling failed in the handshake.
                Ok(Err(error)) => {
                    let dialled = cause::find(error.as_ref(), |failed: &ConnectFailed| Some(failed.0));
                    Err(ConnectFailed(dialled.unwrap_or(Cause::Tls)))
                }
                Err(_) => Err(ConnectFailed(Cause::Timeout)),
            }
        })
    }
}

impl Service<Uri> for Dialer {
    type Response = Dialled;
    type Error = ConnectFailed;
    type Future = BoxFuture<'static, Result<Self::Response, ConnectFailed>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectFailed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let dialer = self.clone();
        Box::pin(async move {
            let stream = dialer.dial(&target).await.map_err(ConnectFailed)?;
            Ok(Dialled::new(stream))
        })
    }
}

impl Dialer {
    async fn dial(&self, target: &Uri) -> Result<TcpStream, Cause> {
        let deadline = Instant::now() + self.within;
        let port = target
            .port_u16()
            .unwrap_or(if target.scheme_str() == Some("https") { 443 } else { 80 });
        let host = target.host().ok_or(Cause::NoAddress)?;
        let mut addresses = self.resolver.resolve(host, port, &self.guard).await?;
        addresses.truncate(ATTEMPTS);
        let mut failed = Cause::NoAddress;
        for (address, left) in addresses.iter().zip((1..=addresses.len()).rev()) {
            // A black hole among the addresses may use up its share only.
            let share = deadline.saturating_duration_since(Instant::now()) / u32::try_from(left).unwrap_or(1);
            match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // A request is one small write, and nothing may hold it back. Failing to say so is no failure.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                // Unreachable is told as refused: nobody answers there.
                Ok(Err(_)) => failed = Cause::Refused,
                Err(_) => failed = Cause::Timeout,
            }
        }
        Err(failed)
    }
}
