//! A sidecar before a cluster of others, which share the objects, before one authority.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use http::header::VIA;
use pinstripe_kit::client::Download;
use pinstripe_kit::origin::{Origin, Resource};
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::raw::{Answer, End, Wire};
use pinstripe_kit::s3::S3Server;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::stage::detail;
use crate::support::{Sidecar, get, head, http_config, s3_config};

const NODES: usize = 5;
pub(crate) const OBJECTS: u32 = 60;
pub(crate) const SIZE: u64 = (3 << 16) + 100;
const CLIENTS: u32 = 4;

pub(crate) fn pattern(object: u32) -> Pattern {
    Pattern::new(object, 1)
}

/// Who asked the origin last for an object.
fn owner(origin: &Origin, path: &str) -> String {
    let asked = origin
        .requests()
        .into_iter()
        .rfind(|asked| asked.target == path)
        .unwrap();
    let via = asked.headers.get_all(VIA).iter().map(|line| line.to_str().unwrap());
    let mut names = via.filter_map(|line| line.strip_prefix("1.1 ")?.split(' ').next());
    let node = names.rfind(|name| name.starts_with("node-"));
    node.unwrap().to_owned()
}

/// An origin with objects to read, and to find out by whose they are.
async fn stocked() -> Origin {
    let origin = Origin::start().await.unwrap();
    for object in 0..OBJECTS {
        for folder in ["o", "p"] {
            origin.put(format!("/{folder}/{object}"), Resource::pattern(pattern(object), SIZE));
        }
    }
    origin
}

/// Nodes with that configuration, on addresses that they have again after a restart.
struct Cluster {
    config: String,
    nodes: Vec<Option<Sidecar>>,
    addresses: Vec<SocketAddr>,
}

impl Cluster {
    async fn start(config: String) -> Self {
        let mut cluster = Self {
            config,
            nodes: Vec::new(),
            addresses: Vec::new(),
        };
        for n in 0..NODES {
            let node = cluster.node(n, "127.0.0.1:0".parse().unwrap()).await;
            cluster.addresses.push(node.address);
            cluster.nodes.push(Some(node));
        }
        cluster
    }

    async fn node(&self, n: usize, address: SocketAddr) -> Sidecar {
        let config = self.config.replacen("127.0.0.1:0", &address.to_string(), 1);
        Sidecar::start(&format!("instance: node-{n}{config}")).await
    }

    /// A list of their URLs below that path.
    fn urls(&self, path: &str) -> String {
        let urls: Vec<_> = self
            .addresses
            .iter()
            .map(|node| format!("'http://{node}{path}'"))
            .collect();
        format!("urls: [{}]", urls.join(", "))
    }

    async fn kill(&mut self, name: &str) -> usize {
        let n: usize = name.strip_prefix("node-").unwrap().parse().unwrap();
        self.nodes[n].take().unwrap().kill().await;
        n
    }

    async fn restart(&mut self, n: usize) {
        self.nodes[n] = Some(self.node(n, self.addresses[n]).await);
    }
}

/// A sidecar without a disk, so that every read goes on to the cluster.
pub(crate) async fn before(urls: &str) -> Sidecar {
    let config = http_config("URL", "").replace("url: 'URL'", urls);
    let config = config.replace("[local, origin]", "[origin]");
    let disk = config.lines().find(|line| line.contains("disk:")).unwrap().to_owned();
    Sidecar::start(&config.replace(&disk, "")).await
}

/// Whose share each object of the folder `/p/` is in.
async fn owners(sidecar: &Sidecar, origin: &Origin) -> Vec<String> {
    let mut owners = Vec::new();
    for object in 0..OBJECTS {
        let path = format!("/p/{object}");
        is_right(
            &sidecar.get(&format!("GET {path}; Range: bytes=0-9")).await,
            object,
            206,
        );
        owners.push(owner(origin, &path));
    }
    owners
}

#[track_caller]
pub(crate) fn is_right(answer: &Answer, object: u32, status: u16) {
    assert_eq!(
        (answer.status(), answer.end),
        (status, End::Complete),
        "{:?}",
        answer.head
    );
    assert_eq!(answer.field("etag"), Some(&*pattern(object).etag()));
    let (first, last, _) = answer.head.content_range().unwrap_or((0, SIZE - 1, SIZE));
    assert_eq!(u64::try_from(answer.body.len()).unwrap(), last - first + 1);
    pattern(object).verify(first, &answer.body).unwrap();
}

/// Reads objects in turn, as whole, by discovery and by pin, for as long as anybody listens.
async fn client(sidecar: SocketAddr, number: u32, done: Arc<watch::Sender<u32>>) {
    for turn in number.. {
        let object = turn * 7 % OBJECTS;
        let range = format!("GET /o/{object}; Range: bytes={}-", turn % 7 * 20_000);
        let (request, status) = match turn % 3 {
            0 => (format!("GET /o/{object}"), 200),
            1 => (range, 206),
            _ => (format!("{range}; If-Match: {}", pattern(object).etag()), 206),
        };
        is_right(&get(sidecar, &request).await, object, status);
        done.send_modify(|done| *done += 1);
        if done.is_closed() {
            return;
        }
    }
}

async fn more_are_done(done: &mut watch::Receiver<u32>) {
    let goal = *done.borrow() + 200;
    done.wait_for(|done| *done >= goal).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_five_is_killed_and_nobody_notices() {
    let origin = stocked().await;
    let mut cluster = Cluster::start(http_config(&origin.url(), "")).await;
    let sidecar = before(&cluster.urls("")).await;
    let at_first = owners(&sidecar, &origin).await;
    assert_eq!(BTreeSet::from_iter(&at_first).len(), NODES, "{at_first:?}");
    assert_eq!(owners(&sidecar, &origin).await, at_first);

    let (sender, mut done) = watch::channel(0);
    let sender = Arc::new(sender);
    let mut clients: JoinSet<_> = (0..CLIENTS)
        .map(|number| client(sidecar.address, number, sender.clone()))
        .collect();
    drop(sender);
    more_are_done(&mut done).await;
    let gone = at_first[0].clone();
    let n = cluster.kill(&gone).await;
    more_are_done(&mut done).await;

    // Only its share has moved, to more than one of the others.
    let without = owners(&sidecar, &origin).await;
    let heirs: BTreeSet<_> = std::iter::zip(&at_first, &without)
        .filter_map(|(before, after)| match (before == after, *before == gone) {
            (true, false) => None,
            (false, true) => Some(after),
            _ => panic!("{before} {after} {gone}"),
        })
        .collect();
    assert!(!heirs.contains(&gone) && heirs.len() > 1, "{heirs:?}");
    is_ready(
        &sidecar,
        &format!(
            "degraded: tier origin: {} cannot be reached (refused)\n",
            cluster.addresses[n]
        ),
    )
    .await;

    cluster.restart(n).await;
    is_ready(&sidecar, "ready\n").await;
    assert_eq!(owners(&sidecar, &origin).await, at_first);
    more_are_done(&mut done).await;
    drop(done);
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
}

/// Resolves when `/readyz` says so.
pub(crate) async fn is_ready(sidecar: &Sidecar, expected: &str) {
    let mut page = Wire::connect(sidecar.admin).await.unwrap();
    let begun = tokio::time::Instant::now();
    loop {
        let answer = page.exchange(head(sidecar.admin, "GET /readyz")).await;
        let Ok(answer) = answer else {
            // A connection to the admin listener ends after a while.
            page = Wire::connect(sidecar.admin).await.unwrap();
            continue;
        };
        if answer.body == expected.as_bytes() {
            return;
        }
        assert!(begun.elapsed().as_secs() < 60, "{:?} and not {expected}", answer.body);
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_go_where_reads_go_and_on_if_nobody_is_there() {
    let origin = stocked().await;
    let mut cluster = Cluster::start(http_config(&origin.url(), "")).await;
    let sidecar = before(&cluster.urls("")).await;
    let owners = owners(&sidecar, &origin).await;
    let put = async |object: usize| {
        let path = format!("/p/{object}");
        let answer = sidecar.get(&format!("PUT {path}; Content-Length: 0")).await;
        assert_eq!(answer.status(), 201, "{:?}", answer.head);
        owner(&origin, &path)
    };
    for (object, owner) in owners.iter().enumerate() {
        assert_eq!(put(object).await, *owner);
    }
    cluster.kill(&owners[0]).await;
    origin.forget();
    for (object, owner) in owners.iter().enumerate() {
        let stood_in = put(object).await;
        assert_eq!(stood_in == *owner, *owner != owners[0]);
    }
    let puts = origin.requests().into_iter().filter(|asked| asked.method == "PUT");
    assert_eq!(puts.count(), owners.len(), "each is heard once");
}

/// What an SDK sends, no two of them alike.
fn signed(request: &str, n: u32) -> String {
    format!(
        "{request}; Authorization: AWS4-HMAC-SHA256 Credential=ID/20260101/eu-west-1/s3/aws4_request, \
         SignedHeaders=host;range;x-amz-date, Signature={n:064x}; X-Amz-Date: 20260101T0000{n:02}Z; \
         X-Amz-Content-Sha256: UNSIGNED-PAYLOAD; X-Amz-Security-Token: token-{n}"
    )
}

const OF_A_SIGNATURE: [&str; 4] = [
    "authorization",
    "x-amz-date",
    "x-amz-content-sha256",
    "x-amz-security-token",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sdks_sign_is_cached_before_a_cluster_that_does_not_look_at_it() {
    let origin = stocked().await;
    // Nodes pass on what is signed, so that the origin would hear of it.
    let cluster = Cluster::start(http_config(&origin.url(), "")).await;
    let config = http_config("URL", ", auth: shared, dialect: s3, parallel: 1");
    let config = config.replace("url: 'URL'", &(cluster.urls("") + ", signatures: drop"));
    let sidecar = Sidecar::start(&config).await;
    let found = sidecar.get(&signed("GET /o/1; Range: bytes=0-9", 1)).await;
    is_right(&found, 1, 206);
    assert_eq!(detail(&found), "fetched");
    sidecar.has_stored(1).await;
    let chunk = format!("GET /o/1; Range: bytes=65536-131071; If-Match: {}", pattern(1).etag());
    for (n, expected) in [(2, "fetched"), (3, "disk")] {
        let answer = sidecar.get(&signed(&chunk, n)).await;
        is_right(&answer, 1, 206);
        assert_eq!(detail(&answer), expected);
        sidecar.has_stored(2).await;
    }
    for asked in origin.requests() {
        let told = OF_A_SIGNATURE.map(|name| asked.field(name));
        assert_eq!(told, [None; 4], "{asked:?}");
    }
    // Another kind of credentials is somebody's to check.
    let bearer = "GET /o/2; Range: bytes=0-9; Authorization: Bearer x";
    is_right(&sidecar.get(bearer).await, 2, 206);
    let asked = origin.requests();
    assert_eq!(asked.last().unwrap().field("authorization"), Some("Bearer x"));
    // What is no read goes on as it came.
    let several = sidecar.get(&signed("GET /o/1; Range: bytes=0-1,5-6", 4)).await;
    assert_eq!((several.status(), detail(&several)), (200, "multi-range"));
    let asked = origin.requests();
    let told = OF_A_SIGNATURE.map(|name| asked.last().unwrap().field(name));
    assert!(told.iter().all(Option::is_some), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_address_of_a_name_is_a_server() {
    let origin = Origin::start().await.unwrap();
    origin.put("/o/1", Resource::pattern(pattern(1), SIZE));
    // Where it is also an address of another family, nobody listens there.
    let place = format!("url: 'http://localhost:{}', spread: true", origin.addr().port());
    let sidecar = before(&place).await;
    is_right(&sidecar.get("GET /o/1").await, 1, 200);
    let put = sidecar.get("PUT /o/1; Content-Length: 0").await;
    assert_eq!(put.status(), 201, "{:?}", put.head);
    let host = format!("localhost:{}", origin.addr().port());
    let asked = origin.requests();
    assert!(
        asked.len() == 2 && asked.iter().all(|asked| asked.field("host") == Some(&*host)),
        "{asked:?}"
    );
    origin.stop().await;
    assert_eq!(sidecar.get("GET /o/1").await.status(), 502);
}

/// A disk, a cluster below `/a`, and then what else.
fn chain(server: &S3Server, urls: &str, role: &str, tiers: &str) -> String {
    let cluster = format!("tiers:\n  cluster: {{ http: {{ {urls}, role: {role} }} }}");
    let config = s3_config(server, "").replace("tiers:\n", &(cluster + "\n"));
    let shared = config
        .lines()
        .find(|line| line.contains("shared: {"))
        .unwrap()
        .to_owned();
    let config = config.replace("[local, shared]", tiers);
    if tiers.contains("shared") {
        config
    } else {
        config.replace(&shared, "")
    }
}

/// Who asked S3 last.
fn asker(server: &S3Server) -> String {
    let asked = server.counters().asked();
    asked.last().unwrap().field(VIA.as_str()).unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_discovery_sees_an_overwrite_at_once_through_all() {
    let cases = [
        ("origin", "[local, cluster]"),
        ("cache", "[local, cluster]"),
        ("cache", "[local, cluster, shared]"),
    ];
    let server = S3Server::start().await.unwrap();
    let cluster = Cluster::start(s3_config(&server, "")).await;
    for (role, tiers) in cases {
        let sidecar = Sidecar::start(&chain(&server, &cluster.urls("/a"), role, tiers)).await;
        let through = if tiers.contains("shared") { "pinstripe" } else { "node-" };
        for revision in 1..4 {
            for object in 0..8 {
                let pattern = Pattern::new(object, revision);
                let tag = server.put_pattern("bucket", &format!("o{object}"), pattern, SIZE);
                let path = format!("/a/o{object}");
                let found = sidecar.get(&format!("GET {path}; Range: bytes=0-9")).await;
                assert_eq!(
                    (found.status(), found.field("etag")),
                    (206, Some(&*tag)),
                    "{role} {tiers}"
                );
                assert!(asker(&server).contains(through), "{}", asker(&server));
                let outcome = Download {
                    chunk: 1 << 16,
                    ..Download::new([sidecar.address], path, object)
                };
                let outcome = outcome.run().await;
                assert_eq!(
                    (outcome.verified, outcome.restarts),
                    (Ok(Some(revision)), 0),
                    "{role} {tiers}"
                );
            }
        }
        server.store().delete("bucket", "o0");
        if role == "origin" {
            assert_eq!(sidecar.get("GET /a/o0; Range: bytes=0-9").await.status(), 404);
        }
        // What is pinned and not here comes by way of the cluster.
        let name = format!("new-{role}-{}", tiers.len());
        let tag = server.put_pattern("bucket", &name, Pattern::new(9, 9), SIZE);
        let pinned = format!("GET /a/{name}; Range: bytes=0-9; If-Match: {tag}");
        assert_eq!(sidecar.get(&pinned).await.status(), 206);
        assert!(asker(&server).contains("node-"), "{}", asker(&server));
    }
}
