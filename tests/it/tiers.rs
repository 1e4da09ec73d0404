//! Routes with a tier between the disk and the authority.

use http::header::IF_MATCH;
use pinstripe_kit::origin::{Act, Origin, Rule};

use crate::stage::{detail, is_part, is_whole, pinned, ranged, resource, tag};
use crate::support::Sidecar;

/// A near tier and an authority, each with its own content, behind a sidecar.
struct Tiers {
    near: Origin,
    deep: Origin,
    sidecar: Sidecar,
}

impl Tiers {
    /// With these revisions, or nothing, and an authority of that role.
    async fn with(near: Option<u32>, deep: Option<u32>, role: &str) -> Self {
        let origins = [Origin::start().await.unwrap(), Origin::start().await.unwrap()];
        for (origin, n) in origins.iter().zip([near, deep]) {
            if let Some(n) = n {
                origin.put("/o", resource(n));
            }
        }
        let [near, deep] = origins;
        let yaml = format!(
            "
listen: [{{ address: 127.0.0.1:0 }}]
admin: {{ address: 127.0.0.1:0 }}
tiers:
  local: {{ disk: {{ path: '{{disk}}', capacity: 1GiB, block_size: 64KiB }} }}
  near: {{ http: {{ url: '{}', role: cache }} }}
  deep: {{ http: {{ url: '{}', role: {role} }} }}
routes:
  - {{ name: artifacts, match: {{}}, tiers: [local, near, deep] }}
",
            near.url(),
            deep.url()
        );
        let sidecar = Sidecar::start(&yaml).await;
        Self { near, deep, sidecar }
    }

    fn asked(&self) -> (usize, usize) {
        (self.near.requests().len(), self.deep.requests().len())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_discovery_asks_the_deepest_and_a_pin_the_nearest() {
    let tiers = Tiers::with(Some(1), Some(2), "origin").await;
    is_part(&tiers.sidecar.get(&ranged(0, 9)).await, 2, 0, 9);
    is_whole(&tiers.sidecar.get("GET /o").await, 2);
    assert_eq!(tiers.sidecar.get("HEAD /o").await.field("etag"), Some(&*tag(2)));
    // The rest of a named revision may be anywhere.
    assert!(
        tiers
            .near
            .requests()
            .iter()
            .all(|asked| asked.field("if-match").is_some())
    );
    tiers.near.forget();
    let deep = tiers.deep.requests().len();
    is_part(&tiers.sidecar.get(&pinned(1, 0, 9)).await, 1, 0, 9);
    assert_eq!(tiers.asked(), (1, deep));
    // The near tier says nothing about what is current.
    is_part(&tiers.sidecar.get(&ranged(0, 9)).await, 2, 0, 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pin_is_asked_for_until_a_tier_has_it() {
    let refusals = [
        Act::status(404),
        Act::status(412),
        Act::status(503),
        Act::status(403),
        Act::status(302),
        Act::Reset,
        Act::Ignore(IF_MATCH),
        Act::content_range(|first, last, total| format!("bytes {}-{last}/{total}", first + 1)),
    ];
    for refusal in refusals {
        let tiers = Tiers::with(Some(2), Some(1), "origin").await;
        tiers.near.script(Rule::any().act(refusal.clone()));
        is_part(&tiers.sidecar.get(&pinned(1, 0, 9)).await, 1, 0, 9);
        assert!(
            !tiers.near.requests().is_empty() && tiers.deep.requests().len() == 1,
            "{refusal:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_nobody_has_it_the_truth_is_told() {
    let cases = [
        // near, deep, role, expected
        (None, None, "origin", 404, "not-found"),
        (None, None, "cache", 404, "not-found"),
        (Some(2), None, "cache", 412, "pin-mismatch"),
        (Some(2), None, "origin", 404, "not-found"),
        (None, Some(2), "origin", 412, "pin-mismatch"),
        (Some(2), Some(3), "origin", 412, "pin-mismatch"),
    ];
    for (near, deep, role, status, why) in cases {
        let tiers = Tiers::with(near, deep, role).await;
        let answer = tiers.sidecar.get(&pinned(1, 0, 9)).await;
        assert_eq!(
            (answer.status(), detail(&answer)),
            (status, why),
            "{near:?} {deep:?} {role}"
        );
        // The revision may be where the error was.
        tiers.near.script(Rule::any().act(Act::status(503)));
        assert_eq!(
            tiers.sidecar.get(&pinned(1, 0, 9)).await.status(),
            503,
            "{near:?} {deep:?} {role}"
        );
        tiers.deep.script(Rule::any().act(Act::answer(401, &[], "who?")));
        assert_eq!(tiers.sidecar.get(&pinned(1, 0, 9)).await.status(), 401);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_discovery_falls_back_from_near_to_deep() {
    let tiers = Tiers::with(Some(1), Some(1), "origin").await;
    tiers.deep.script(Rule::any().act(Act::status(503)));
    let answer = tiers.sidecar.get(&ranged(0, 9)).await;
    is_part(&answer, 1, 0, 9);
    assert_eq!(detail(&answer), "discovery-fallback");
    tiers.near.script(Rule::any().act(Act::status(404)));
    assert_eq!(tiers.sidecar.get(&ranged(9, 9)).await.status(), 503);
    // What an origin says is gone is gone, and who may not read may not.
    tiers.near.repent();
    for status in [404, 401, 403] {
        tiers.deep.repent();
        tiers.deep.script(Rule::any().act(Act::status(status)));
        assert_eq!(tiers.sidecar.get(&ranged(0, 9)).await.status(), status);
    }
    let caches = Tiers::with(Some(1), None, "cache").await;
    let answer = caches.sidecar.get(&ranged(0, 9)).await;
    is_part(&answer, 1, 0, 9);
    assert_eq!(detail(&answer), "discovery-fallback");
}
