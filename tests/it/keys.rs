//! What names an object, and what does not.

use pinstripe_kit::origin::Origin;
use pinstripe_kit::raw;
use pinstripe_kit::s3::S3Server;

use crate::stage::{SIZE, Stage, is_part, is_whole, resource, rev, tag};
use crate::support::{Sidecar, get, s3_config};

/// Whether a path is answered by what is stored: an only-if-cached pin asks nobody.
async fn is_here(sidecar: &Sidecar, target: &str) -> bool {
    let pin = format!(
        "GET {target}; Range: bytes=0-99; If-Match: {}; Cache-Control: only-if-cached",
        tag(1)
    );
    let answer = sidecar.get(&pin).await;
    assert!([206, 504].contains(&answer.status()), "{target} {:?}", answer.head);
    answer.status() == 206
}

#[tokio::test]
async fn path_and_query_are_compared_as_sent() {
    let stage = Stage::start().await;
    stage.origin.put("/d/o", resource(1));
    stage.origin.put("/d/o?a=1&b=2", resource(1));
    for target in ["/d/o", "/d/o?a=1&b=2"] {
        is_whole(&stage.get(&format!("GET {target}")).await, 1);
        assert!(is_here(&stage.sidecar, target).await, "{target}");
    }
    let others = [
        "/D/o",
        "/d/O",
        "/d/%6f",
        "/d//o",
        "//d/o",
        "/d/o/",
        "/d/o?",
        "/d/o?b=2&a=1",
        "/d/o?a=1&b=2&",
        "/d/o?a=1",
        "/d/o?x-id=GetObject",
        "/d/o?partNumber=1",
        "/d/o?X-Amz-Date=1",
        "/d/o%3fa=1&b=2",
    ];
    for target in others {
        assert!(!is_here(&stage.sidecar, target).await, "{target}");
    }
    let asked: Vec<_> = stage
        .origin
        .requests()
        .iter()
        .map(|asked| asked.target.clone())
        .collect();
    assert_eq!(asked, ["/d/o", "/d/o?a=1&b=2"]);
}

#[tokio::test]
async fn the_host_of_a_request_to_this_server_names_nothing() {
    let stage = Stage::start().await;
    stage.fill().await;
    for host in ["other.example:81", "LOCALHOST", "[::1]:9"] {
        let pin = format!(
            "GET /o HTTP/1.1\r\nHost: {host}\r\nRange: bytes=3-9\r\nIf-Match: {}\r\n\r\n",
            tag(1)
        );
        is_part(&raw::get(stage.sidecar.address, pin).await.unwrap(), 1, 3, 9);
    }
    assert_eq!(stage.origin.requests().len(), 0);
    // Nor does the origin hear of it.
    let plain =
        "GET /o HTTP/1.1\r\nHost: other.example\r\nX-Forwarded-Host: evil.example\r\nForwarded: host=evil\r\n\r\n";
    is_whole(&raw::get(stage.sidecar.address, plain).await.unwrap(), 1);
    let asked = &stage.origin.requests()[0];
    assert_eq!(asked.field("host"), Some(&*stage.origin.addr().to_string()));
    assert!(!String::from_utf8_lossy(&asked.head).contains("evil"));
}

#[tokio::test]
async fn paths_that_may_name_something_else_are_refused() {
    let stage = Stage::start().await;
    let refused = [
        "/..",
        "/d/../o",
        "/d/./o",
        "/d/%2e%2e/o",
        "/d/%2E./o",
        "/d/.%2e",
        "/d/..%2fo",
        "/d%2f..%2fo",
        "/d/..\\o",
        "/d/%5c..%5co",
        "/d/%00",
        "/d/%0a",
        "/d/%zz",
        "/d/%",
        "/o#f",
        "/o?a=%00",
        "o",
        "",
    ];
    for target in refused {
        let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        let answer = raw::get(stage.sidecar.address, request).await.unwrap();
        assert_eq!(answer.status(), 400, "{target}");
    }
    for target in ["/...", "/d/.o", "/d/o..", "/d/%2e%2eo", "/d/%252e%252e/o", "/d/o?../x"] {
        assert_eq!(stage.get(&format!("GET {target}")).await.status(), 404, "{target}");
    }
    assert_eq!(stage.origin.requests().len(), 6);
}

#[tokio::test]
async fn routes_never_share() {
    let origin = Origin::start().await.unwrap();
    origin.put("/o", resource(1));
    let yaml = format!(
        "
listen: [{{ address: 127.0.0.1:0 }}]
admin: {{ address: 127.0.0.1:0 }}
tiers:
  local: {{ disk: {{ path: '{{disk}}', capacity: 1GiB, block_size: 64KiB }} }}
  origin: {{ http: {{ url: '{}' }} }}
routes:
  - {{ name: one, match: {{ path: /one/ }}, tiers: [local, origin] }}
  - {{ name: two, match: {{ path: /two/ }}, tiers: [local, origin] }}
",
        origin.url()
    );
    let sidecar = Sidecar::start(&yaml).await;
    is_whole(&sidecar.get("GET /one/o").await, 1);
    assert!(is_here(&sidecar, "/one/o").await);
    assert!(!is_here(&sidecar, "/two/o").await);
    assert_eq!(origin.requests()[0].target, "/o");
    assert_eq!(sidecar.get("GET /three/o").await.status(), 404);
    assert_eq!(sidecar.get("GET /onetwo").await.status(), 404);
    assert_eq!(origin.requests().len(), 1);
}

#[tokio::test]
async fn a_shared_route_names_no_signature() {
    let stage = Stage::with("", ", auth: shared").await;
    is_whole(&stage.get("GET /o?a=1&X-Amz-Date=1&X-Amz-Signature=5").await, 1);
    assert_eq!(
        stage.origin.requests()[0].target,
        "/o?a=1&X-Amz-Date=1&X-Amz-Signature=5"
    );
    assert!(is_here(&stage.sidecar, "/o?a=1&X-Amz-Date=2&X-Amz-Signature=6").await);
    assert!(is_here(&stage.sidecar, "/o?x-amz-signature=6&a=1").await);
    assert!(!is_here(&stage.sidecar, "/o?X-Amz-Date=2&X-Amz-Signature=6").await);
}

#[tokio::test]
async fn parameters_of_one_s3_request_name_nothing() {
    let server = S3Server::start().await.unwrap();
    server.put_pattern("bucket", "d/o", rev(1), SIZE);
    let sidecar = Sidecar::start(&s3_config(&server, "")).await;
    is_whole(&sidecar.get("GET /a/d/o?x-id=GetObject").await, 1);
    for query in ["", "?x-id=GetObject", "?X-Amz-Signature=1&X-Amz-Date=2&X-Amz-Expires=3"] {
        assert!(is_here(&sidecar, &format!("/a/d/o{query}")).await, "{query}");
    }
    assert!(!is_here(&sidecar, "/a/d/o?versionId=null").await);
    assert!(!is_here(&sidecar, "/a/D/o").await);
    server.counters().idle().await;
    assert_eq!(server.counters().snapshot().requests(), 1);
}

#[tokio::test]
async fn an_absolute_form_is_another_name() {
    // A route that names no host takes none.
    let stage = Stage::start().await;
    let request = format!("GET http://{}/o", stage.sidecar.address);
    assert_eq!(get(stage.sidecar.address, &request).await.status(), 403);
    assert_eq!(stage.origin.requests().len(), 0);
}
