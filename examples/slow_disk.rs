//! Cold downloads through a sidecar whose disk writes 3 MB/s, next to the same without a disk tier: the ratio of their
//! times. A disk that is too slow for a download is left behind by it.

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use pinstripe::app::{App, Surroundings};
use pinstripe::config::Config;
use pinstripe_kit::client::Download;
use pinstripe_kit::origin::{Origin, Resource};
use pinstripe_kit::pattern::Pattern;
use tokio::task::JoinSet;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

const SIZE: u64 = 256 << 20;
const RATE: u64 = 3_000_000;
const ROUNDS: u32 = 5;

#[tokio::main]
async fn main() -> Fallible<()> {
    let origin = Origin::start().await?;
    let disk = tempfile::tempdir()?;
    let mut running = JoinSet::new();
    let path = disk.path().join("cache").display().to_string();
    let with = start(
        &origin,
        "[local, origin]",
        &format!("  local: {{ disk: {{ path: '{path}', capacity: 4GiB }} }}\n"),
        &mut running,
    )
    .await?;
    let without = start(&origin, "[origin]", "", &mut running).await?;
    let (mut slow, mut none) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // In turn, and each time objects that nobody has seen.
        none.push(cold(&origin, without, 2 * round).await?);
        slow.push(cold(&origin, with, 2 * round + 1).await?);
    }
    let (slow, none) = (median(slow), median(none));
    let mib = u128::from(SIZE >> 20);
    let rate = |time: Duration| mib * 1000 / time.as_millis().max(1);
    let ratio = slow.as_secs_f64() / none.as_secs_f64();
    writeln!(
        std::io::stdout(),
        "cold download of {mib} MiB, 8 connections, median of {ROUNDS}: {} MiB/s without a disk, {} MiB/s with one that \
         writes 3 MB/s; ratio of times {ratio:.2}",
        rate(none),
        rate(slow)
    )?;
    running.shutdown().await;
    Ok(())
}

async fn start(origin: &Origin, tiers: &str, more: &str, running: &mut JoinSet<()>) -> Fallible<SocketAddr> {
    let text = format!(
        "listen: [{{ address: 127.0.0.1:0 }}]\nadmin: {{ address: 127.0.0.1:0 }}\ntiers:\n  origin: {{ http: {{ url: '{}' }} }}\n\
         {more}routes: [{{ name: r, match: {{}}, tiers: {tiers} }}]\n",
        origin.url()
    );
    let config = Config::parse(&text, &|_| None)?;
    let surroundings = Surroundings {
        slow_disks: Some(RATE),
        ..Surroundings::default()
    };
    let app = App::start(config, surroundings).await?;
    let address = *app.addresses().first().ok_or("it listens nowhere")?;
    running.spawn(app.run(std::future::pending()));
    Ok(address)
}

async fn cold(origin: &Origin, address: SocketAddr, object: u32) -> Fallible<Duration> {
    let path = format!("/{object}");
    origin.put(path.clone(), Resource::pattern(Pattern::new(object, 1), SIZE));
    let outcome = Download::new([address], path, object).run().await;
    match &outcome.verified {
        Ok(Some(1)) => Ok(outcome.elapsed),
        _ => Err(format!("{outcome:?}").into()),
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
