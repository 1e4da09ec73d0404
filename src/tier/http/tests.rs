//! Answers that no honest server gives, byte by byte. What honest ones give is in the contract suite.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::StreamExt;
use http::HeaderMap;

use super::*;
use crate::config::{self, Config};
use crate::net::listener::{Listener, Step, say};
use crate::object::{
    AuthorityId, ByteRange, Cause, Condition, Cut, Lie, Method, ObjectKey, RangeSpec, RouteName, Target, TargetOrigin,
};

fn tier(base: Base, guard: Guard) -> HttpTier {
    patient_tier(base, guard, Duration::from_secs(10))
}

fn patient_tier(base: Base, guard: Guard, first_byte: Duration) -> HttpTier {
    let long = Duration::from_secs(10);
    let client = ClientConfig {
        connect: long,
        first_byte,
        idle: long,
        connections: 4,
        head_limit: 16 << 10,
        ca_pem: None,
    };
    HttpTier::new(HttpTierConfig {
        base,
        guard,
        client,
        via: HeaderValue::from_static("1.1 pinstripe"),
        clock: Clock::fixed(SystemTime::UNIX_EPOCH),
    })
    .unwrap()
}

fn span(target: Option<TargetOrigin>) -> Question {
    let authority = AuthorityId::new(["http", "test"]);
    Question {
        method: Method::Get,
        key: ObjectKey::new(&RouteName::new("r"), &authority, target, "/a", None),
        query: None,
        target: Target::Range(RangeSpec::Span(ByteRange::new(2, 4).unwrap())),
        condition: Condition::Free,
        revalidate: false,
        fields: HeaderMap::new().into(),
    }
}

async fn ask(answer: &'static str) -> (Heard, Vec<Result<Bytes, Cut>>) {
    let listener = Listener::start(|_| {
        let mut steps = say(answer);
        steps.push(Step::Close);
        steps
    })
    .await;
    let url = format!("http://{}", listener.address).parse().unwrap();
    let answer = tier(Base::Fixed(url), Guard::Any).ask(&span(None)).await;
    (answer.heard, answer.body.collect().await)
}

/// The bytes of a 206 that the answer brings, and what cut them.
async fn check(answer: &'static str, bytes: &str, cut: Option<Cause>) {
    let (heard, body) = ask(answer).await;
    assert!(matches!(heard, Heard::Partial(..)), "{answer}: {heard:?}");
    let came: Vec<u8> = body.iter().flatten().flat_map(|chunk| chunk.to_vec()).collect();
    let last = body.last().and_then(|chunk| chunk.as_ref().err().copied());
    assert_eq!((came.as_slice(), last), (bytes.as_bytes(), cut.map(Cut)), "{answer}");
}

#[tokio::test]
async fn a_206_brings_its_range_and_nothing_else() {
    let head = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-4/9\r\n";
    let answer = |rest: &str| -> &'static str { format!("{head}{rest}").leak() };
    check(answer("Content-Length: 3\r\n\r\ncde"), "cde", None).await;
    check(
        answer("Transfer-Encoding: chunked\r\n\r\n3\r\ncde\r\n0\r\n\r\n"),
        "cde",
        None,
    )
    .await;
    let short = answer("Transfer-Encoding: chunked\r\n\r\n2\r\ncd\r\n0\r\n\r\n");
    check(short, "cd", Some(Cause::Reset)).await;
    let long = answer("Transfer-Encoding: chunked\r\n\r\n2\r\ncd\r\n2\r\nef\r\n0\r\n\r\n");
    check(long, "cd", Some(Cause::Lie(Lie::Length))).await;
    check(answer("Connection: close\r\n\r\ncd"), "cd", Some(Cause::Reset)).await;
    check(answer("Connection: close\r\n\r\ncde"), "cde", None).await;
}

#[tokio::test]
async fn a_lie_has_no_body_and_an_error_has() {
    let (heard, body) = ask("HTTP/1.1 206 OK\r\nContent-Length: 3\r\n\r\ncde").await;
    let Heard::Failed(failure) = heard else {
        panic!("{heard:?}")
    };
    assert_eq!((failure.cause, body.len()), (Cause::Lie(Lie::Unreadable), 0));
    assert_eq!(failure.answer.unwrap().fields["content-length"], "3");
    let (heard, body) = ask("HTTP/1.1 503 Busy\r\nContent-Length: 3\r\nRetry-After: 7\r\n\r\ncde").await;
    let Heard::Failed(failure) = heard else {
        panic!("{heard:?}")
    };
    assert_eq!(failure.cause, Cause::Status);
    assert_eq!(failure.answer.unwrap().fields["retry-after"], "7");
    assert_eq!(body, [Ok(Bytes::from_static(b"cde"))]);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (heard, _) = ask("HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n").await;
    let Heard::Other(found) = heard else {
        panic!("{heard:?}")
    };
    assert_eq!(found.fields["location"], "/b");
}

#[tokio::test]
async fn a_target_is_dialled_where_the_guard_permits() {
    let listener = Listener::start(|_| say("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")).await;
    let target = TargetOrigin {
        secure: false,
        host: "127.0.0.1".into(),
        port: listener.address.port(),
    };
    let question = span(Some(target));
    let guarded = tier(Base::Request, Guard::Public { allow: Vec::new() });
    let heard = guarded.ask(&question).await.heard;
    assert!(matches!(heard, Heard::Failed(failure) if failure.cause == Cause::Forbidden));
    let allow = vec!["127.0.0.0/8".parse().unwrap()];
    let heard = tier(Base::Request, Guard::Public { allow }).ask(&question).await.heard;
    assert!(matches!(heard, Heard::NotFound(_)));
    let heads = listener.heads();
    assert_eq!(heads.len(), 1);
    assert!(heads[0].starts_with("GET /a HTTP/1.1\r\n"), "{}", heads[0]);
}

/// What an answer is made of.
type Says = fn() -> Vec<Step>;

/// So many servers of which whoever is asked first says the first, and all others the other; what is heard, and how often
/// they were asked.
async fn ask_one_of(servers: usize, first: Says, others: Says) -> (Heard, usize) {
    let turns = Arc::new(AtomicUsize::new(0));
    let mut listeners = Vec::new();
    for _ in 0..servers {
        let turns = Arc::clone(&turns);
        let script = move |_: &str| match turns.fetch_add(1, Ordering::Relaxed) {
            0 => first(),
            _ => others(),
        };
        listeners.push(Listener::start(script).await);
    }
    let urls: Vec<_> = listeners
        .iter()
        .map(|server| format!("'http://{}'", server.address))
        .collect();
    let yaml = format!(
        "
listen: [{{ address: '127.0.0.1:1' }}]
tiers: {{ h: {{ http: {{ urls: [{}] }} }} }}
routes: [{{ name: r, tiers: [h] }}]
",
        urls.join(", ")
    );
    let config = Config::parse(&yaml, &|_| None).unwrap();
    let config::Upstream::Http(config::Http {
        target: config::Target::Urls(urls),
        ..
    }) = &**config.routes[0].upstreams.authority()
    else {
        panic!("a list")
    };
    let endpoints = Endpoints::listed("h", urls, Duration::from_secs(10), Arc::new(|_| {})).unwrap();
    let answer = patient_tier(Base::Several(Arc::new(endpoints)), Guard::Any, Duration::from_secs(1))
        .ask(&span(None))
        .await;
    let asked: Vec<_> = listeners.iter().map(|server| server.heads().len()).collect();
    assert!(asked.iter().all(|asked| *asked < 2), "{asked:?}");
    (answer.heard, asked.iter().sum())
}

fn not_found() -> Vec<Step> {
    say("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
}

#[tokio::test]
async fn a_question_that_was_lost_is_put_to_the_next_server_and_an_answer_stands() {
    let (heard, asked) = ask_one_of(2, || vec![Step::Close], not_found).await;
    assert!(matches!(heard, Heard::NotFound(_)) && asked == 2, "{heard:?} {asked}");
    let busy = || say("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    let (heard, asked) = ask_one_of(2, busy, not_found).await;
    assert!(matches!(heard, Heard::Failed(failure) if failure.cause == Cause::Status));
    assert_eq!(asked, 1);
    let (heard, asked) = ask_one_of(2, || say("SSH-2.0-x\r\n\r\n"), not_found).await;
    assert!(matches!(heard, Heard::Failed(failure) if failure.cause == Cause::Malformed));
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_question_that_was_waited_for_in_vain_is_put_to_one_more_server() {
    let silent = || vec![Step::Hang];
    let (heard, asked) = ask_one_of(3, silent, not_found).await;
    assert!(matches!(heard, Heard::NotFound(_)) && asked == 2, "{heard:?} {asked}");
    let (heard, asked) = ask_one_of(3, silent, silent).await;
    assert!(matches!(heard, Heard::Failed(failure) if failure.cause == Cause::Timeout));
    assert_eq!(asked, 2);
}
