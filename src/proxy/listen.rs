//! The accept loops, and every connection's task.
//!
//! Owns: the cap on connections, and the order of shutdown. Pingora's own server sleeps for five minutes at shutdown,
//! hides the port that it got and lives on without a listener; so its proxy runs in loops of ours.
//! Never: leaves a connection waiting in the backlog. Over the cap a client is told 503 at once, since a client that
//! is told can go elsewhere, and one that waits times out without a word.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pingora::apps::{HttpServerApp, HttpServerOptions};
use pingora::proxy::{HttpProxy, http_proxy};
use pingora::server::ShutdownWatch;
use pingora::server::configuration::ServerConf;
use prometheus::IntGauge;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::conn::{Conn, Origin};
use super::edge::Edge;
use super::hooks::Hooks;
use super::pass::MAX_HOPS;
use super::service::Service;
use super::socket::bind;
use super::visit::Visit;
use crate::config::{Config, Listener};
use crate::metrics::Metrics;

/// The edge of one process, to be run on its listeners.
pub struct Front<S: Service> {
    edge: Arc<Edge<S>>,
    proxy: Arc<HttpProxy<Hooks<S>>>,
    metrics: Arc<Metrics>,
    shutdown: Duration,
}

/// A listener that is bound and not yet accepting.
#[derive(Debug)]
pub struct Bound {
    socket: TcpListener,
    config: Listener,
}

/// How many clients at once are told with care that there are too many. Others may lose what they are told to a reset.
const REFUSING: usize = 256;
/// How long telling them may take.
const REFUSING_FOR: Duration = Duration::from_secs(1);
/// After an accept that failed for want of descriptors, say: trying again at once would spin.
const BREATHER: Duration = Duration::from_millis(50);

const TOO_MANY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    Content-Type: text/plain; charset=utf-8\r\nContent-Length: 43\r\nRetry-After: 1\r\nConnection: close\r\n\r\n\
    as many connections are open as are allowed";

impl Bound {
    /// Binds; port 0 takes any. An address that is in use, or not ours, is an error.
    pub fn new(config: &Listener) -> io::Result<Self> {
        Ok(Self {
            socket: bind(config.address)?,
            config: config.clone(),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

impl<S: Service> Front<S> {
    /// The edge, with that service behind it. Needs a runtime that runs.
    pub fn new(config: &Config, service: S, metrics: &Arc<Metrics>) -> Self {
        let conf = ServerConf {
            // An attempt for each address, and one for a kept connection that was about to close.
            max_retries: MAX_HOPS + 1,
            ..ServerConf::default()
        };
        let edge = Arc::new(Edge::new(config, service, Arc::clone(metrics)));
        let mut proxy = http_proxy(&Arc::new(conf), Hooks(Arc::clone(&edge)));
        let mut options = HttpServerOptions::default();
        // So that CONNECT reaches the hooks, which refuse it with a reason, a log line and a count.
        options.allow_connect_method_proxying = true;
        proxy.server_options = Some(options);
        Self {
            edge,
            proxy: Arc::new(proxy),
            metrics: Arc::clone(metrics),
            shutdown: config.shutdown,
        }
    }

    /// Accepts until `stop`, then lets requests that run end: at most for the configured time, and no longer than the
    /// last of them. Connections without a request are closed at once.
    pub async fn run(self, listeners: Vec<Bound>, stop: CancellationToken) {
        let (stopping, watch) = watch::channel(false);
        let mut doors = JoinSet::new();
        for bound in listeners {
            doors.spawn(self.door(bound, watch.clone()).accept(stop.clone()));
        }
        let mut connections = Vec::new();
        while let Some(door) = doors.join_next().await {
            match door {
                Ok(tasks) => connections.push(tasks),
                Err(error) => tracing::error!(%error, "an accept loop ended"),
            }
        }
        // Nobody is behind it if there are no connections.
        let _ = stopping.send(true);
        self.proxy.http_cleanup().await;
        let ended = timeout(self.shutdown, async {
            for tasks in &mut connections {
                while let Some(ended) = tasks.join_next().await {
                    note(ended);
                }
            }
        });
        if ended.await.is_err() {
            tracing::warn!(after = ?self.shutdown, "requests that still run are aborted");
        }
        for tasks in &mut connections {
            tasks.shutdown().await;
        }
    }

    fn door(&self, bound: Bound, watch: ShutdownWatch) -> Door<S> {
        let cap = bound.config.max_connections.get().min(Semaphore::MAX_PERMITS);
        Door {
            edge: Arc::clone(&self.edge),
            proxy: Arc::clone(&self.proxy),
            metrics: Arc::clone(&self.metrics),
            watch,
            free: Arc::new(Semaphore::new(cap)),
            refusing: Arc::new(Semaphore::new(REFUSING)),
            socket: bound.socket,
            config: bound.config,
            tasks: JoinSet::new(),
        }
    }
}

/// One accept loop and the connections that came through it.
struct Door<S: Service> {
    edge: Arc<Edge<S>>,
    proxy: Arc<HttpProxy<Hooks<S>>>,
    metrics: Arc<Metrics>,
    watch: ShutdownWatch,
    free: Arc<Semaphore>,
    refusing: Arc<Semaphore>,
    socket: TcpListener,
    config: Listener,
    tasks: JoinSet<()>,
}

impl<S: Service> Door<S> {
    /// Accepts until it is stopped; what is left are the connections that are open then.
    async fn accept(mut self, stop: CancellationToken) -> JoinSet<()> {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.tasks,
                Some(ended) = self.tasks.join_next() => note(ended),
                accepted = self.socket.accept() => match accepted {
                    Ok((io, client)) => self.admit(io, client),
                    Err(error) => {
                        tracing::warn!(%error, "a connection was not accepted");
                        sleep(BREATHER).await;
                    }
                },
            }
        }
    }

    fn admit(&mut self, io: TcpStream, client: SocketAddr) {
        let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() else {
            self.metrics.connections_refused.inc();
            match Arc::clone(&self.refusing).try_acquire_owned() {
                Ok(permit) => drop(self.tasks.spawn(refuse(io, permit))),
                Err(_) => refuse_at_once(io),
            }
            return;
        };
        // Heads and small bodies are already one segment each; waiting for more only delays them. Without it they are
        // delayed, and nothing else.
        let _ = io.set_nodelay(true);
        let origin = Origin {
            client,
            forward: self.config.forward,
        };
        let conn = Conn::new(io, origin, &self.config, self.metrics.client_writes.clone());
        let open = Open::new(&self.metrics.connections_open, permit);
        let visit = Visit {
            edge: Arc::clone(&self.edge),
            proxy: Arc::clone(&self.proxy),
            stopping: self.watch.clone(),
        };
        self.tasks.spawn(async move {
            let _open = open;
            visit.run(conn).await;
        });
    }
}

/// A connection that is open; no longer when it is dropped, however it ended.
struct Open {
    gauge: IntGauge,
    _permit: OwnedSemaphorePermit,
}

impl Open {
    fn new(gauge: &IntGauge, permit: OwnedSemaphorePermit) -> Self {
        gauge.inc();
        Self {
            gauge: gauge.clone(),
            _permit: permit,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

/// Tells a client that there are too many, and reads what it sends, so that no reset overtakes the answer.
async fn refuse(mut io: TcpStream, _permit: OwnedSemaphorePermit) {
    let told = timeout(REFUSING_FOR, async {
        io.write_all(TOO_MANY).await?;
        io.shutdown().await?;
        let mut space = [0; 1024];
        while io.read(&mut space).await? > 0 {}
        Ok::<(), io::Error>(())
    });
    // A client that does not listen is closed all the same.
    let _ = told.await;
}

/// The same without waiting for anybody: what was just accepted has room for it.
fn refuse_at_once(io: TcpStream) {
    if let Ok(mut io) = io.into_std() {
        // A client that is not told is closed all the same.
        let _ = io.write(TOO_MANY);
    }
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection's task panicked");
    }
}

impl<S: Service> fmt::Debug for Front<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front")
            .field("shutdown", &self.shutdown)
            .finish_non_exhaustive()
    }
}
