//! The main job, on an embedded S3: two sidecars whose disks hold different old revisions of one object, and a parallel
//! download that alternates between them, as behind a Service.
//!
//! Everything printed is counted: 412s and restarts by the client, bytes from disk by the sidecars' metrics, bytes from
//! S3 by the S3 server. Every byte that is downloaded is verified.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::time::Duration;

use pinstripe::app::{App, Surroundings};
use pinstripe::config::Config;
use pinstripe::tier::s3::StaticKeys;
use pinstripe_kit::client::{Download, Outcome};
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::raw;
use pinstripe_kit::s3::S3Server;
use tempfile::TempDir;
use tokio::task::JoinSet;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

const SIZE: u64 = 256 << 20;
const OBJECT: u32 = 1;
/// Passes that may be needed until both disks hold everything: a disk that is slower than the download gives up fills.
const MOST_WARMING: usize = 8;

/// Two sidecars of one replica set.
struct Replicas {
    clients: Vec<SocketAddr>,
    admins: Vec<SocketAddr>,
    _running: JoinSet<()>,
    _disks: Vec<TempDir>,
}

#[tokio::main]
async fn main() -> Fallible<()> {
    let server = S3Server::start().await?;
    let replicas = Replicas::start(&server).await?;
    say(&format!(
        "S3 server on {}; two sidecars on {:?}",
        server.addr(),
        replicas.clients
    ));

    for (revision, address) in [1, 2].into_iter().zip(&replicas.clients) {
        upload(&server, revision);
        for route in ["nearest", "artifacts"] {
            progress(&format!(
                "filling the disk of {address} with revision {revision} ({route})"
            ));
            verified(&download(&[*address], route).await, revision)?;
        }
    }
    upload(&server, 3);
    say("uploaded revisions 1, 2 and 3 of a 256 MiB object; the disks hold 1 and 2, S3 has 3");

    let mut table = Table::default();
    for (name, route) in [("discovery: nearest", "nearest"), ("discovery: authority", "artifacts")] {
        progress(name);
        table.row(name, &server, &replicas, route).await?;
    }
    warm(&server, &replicas).await?;
    table.row("authority, warm", &server, &replicas, "artifacts").await?;
    table.print();
    Ok(())
}

impl Replicas {
    async fn start(server: &S3Server) -> Fallible<Self> {
        let mut replicas = Self {
            clients: Vec::new(),
            admins: Vec::new(),
            _running: JoinSet::new(),
            _disks: Vec::new(),
        };
        for _ in 0..2 {
            let disk = tempfile::tempdir()?;
            let text = configuration(server, &disk);
            let config = Config::parse(&text, &|_| None).map_err(|faults| faults.to_string())?;
            let options = server.options();
            let keys = StaticKeys {
                id: options.access_key.clone(),
                secret: options.secret_key.clone(),
            };
            let app = App::start(
                config,
                Surroundings {
                    s3_keys: Some(keys),
                    ..Surroundings::default()
                },
            )
            .await?;
            replicas.clients.extend(app.addresses());
            replicas.admins.push(app.admin_address()?);
            replicas._running.spawn(app.run(std::future::pending()));
            replicas._disks.push(disk);
        }
        Ok(replicas)
    }

    /// Bytes that clients were sent from local blocks, by the sidecars' own metrics.
    async fn bytes_from_disk(&self) -> Fallible<u64> {
        let mut sum = 0;
        for admin in &self.admins {
            let page = raw::get(*admin, format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\n\r\n")).await?;
            let text = String::from_utf8_lossy(&page.body).into_owned();
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("pinstripe_sent_bytes_total{source=\"disk\"} "));
            sum += line.ok_or("no such metric")?.parse::<u64>()?;
        }
        Ok(sum)
    }
}

/// Two routes to the same bucket, to compare: what caches did before, and what Pinstripe does.
fn configuration(server: &S3Server, disk: &TempDir) -> String {
    format!(
        "
listen: [{{ address: 127.0.0.1:0 }}]
admin: {{ address: 127.0.0.1:0 }}
tiers:
  local: {{ disk: {{ path: '{}', capacity: 4GiB }} }}
  shared: {{ s3: {{ bucket: artifacts, region: us-east-1, endpoint: '{}', path_style: true }} }}
routes:
  - {{ name: nearest, match: {{ path: /nearest/ }}, tiers: [local, shared], auth: shared, discovery: nearest }}
  - {{ name: artifacts, match: {{ path: /artifacts/ }}, tiers: [local, shared], auth: shared, discovery: authority }}
",
        disk.path().join("cache").display(),
        server.url()
    )
}

fn upload(server: &S3Server, revision: u32) {
    server.put_pattern("artifacts", "toolchain.tar", Pattern::new(OBJECT, revision), SIZE);
}

async fn download(targets: &[SocketAddr], route: &str) -> Outcome {
    Download::new(targets.to_vec(), format!("/{route}/toolchain.tar"), OBJECT)
        .run()
        .await
}

fn verified(outcome: &Outcome, revision: u32) -> Fallible<()> {
    match &outcome.verified {
        Ok(Some(found)) if *found == revision && outcome.size == Some(SIZE) => Ok(()),
        Ok(found) => Err(format!("expected all of revision {revision}, got {found:?}").into()),
        Err(failure) => Err(failure.to_string().into()),
    }
}

/// Downloads through each sidecar alone until neither needs S3 for a single byte.
async fn warm(server: &S3Server, replicas: &Replicas) -> Fallible<()> {
    for _ in 0..MOST_WARMING {
        server.counters().idle().await;
        server.counters().reset();
        for address in &replicas.clients {
            progress(&format!("warming {address}"));
            verified(&download(&[*address], "artifacts").await, 3)?;
        }
        server.counters().idle().await;
        if server.counters().snapshot().body_bytes == 0 {
            return Ok(());
        }
    }
    say("the disk is too slow to keep all blocks; the warm row will show some bytes from S3");
    Ok(())
}

#[derive(Default)]
struct Table(Vec<[String; 7]>);

impl Table {
    async fn row(&mut self, name: &str, server: &S3Server, replicas: &Replicas, route: &str) -> Fallible<()> {
        server.counters().idle().await;
        server.counters().reset();
        let before = replicas.bytes_from_disk().await?;
        let outcome = download(&replicas.clients, route).await;
        let from_disk = replicas.bytes_from_disk().await?.saturating_sub(before);
        server.counters().idle().await;
        let from_s3 = server.counters().snapshot().body_bytes;
        let verdict = match (&outcome.verified, outcome.spliced) {
            (_, true) => "SPLICED".to_owned(),
            (Ok(Some(revision)), false) => format!("revision {revision}, every byte"),
            (Ok(None), false) => "nothing came".to_owned(),
            (Err(failure), false) => format!("failed: {failure}"),
        };
        self.0.push([
            name.to_owned(),
            outcome.precondition_failed.to_string(),
            outcome.restarts.to_string(),
            mebibytes(from_disk),
            mebibytes(from_s3),
            seconds(outcome.elapsed),
            verdict,
        ]);
        Ok(())
    }

    fn print(&self) {
        let heads = [
            "download",
            "412s",
            "restarts",
            "from disk",
            "from S3",
            "time",
            "verified",
        ];
        progress("");
        println!(
            "{:<22}{:>6}{:>10}{:>12}{:>12}{:>9}  {}",
            heads[0], heads[1], heads[2], heads[3], heads[4], heads[5], heads[6]
        );
        for [name, mismatches, restarts, disk, s3, time, verdict] in &self.0 {
            println!("{name:<22}{mismatches:>6}{restarts:>10}{disk:>12}{s3:>12}{time:>9}  {verdict}");
        }
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

fn seconds(elapsed: Duration) -> String {
    format!("{:.2} s", elapsed.as_secs_f64())
}

fn say(line: &str) {
    progress("");
    println!("{line}");
}

/// One line that replaces the one before, on a terminal only.
fn progress(line: &str) {
    let mut err = std::io::stderr();
    if err.is_terminal() {
        let _ = write!(err, "\r\x1b[K{line}");
        let _ = err.flush();
    }
}
