use tokio::net::TcpListener;

use super::super::health::LeftOut;
use super::*;
use crate::config::Config;

const WITHIN: Duration = Duration::from_secs(5);

fn url(text: &str) -> BaseUrl {
    let yaml = format!(
        "
listen: [{{ address: '127.0.0.1:1' }}]
tiers: {{ h: {{ http: {{ url: '{text}' }} }} }}
routes: [{{ name: r, tiers: [h] }}]
"
    );
    let config = Config::parse(&yaml, &|_| None).unwrap();
    match &**config.routes[0].upstreams.authority() {
        crate::config::Upstream::Http(crate::config::Http {
            target: crate::config::Target::Url(url),
            ..
        }) => url.clone(),
        other => panic!("{other:?}"),
    }
}

fn unheard() -> OnLeftOut {
    Arc::new(|_| {})
}

fn five() -> Endpoints {
    let urls: Vec<_> = (0..5).map(|n| url(&format!("http://cache-{n}:8080/base"))).collect();
    Endpoints::listed("cluster", &urls, WITHIN, unheard()).unwrap()
}

async fn asked(endpoints: &Endpoints, path: &str) -> Vec<String> {
    let candidates = endpoints.candidates(path, None).await.unwrap();
    candidates.map(|endpoint| endpoint.authority().to_string()).collect()
}

async fn first(endpoints: &Endpoints, path: &str) -> Arc<Endpoint> {
    endpoints.candidates(path, None).await.unwrap().next().unwrap()
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_reached_is_passed_over_and_tried_later_by_one() {
    let endpoints = five();
    let before = asked(&endpoints, "/o").await;
    assert_eq!(before.len(), ATTEMPTS);
    let owner = first(&endpoints, "/o").await;
    for _ in 0..3 {
        assert_eq!(asked(&endpoints, "/o").await, before);
        owner.failed();
    }
    let after = asked(&endpoints, "/o").await;
    assert_eq!((after.len(), &after[..2]), (ATTEMPTS, &before[1..]));
    tokio::time::advance(super::super::health::LEFT_OUT).await;
    assert_eq!(asked(&endpoints, "/o").await, before);
    assert_eq!(asked(&endpoints, "/o").await, after);
    owner.answered();
    assert_eq!(asked(&endpoints, "/o").await, before);
}

#[tokio::test(start_paused = true)]
async fn where_all_are_left_out_they_are_asked_all_the_same() {
    let endpoints = five();
    let before = asked(&endpoints, "/o").await;
    for endpoint in &endpoints.around.read().endpoints {
        for _ in 0..3 {
            endpoint.failed();
        }
    }
    assert_eq!(asked(&endpoints, "/o").await, before);
}

#[tokio::test]
async fn an_object_is_named_by_path_and_query() {
    let endpoints = five();
    let mut owners = std::collections::BTreeSet::new();
    for n in 0..50 {
        let query = format!("n={n}");
        for _ in 0..2 {
            let mut candidates = endpoints.candidates("/o", Some(&query)).await.unwrap();
            owners.insert((n, candidates.next().unwrap().authority().to_string()));
        }
    }
    assert_eq!(owners.len(), 50);
    let owners: std::collections::BTreeSet<_> = owners.into_iter().map(|(_, owner)| owner).collect();
    assert!(owners.len() > 2, "{owners:?}");
}

#[tokio::test]
async fn a_name_has_the_addresses_of_its_last_good_answer() {
    let base = url("https://nothing.invalid:8443/base");
    let endpoints = Endpoints::spread("cluster", &base, WITHIN, unheard());
    assert!(endpoints.candidates("/o", None).await.is_err());
    let addresses = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    endpoints.settle(addresses(&[
        "10.0.0.2:8443",
        "[fd00::1]:8443",
        "10.0.0.1:8443",
        "10.0.0.2:8443",
    ]));
    let mut before = asked(&endpoints, "/o").await;
    let owner = first(&endpoints, "/o").await;
    assert_eq!(
        (owner.base().host(), endpoints.common_name()),
        ("nothing.invalid", Some("nothing.invalid"))
    );
    assert_eq!(owner.host_field(), "nothing.invalid:8443");
    for _ in 0..3 {
        owner.failed();
    }
    endpoints.look_up().await.unwrap_err();
    assert_eq!(
        endpoints.troubles(),
        ["tier cluster: nothing.invalid is not resolved (no-address)"]
    );
    // What is known of an address outlives another answer that has it.
    endpoints.settle(addresses(&[
        "[fd00::1]:8443",
        "10.0.0.2:8443",
        "10.0.0.3:8443",
        "10.0.0.1:8443",
    ]));
    let after = asked(&endpoints, "/o").await;
    assert!(!after.contains(&before[0]), "{after:?}");
    before.sort();
    assert_eq!(before, ["10.0.0.1:8443", "10.0.0.2:8443", "[fd00::1]:8443"]);
    assert_eq!(
        Endpoint::dialled(&endpoints.at_address("[fd00::1]:8443").unwrap()),
        ("[fd00::1]", 8443)
    );
}

#[tokio::test]
async fn who_is_out_of_reach_is_told_and_left_out() {
    let there = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let urls = [&there, &gone].map(|listener| url(&format!("http://{}", listener.local_addr().unwrap())));
    drop(gone);
    let endpoints = Endpoints::listed("cluster", &urls, WITHIN, unheard()).unwrap();
    assert_eq!(endpoints.troubles(), Vec::<String>::new());
    let around = endpoints.around.read().clone();
    for _ in 0..3 {
        join_all(
            around
                .endpoints
                .iter()
                .map(|endpoint| endpoint.check(&endpoints.resolver)),
        )
        .await;
    }
    let place = urls[1].authority();
    assert_eq!(
        endpoints.troubles(),
        [format!("tier cluster: {place} cannot be reached (refused)")]
    );
    for n in 0..20 {
        assert_eq!(
            asked(&endpoints, &format!("/{n}")).await,
            [urls[0].authority(), place.clone()]
        );
    }
}

#[tokio::test]
async fn who_says_nothing_is_left_out_until_there_is_an_answer() {
    // The kernel takes connections to it, as those to a process that is stopped.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let urls = [&silent, &other].map(|listener| url(&format!("http://{}", listener.local_addr().unwrap())));
    let told = Arc::<Mutex<Vec<LeftOut>>>::default();
    let heard = Arc::clone(&told);
    let endpoints = Endpoints::listed("cluster", &urls, WITHIN, Arc::new(move |why| heard.lock().push(why))).unwrap();
    let endpoint = endpoints.around.read().endpoints[0].clone();
    let firsts = async || {
        let mut firsts = std::collections::BTreeSet::new();
        for n in 0..20 {
            firsts.insert(first(&endpoints, &format!("/{n}")).await.authority().to_string());
        }
        firsts
    };
    assert_eq!(firsts().await.len(), 2);
    for object in 0..5 {
        assert_eq!(told.lock().as_slice(), []);
        endpoint.timed_out(endpoint.asked(), object);
    }
    assert_eq!(told.lock().as_slice(), [LeftOut::Silence]);
    let line = format!("tier cluster: {} does not answer", urls[0].authority());
    // Neither a connection nor bytes of an answer from before are an answer.
    endpoint.check(&endpoints.resolver).await;
    endpoint.goes_on();
    assert_eq!(endpoints.troubles(), [line]);
    assert_eq!(Vec::from_iter(firsts().await), [urls[1].authority()]);
    endpoint.answered();
    assert_eq!(endpoints.troubles(), Vec::<String>::new());
    assert_eq!(firsts().await.len(), 2);
    // What goes on with an answer does not stand still.
    for object in 0..10 {
        let asked = endpoint.asked();
        endpoint.goes_on();
        endpoint.timed_out(asked, object);
    }
    for _ in 0..4 {
        endpoint.failed();
    }
    assert_eq!(told.lock().as_slice(), [LeftOut::Silence, LeftOut::Connection]);
}
