//! Pinned reads of blocks that nobody has seen, from an origin that takes 25 ms for an answer, and 2 s for one in a hundred:
//! the 50th and 99th percentile of the time to the end of each read, with care (`steady`) and without.

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pinstripe::app::{App, Surroundings};
use pinstripe::config::Config;
use pinstripe_kit::origin::{Act, Origin, Resource, Rule};
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::raw::Wire;
use tokio::task::JoinSet;
use tokio::time::Instant;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

const BLOCK: u64 = 64 << 10;
const BLOCKS: u64 = 6000;
const READERS: u64 = 8;
const USUAL: Duration = Duration::from_millis(25);
const STALLED: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> Fallible<()> {
    let origin = Origin::start().await?;
    let disk = tempfile::tempdir()?;
    let mut running = JoinSet::new();
    for (object, (stalls, steady)) in (1..).zip([(false, false), (true, false), (false, true), (true, true)]) {
        origin.put(
            format!("/{object}"),
            Resource::pattern(Pattern::new(object, 1), BLOCK * BLOCKS),
        );
        origin.repent();
        if stalls {
            // The first rule that fits is the one that counts.
            let one_in_a_hundred = |request: &pinstripe_kit::origin::Recorded| request.sequence.is_multiple_of(100);
            origin.script(Rule::any().when(one_in_a_hundred).act(Act::Late(STALLED)));
        }
        origin.script(Rule::any().act(Act::Late(USUAL)));
        let path = disk.path().join(object.to_string()).display().to_string();
        let sidecar = start(origin.addr(), &path, steady, &mut running).await?;
        origin.forget();
        let mut times = reads(sidecar, object).await?;
        times.sort();
        let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
        writeln!(
            std::io::stdout(),
            "{} steady: {steady:5}  p50 {:4} ms, p99 {:4} ms, {} questions for {} reads",
            if stalls { "1 % stalled, " } else { "none stalled," },
            at(50).as_millis(),
            at(99).as_millis(),
            origin.requests().len(),
            times.len()
        )?;
    }
    running.shutdown().await;
    Ok(())
}

async fn start(origin: SocketAddr, path: &str, steady: bool, running: &mut JoinSet<()>) -> Fallible<SocketAddr> {
    let text = format!(
        "listen: [{{ address: 127.0.0.1:0 }}]\nadmin: {{ address: 127.0.0.1:0 }}\ntiers:\n  \
         origin: {{ http: {{ url: 'http://{origin}', steady: {steady} }} }}\n  \
         local: {{ disk: {{ path: '{path}', capacity: 8GiB, block_size: 64KiB }} }}\n\
         routes: [{{ name: r, match: {{}}, tiers: [local, origin] }}]\n"
    );
    let app = App::start(Config::parse(&text, &|_| None)?, Surroundings::default()).await?;
    let address = *app.addresses().first().ok_or("it listens nowhere")?;
    running.spawn(app.run(std::future::pending()));
    Ok(address)
}

/// How long each read of a block took; all are compared.
async fn reads(sidecar: SocketAddr, object: u32) -> Fallible<Vec<Duration>> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.store(0, Ordering::Relaxed);
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        readers.spawn(async move {
            let pattern = Pattern::new(object, 1);
            let mut wire = Wire::connect(sidecar).await?;
            let mut times = Vec::new();
            loop {
                let block = NEXT.fetch_add(1, Ordering::Relaxed);
                if block >= BLOCKS {
                    return Fallible::Ok(times);
                }
                let (first, last) = (block * BLOCK, (block + 1) * BLOCK - 1);
                let tag = pattern.etag();
                let request = format!(
                    "GET /{object} HTTP/1.1\r\nHost: h\r\nIf-Match: {tag}\r\nRange: bytes={first}-{last}\r\n\r\n"
                );
                let began = Instant::now();
                let answer = wire.exchange(request).await?;
                times.push(began.elapsed());
                pattern.verify(first, &answer.body)?;
            }
        });
    }
    let mut times = Vec::new();
    while let Some(read) = readers.join_next().await {
        times.extend(read??);
    }
    Ok(times)
}
