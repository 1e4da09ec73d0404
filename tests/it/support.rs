//! Sidecars in this process, as the product runs them, on free ports and in directories of their own.

use std::net::SocketAddr;
use std::path::Path;

use pinstripe::app::{App, Surroundings};
use pinstripe::clock::Clock;
use pinstripe::config::Config;
use pinstripe::tier::s3::StaticKeys;
use pinstripe_kit::raw::{self, Answer};
use pinstripe_kit::s3::S3Server;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A running sidecar; stops when it is dropped.
pub(crate) struct Sidecar {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) disk: TempDir,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl Sidecar {
    /// Starts with a configuration in which `{disk}` stands for a fresh directory.
    pub(crate) async fn start(yaml: &str) -> Self {
        Self::start_on(tempfile::tempdir().unwrap(), yaml, Clock::system()).await
    }

    /// Starts with a disk that takes so many bytes a second.
    pub(crate) async fn start_slow(yaml: &str, bytes_per_second: u64) -> Self {
        let surroundings = Surroundings {
            slow_disks: Some(bytes_per_second),
            ..Surroundings::default()
        };
        Self::start_in(tempfile::tempdir().unwrap(), yaml, surroundings).await
    }

    /// Starts with that directory, as after a restart, and that clock.
    pub(crate) async fn start_on(disk: TempDir, yaml: &str, clock: Clock) -> Self {
        let surroundings = Surroundings {
            clock,
            ..Surroundings::default()
        };
        Self::start_in(disk, yaml, surroundings).await
    }

    async fn start_in(disk: TempDir, yaml: &str, surroundings: Surroundings) -> Self {
        let yaml = yaml.replace("{disk}", &cache_in(disk.path()));
        let config = Config::parse(&yaml, &|_| None).unwrap_or_else(|faults| panic!("{faults}\n{yaml}"));
        let keys = StaticKeys {
            id: "kit-access-key".to_owned(),
            secret: "kit-secret-key".to_owned(),
        };
        let app = App::start(
            config,
            Surroundings {
                s3_keys: Some(keys),
                ..surroundings
            },
        )
        .await
        .unwrap();
        let (address, admin) = (app.addresses()[0], app.admin_address().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        #[expect(clippy::disallowed_methods, reason = "owned by this struct, which stops it")]
        let running = tokio::spawn(app.run(async {
            let _ = stopped.await;
        }));
        Self {
            address,
            admin,
            disk,
            stop: Some(stop),
            running,
        }
    }

    /// Stops as SIGTERM does, and gives back its directory.
    pub(crate) async fn stop(mut self) -> TempDir {
        drop(self.stop.take());
        (&mut self.running).await.unwrap();
        std::mem::replace(&mut self.disk, tempfile::tempdir().unwrap())
    }

    /// Ends in the middle of whatever it does; its connections break.
    pub(crate) async fn kill(mut self) {
        self.running.abort();
        assert!((&mut self.running).await.unwrap_err().is_cancelled());
    }

    /// One request on a connection of its own: `request` is the request line without version, then fields.
    pub(crate) async fn get(&self, request: &str) -> Answer {
        get(self.address, request).await
    }

    /// The metrics page.
    pub(crate) async fn metrics(&self) -> String {
        let page = get(self.admin, "GET /metrics").await;
        String::from_utf8(page.body.to_vec()).unwrap()
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// `GET /path; field: value; …` on a connection of its own.
pub(crate) async fn get(address: SocketAddr, request: &str) -> Answer {
    raw::get(address, head(address, request)).await.unwrap()
}

/// The bytes of `GET /path; field: value; …`.
pub(crate) fn head(address: SocketAddr, request: &str) -> String {
    let mut lines = request.split("; ");
    let mut head = format!("{} HTTP/1.1\r\nHost: {address}\r\n", lines.next().unwrap());
    for line in lines {
        head.push_str(line);
        head.push_str("\r\n");
    }
    head + "\r\n"
}

fn cache_in(path: &Path) -> String {
    path.join("cache").display().to_string()
}

/// A disk, an S3 authority, and one route `/a/` between them.
pub(crate) fn s3_config(server: &S3Server, more: &str) -> String {
    format!(
        "
listen: [{{ address: 127.0.0.1:0, forward: true }}]
admin: {{ address: 127.0.0.1:0 }}
tiers:
  local: {{ disk: {{ path: '{{disk}}', capacity: 1GiB, block_size: 1MiB }} }}
  shared: {{ s3: {{ bucket: bucket, region: us-east-1, endpoint: '{}', path_style: true }} }}
routes:
  - {{ name: artifacts, match: {{ path: /a/ }}, tiers: [local, shared], auth: shared{more} }}
",
        server.url()
    )
}

/// A disk, an HTTP authority, and one route for everything between them.
pub(crate) fn http_config(url: &str, more: &str) -> String {
    format!(
        "
listen: [{{ address: 127.0.0.1:0, forward: true }}]
admin: {{ address: 127.0.0.1:0 }}
tiers:
  local: {{ disk: {{ path: '{{disk}}', capacity: 1GiB, block_size: 64KiB }} }}
  origin: {{ http: {{ url: '{url}' }} }}
routes:
  - {{ name: artifacts, match: {{}}, tiers: [local, origin]{more} }}
"
    )
}
