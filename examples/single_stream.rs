//! A plain GET of a large object that nobody has seen, from an origin that is 25 ms away and sends 15 MB/s over each
//! connection: directly, through a sidecar that fetches one piece at a time, and through one that fetches 8 pieces side by
//! side. Prints how many times faster each is than the origin alone.

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use pinstripe::app::{App, Surroundings};
use pinstripe::config::Config;
use pinstripe_kit::origin::{Origin, Resource};
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::raw::{End, Wire};
use pinstripe_kit::shaper::{Shape, Shaper};
use tokio::task::JoinSet;
use tokio::time::Instant;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

const SIZE: u64 = 1024 << 20;
const FAR: Shape = Shape {
    latency: Duration::from_millis(25),
    rate: 15_000_000,
};
const ROUNDS: u32 = 3;

#[tokio::main]
async fn main() -> Fallible<()> {
    let origin = Origin::start().await?;
    let far = Shaper::start(origin.addr(), FAR).await?;
    let disk = tempfile::tempdir()?;
    let mut running = JoinSet::new();
    let mut ways = vec![("the origin alone", far.addr())];
    for (name, parallel) in [("one piece at a time", 1), ("8 pieces side by side", 8)] {
        let path = disk.path().join(parallel.to_string());
        ways.push((
            name,
            start(far.addr(), &path.display().to_string(), parallel, &mut running).await?,
        ));
    }
    let mut times = vec![Vec::new(); ways.len()];
    let mut object = 0;
    for _ in 0..ROUNDS {
        // In turn, and each time an object that nobody has seen.
        for ((_, address), times) in ways.iter().zip(&mut times) {
            object += 1;
            times.push(cold(&origin, *address, object).await?);
        }
    }
    let medians: Vec<f64> = times.into_iter().map(median).collect();
    for ((name, _), seconds) in ways.iter().zip(&medians) {
        let alone = medians.first().copied().unwrap_or_default();
        let mib = SIZE >> 20;
        writeln!(
            std::io::stdout(),
            "{name:22} {mib} MiB in {seconds:6.2} s, {:4.2} times as fast; median of {ROUNDS}",
            alone / seconds
        )?;
    }
    running.shutdown().await;
    Ok(())
}

async fn start(origin: SocketAddr, path: &str, parallel: u32, running: &mut JoinSet<()>) -> Fallible<SocketAddr> {
    let text = format!(
        "listen: [{{ address: 127.0.0.1:0 }}]\nadmin: {{ address: 127.0.0.1:0 }}\ntiers:\n  origin: {{ http: {{ url: 'http://{origin}' }} }}\n  \
         local: {{ disk: {{ path: '{path}', capacity: 8GiB }} }}\n\
         routes: [{{ name: r, match: {{}}, tiers: [local, origin], parallel: {parallel} }}]\n"
    );
    let app = App::start(Config::parse(&text, &|_| None)?, Surroundings::default()).await?;
    let address = *app.addresses().first().ok_or("it listens nowhere")?;
    running.spawn(app.run(std::future::pending()));
    Ok(address)
}

/// The seconds that a download takes whose bytes are right.
async fn cold(origin: &Origin, address: SocketAddr, object: u32) -> Fallible<f64> {
    let pattern = Pattern::new(object, 1);
    origin.put(format!("/{object}"), Resource::pattern(pattern, SIZE));
    let begun = Instant::now();
    let mut wire = Wire::connect(address).await?;
    wire.send(format!("GET /{object} HTTP/1.1\r\nHost: {address}\r\n\r\n"))
        .await?;
    let head = wire.head().await?;
    if head.status != 200 {
        return Err(format!("{head:?}").into());
    }
    let mut at = 0;
    while at < SIZE {
        let (bytes, end) = wire.up_to(usize::try_from((SIZE - at).min(1 << 20))?).await;
        if end != End::Complete {
            return Err(format!("{end:?} at {at}").into());
        }
        pattern.verify(at, &bytes)?;
        at += u64::try_from(bytes.len())?;
    }
    Ok(begun.elapsed().as_secs_f64())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}
