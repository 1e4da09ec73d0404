//! The scripted origin: honest by default, and every lie that it can tell.

#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

use http::header::{IF_MATCH, IF_RANGE, RANGE};
use pinstripe_kit::client::{Download, Failure};
use pinstripe_kit::gate::Gate;
use pinstripe_kit::origin::{Act, Ending, Origin, Resource, Rule};
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::raw::{Answer, End, Wire, get};
use std::time::{Duration, UNIX_EPOCH};

async fn origin() -> Origin {
    let origin = Origin::start().await.unwrap();
    let modified = UNIX_EPOCH + Duration::from_secs(784_111_777);
    let ten = Resource::bytes("0123456789").modified(Some(modified));
    origin.put("/ten", ten.clone().tag("\"a\"").field("Cache-Control", "max-age=9"));
    origin.put("/weak", ten.clone().tag("W/\"a\""));
    origin.put("/bare", ten.clone().tag("a"));
    origin.put("/none", ten.modified(None));
    origin.put("/empty", Resource::bytes("").tag("\"e\""));
    origin
}

async fn ask(origin: &Origin, line: &str, fields: &str) -> Answer {
    let fields = if fields.is_empty() {
        String::new()
    } else {
        format!("{fields}\r\n")
    };
    get(origin.addr(), format!("{line} HTTP/1.1\r\nHost: x\r\n{fields}\r\n"))
        .await
        .unwrap()
}

/// Head and body as text.
fn text(answer: &Answer) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&answer.head.raw),
        String::from_utf8_lossy(&answer.body)
    )
}

#[tokio::test]
async fn honest_by_default() {
    let origin = origin().await;
    let table = [
        ("GET /ten", "", 200, "ETag: \"a\"\r\n"),
        ("GET /ten?x=1", "", 200, "Cache-Control: max-age=9\r\n"),
        (
            "GET http://h/ten",
            "",
            200,
            "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
        ),
        ("HEAD /ten", "Range: bytes=0-1", 200, "Content-Length: 10\r\n"),
        ("GET /ten", "Range: bytes=2-3", 206, "Content-Range: bytes 2-3/10\r\n"),
        ("GET /ten", "Range: bytes=10-", 416, "Content-Range: bytes */10\r\n"),
        ("GET /empty", "Range: bytes=0-", 416, "Content-Range: bytes */0\r\n"),
        ("GET /ten", "If-Match: \"b\"", 412, ""),
        ("GET /weak", "If-Match: W/\"a\"", 412, ""),
        ("GET /bare", "If-Match: \"a\"", 200, "ETag: a\r\n"),
        ("GET /none", "If-Match: \"a\"", 412, ""),
        ("GET /ten", "If-None-Match: \"a\"", 304, "Cache-Control: max-age=9\r\n"),
        (
            "GET /ten",
            "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
            304,
            "ETag: \"a\"\r\n",
        ),
        ("GET /ten", "Range: bytes=2-3\r\nIf-Range: \"a\"", 206, "\r\n\r\n23"),
        (
            "GET /ten",
            "Range: bytes=2-3\r\nIf-Range: \"b\"",
            200,
            "\r\n\r\n0123456789",
        ),
        ("GET /weak", "Range: bytes=2-3\r\nIf-Range: W/\"a\"", 200, ""),
        ("GET /gone", "", 404, ""),
        (
            "POST /ten",
            "Content-Length: 3\r\n\r\nabc",
            201,
            "X-Echo: POST /ten\r\n",
        ),
        (
            "PUT /ten",
            "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
            201,
            "\r\n\r\nabc",
        ),
        ("DELETE /ten", "Expect: 100-continue", 201, "X-Echo-Length: 0\r\n"),
    ];
    for (line, fields, status, holds) in table {
        let answer = ask(&origin, line, fields).await;
        let text = text(&answer);
        assert_eq!(
            (answer.status(), answer.end),
            (status, End::Complete),
            "{line} {fields}: {text}"
        );
        assert!(text.contains(holds), "{line} {fields} lacks {holds}: {text}");
    }
    let requests = origin.requests();
    assert_eq!(requests.len(), table.len());
    let (second, put) = (&requests[1], &requests[table.len() - 2]);
    assert_eq!(
        (second.target.as_str(), second.path(), second.sequence),
        ("/ten?x=1", "/ten", 1)
    );
    assert_eq!(
        (put.body.as_ref(), put.body_length, put.method.as_str()),
        (b"abc".as_ref(), 3, "PUT")
    );
    assert_eq!(requests[0].head, "GET /ten HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(requests[0].body_sent(), 10);
}

#[tokio::test]
async fn lies_in_the_head() {
    let origin = origin().await;
    let table = [
        (
            Act::content_range(|first, last, total| format!("bytes {}-{last}/{total}", first + 1)),
            206,
            "bytes 3-3/10",
        ),
        (
            Act::content_range(|first, last, _| format!("bytes {first}-{last}/*")),
            206,
            "bytes 2-3/*",
        ),
        (
            Act::content_range(|first, last, total| format!("items {first}-{last}/{total}")),
            206,
            "items 2-3/10",
        ),
        (Act::field("ETag", "\"z\""), 206, "ETag: \"z\""),
        (Act::lacks("ETag"), 206, "Content-Range: bytes 2-3/10"),
        (Act::Ignore(RANGE), 200, "\r\n\r\n0123456789"),
        (Act::Serve(4..6), 206, "Content-Range: bytes 4-5/10"),
        (Act::Serve(8..30), 206, "\r\n\r\n89"),
        (
            Act::Multipart(vec![0..1, 4..6]),
            206,
            "Content-Range: bytes 4-5/10\r\n\r\n45\r\n--kit-boundary--",
        ),
        (Act::Chunked, 206, "Transfer-Encoding: chunked"),
        (Act::answer(302, &[("Location", "/x")], ""), 302, "Location: /x"),
        (Act::status(503), 503, "status 503"),
        (Act::oversized_head(300_000), 206, "X-Padding: xxx"),
        (Act::early_hints(), 206, "\r\n\r\n23"),
    ];
    for (act, status, holds) in table {
        origin.script(Rule::on("/ten").method("GET").with("Range").times(1).act(act.clone()));
        let answer = ask(&origin, "GET /ten", "Range: bytes=2-3").await;
        let text = text(&answer);
        assert_eq!(
            (answer.status(), answer.end),
            (status, End::Complete),
            "{act:?}: {text}"
        );
        assert!(text.contains(holds), "{act:?} lacks {holds}: {text}");
        assert_eq!(
            answer.head.interim.is_empty(),
            !matches!(act, Act::Interim(..)),
            "{act:?}"
        );
        // Once, as it was told.
        assert_eq!(ask(&origin, "GET /ten", "Range: bytes=2-3").await.body, "23");
    }
    origin.script(Rule::on("/ten").times(1).act(Act::lacks("etag")));
    assert_eq!(ask(&origin, "GET /ten", "").await.field("etag"), None);
    origin.script(Rule::any().act(Act::Ignore(IF_MATCH)).act(Act::Ignore(IF_RANGE)));
    assert_eq!(ask(&origin, "GET /ten", "If-Match: \"b\"").await.status(), 200);
    assert_eq!(
        ask(&origin, "GET /ten", "Range: bytes=2-3\r\nIf-Range: \"b\"")
            .await
            .status(),
        206
    );
    origin.repent();
    assert_eq!(ask(&origin, "GET /ten", "If-Match: \"b\"").await.status(), 412);
}

#[tokio::test]
async fn lies_in_the_body() {
    let origin = origin().await;
    let table = [
        (
            Act::Cut {
                at: 4,
                how: Ending::Fin,
            },
            "0123",
            End::Cut,
        ),
        (
            Act::Cut {
                at: 4,
                how: Ending::Rst,
            },
            "0123",
            End::Cut,
        ),
        (Act::field("Content-Length", "12"), "0123456789", End::Cut),
        (Act::field("Content-Length", "8"), "01234567", End::Complete),
        (Act::UntilClose, "0123456789", End::Closed),
        (Act::Chunked, "0123456789", End::Complete),
    ];
    for (act, body, end) in table {
        origin.script(Rule::on("/ten").times(1).act(act.clone()));
        let answer = ask(&origin, "GET /ten", "").await;
        assert_eq!((answer.body.as_ref(), answer.end), (body.as_bytes(), end), "{act:?}");
    }
    origin.script(Rule::any().times(1).act(Act::Chunked).act(Act::Cut {
        at: 4,
        how: Ending::Fin,
    }));
    assert_eq!(ask(&origin, "GET /ten", "").await.end, End::Cut);
}

#[tokio::test]
async fn no_answer_at_all() {
    let origin = origin().await;
    for act in [Act::Reset, Act::Close, Act::Garbage("SSH-2.0\r\n\r\n".into())] {
        origin.script(Rule::any().times(1).act(act.clone()));
        assert!(
            get(origin.addr(), "GET /ten HTTP/1.1\r\n\r\n").await.is_err(),
            "{act:?}"
        );
    }
    assert_eq!(get(origin.addr(), "nonsense\r\n\r\n").await.unwrap().status(), 400);
    origin.script(Rule::any().act(Act::Silence));
    let mut wire = Wire::connect(origin.addr()).await.unwrap();
    wire.send("GET /ten HTTP/1.1\r\n\r\n").await.unwrap();
    let requests = origin.recorded(4).await;
    assert!(!requests[3].abandoned());
    origin.stop().await;
    assert!(wire.is_closed().await);
    assert!(Wire::connect(origin.addr()).await.is_err());
    let origin = origin.again().await.unwrap();
    origin.repent();
    assert_eq!(ask(&origin, "GET /ten", "").await.status(), 200);
}

#[tokio::test]
async fn gates_before_within_and_behind() {
    let origin = origin().await;
    let (before, decided, within) = (Gate::closed(), Gate::closed(), Gate::closed());
    origin.script(Rule::any().times(1).act(Act::Hold(before.clone())));
    origin.script(Rule::any().times(1).act(Act::HoldAnswer(decided.clone())));
    origin.script(Rule::any().times(1).act(Act::Stall {
        at: 4,
        gate: within.clone(),
    }));
    let replace = |body: &'static str| origin.put("/ten", Resource::bytes(body));

    let (answer, ()) = tokio::join!(ask(&origin, "GET /ten", ""), async {
        before.waiting(1).await;
        replace("new");
        before.open();
    });
    assert_eq!(answer.body, "new");
    let (answer, ()) = tokio::join!(ask(&origin, "GET /ten", ""), async {
        decided.waiting(1).await;
        replace("newer.....");
        decided.open();
    });
    assert_eq!(answer.body, "new");

    let mut wire = Wire::connect(origin.addr()).await.unwrap();
    wire.send("GET /ten HTTP/1.1\r\n\r\n").await.unwrap();
    let head = wire.head().await.unwrap();
    assert_eq!(wire.up_to(4).await.0, "newe");
    within.waiting(1).await;
    assert_eq!(
        (origin.requests()[2].body_sent(), head.field("content-length")),
        (4, Some("10"))
    );
    within.open();
    assert_eq!(wire.up_to(6).await.0, "r.....");

    // Who leaves is seen to leave, and waits no more.
    within.close();
    origin.script(Rule::any().act(Act::Stall {
        at: 4,
        gate: within.clone(),
    }));
    wire.send("GET /ten HTTP/1.1\r\n\r\n").await.unwrap();
    within.waiting(1).await;
    assert_eq!((origin.connections(), origin.requests()[3].connection), (3, 2));
    wire.reset().unwrap();
    origin.recorded(4).await.remove(3).left().await;
    assert_eq!(within.held(), 0);
}

#[tokio::test]
async fn a_download_tells_lies_from_truth() {
    let origin = Origin::start().await.unwrap();
    let (one, two) = (Pattern::new(3, 1), Pattern::new(3, 2));
    origin.put("/big", Resource::pattern(one, 100_000));
    let download = Download {
        chunk: 16_384,
        ..Download::new([origin.addr()], "/big", 3)
    };
    assert_eq!(download.run().await.verified, Ok(Some(1)));
    // Through a proxy the target is absolute, and Host its authority.
    let proxied = Download {
        proxy: Some(origin.addr()),
        targets: Vec::new(),
        host: "h.example".into(),
        ..download.clone()
    };
    assert_eq!(proxied.run().await.verified, Ok(Some(1)));
    let asked = origin.requests().pop().unwrap();
    assert_eq!(
        (asked.target.as_str(), asked.field("host")),
        ("http://h.example/big", Some("h.example"))
    );

    origin.script(Rule::any().with("If-Match").times(1).act(Act::status(503)));
    assert_eq!(download.run().await.verified, Err(Failure::Status(503)));
    origin.script(Rule::any().with("If-Match").times(1).act(Act::Serve(0..16_384)));
    assert!(matches!(download.run().await.verified, Err(Failure::Head(_))));
    origin.script(Rule::any().with("If-Match").times(1).act(Act::Cut {
        at: 100,
        how: Ending::Rst,
    }));
    assert!(matches!(download.run().await.verified, Err(Failure::Cut(_))));
    // The end of a connection looks like the end of a body that has no length.
    let short = Rule::any().with("If-Match").times(1).act(Act::UntilClose);
    origin.script(short.act(Act::Cut {
        at: 160,
        how: Ending::Fin,
    }));
    assert!(matches!(download.run().await.verified, Err(Failure::Cut(_))));
    // A cache on the way that ignores If-Match, and an overwrite after the discovery: the splice that nobody notices.
    let gate = Gate::closed();
    let ignore = |act: Rule| act.with("If-Match").act(Act::Ignore(IF_MATCH));
    origin.script(ignore(Rule::any()).act(Act::Hold(gate.clone())));
    let (outcome, ()) = tokio::join!(download.run(), async {
        gate.waiting(1).await;
        origin.put("/big", Resource::pattern(two, 100_000));
        gate.open();
    });
    assert!(outcome.spliced && outcome.foreign_tags > 0, "{outcome:?}");
}
