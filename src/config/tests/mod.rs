//! The configuration as a whole: what a text becomes, and which faults it has.

mod faults;
mod garbage;
mod positions;
mod quantities;
mod rules;

use std::time::Duration;

use crate::object::AuthorityId;

use super::{AccessLog, Auth, Config, Dialect, Discovery, Role, Size, Target, Upstream, Writes};

/// The example of the interface.
const EXAMPLE: &str = r#"
listen:
  - address: 127.0.0.1:8080
    forward: true
admin:
  address: 127.0.0.1:9180
access_log: errors
tiers:
  local:
    disk:
      path: /var/cache/pinstripe
      capacity: 50GiB
      block_size: 4MiB
  shared:
    s3:
      bucket: ci-artifacts
      prefix: ""
      region: us-east-1
      endpoint: http://127.0.0.1:3900
      path_style: true
      role: origin
  target:
    http:
      url: request
      allow: [10.20.0.0/16]
routes:
  - name: artifacts
    match: { path: /artifacts/ }
    tiers: [local, shared]
    discovery: authority
    auth: shared
    auth_ttl: 0s
    grace: 15m
    dialect: auto
    writes: deny
  - name: packages
    match: { host: "*.packages.example.com" }
    tiers: [local, target]
"#;

fn parse(text: &str) -> Config {
    Config::parse(text, &|_| None).unwrap_or_else(|faults| panic!("{faults}"))
}

#[test]
fn the_example_of_the_interface_is_understood() {
    let config = parse(EXAMPLE);
    assert_eq!(config.instance.as_str(), "pinstripe");
    assert_eq!(config.access_log, AccessLog::Errors);
    assert_eq!(config.admin.to_string(), "127.0.0.1:9180");
    assert!(config.listen[0].forward);

    let [artifacts, packages] = &config.routes[..] else {
        panic!("two routes")
    };
    assert_eq!(artifacts.name.as_str(), "artifacts");
    assert_eq!(
        artifacts.matcher.path.as_ref().map(super::PathPrefix::as_str),
        Some("/artifacts/")
    );
    assert!(artifacts.matcher.strip);
    assert_eq!(
        (artifacts.discovery, artifacts.auth, artifacts.dialect, artifacts.writes),
        (Discovery::Authority, Auth::Shared, Dialect::S3, Writes::Deny)
    );
    assert_eq!(artifacts.grace, Duration::from_secs(900));
    let disk = artifacts.store.as_ref().unwrap();
    assert_eq!((disk.capacity, disk.block_size.bytes()), (Size::gib(50), 4 << 20));
    let authority = artifacts.upstreams.authority();
    assert_eq!((authority.name().as_str(), authority.role()), ("shared", Role::Origin));

    assert_eq!(
        (packages.auth, packages.dialect, packages.writes),
        (Auth::Bypass, Dialect::Http, Writes::Allow)
    );
    let Upstream::Http(http) = &**packages.upstreams.authority() else {
        panic!("http")
    };
    assert!(matches!(&http.target, Target::Request { allow } if allow.len() == 1));
    assert_eq!((config.disks().len(), config.upstreams().len()), (1, 2));
}

/// What is stored is found again however a server is reached, and wherever it stands in a list.
#[test]
fn a_storage_is_the_same_in_whatever_way_it_is_written() {
    let id = |http: &str| {
        let tiers = format!("tiers:\n  extra: {{ http: {{ {http} }} }}");
        let text = EXAMPLE
            .replace("tiers:\n", &(tiers + "\n"))
            .replace("[local, target]", "[local, extra]");
        let text = text.replace(
            "  target:\n    http:\n      url: request\n      allow: [10.20.0.0/16]\n",
            "",
        );
        parse(&text).routes[1].upstreams.authority().authority_id()
    };
    let one = id("url: 'http://a/b'");
    assert_eq!(one, AuthorityId::new(["http", "http://a/b"]));
    assert_eq!(one, id("urls: ['http://a:80/b/']"));
    assert_eq!(one, id("url: 'http://a/b', spread: true"));
    let two = id("urls: ['http://c/b', 'http://a/b']");
    assert_eq!(two, id("urls: ['http://a/b', 'http://c/b']"));
    assert_eq!(two, AuthorityId::new(["http", "http://a/b", "http://c/b"]));
    assert_ne!(two, one);
}

/// The faults of the example after one change: of each the path and how the message begins.
fn check(change: (&str, &str), expected: &[&str]) {
    let (from, to) = change;
    assert!(EXAMPLE.contains(from), "{from}");
    let found = faults(&EXAMPLE.replacen(from, to, 1));
    let as_expected = found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| f.starts_with(e));
    assert!(as_expected, "{to}\nfound {found:#?}\nexpected {expected:#?}");
}

fn faults(text: &str) -> Vec<String> {
    let env = |name: &str| (name == "SET").then(|| "10".to_owned());
    match Config::parse(text, &env) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}
