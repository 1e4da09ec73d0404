//! One connection of the origin: reads requests, follows the script, writes answers by hand, since no library would send a
//! Content-Length that is wrong.

use super::Shared;
use super::reply::Reply;
use super::request::{Recorded, Sent};
use super::script::{Act, Ending};
use crate::content::{Content, PIECE};
use crate::gate::Gate;
use crate::wire::Wire;
use std::io;
use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;
use tokio::net::TcpStream;

/// How an answer leaves the connection; an error means that the client has left it.
enum Next {
    Request,
    End(Ending),
}

pub(super) async fn run(shared: &Shared, stream: TcpStream) {
    let mut wire = Wire::over(stream);
    let connection = shared.connections.fetch_add(1, Relaxed);
    loop {
        let ending = match Recorded::read(&mut wire, connection).await {
            Ok(mut request) => {
                shared.records.add(&mut request);
                match answer(shared, &mut wire, &request).await {
                    Ok(Next::Request) => continue,
                    Ok(Next::End(ending)) => ending,
                    Err(_) => {
                        request.sent.abandoned.send_replace(true);
                        return;
                    }
                }
            }
            Err(end) if end.kind() == io::ErrorKind::InvalidData => {
                let _ = wire
                    .send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    .await;
                Ending::Fin
            }
            Err(_) => return,
        };
        match ending {
            Ending::Fin => drop(wire.finish().await),
            Ending::Rst => drop(wire.reset()),
        }
        return;
    }
}

async fn answer(shared: &Shared, wire: &mut Wire, request: &Recorded) -> io::Result<Next> {
    let acts = shared.acts(request);
    for act in &acts {
        match act {
            Act::Hold(gate) => hold(wire, gate).await?,
            Act::Late(time) => tokio::time::sleep(*time).await,
            Act::Interim(status, fields) => {
                let fields: String = fields
                    .iter()
                    .map(|(name, value)| format!("{name}: {value}\r\n"))
                    .collect();
                wire.send(format!("HTTP/1.1 {status} Interim\r\n{fields}\r\n")).await?;
            }
            _ => {}
        }
    }
    for act in &acts {
        match act {
            Act::Garbage(bytes) => {
                wire.send(bytes).await?;
                return Ok(Next::End(Ending::Fin));
            }
            Act::Reset => return Ok(Next::End(Ending::Rst)),
            Act::Close => return Ok(Next::End(Ending::Fin)),
            Act::Silence => {
                wire.gone().await;
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            _ => {}
        }
    }
    let reply = Reply::decide(request, shared.resource(request).as_deref(), &acts);
    for act in &acts {
        if let Act::HoldAnswer(gate) = act {
            hold(wire, gate).await?;
        }
    }
    send(wire, request, &reply, &acts).await
}

/// Waits before a gate, but not for a client that has left.
async fn hold(wire: &mut Wire, gate: &Gate) -> io::Result<()> {
    tokio::select! {
        () = gate.pass() => Ok(()),
        () = wire.gone() => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

async fn send(wire: &mut Wire, request: &Recorded, reply: &Reply, acts: &[Act]) -> io::Result<Next> {
    let bodiless = request.method == "HEAD" || matches!(reply.status, 100..=199 | 204 | 304);
    let chunked = acts.iter().any(|act| matches!(act, Act::Chunked));
    let until_close = acts.iter().any(|act| matches!(act, Act::UntilClose));
    let (content, body) = reply.body();
    let length = body.end - body.start;
    let declared = reply.get("Content-Length").map(str::to_owned);
    // A length that is not the body's can only be told by the end of the connection.
    let honest = declared
        .as_ref()
        .is_none_or(|declared| bodiless || *declared == length.to_string());
    let keep = request.keeps_alive() && !until_close && honest;
    let mut more = Vec::new();
    if chunked {
        more.push(("Transfer-Encoding", "chunked".to_owned()));
    } else if declared.is_none() && !until_close && !matches!(reply.status, 100..=199 | 204 | 304) {
        more.push(("Content-Length", length.to_string()));
    }
    if !keep {
        more.push(("Connection", "close".to_owned()));
    }
    wire.send(reply.head(&more)).await?;
    if !bodiless {
        let mut sender = Sender {
            wire,
            content,
            chunked,
            sent: &request.sent,
        };
        if let Some(ending) = sender.send(body, acts).await? {
            return Ok(Next::End(ending));
        }
    }
    Ok(if keep { Next::Request } else { Next::End(Ending::Fin) })
}

/// Sends a body, with the stops that the script wants.
struct Sender<'a> {
    wire: &'a mut Wire,
    content: &'a Content,
    chunked: bool,
    sent: &'a Sent,
}

impl Sender<'_> {
    async fn send(&mut self, body: Range<u64>, acts: &[Act]) -> io::Result<Option<Ending>> {
        let mut stops: Vec<_> = acts.iter().filter_map(|act| Some((stop(act)?, act))).collect();
        stops.sort_by_key(|(at, _)| *at);
        let mut at = body.start;
        for (stop, act) in stops {
            let until = body.start.saturating_add(stop).min(body.end);
            self.pieces(at..until).await?;
            at = until;
            match act {
                Act::Stall { gate, .. } => hold(self.wire, gate).await?,
                Act::Cut { how, .. } => return Ok(Some(*how)),
                _ => {}
            }
        }
        self.pieces(at..body.end).await?;
        if self.chunked {
            self.wire.send("0\r\n\r\n").await?;
        }
        Ok(None)
    }

    async fn pieces(&mut self, mut range: Range<u64>) -> io::Result<()> {
        while !range.is_empty() {
            let piece = self.content.slice(range.start..range.end.min(range.start + PIECE));
            let length = u64::try_from(piece.len()).unwrap_or(0);
            if self.chunked {
                self.wire.send(format!("{length:x}\r\n")).await?;
            }
            self.wire.send(&piece).await?;
            if self.chunked {
                self.wire.send("\r\n").await?;
            }
            self.sent.bytes.fetch_add(length, Relaxed);
            range.start += length;
            if length == 0 {
                // A range that the script made and the content does not have.
                return Ok(());
            }
        }
        Ok(())
    }
}

/// After how many bytes of the body an act stops it.
fn stop(act: &Act) -> Option<u64> {
    match act {
        Act::Stall { at, .. } | Act::Cut { at, .. } => Some(*at),
        _ => None,
    }
}
