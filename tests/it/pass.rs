//! What is no read is passed on as it came; a write that may have happened makes what is current unknown.

use http::header::IF_MATCH;
use pinstripe_kit::gate::Gate;
use pinstripe_kit::origin::{Act, Origin, Rule};
use pinstripe_kit::raw::{self, Answer, Wire};

use crate::stage::{Stage, bytes, config, detail, is_part, is_whole, parameter, pinned, ranged, resource, tag};
use crate::support::Sidecar;

async fn send(sidecar: &Sidecar, line: &str, fields: &str, body: &[u8]) -> Answer {
    let head = format!("{line} HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    raw::get(sidecar.address, [head.as_bytes(), body].concat())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_methods_are_passed_on_with_their_bodies() {
    let stage = Stage::start().await;
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "PURGE"] {
        let line = format!("{method} /w/x?a=%2F&b");
        let answer = send(&stage.sidecar, &line, "Content-Length: 4\r\nX-A: b\r\n", b"body").await;
        assert_eq!((answer.status(), &*answer.body), (201, &b"body"[..]), "{method}");
        assert_eq!(answer.field("x-echo"), Some(&*line));
        assert_eq!((detail(&answer), parameter(&answer, "fwd")), ("method", Some("method")));
    }
    let asked = &stage.origin.requests()[0];
    assert_eq!(
        (asked.field("x-a"), asked.field("host")),
        (Some("b"), Some(&*stage.origin.addr().to_string()))
    );
    assert!(asked.field("via").is_some() && asked.field("range").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_streamed() {
    let stage = Stage::start().await;
    let large = bytes(1, 0..3 << 20);
    let length = format!("Content-Length: {}\r\n", large.len());
    let answer = send(&stage.sidecar, "PUT /w", &length, &large).await;
    assert_eq!(answer.field("x-echo-length"), Some(&*large.len().to_string()));
    assert!(answer.body == large[..1 << 20]);
    let answer = send(
        &stage.sidecar,
        "PUT /w",
        "Transfer-Encoding: chunked\r\n",
        b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    )
    .await;
    assert_eq!((answer.status(), &*answer.body), (201, &b"abcde"[..]));
    // An origin that holds the answer has had the body.
    let gate = Gate::closed();
    stage.origin.script(Rule::any().act(Act::Hold(gate.clone())));
    let mut wire = Wire::connect(stage.sidecar.address).await.unwrap();
    wire.send("POST /w HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        .await
        .unwrap();
    let (interim, _) = wire.up_to(12).await;
    assert_eq!(&*interim, b"HTTP/1.1 100");
    wire.send("ok").await.unwrap();
    gate.waiting(1).await;
    gate.open();
    let asked = stage.origin.requests();
    assert_eq!(&*asked.last().unwrap().body, b"ok");
}

/// Revision 1, fresh and stored.
async fn fresh(stage: &Stage) {
    stage
        .origin
        .put("/o", resource(1).field("Cache-Control", "max-age=600"));
    is_whole(&stage.get("GET /o; Cache-Control: no-cache").await, 1);
    stage.sidecar.has_stored(5).await;
    stage.origin.forget();
    is_whole(&stage.get("GET /o").await, 1);
    assert_eq!(stage.origin.requests().len(), 0);
}

async fn put(stage: &Stage) -> u16 {
    put_to(stage, "/o").await
}

async fn put_to(stage: &Stage, target: &str) -> u16 {
    send(&stage.sidecar, &format!("PUT {target}"), "Content-Length: 0\r\n", b"")
        .await
        .status()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_write_that_may_have_happened_the_authority_is_asked() {
    let stage = Stage::start().await;
    for written in [200, 201, 204, 303, 502, 504] {
        fresh(&stage).await;
        stage
            .origin
            .script(Rule::any().method("PUT").act(Act::answer(written, &[], "")));
        assert_eq!(put(&stage).await, written);
        stage.origin.repent();
        // In trouble nothing stands in for what may be another by now.
        stage.origin.script(Rule::any().times(1).act(Act::status(503)));
        assert_eq!(stage.get(&ranged(0, 9)).await.status(), 503, "{written}");
        stage.put(2);
        is_whole(&stage.get("GET /o").await, 2);
    }
    fresh(&stage).await;
    stage.origin.script(Rule::any().method("PUT").act(Act::Reset));
    assert_eq!(put(&stage).await, 502);
    stage.origin.forget();
    is_whole(&stage.get("GET /o").await, 1);
    assert_eq!(stage.origin.requests().len(), 1);
    // The client named the very bytes.
    is_part(&stage.get(&pinned(1, 0, 9)).await, 1, 0, 9);
}

/// Where all clients are one tenant, signatures name nothing, and so it makes no difference which one a write has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_presigned_write_is_to_the_object_that_presigned_reads_are_of() {
    let stage = Stage::with("", ", auth: shared").await;
    for target in [
        "/o?X-Amz-Date=2&X-Amz-Expires=9&X-Amz-Signature=6",
        "/o?X-Amz-Signature=7",
    ] {
        fresh(&stage).await;
        assert_eq!(put_to(&stage, target).await, 201);
        let asked = stage.origin.requests();
        assert_eq!(asked.last().unwrap().target, target, "the origin checks its signature");
        stage.put(2);
        is_whole(&stage.get("GET /o?X-Amz-Date=3&X-Amz-Signature=8").await, 2);
    }
    // What names another object goes on to do so.
    fresh(&stage).await;
    assert_eq!(put_to(&stage, "/o?a=1&X-Amz-Signature=6").await, 201);
    stage.put(2);
    is_whole(&stage.get("GET /o").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_was_refused_changes_nothing() {
    let stage = Stage::start().await;
    fresh(&stage).await;
    for refused in [400, 401, 403, 404, 409, 412, 413, 429, 500, 503] {
        stage.origin.script(Rule::any().times(1).act(Act::status(refused)));
        assert_eq!(put(&stage).await, refused);
        stage.origin.forget();
        is_whole(&stage.get("GET /o").await, 1);
        assert_eq!(stage.origin.requests().len(), 0, "{refused}");
    }
    for safe in ["OPTIONS /o", "TRACE /o"] {
        send(&stage.sidecar, safe, "Content-Length: 0\r\n", b"").await;
        is_whole(&stage.get("GET /o").await, 1);
    }
    let elsewhere = send(&stage.sidecar, "PUT /o?x", "Content-Length: 0\r\n", b"").await;
    assert_eq!(elsewhere.status(), 201);
    stage.origin.forget();
    is_whole(&stage.get("GET /o").await, 1);
    assert_eq!(stage.origin.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_to_a_question_before_a_write_moves_nothing() {
    let stage = Stage::start().await;
    stage
        .origin
        .put("/o", resource(1).field("Cache-Control", "max-age=600"));
    let told = Gate::closed();
    stage
        .origin
        .script(Rule::any().method("GET").times(1).act(Act::HoldAnswer(told.clone())));
    let early = stage.get_later("GET /o").await;
    told.waiting(1).await;
    assert_eq!(put(&stage).await, 201);
    told.open();
    is_whole(&early.answer().await, 1);
    stage.sidecar.has_stored(5).await;
    // It is here, and would be fresh, but is not known to be current.
    stage.put(2);
    is_whole(&stage.get("GET /o").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_safe_to_repeat_is_sent_once() {
    let stage = Stage::start().await;
    for _ in 0..3 {
        let answer = send(&stage.sidecar, "POST /w", "Content-Length: 0\r\n", b"").await;
        assert_eq!(answer.status(), 201);
        stage.origin.forget();
        stage.origin.script(Rule::any().times(1).act(Act::Reset));
        let answer = send(&stage.sidecar, "POST /w", "Content-Length: 0\r\n", b"").await;
        assert_eq!((answer.status(), stage.origin.requests().len()), (502, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_with_credentials_are_passed_on_unless_the_route_shares() {
    let stage = Stage::start().await;
    stage.fill().await;
    let credentials = ["Authorization: Bearer x", "Cookie: a=b"];
    for credential in credentials {
        let answer = stage.get(&format!("{}; {credential}", ranged(0, 9))).await;
        is_part(&answer, 1, 0, 9);
        assert_eq!(
            (detail(&answer), parameter(&answer, "fwd")),
            ("credentials", Some("bypass"))
        );
        let asked = stage.origin.requests();
        let (name, value) = credential.split_once(": ").unwrap();
        assert_eq!(
            (asked[0].field(name), asked[0].field("range")),
            (Some(value), Some("bytes=0-9"))
        );
        stage.origin.forget();
    }
    is_whole(&stage.get("GET /o?sig=x").await, 1);
    is_whole(&stage.get("GET /o?X-Amz-Signature=x").await, 1);
    assert_eq!((stage.origin.requests().len(), stage.sidecar.stored().await), (2, 5));
    let shared = Stage::with("", ", auth: shared").await;
    for _ in 0..2 {
        is_part(
            &shared
                .get(&format!("{}; Authorization: Bearer x", pinned(1, 0, 9)))
                .await,
            1,
            0,
            9,
        );
    }
    let asked = shared.origin.requests();
    assert_eq!((asked.len(), asked[0].field("authorization")), (1, Some("Bearer x")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_that_are_the_origins_to_answer_are_passed_on() {
    let stage = Stage::start().await;
    stage.fill().await;
    let reads = [
        ("Range: bytes=0-1,5-6", "multi-range"),
        ("If-Match: W/\"x\"", "weak-pin"),
        ("If-Unmodified-Since: Sun, 06 Nov 2044 08:49:37 GMT", "unmodified-since"),
    ];
    for (field, why) in reads {
        let answer = stage.get(&format!("GET /o; {field}")).await;
        assert_eq!(detail(&answer), why);
        let asked = stage.origin.requests();
        let (name, value) = field.split_once(": ").unwrap();
        assert_eq!((asked.len(), asked[0].field(name)), (1, Some(value)));
        stage.origin.forget();
    }
    let both = format!(
        "{}; If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
        pinned(1, 0, 9)
    );
    is_part(&stage.get(&both).await, 1, 0, 9);
    assert_eq!(stage.get("GET /o; If-Match: \"x").await.status(), 400);
    assert_eq!(stage.origin.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pin_holds_for_what_is_passed_on_too() {
    let stage = Stage::start().await;
    stage.put(2);
    let with = |n: u32| format!("{}; Authorization: x", pinned(n, 0, 9));
    is_part(&stage.get(&with(2)).await, 2, 0, 9);
    assert_eq!(stage.get(&with(1)).await.status(), 412);
    stage.origin.script(Rule::any().act(Act::Ignore(IF_MATCH)));
    let answer = stage.get(&with(1)).await;
    assert_eq!((answer.status(), detail(&answer)), (412, "pin-ignored"));
    assert!(!answer.body.windows(10).any(|w| w == bytes(2, 0..10)));
    let refused = "pinstripe_splices_refused_total{kind=\"if-match\"}";
    assert_eq!(stage.sidecar.count(refused).await, 1);
    let multi = format!("GET /o; Range: bytes=0-1,5-6; If-Match: {}", tag(1));
    assert_eq!(stage.get(&multi).await.status(), 412);
    stage.origin.repent();
    stage.origin.script(Rule::any().act(Act::status(404)));
    assert_eq!(stage.get(&with(1)).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_a_connection_is_passed_on() {
    let stage = Stage::start().await;
    let fields = "Connection: x-hop, close\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\nContent-Length: 0\r\n";
    let hops = [
        ("Connection", "x-own"),
        ("X-Own", "1"),
        ("Keep-Alive", "timeout=9"),
        ("Proxy-Authenticate", "Basic"),
        ("Upgrade", "x"),
    ];
    stage.origin.script(Rule::any().act(Act::answer(200, &hops, "ok")));
    for line in ["POST /w", "GET /w?sig=1"] {
        let answer = send(&stage.sidecar, line, fields, b"").await;
        assert_eq!(answer.status(), 200);
        for name in ["x-own", "keep-alive", "proxy-authenticate", "upgrade"] {
            assert_eq!(answer.field(name), None, "{line} {name}");
        }
        let asked = stage.origin.requests();
        for name in ["x-hop", "keep-alive", "te", "upgrade"] {
            assert_eq!(asked[0].field(name), None, "{line} {name}");
        }
        stage.origin.forget();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_that_is_not_there_is_said_to_be() {
    let origin = Origin::start().await.unwrap();
    let sidecar = Sidecar::start(&config(&origin.url(), "", "")).await;
    origin.stop().await;
    let answer = send(&sidecar, "POST /o", "Content-Length: 0\r\n", b"").await;
    assert_eq!((answer.status(), detail(&answer)), (502, "refused"));
}

/// One request at a time to the origin, for which others wait as long as a connection may take.
async fn narrow(patience: &str) -> Stage {
    let tier = format!(", limits: {{ connections: 1 }}, timeouts: {{ connect: {patience} }}");
    Stage::with(&tier, "").await
}

/// What is passed on waits for its like in vain, and reads go on beside it.
async fn is_saturated(stage: &Stage) {
    let passed = send(&stage.sidecar, "POST /w", "Content-Length: 0\r\n", b"").await;
    assert_eq!((passed.status(), detail(&passed)), (503, "saturated"));
    is_whole(&stage.get("GET /o").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limit_of_a_tier_holds_for_what_is_passed_on_until_it_has_ended() {
    let stage = narrow("200ms").await;
    let gate = Gate::closed();
    let hold = || Act::Hold(gate.clone());
    let stall = || Act::Stall {
        at: 2,
        gate: gate.clone(),
    };
    // Before there is an answer, and in the midst of it.
    let held = [
        ("POST /w; Content-Length: 0", hold()),
        ("GET /o; Authorization: x", stall()),
    ];
    for (request, act) in held {
        gate.close();
        stage.origin.script(Rule::any().times(1).act(act));
        let held = stage.get_later(request).await;
        gate.waiting(1).await;
        is_saturated(&stage).await;
        gate.open();
        assert!(held.answer().await.status() < 300, "{request}");
        let next = send(&stage.sidecar, "POST /w", "Content-Length: 0\r\n", b"").await;
        assert_eq!(next.status(), 201, "{request}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_counts_up_to_its_last_byte() {
    let stage = narrow("200ms").await;
    let mut upload = Wire::connect(stage.sidecar.address).await.unwrap();
    upload
        .send("POST /w HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(&*upload.up_to(12).await.0, b"HTTP/1.1 100");
    is_saturated(&stage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_leaves_gives_way_to_who_waits() {
    let stage = narrow("20s").await;
    let gate = Gate::closed();
    stage.origin.script(Rule::any().times(1).act(Act::Hold(gate.clone())));
    let leaves = stage.get_later("POST /w; Content-Length: 0").await;
    gate.waiting(1).await;
    let waits = stage.get_later("POST /w; Content-Length: 0").await;
    drop(leaves);
    assert_eq!(waits.answer().await.status(), 201);
    let all = (0..30).map(|n| match n % 3 {
        0 => "POST /w; Content-Length: 0".to_owned(),
        1 => format!("GET /w{n}"),
        _ => "GET /o; Authorization: x".to_owned(),
    });
    for answer in stage.sidecar.get_all(all).await {
        assert!(matches!(answer.status(), 200 | 201 | 404), "{answer:?}");
    }
}
