//! The authority is gone: what is here is served and says so, everything else is an error, and nothing is told as missing
//! or changed. When it is back, so is the service.

use std::net::SocketAddr;

use pinstripe::clock::Clock;
use pinstripe_kit::origin::{Act, Origin, Resource, Rule};
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::raw::{Answer, End};
use pinstripe_kit::s3::S3Server;

use crate::process::Process;
use crate::support::{Sidecar, get, http_config, s3_config};

const BLOCK: u64 = 64 << 10;
const SIZE: u64 = 5 * BLOCK + 77;
/// All of it is here.
const WHOLE: Pattern = Pattern::new(1, 1);
/// Its first two blocks are.
const PART: Pattern = Pattern::new(2, 1);
/// Nobody has asked for it yet.
const NEW: Pattern = Pattern::new(3, 1);

const OBJECTS: [(&str, Pattern); 3] = [("whole", WHOLE), ("part", PART), ("new", NEW)];

/// What an answer is, in a word: the bytes or the trouble.
fn summary(answer: &Answer) -> String {
    let detail = answer
        .field("Cache-Status")
        .and_then(|value| value.split("detail=").nth(1));
    format!("{} {}", answer.status(), detail.unwrap_or("-"))
}

async fn check(address: SocketAddr, request: &str, pattern: Pattern, expected: &[&str]) {
    let answer = get(address, request).await;
    let seen = summary(&answer);
    assert!(
        expected.contains(&seen.as_str()),
        "{request}: {seen}, not {expected:?}: {:?}",
        answer.head
    );
    assert_eq!(answer.end, End::Complete, "{request}");
    if answer.status() < 300 && !request.starts_with("HEAD") {
        let first = answer.head.content_range().map_or(0, |(first, _, _)| first);
        pattern
            .verify(first, &answer.body)
            .unwrap_or_else(|why| panic!("{request}: {why}"));
    }
}

fn tag(pattern: Pattern) -> String {
    format!("If-Match: {}", pattern.etag())
}

async fn prime(address: SocketAddr, root: &str) {
    let request = format!("GET {root}whole; Range: bytes=0-");
    check(address, &request, WHOLE, &["206 fetched"]).await;
    let request = format!("GET {root}part; Range: bytes=0-{}", 2 * BLOCK - 1);
    check(address, &request, PART, &["206 fetched"]).await;
}

/// What is right while the authority does not answer. `failed` is how its failure is told.
async fn what_is_here_is_served(address: SocketAddr, root: &str, failed: &[&str]) {
    let (whole, part, new) = (format!("{root}whole"), format!("{root}part"), format!("{root}new"));
    let disk = ["206 disk"];
    let fallback = ["206 discovery-fallback", "200 discovery-fallback"];
    for range in ["0-9", "65530-65600", "300000-", "-5", "0-"] {
        let pinned = format!("GET {whole}; Range: bytes={range}; {}", tag(WHOLE));
        check(address, &pinned, WHOLE, &disk).await;
        let bare = format!("GET {whole}; Range: bytes={range}");
        check(address, &bare, WHOLE, &fallback).await;
    }
    check(address, &format!("HEAD {whole}"), WHOLE, &fallback).await;
    check(address, &format!("GET {whole}"), WHOLE, &["200 stale"]).await;
    check(
        address,
        &format!("GET {part}; Range: bytes=9-131071; {}", tag(PART)),
        PART,
        &disk,
    )
    .await;
    let resumed = format!("GET {part}; Range: bytes=9-131071; If-Range: {}", PART.etag());
    check(address, &resumed, PART, &disk).await;
    let refused = [
        format!("GET {part}; Range: bytes=9-131072; {}", tag(PART)),
        format!("GET {part}; {}", tag(PART)),
        format!("GET {part}; Range: bytes=9-131072; If-Range: {}", PART.etag()),
        format!("GET {part}; Range: bytes=0-9"),
        format!("HEAD {part}"),
        format!("GET {part}"),
        // Another revision than the one that is here.
        format!("GET {whole}; Range: bytes=0-9; {}", tag(NEW)),
        format!("GET {whole}; Range: bytes=0-9; If-Range: {}", NEW.etag()),
        format!("GET {new}; Range: bytes=0-9; {}", tag(NEW)),
        format!("GET {new}; Range: bytes=0-9"),
        format!("HEAD {new}; {}", tag(NEW)),
        format!("HEAD {new}"),
        format!("GET {new}"),
    ];
    for request in refused {
        check(address, &request, NEW, failed).await;
    }
}

async fn it_is_back(address: SocketAddr, root: &str) {
    for (name, pattern) in OBJECTS {
        let good = [
            "206 fetched",
            "206 joined",
            "206 validated",
            "206 disk",
            "200 fetched",
            "200 joined",
            "200 validated",
        ];
        let requests = [
            format!("GET {root}{name}; Range: bytes=0-9"),
            format!("GET {root}{name}; Range: bytes=70000-; {}", tag(pattern)),
            format!("HEAD {root}{name}"),
            format!("GET {root}{name}"),
        ];
        for request in requests {
            check(address, &request, pattern, &good).await;
        }
    }
}

/// A restart in between: what was fetched is published then, and read from the disk.
async fn restarted(sidecar: Sidecar, config: &str) -> Sidecar {
    Sidecar::start_on(sidecar.stop().await, config, Clock::system()).await
}

fn put_all(origin: &Origin) {
    for (name, pattern) in OBJECTS {
        origin.put(format!("/{name}"), Resource::pattern(pattern, SIZE));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_http_authority() {
    let origin = Origin::start().await.unwrap();
    put_all(&origin);
    let config = http_config(&origin.url(), "");
    let sidecar = Sidecar::start(&config).await;
    prime(sidecar.address, "/").await;
    let sidecar = restarted(sidecar, &config).await;
    origin.stop().await;
    what_is_here_is_served(sidecar.address, "/", &["502 refused", "502 reset"]).await;
    let origin = origin.again().await.unwrap();
    it_is_back(sidecar.address, "/").await;
    drop(origin);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_authority_that_answers_with_errors() {
    let origin = Origin::start().await.unwrap();
    put_all(&origin);
    let config = http_config(&origin.url(), "");
    let sidecar = Sidecar::start(&config).await;
    prime(sidecar.address, "/").await;
    let sidecar = restarted(sidecar, &config).await;
    for (status, told) in [
        (500, "500 status"),
        (503, "503 status"),
        (429, "429 status"),
        (408, "504 status"),
    ] {
        origin.script(Rule::any().act(Act::status(status)));
        let refused = format!("GET /part; Range: bytes=0-300000; {}", tag(PART));
        check(sidecar.address, &refused, PART, &[told]).await;
        check(sidecar.address, "GET /new; Range: bytes=0-1", NEW, &[told]).await;
        // A plain GET is answered stale only to who allows it (RFC 5861).
        check(sidecar.address, "GET /whole", WHOLE, &[told]).await;
        let allowed = "GET /whole; Cache-Control: stale-if-error=99999";
        check(sidecar.address, allowed, WHOLE, &["200 stale"]).await;
        check(
            sidecar.address,
            "GET /whole; Range: bytes=0-9",
            WHOLE,
            &["206 discovery-fallback"],
        )
        .await;
        origin.repent();
    }
    it_is_back(sidecar.address, "/").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_authority_that_says_nothing() {
    let origin = Origin::start().await.unwrap();
    put_all(&origin);
    let config = http_config(&origin.url(), "").replace("' } }", "', timeouts: { first_byte: 50ms } } }");
    let sidecar = Sidecar::start(&config).await;
    prime(sidecar.address, "/").await;
    let sidecar = restarted(sidecar, &config).await;
    origin.script(Rule::any().act(Act::Silence));
    what_is_here_is_served(sidecar.address, "/", &["504 timeout"]).await;
    let stands_still = "pinstripe_tier_stands_still{tier=\"origin\"} ";
    assert!(sidecar.metrics().await.contains(&format!("{stands_still}1\n")));
    origin.repent();
    it_is_back(sidecar.address, "/").await;
    assert!(sidecar.metrics().await.contains(&format!("{stands_still}0\n")));
}

fn small_blocks(config: &str) -> String {
    config.replace("block_size: 1MiB", "block_size: 64KiB")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_s3() {
    let server = S3Server::start().await.unwrap();
    for (name, pattern) in OBJECTS {
        server.put_pattern("bucket", name, pattern, SIZE);
    }
    let config = small_blocks(&s3_config(&server, ""));
    let sidecar = Sidecar::start(&config).await;
    prime(sidecar.address, "/a/").await;
    let sidecar = restarted(sidecar, &config).await;
    server.stop().await;
    what_is_here_is_served(sidecar.address, "/a/", &["502 refused", "502 reset"]).await;
    let server = S3Server::start_with(server.options().clone()).await.unwrap();
    it_is_back(sidecar.address, "/a/").await;
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_endpoint_is_no_reason_not_to_start() {
    let folder = tempfile::tempdir().unwrap();
    let server = S3Server::start().await.unwrap();
    for (name, pattern) in OBJECTS {
        server.put_pattern("bucket", name, pattern, SIZE);
    }
    let config = small_blocks(&s3_config(&server, ""));
    let process = Process::start(folder.path(), &config).await;
    prime(process.address, "/a/").await;
    // As SIGTERM: what was fetched is published.
    process.signal("TERM").await;
    assert_eq!(process.ended().await.0.code(), Some(0));
    server.stop().await;

    let process = Process::start(folder.path(), &config).await;
    what_is_here_is_served(process.address, "/a/", &["502 refused", "502 reset"]).await;
    let ready = get(process.admin, "GET /readyz").await;
    let said = String::from_utf8(ready.body.to_vec()).unwrap();
    assert_eq!(ready.status(), 200, "{said}");
    assert!(said.contains("shared"), "{said}");
    let server = S3Server::start_with(server.options().clone()).await.unwrap();
    it_is_back(process.address, "/a/").await;
    drop(server);
    process.signal("TERM").await;
    let (status, log) = process.ended().await;
    assert_eq!(status.code(), Some(0));
    let warned = log
        .iter()
        .any(|line| line["level"] == "WARN" && line.to_string().contains("shared"));
    assert!(warned, "{log:#?}");
}
