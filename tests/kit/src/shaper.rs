//! A TCP proxy that makes a near server a far one: answers come later, and each connection at its own rate.
//!
//! Owns: its listener and the bytes on their way. Never: looks into them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::serve::Serving;

/// How much is read, and thus sent, at once.
const PIECE: usize = 16 << 10;
/// Pieces on their way: with 25 ms of latency this is enough for 80 MB/s.
const ON_THEIR_WAY: usize = 128;

/// What a connection is like.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// How long every byte of an answer takes.
    pub latency: Duration,
    /// Bytes a second of answers, for each connection.
    pub rate: u32,
}

/// A running proxy; stops when it is dropped.
#[derive(Debug)]
pub struct Shaper(Serving);

impl Shaper {
    /// On a free port of loopback, in front of a server.
    ///
    /// # Errors
    /// Nothing can be bound.
    pub async fn start(server: SocketAddr, shape: Shape) -> io::Result<Self> {
        let handle = move |client| async move {
            // Whoever breaks off is what ends a connection.
            let _ = carry(client, server, shape).await;
        };
        Ok(Self(Serving::start((Ipv4Addr::LOCALHOST, 0).into(), handle).await?))
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.0.addr()
    }
}

async fn carry(client: TcpStream, server: SocketAddr, shape: Shape) -> io::Result<()> {
    let server = TcpStream::connect(server).await?;
    server.set_nodelay(true)?;
    let ((mut from_client, to_client), (from_server, mut to_server)) = (client.into_split(), server.into_split());
    let questions = async {
        copy(&mut from_client, &mut to_server).await?;
        to_server.shutdown().await
    };
    let (sender, receiver) = mpsc::channel(ON_THEIR_WAY);
    let answers = async {
        let sent = tokio::join!(take(from_server, sender, shape), give(to_client, receiver));
        sent.0.and(sent.1)
    };
    tokio::select! {
        ended = answers => ended,
        Err(error) = questions => Err(error),
    }
}

/// Each piece with the time when the last of it arrives.
async fn take(mut from: OwnedReadHalf, way: mpsc::Sender<(Instant, Vec<u8>)>, shape: Shape) -> io::Result<()> {
    let mut free = Instant::now();
    loop {
        let mut piece = vec![0; PIECE];
        let read = from.read(&mut piece).await?;
        if read == 0 {
            return Ok(());
        }
        piece.truncate(read);
        let bytes = u32::try_from(read).unwrap_or(u32::MAX);
        free = free.max(Instant::now()) + Duration::from_secs(1) * bytes / shape.rate.max(1);
        if way.send((free + shape.latency, piece)).await.is_err() {
            return Ok(());
        }
    }
}

async fn give(mut to: OwnedWriteHalf, mut way: mpsc::Receiver<(Instant, Vec<u8>)>) -> io::Result<()> {
    while let Some((due, piece)) = way.recv().await {
        sleep_until(due).await;
        to.write_all(&piece).await?;
    }
    to.shutdown().await
}
