//! Servers that take connections and questions and say nothing, as processes that are stopped.

use std::collections::BTreeSet;
use std::time::Duration;

use pinstripe_kit::origin::{Act, Origin, Resource, Rule};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::cluster::{OBJECTS, SIZE, before, is_ready, is_right, pattern};
use crate::support::{Sidecar, get};

/// How long a server is left out before one question tries it again.
const LEFT_OUT: Duration = Duration::from_secs(5);

/// What does not happen until then does not happen.
const FOREVER: Duration = Duration::from_secs(60);

/// Reads all objects at the same time, some as whole and some by pin.
async fn all_are_read(sidecar: &Sidecar) {
    let mut reads = JoinSet::new();
    let address = sidecar.address;
    for object in 0..OBJECTS {
        reads.spawn(async move {
            let pinned = format!("; Range: bytes=0-9; If-Match: {}", pattern(object).etag());
            let (more, status) = if object % 2 == 0 { ("", 200) } else { (&*pinned, 206) };
            is_right(&get(address, &format!("GET /o/{object}{more}")).await, object, status);
        });
    }
    reads.join_all().await;
}

/// Which objects a server was asked for.
fn asked(server: &Origin) -> BTreeSet<String> {
    let asked = server.requests().into_iter();
    asked.map(|asked| asked.target).collect()
}

async fn counted(sidecar: &Sidecar, metric: &str) -> u64 {
    let page = sidecar.metrics().await;
    let values = page
        .lines()
        .filter_map(|line| line.strip_prefix(metric)?.trim().parse::<u64>().ok());
    values.sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_several_that_says_nothing_is_left_out_and_comes_back_with_its_share() {
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(Origin::start().await.unwrap());
    }
    for server in &servers {
        for object in 0..OBJECTS {
            server.put(format!("/o/{object}"), Resource::pattern(pattern(object), SIZE));
        }
    }
    let urls: Vec<_> = servers.iter().map(|server| format!("'{}'", server.url())).collect();
    let sidecar = before(&format!("urls: [{}], timeouts: {{ first_byte: 2s }}", urls.join(", "))).await;
    all_are_read(&sidecar).await;
    let silent = &servers[0];
    let share = asked(silent);
    assert!(share.len() > 5, "{share:?}");

    // While it is waited for in vain, the others answer all the same.
    silent.script(Rule::any().act(Act::Silence));
    let left_out = "pinstripe_endpoints_left_out_total{reason=\"silence\",tier=\"origin\"}";
    let begun = Instant::now();
    while counted(&sidecar, left_out).await == 0 {
        all_are_read(&sidecar).await;
        assert!(begun.elapsed() < FOREVER);
    }
    let not_ready = format!("degraded: tier origin: {} does not answer\n", silent.addr());
    is_ready(&sidecar, &not_ready).await;
    let begun = Instant::now();
    silent.forget();
    for _ in 0..3 {
        all_are_read(&sidecar).await;
    }
    let tried = u128::try_from(silent.requests().len()).unwrap();
    assert!(
        tried <= 1 + begun.elapsed().as_millis() / LEFT_OUT.as_millis(),
        "{tried}"
    );
    // Of all the tier, others answered.
    let still = "pinstripe_tier_stands_still{tier=\"origin\"} 0\n";
    assert!(sidecar.metrics().await.contains(still));

    silent.repent();
    silent.forget();
    let begun = Instant::now();
    while !asked(silent).is_superset(&share) {
        all_are_read(&sidecar).await;
        assert!(begun.elapsed() < FOREVER);
    }
    is_ready(&sidecar, "ready\n").await;
}
