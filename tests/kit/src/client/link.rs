//! Kept connections of one worker, one per address.
//!
//! Owns the tasks that drive them; when it is dropped, they are closed. Never shares one between requests in flight.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

pub(crate) type Reply = Response<Incoming>;

#[derive(Debug, Default)]
pub(crate) struct Links(HashMap<SocketAddr, Link>);

#[derive(Debug)]
struct Link {
    sender: SendRequest<Empty<Bytes>>,
    /// Drives the connection, and ends it when it is dropped.
    _driver: JoinSet<()>,
}

impl Links {
    /// Sends on the kept connection, if it is still good, or else on a new one.
    ///
    /// A server may close an idle connection at any time, so a GET that was lost on a kept one is sent again (RFC 9112, 9.3.1).
    pub(crate) async fn send(&mut self, addr: SocketAddr, request: Request<Empty<Bytes>>) -> Result<Reply, String> {
        if let Some(mut kept) = self.0.remove(&addr)
            && kept.sender.ready().await.is_ok()
        {
            match kept.sender.send_request(request.clone()).await {
                Ok(reply) => {
                    self.0.insert(addr, kept);
                    return Ok(reply);
                }
                Err(lost) if lost.is_canceled() || lost.is_incomplete_message() || lost.is_closed() => {}
                Err(other) => return Err(describe(addr, &other)),
            }
        }
        let mut fresh = Link::connect(addr).await?;
        let reply = fresh
            .sender
            .send_request(request)
            .await
            .map_err(|why| describe(addr, &why))?;
        self.0.insert(addr, fresh);
        Ok(reply)
    }
}

impl Link {
    async fn connect(addr: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(addr).await.map_err(|why| format!("{addr}: {why}"))?;
        let _ = stream.set_nodelay(true);
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|why| describe(addr, &why))?;
        let mut driver = JoinSet::new();
        // Its failures reach the request that they concern.
        driver.spawn(async move { drop(connection.await) });
        Ok(Self {
            sender,
            _driver: driver,
        })
    }
}

fn describe(addr: SocketAddr, why: &hyper::Error) -> String {
    format!("{addr}: {why:?}")
}
