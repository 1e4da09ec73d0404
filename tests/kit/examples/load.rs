//! A closed loop of pinned ranges over kept connections, to compare two servers in one run:
//!
//! `load SERVER[,SERVER…] PATH RANGE CONNECTIONS SECONDS`: rounds of that many seconds, interleaved between the servers.
//! Prints requests per second, megabytes per second and the 99th percentile of each round.

#![expect(clippy::indexing_slicing, reason = "by hand")]
#![expect(clippy::cast_possible_truncation, reason = "by hand")]

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const ROUNDS: usize = 5;

#[tokio::main]
async fn main() -> Fallible<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [servers, path, range, connections, seconds] = arguments.as_slice() else {
        return Err("load SERVER[,SERVER…] PATH RANGE CONNECTIONS SECONDS".into());
    };
    let servers = servers
        .split(',')
        .map(str::parse)
        .collect::<Result<Vec<SocketAddr>, _>>()?;
    let (range, connections, seconds): (u64, usize, u64) = (range.parse()?, connections.parse()?, seconds.parse()?);
    for _ in 0..ROUNDS {
        for server in &servers {
            let (etag, size) = discover(*server, path).await?;
            let run = Run {
                server: *server,
                path: path.clone(),
                etag,
                size,
                range,
                until: Instant::now() + Duration::from_secs(seconds),
            };
            print(&run, connections, seconds).await?;
        }
    }
    Ok(())
}

#[derive(Clone)]
struct Run {
    server: SocketAddr,
    path: String,
    etag: String,
    size: u64,
    range: u64,
    until: Instant,
}

async fn print(run: &Run, connections: usize, seconds: u64) -> Fallible<()> {
    let mut workers = JoinSet::new();
    for seed in 0..connections {
        workers.spawn(worker(run.clone(), seed as u64));
    }
    let mut times = Vec::new();
    while let Some(worked) = workers.join_next().await {
        times.extend(worked??);
    }
    times.sort_unstable();
    let n = times.len() as u64;
    let p99 = times.get(times.len() * 99 / 100).copied().unwrap_or_default();
    println!(
        "{}: {} requests/s, {} MB/s, p99 {:?}",
        run.server,
        n / seconds,
        n * run.range / seconds / 1_000_000,
        p99
    );
    Ok(())
}

async fn worker(run: Run, seed: u64) -> Fallible<Vec<Duration>> {
    let mut stream = TcpStream::connect(run.server).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 256 << 10];
    let mut times = Vec::new();
    let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    while Instant::now() < run.until {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let first = (random % (run.size / run.range)) * run.range;
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nRange: bytes={first}-{}\r\nIf-Match: {}\r\n\r\n",
            run.path,
            run.server,
            first + run.range - 1,
            run.etag
        );
        let begun = Instant::now();
        stream.write_all(request.as_bytes()).await?;
        let (status, _) = answer(&mut stream, &mut buffer).await?;
        if status != 206 {
            return Err(format!("status {status}").into());
        }
        times.push(begun.elapsed());
    }
    Ok(times)
}

/// Reads one answer to its end; gives its status and head.
async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Fallible<(u16, String)> {
    let mut filled = 0;
    loop {
        let n = stream.read(&mut buffer[filled..]).await?;
        if n == 0 {
            return Err("closed".into());
        }
        filled += n;
        let Some(end) = buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
        let length = field(&head, "content-length")
            .and_then(|value| value.parse::<usize>().ok())
            .unwrap_or(0);
        let mut left = (end + 4 + length).saturating_sub(filled);
        while left > 0 {
            let most = left.min(buffer.len());
            let n = stream.read(&mut buffer[..most]).await?;
            if n == 0 {
                return Err("cut".into());
            }
            left -= n;
        }
        let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
        return Ok((status, head));
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

async fn discover(server: SocketAddr, path: &str) -> Fallible<(String, u64)> {
    let mut stream = TcpStream::connect(server).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {server}\r\nRange: bytes=0-0\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut buffer = vec![0; 64 << 10];
    let (_, head) = answer(&mut stream, &mut buffer).await?;
    let etag = field(&head, "etag").ok_or("no ETag")?.to_owned();
    let total = field(&head, "content-range")
        .and_then(|value| value.rsplit('/').next())
        .ok_or("no Content-Range")?;
    Ok((etag, total.parse()?))
}
