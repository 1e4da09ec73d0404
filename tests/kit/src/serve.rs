//! A listener on loopback and the tasks of its connections.
//!
//! Owns both: when it is stopped or dropped, they are gone, and later connections are refused. Never: a protocol.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

#[derive(Debug)]
pub(crate) struct Serving {
    addr: SocketAddr,
    stop: watch::Sender<bool>,
    accepting: Mutex<JoinSet<()>>,
}

impl Serving {
    /// Binds `addr` and hands each connection to `handle`, each in a task of its own.
    pub(crate) async fn start<H, F>(addr: SocketAddr, handle: H) -> io::Result<Self>
    where
        H: Fn(TcpStream) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let stop = watch::Sender::new(false);
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, Arc::new(handle), stop.subscribe()));
        Ok(Self {
            addr,
            stop,
            accepting: Mutex::new(accepting),
        })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns when the listener and every connection are closed, wherever they stood.
    pub(crate) async fn stop(&self) {
        self.stop.send_replace(true);
        let mut accepting = self.accepting.lock().await;
        while accepting.join_next().await.is_some() {}
    }
}

async fn accept<H, F>(listener: TcpListener, handle: Arc<H>, mut stop: watch::Receiver<bool>)
where
    H: Fn(TcpStream) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    // Dropped with this task, and then they are aborted.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A connection that was reset before it was accepted is no reason to end.
                let Ok((stream, _)) = accepted else { continue };
                let _ = stream.set_nodelay(true);
                let handle = Arc::clone(&handle);
                connections.spawn(async move { handle(stream).await });
            }
            Some(_) = connections.join_next() => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
    }
    drop(listener);
    connections.shutdown().await;
}
