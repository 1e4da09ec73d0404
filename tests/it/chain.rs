//! Sidecars behind sidecars.

use pinstripe_kit::client::Download;
use pinstripe_kit::origin::Origin;

use crate::stage::{BLOCK, SIZE, config, is_part, is_whole, pinned, ranged, resource};
use crate::support::Sidecar;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_of_sidecars_is_no_loop_but_a_circle_is() {
    let origin = Origin::start().await.unwrap();
    origin.put("/o", resource(1));
    let far = Sidecar::start(&config(&origin.url(), "", "")).await;
    let near = Sidecar::start(&config(&format!("http://{}", far.address), "", "")).await;
    is_part(&near.get(&ranged(0, 9)).await, 1, 0, 9);
    is_part(&near.get(&ranged(0, 9)).await, 1, 0, 9);
    let asked = origin.requests();
    let via = asked[0]
        .headers
        .get_all("via")
        .iter()
        .next_back()
        .unwrap()
        .to_str()
        .unwrap();
    let back = far.get(&format!("{}; Via: {via}", ranged(0, 9))).await;
    assert_eq!(back.status(), 508, "{via}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fallback_behind_is_told_as_one_and_teaches_nothing() {
    let origin = Origin::start().await.unwrap();
    origin.put("/o", resource(1));
    let far = Sidecar::start(&config(&origin.url(), "", "")).await;
    is_whole(&far.get("GET /o").await, 1);
    far.has_stored(5).await;
    let near = Sidecar::start(&config(&format!("http://{}", far.address), "", "")).await;
    origin.stop().await;
    for _ in 0..2 {
        let answer = near.get(&ranged(0, 9)).await;
        is_part(&answer, 1, 0, 9);
        let marks = answer.head.headers.get_all("cache-status").iter();
        assert!(
            marks
                .filter(|line| line.to_str().unwrap().contains("detail=discovery-fallback"))
                .count()
                >= 1
        );
    }
    assert_eq!(near.count("pinstripe_discovery_fallbacks_total").await, 2);
    // Pins go on by the bytes that they name, through both.
    is_part(&near.get(&pinned(1, BLOCK, BLOCK)).await, 1, BLOCK, BLOCK);
    far.stop().await;
    assert_eq!(near.get(&ranged(0, 9)).await.status(), 502);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_discovery_through_two_reaches_the_authority_and_a_pin_the_nearest_who_has_it() {
    let origin = Origin::start().await.unwrap();
    origin.put("/o", resource(1));
    let far = Sidecar::start(&config(&origin.url(), "", "")).await;
    let near = Sidecar::start(&config(&format!("http://{}", far.address), "", "")).await;
    for sidecar in [&far, &near] {
        is_whole(&sidecar.get("GET /o").await, 1);
        sidecar.has_stored(5).await;
    }
    origin.put("/o", resource(2));
    origin.forget();
    let download = Download {
        chunk: BLOCK,
        ..Download::new([near.address], "/o", 1)
    };
    let outcome = download.run().await;
    assert_eq!((outcome.verified, outcome.restarts), (Ok(Some(2)), 0));
    // Who began with the former revision goes on with it.
    is_part(&near.get(&pinned(1, 0, SIZE - 1)).await, 1, 0, SIZE - 1);
    let bytes: u64 = origin.requests().iter().map(|asked| asked.body_sent()).sum();
    assert_eq!(bytes, SIZE);
}
