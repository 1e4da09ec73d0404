//! What becomes of servers that break, stall or lie.

use std::time::Duration;

use futures_util::StreamExt;
use http::header::{IF_MATCH, RANGE};
use pinstripe_kit::gate::Gate;
use pinstripe_kit::origin::{Act, Ending, Rule};
use pinstripe_kit::pattern::Pattern;

use super::bench::{Bench, SHORT, config, get, read, summary, tag};
use crate::object::{Cause, Lie};

const ONE: Pattern = Pattern::new(7, 1);
const SIZE: u64 = 300_007;
const PATH: &str = "/dir/a.tar";

/// What is heard when the origin acts so.
async fn hear(bench: &Bench, act: Act) -> String {
    bench.origin().repent();
    bench.origin().script(Rule::any().act(act));
    summary(&bench.ask(&get(PATH).span(0, 9)).await.heard)
}

pub(super) async fn no_answer(bench: &Bench) {
    bench.put(PATH, ONE, SIZE);
    bench.origin().script(Rule::any().act(Act::Silence));
    let upstream = bench.upstream_with(config(SHORT, 4)).await;
    let answer = upstream.ask(&get(PATH)).await;
    assert_eq!(summary(&answer.heard), "failed Timeout None");
    bench.origin().recorded(1).await[0].left().await;
}

pub(super) async fn reset(bench: &Bench) {
    bench.put(PATH, ONE, SIZE);
    assert_eq!(hear(bench, Act::Reset).await, "failed Reset None");
    assert_eq!(hear(bench, Act::Close).await, "failed Reset None");
}

pub(super) async fn garbage(bench: &Bench) {
    bench.put(PATH, ONE, SIZE);
    let garbage = Act::Garbage("SSH-2.0-OpenSSH_9.9\r\n\r\n".into());
    assert_eq!(hear(bench, garbage).await, "failed Malformed None");
}

pub(super) async fn large_head(bench: &Bench) {
    bench.put(PATH, ONE, SIZE);
    assert_eq!(hear(bench, Act::oversized_head(8 << 10)).await, "partial 0-9/300007");
    assert_eq!(
        hear(bench, Act::oversized_head(20 << 10)).await,
        "failed Malformed None"
    );
    assert_eq!(
        hear(bench, Act::oversized_head(200 << 10)).await,
        "failed Malformed None"
    );
}

pub(super) async fn cut_bodies(bench: &Bench) {
    bench.put(PATH, ONE, SIZE);
    for how in [Ending::Fin, Ending::Rst] {
        for chunked in [false, true] {
            bench.origin().repent();
            let rule = Rule::any().act(Act::Cut { at: 100_000, how });
            bench
                .origin()
                .script(if chunked { rule.act(Act::Chunked) } else { rule });
            let answer = bench.ask(&get(PATH).span(16, 200_000)).await;
            assert_eq!(summary(&answer.heard), "partial 16-200000/300007");
            let (bytes, cut) = read(answer).await;
            assert_eq!(cut, Some(Cause::Reset), "{how:?} {chunked}");
            // A reset may overtake bytes; those that came are right.
            assert!(bytes.len() <= 100_000 && (how == Ending::Rst || bytes.len() == 100_000));
            ONE.verify(16, &bytes).unwrap();
        }
    }
}

pub(super) async fn stalled_bodies(bench: &Bench) {
    bench.put(PATH, ONE, SIZE);
    let gate = Gate::closed();
    bench.origin().script(Rule::any().act(Act::Stall { at: 1000, gate }));
    let upstream = bench.upstream_with(config(SHORT, 4)).await;
    let answer = upstream.ask(&get(PATH)).await;
    assert_eq!(summary(&answer.heard), "found 300007");
    let (bytes, cut) = read(answer).await;
    assert_eq!((bytes.len(), cut), (1000, Some(Cause::Timeout)));
    // The connection is given up with the body.
    bench.origin().recorded(1).await[0].left().await;
}

pub(super) async fn chunked_and_unframed(bench: &Bench) {
    bench.put(PATH, ONE, SIZE);
    for act in [Act::Chunked, Act::UntilClose] {
        bench.origin().repent();
        bench.origin().script(Rule::any().act(act));
        bench.check(&get(PATH), "found ?", Some((ONE, 0..SIZE))).await;
        let span = get(PATH).span(9, 100_000);
        bench
            .check(&span, "partial 9-100000/300007", Some((ONE, 9..100_001)))
            .await;
    }
    // Without a length, a 206 is held to its range.
    let cut = Act::Cut {
        at: 50,
        how: Ending::Fin,
    };
    bench.origin().repent();
    bench.origin().script(Rule::any().act(Act::UntilClose).act(cut));
    let answer = bench.ask(&get(PATH).span(0, 99)).await;
    assert_eq!(read(answer).await, (ONE.bytes(0..50).to_vec(), Some(Cause::Reset)));
}

pub(super) async fn statuses(bench: &Bench) {
    bench.put(PATH, ONE, SIZE);
    for status in [408, 429, 500, 502, 503, 504] {
        let expected = format!("failed Status Some({status})");
        assert_eq!(hear(bench, Act::status(status)).await, expected);
    }
    for status in [401, 403] {
        assert_eq!(hear(bench, Act::status(status)).await, "denied");
    }
    for status in [404, 410] {
        assert_eq!(hear(bench, Act::status(status)).await, "not found");
    }
    for status in [201, 301, 302, 307, 308, 400, 405, 501] {
        assert_eq!(hear(bench, Act::status(status)).await, format!("other {status}"));
    }
    let busy = Act::answer(503, &[("Retry-After", "7")], "busy");
    bench.origin().repent();
    bench.origin().script(Rule::any().act(busy));
    let answer = bench.ask(&get(PATH)).await;
    assert_eq!(answer.heard.found().unwrap().fields["retry-after"], "7");
    assert_eq!(read(answer).await, (b"busy".to_vec(), None));
}

/// Answers that are no answers to the question are passed on: `plan::admit` refuses them.
pub(super) async fn ignored_fields(bench: &Bench) {
    bench.put(PATH, ONE, SIZE);
    bench
        .origin()
        .script(Rule::any().act(Act::Ignore(RANGE)).act(Act::Ignore(IF_MATCH)));
    let question = get(PATH).span(9, 19).pinned(&[&tag("\"other\"")]);
    let found = bench.check(&question, "found 300007", Some((ONE, 0..SIZE))).await;
    assert_eq!(found.strong_tag(), Some(tag(&ONE.etag())));
    bench.origin().repent();
    bench.origin().script(Rule::any().act(Act::Serve(3..8)));
    bench.check(&get(PATH), "partial 3-7/300007", Some((ONE, 3..8))).await;
}

pub(super) async fn lying_ranges(bench: &Bench) {
    bench.put(PATH, ONE, SIZE);
    let unreadable = format!("failed {:?} Some(206)", Cause::Lie(Lie::Unreadable));
    assert_eq!(hear(bench, Act::lacks("Content-Range")).await, unreadable);
    assert_eq!(hear(bench, Act::Multipart(vec![0..3, 5..8])).await, unreadable);
    let unit = Act::content_range(|first, last, total| format!("items {first}-{last}/{total}"));
    assert_eq!(hear(bench, unit).await, unreadable);
    let longer = Act::content_range(|first, last, total| format!("bytes {first}-{}/{total}", last + 1));
    let length = format!("failed {:?} Some(206)", Cause::Lie(Lie::Length));
    assert_eq!(hear(bench, longer).await, length);
    let unknown = Act::content_range(|first, last, _| format!("bytes {first}-{last}/*"));
    assert_eq!(hear(bench, unknown).await, "partial 0-9/?");
}

pub(super) async fn interim(bench: &Bench) {
    bench.put(PATH, ONE, SIZE);
    assert_eq!(hear(bench, Act::early_hints()).await, "partial 0-9/300007");
}

/// A permit is held until the body is at its end or dropped, and waiting for one is bounded.
pub(super) async fn saturation(bench: &Bench) {
    bench.put(PATH, ONE, SIZE);
    let mut limits = config(Duration::from_secs(20), 1);
    limits.connect = SHORT;
    let upstream = bench.upstream_with(limits).await;
    let mut held = upstream.ask(&get(PATH)).await;
    assert!(held.body.next().await.is_some());
    let refused = upstream.ask(&get(PATH)).await;
    assert_eq!(summary(&refused.heard), "failed Saturated None");
    drop(held);
    let answer = upstream.ask(&get(PATH)).await;
    assert_eq!(summary(&answer.heard), "found 300007");
    assert_eq!(read(answer).await.1, None);
    assert_eq!(summary(&upstream.ask(&get(PATH).head()).await.heard), "found 300007");
}
