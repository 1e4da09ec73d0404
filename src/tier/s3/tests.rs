//! What S3 does unlike other upstreams.

use std::time::SystemTime;

use aws_config::provider_config::ProviderConfig;
use pinstripe_kit::origin::{Act, Origin, Rule};
use pinstripe_kit::pattern::Pattern;
use pinstripe_kit::s3::{Object, S3Options, S3Server, Store};

use super::super::contract::bench::{Bench, SHORT, config, get, read, s3_tier, summary, tag};
use super::*;
use crate::object::{Condition, PartNumber, Target};

const ONE: Pattern = Pattern::new(7, 1);
const PATH: &str = "/a";

fn made_of(endpoint: &str, keys: Option<StaticKeys>) -> S3TierConfig {
    S3TierConfig {
        bucket: "bucket".to_owned(),
        prefix: String::new(),
        region: Some("eu-test-1".to_owned()),
        endpoint: Some(endpoint.to_owned()),
        path_style: true,
        credentials: keys,
        client: config(Duration::from_secs(20), 4),
        via: http::HeaderValue::from_static("1.1 pinstripe"),
        clock: Clock::fixed(SystemTime::UNIX_EPOCH),
    }
}

fn keys(id: &str, secret: &str) -> Option<StaticKeys> {
    Some(StaticKeys {
        id: id.to_owned(),
        secret: secret.to_owned(),
    })
}

#[tokio::test]
async fn a_refused_signature_is_our_own_trouble() {
    let server = S3Server::start().await.unwrap();
    let known = S3Options::default().access_key;
    for keys in [keys(&known, "wrong"), keys("unknown", "wrong")] {
        let tier = S3Tier::new(made_of(&server.url(), keys)).await.unwrap();
        let answer = tier.ask(&get(PATH)).await;
        assert_eq!(summary(&answer.heard), "failed OwnCredentials Some(403)");
        assert!(read(answer).await.0.starts_with(b"<?xml"));
        // The refusal of a HEAD has no body that says so.
        let head = get(PATH).head();
        assert_eq!(summary(&tier.ask(&head).await.heard), "failed OwnCredentials None");
    }
}

#[tokio::test]
async fn errors_are_read_where_their_status_does_not_say_enough() {
    let bench = Bench::s3_at_origin().await;
    let check = async |status: u16, code: &str, expected: &str| {
        bench.origin().repent();
        let xml = format!("<Error><Code>{code}</Code><ActualObjectSize>9</ActualObjectSize></Error>");
        bench
            .origin()
            .script(Rule::any().act(Act::answer(status, &[], xml.clone())));
        let answer = bench.ask(&get(PATH)).await;
        assert_eq!(summary(&answer.heard), expected, "{status} {code}");
        assert_eq!(read(answer).await, (xml.into_bytes(), None));
    };
    check(403, "AccessDenied", "denied").await;
    check(403, "RequestTimeTooSkewed", "failed OwnCredentials Some(403)").await;
    check(400, "ExpiredToken", "failed OwnCredentials Some(400)").await;
    check(400, "InvalidArgument", "other 400").await;
    check(416, "InvalidRange", "unsatisfiable 9").await;
    check(404, "NoSuchBucket", "not found").await;
    check(301, "PermanentRedirect", "other 301").await;
    check(503, "SlowDown", "failed Status Some(503)").await;
    assert_eq!(bench.origin().requests().len(), 8, "nothing is retried or followed");
    bench.origin().repent();
    bench.origin().script(Rule::any().act(Act::Reset));
    assert_eq!(summary(&bench.ask(&get(PATH)).await.heard), "failed Reset None");
    assert_eq!(
        bench.origin().requests().len(),
        10,
        "a kept connection, then a fresh one"
    );
}

#[tokio::test]
async fn what_is_sent_is_ours_and_signed_but_for_what_proxies_change() {
    let bench = Bench::s3_at_origin().await;
    bench.put(PATH, ONE, 100);
    let mut question = get(PATH).span(0, 9).pinned(&[&tag("\"x\"")]);
    let mut fields = http::HeaderMap::new();
    fields.insert("authorization", "Bearer secret".parse().unwrap());
    fields.insert("cookie", "secret".parse().unwrap());
    question.fields = fields.into();
    question.query = Some("X-Amz-Signature=secret".into());
    question.revalidate = true;
    bench.ask(&question).await;
    let sent = &bench.origin().requests()[0];
    assert_eq!(sent.target, "/bucket/p/a?x-id=GetObject");
    assert_eq!(sent.field("cookie"), None);
    assert_eq!(sent.field("via"), Some("1.1 pinstripe"));
    assert_eq!(sent.field("cache-control"), Some("no-cache"));
    assert_eq!(sent.field("accept-encoding"), Some("identity"));
    assert_eq!(sent.field("x-amz-checksum-mode"), None);
    let signature = sent.field("authorization").unwrap();
    let (_, signed) = signature.split_once("SignedHeaders=").unwrap();
    let (signed, _) = signed.split_once(',').unwrap();
    assert_eq!(
        signed,
        "host;if-match;range;x-amz-content-sha256;x-amz-date;x-amz-user-agent"
    );
    bench.ask(&get(PATH).head().span(0, 9)).await;
    let sent = &bench.origin().requests()[1];
    assert_eq!(
        (sent.method.as_str(), sent.field("range"), sent.field("cache-control")),
        ("HEAD", None, None)
    );
}

#[tokio::test]
async fn a_list_of_tags_costs_two_requests() {
    let bench = Bench::s3().await;
    let held = bench.put(PATH, ONE, 100);
    let others: Vec<_> = (0..9).map(|n| tag(&format!("\"{n}\""))).collect();
    let mut list: Vec<_> = others.iter().collect();
    list.push(&held);
    bench
        .check(&get(PATH).pinned(&list), "found 100", Some((ONE, 0..100)))
        .await;
    assert_eq!(bench.s3_server().counters().snapshot().requests(), 2);
}

#[tokio::test]
async fn trouble_while_a_list_is_tried_is_told_as_trouble() {
    let bench = Bench::s3_at_origin().await;
    bench.put(PATH, ONE, 100);
    bench.origin().script(Rule::any().method("HEAD").act(Act::status(503)));
    let answer = bench.ask(&get(PATH).pinned(&[&tag("\"a\""), &tag("\"b\"")])).await;
    assert_eq!(summary(&answer.heard), "failed Status Some(503)");
}

#[tokio::test]
async fn versions_are_read_by_their_ids() {
    let options = S3Options {
        store: Store::new(true),
        ..S3Options::default()
    };
    let server = S3Server::start_with(options).await.unwrap();
    server.store().put("bucket", "p/a", Object::pattern(ONE, 100));
    let first = server.store().get("bucket", "p/a").unwrap();
    server
        .store()
        .put("bucket", "p/a", Object::pattern(Pattern::new(7, 2), 100));
    let tier = s3_tier(server.url(), config(Duration::from_secs(20), 4)).await;
    let current = tier.ask(&get(PATH)).await.heard;
    let id = current.found().unwrap().fields["x-amz-version-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let mut question = get(PATH);
    let query = format!("versionId={}", id.replace("00000002", "00000001"));
    question.key = crate::object::ObjectKey::new(
        &crate::object::RouteName::new("r"),
        &crate::object::AuthorityId::new(["s3"]),
        None,
        PATH,
        Some(&query),
    );
    let answer = tier.ask(&question).await;
    assert_eq!(answer.heard.found().unwrap().fields["etag"], first.etag());
    ONE.verify(0, &read(answer).await.0).unwrap();
}

#[tokio::test]
async fn a_revision_is_read_as_its_version_whatever_is_current() {
    let options = S3Options {
        store: Store::new(true),
        ..S3Options::default()
    };
    let server = S3Server::start_with(options).await.unwrap();
    let one = server.put_pattern("bucket", "p/a", ONE, 100);
    let tier = s3_tier(server.url(), config(Duration::from_secs(20), 4)).await;
    let found = tier.ask(&get(PATH)).await.heard;
    let version = crate::object::VersionId::named(&found.found().unwrap().fields).unwrap();
    server.put_pattern("bucket", "p/a", Pattern::new(7, 2), 100);
    let by_version = |tag: &str| {
        Condition::Version(
            crate::object::StrongETag::parse(tag.as_bytes()).unwrap(),
            version.clone(),
        )
    };
    let check = async |question: Question, expected: &str| {
        let answer = tier.ask(&question).await;
        assert_eq!(summary(&answer.heard), expected, "{question:?}");
        answer
    };
    let part = get(PATH).span(10, 19).condition(by_version(&one));
    let answer = check(part.clone(), "partial 10-19/100").await;
    assert_eq!(answer.heard.found().unwrap().fields["etag"], one);
    ONE.verify(10, &read(answer).await.0).unwrap();
    check(part.clone().head(), "found 100").await;
    check(get(PATH).condition(by_version("\"x\"")), "precondition failed").await;
    assert!(server.store().delete("bucket", "p/a"));
    check(part.clone(), "partial 10-19/100").await;
    assert!(server.store().delete_version("bucket", "p/a", version.as_str()));
    check(part, "not found").await;
}

#[tokio::test]
async fn fields_of_one_exchange_are_not_replayed() {
    let bench = Bench::s3().await;
    bench.put(PATH, ONE, 100);
    let found = bench.check(&get(PATH), "found 100", None).await;
    assert!(!found.fields.contains_key("x-amz-request-id") && !found.fields.contains_key("server"));
}

#[tokio::test]
async fn paths_that_are_no_keys_are_not_asked() {
    let origin = Origin::start().await.unwrap();
    let tier = S3Tier::new(made_of(&origin.url(), keys("id", "secret"))).await.unwrap();
    for path in ["", "/", "/%zz", "/%ff"] {
        assert_eq!(summary(&tier.ask(&get(path)).await.heard), "other 400", "{path}");
    }
    let part = get(PATH).target(Target::Part(PartNumber::new(3).unwrap()));
    tier.ask(&part.condition(Condition::Unless(tag("x")))).await;
    let sent = origin.requests();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].target, "/bucket/a?x-id=GetObject&partNumber=3");
    assert_eq!(sent[0].field("if-none-match"), Some("x"));
    assert!(
        sent[0]
            .field("authorization")
            .unwrap()
            .contains("/eu-test-1/s3/aws4_request")
    );
}

/// Of the chain nothing is used but its making: what it would find depends on the machine.
#[tokio::test]
async fn a_tier_without_credentials_or_a_server_is_made_all_the_same() {
    let mut config = made_of("http://127.0.0.1:9", None);
    config.region = None;
    assert!(S3Tier::new(config).await.is_ok());
}

#[tokio::test]
async fn faults_of_the_configuration_are_found_at_the_start() {
    for endpoint in [
        "",
        "/x",
        "127.0.0.1:9000",
        "ftp://a",
        "http://id:secret@a/",
        "http://a/?q",
    ] {
        let made = S3Tier::new(made_of(endpoint, keys("id", "secret"))).await;
        assert!(matches!(made, Err(S3TierFault::Endpoint)), "{endpoint}");
    }
}

#[tokio::test]
async fn secrets_are_not_printed() {
    let config = made_of("http://127.0.0.1:9", keys("known-id", "known-secret"));
    let printed = format!("{config:?}");
    assert!(!printed.contains("known-"), "{printed}");
    let printed = format!("{:?}", S3Tier::new(config).await.unwrap());
    assert!(!printed.contains("known-"), "{printed}");
}

/// The SDK's own errands go through the tier's connector too, each with the timeouts that the SDK gives it.
#[tokio::test]
async fn errands_are_run_and_bounded() {
    let origin = Origin::start().await.unwrap();
    let token = Act::answer(200, &[("x-aws-ec2-metadata-token-ttl-seconds", "60")], "token");
    origin.script(Rule::any().method("PUT").act(token));
    origin.script(
        Rule::on("/region")
            .with("x-aws-ec2-metadata-token")
            .act(Act::answer(200, &[], "mars-1")),
    );
    let client = || Client::new(config(Duration::from_secs(20), 4), Guard::Any).unwrap();
    let wire = Wire::new(client(), client(), "1.1 p".parse().unwrap());
    let machine = || {
        let sources = ProviderConfig::without_region().with_http_client(wire.clone());
        let builder = aws_config::imds::Client::builder()
            .configure(&sources)
            .endpoint(origin.url());
        builder
            .unwrap()
            .connect_timeout(SHORT)
            .read_timeout(SHORT)
            .max_attempts(1)
            .build()
    };
    assert_eq!(machine().get("/region").await.unwrap().as_ref(), "mars-1");
    origin.repent();
    origin.script(Rule::any().act(Act::Silence));
    assert!(machine().get("/region").await.is_err());
}
