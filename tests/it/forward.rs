//! A proxy for clients that have it as HTTP_PROXY: only to hosts that a route names, only to addresses that it may dial.

use pinstripe_kit::client::Download;
use pinstripe_kit::origin::Origin;
use pinstripe_kit::raw::{self, Answer};

use crate::stage::{is_part, is_whole, resource, tag};
use crate::support::Sidecar;

/// A proxy whose routes are these.
async fn proxy(allow: &str, routes: &str) -> Sidecar {
    let yaml = format!(
        "
listen: [{{ address: 127.0.0.1:0, forward: true }}]
admin: {{ address: 127.0.0.1:0 }}
tiers:
  local: {{ disk: {{ path: '{{disk}}', capacity: 1GiB, block_size: 64KiB }} }}
  target: {{ http: {{ url: request, allow: [{allow}], timeouts: {{ connect: 2s }} }} }}
routes: {routes}
"
    );
    Sidecar::start(&yaml).await
}

const LOOPBACK: &str = "127.0.0.0/8, '::1/128'";
const TWO_HOSTS: &str = "
  - { name: numbers, match: { host: 127.0.0.1 }, tiers: [local, target] }
  - { name: names, match: { host: localhost }, tiers: [local, target] }
";
const ANY_HOST: &str = "
  - { name: any, match: { host: '*' }, tiers: [local, target] }
";

async fn origin() -> Origin {
    let origin = Origin::start().await.unwrap();
    origin.put("/o", resource(1));
    origin
}

/// Sends a head as it is, to a proxy.
async fn send(sidecar: &Sidecar, line: &str, fields: &str) -> Answer {
    raw::get(
        sidecar.address,
        format!("{line} HTTP/1.1\r\nHost: whatever\r\n{fields}\r\n"),
    )
    .await
    .unwrap()
}

#[tokio::test]
async fn downloads_go_through_it_and_the_target_is_asked_in_its_own_name() {
    let (origin, sidecar) = (origin().await, proxy(LOOPBACK, TWO_HOSTS).await);
    let download = Download {
        proxy: Some(sidecar.address),
        chunk: 64 << 10,
        ..Download::new([origin.addr()], "/o", 1)
    };
    let outcome = download.run().await;
    assert_eq!(outcome.verified, Ok(Some(1)), "{outcome:?}");
    for asked in origin.requests() {
        assert_eq!(
            (&*asked.target, asked.field("host")),
            ("/o", Some(&*origin.addr().to_string()))
        );
    }
}

#[tokio::test]
async fn the_target_replaces_host_and_is_part_of_the_key() {
    let (origin, sidecar) = (origin().await, proxy(LOOPBACK, TWO_HOSTS).await);
    let port = origin.addr().port();
    let first = send(&sidecar, &format!("GET http://LocalHost:{port}/o"), "").await;
    is_whole(&first, 1);
    let host = format!("localhost:{port}");
    assert_eq!(origin.requests()[0].field("host"), Some(&*host));
    let pin = format!(
        "Range: bytes=0-9\r\nIf-Match: {}\r\nCache-Control: only-if-cached\r\n",
        tag(1)
    );
    is_part(&send(&sidecar, &format!("GET http://{host}/o"), &pin).await, 1, 0, 9);
    is_part(
        &send(&sidecar, &format!("GET HTTP://LOCALHOST:{port}/o"), &pin).await,
        1,
        0,
        9,
    );
    for elsewhere in [
        format!("http://127.0.0.1:{port}/o"),
        "http://localhost/o".into(),
        format!("https://{host}/o"),
    ] {
        assert_eq!(
            send(&sidecar, &format!("GET {elsewhere}"), &pin).await.status(),
            504,
            "{elsewhere}"
        );
    }
    assert_eq!(origin.requests().len(), 1);
}

#[tokio::test]
async fn a_host_that_no_route_names_is_forbidden() {
    let (origin, sidecar) = (origin().await, proxy(LOOPBACK, TWO_HOSTS).await);
    let port = origin.addr().port();
    let others = [
        "elsewhere.example",
        "localhost.example",
        "127.0.0.2",
        "[::1]",
        "localhost.",
    ];
    for host in others.iter().take(4) {
        let answer = send(&sidecar, &format!("GET http://{host}:{port}/o"), "").await;
        assert_eq!(answer.status(), 403, "{host}");
    }
    // To this server itself there is no route.
    assert_eq!(send(&sidecar, "GET /o", "").await.status(), 404);
    for malformed in [
        "http://",
        "http:///o",
        "ftp://localhost/o",
        "http://u:p@localhost/o",
        "http://localhost:0/o",
    ] {
        assert_eq!(
            send(&sidecar, &format!("GET {malformed}"), "").await.status(),
            400,
            "{malformed}"
        );
    }
    assert_eq!(origin.requests().len(), 0);
}

#[tokio::test]
async fn only_public_addresses_are_dialled_unless_the_tier_allows_others() {
    let (origin, sidecar) = (origin().await, proxy("10.0.0.0/8", ANY_HOST).await);
    let port = origin.addr().port();
    let inside = [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "127.1",
        "2130706433",
        "0x7f.1",
        "169.254.169.254",
        "192.168.0.1",
        "[fe80::1]",
        "[64:ff9b::7f00:1]",
    ];
    for host in inside {
        let target = format!("http://{host}:{port}/o");
        let read = send(&sidecar, &format!("GET {target}"), "").await;
        assert!(matches!(read.status(), 403 | 502), "{host} {:?}", read.head);
        let passed = send(&sidecar, &format!("POST {target}"), "Content-Length: 0\r\n").await;
        assert!(matches!(passed.status(), 403 | 502), "{host} {:?}", passed.head);
        if !matches!(host, "127.1" | "2130706433" | "0x7f.1") {
            assert_eq!((read.status(), passed.status()), (403, 403), "{host}");
        }
    }
    assert_eq!(origin.connections(), 0);
}

#[tokio::test]
async fn credentials_for_the_proxy_end_here() {
    let (origin, sidecar) = (origin().await, proxy(LOOPBACK, TWO_HOSTS).await);
    let target = format!("http://{}/o", origin.addr());
    let secret = "Proxy-Authorization: Basic c2VjcmV0\r\nProxy-Connection: keep-alive\r\n";
    is_whole(&send(&sidecar, &format!("GET {target}"), secret).await, 1);
    is_whole(
        &send(
            &sidecar,
            &format!("GET {target}"),
            &format!("{secret}Authorization: Bearer x\r\n"),
        )
        .await,
        1,
    );
    let post = format!("{secret}Content-Length: 0\r\n");
    assert_eq!(send(&sidecar, &format!("POST {target}"), &post).await.status(), 201);
    let asked = origin.requests();
    assert_eq!(asked.len(), 3);
    for asked in asked {
        let head = String::from_utf8_lossy(&asked.head).to_lowercase();
        assert!(!head.contains("proxy-"), "{head}");
    }
}

#[tokio::test]
async fn there_are_no_tunnels() {
    let sidecar = proxy(LOOPBACK, ANY_HOST).await;
    let connect = "CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n";
    let answer = raw::get(sidecar.address, connect).await.unwrap();
    assert_eq!((answer.status(), answer.field("allow")), (405, Some("GET, HEAD")));
}

#[tokio::test]
async fn a_named_host_may_lead_to_a_fixed_tier() {
    let origin = origin().await;
    let yaml = format!(
        "
listen: [{{ address: 127.0.0.1:0, forward: true }}]
admin: {{ address: 127.0.0.1:0 }}
tiers:
  local: {{ disk: {{ path: '{{disk}}', capacity: 1GiB, block_size: 64KiB }} }}
  fixed: {{ http: {{ url: '{}' }} }}
routes: [{{ name: fixed, match: {{ host: '*.internal' }}, tiers: [local, fixed] }}]
",
        origin.url()
    );
    let sidecar = Sidecar::start(&yaml).await;
    is_whole(&send(&sidecar, "GET http://store.internal/o", "").await, 1);
    assert_eq!(origin.requests()[0].field("host"), Some(&*origin.addr().to_string()));
    assert_eq!(send(&sidecar, "GET http://internal/o", "").await.status(), 403);
}

#[tokio::test]
async fn a_proxy_that_is_its_own_target_says_so() {
    let sidecar = proxy(LOOPBACK, ANY_HOST).await;
    let target = format!("GET http://{}/o", sidecar.address);
    // The second time it is a request to this server, for which there is no route; or else the same again.
    let answer = send(&sidecar, &target, "").await;
    assert!(matches!(answer.status(), 404 | 502 | 508), "{:?}", answer.head);
}
