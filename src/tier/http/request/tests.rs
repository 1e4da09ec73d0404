use super::*;
use crate::object::{AuthorityId, ByteRange, ObjectKey, PartNumber, RangeSpec, RouteName};

fn question(path: &str, query: Option<&str>) -> Question {
    let authority = AuthorityId::new(["http", "test"]);
    Question {
        method: Method::Get,
        key: ObjectKey::new(&RouteName::new("r"), &authority, None, path, query),
        query: query.map(Into::into),
        target: Target::Whole,
        condition: Condition::Free,
        revalidate: false,
        fields: HeaderMap::new().into(),
    }
}

fn fixed(url: &str) -> Root {
    Root::new(&url.parse().unwrap()).unwrap()
}

fn put(root: &Root, question: &Question) -> Request<Full<Bytes>> {
    build(root.clone(), &HeaderValue::from_static("1.1 pinstripe"), question).unwrap()
}

#[test]
fn paths_are_joined_as_they_are() {
    let check = |url: &str, path: &str, query: Option<&str>, expected: &str| {
        let uri = put(&fixed(url), &question(path, query)).uri().to_string();
        assert_eq!(uri, expected, "{url} {path} {query:?}");
    };
    check("http://a", "x", None, "http://a/x");
    check("http://a/", "/x", None, "http://a/x");
    check("http://a", "", None, "http://a/");
    check("http://a/b", "x", None, "http://a/b/x");
    check("http://a/b/", "/x", None, "http://a/b/x");
    check("http://a/b", "", None, "http://a/b/");
    check("http://a/b", "//x", None, "http://a/b//x");
    check("http://a/b//", "x//y/", None, "http://a/b//x//y/");
    check("http://a", "/%20%C3%A9+%2F%3F%2e", None, "http://a/%20%C3%A9+%2F%3F%2e");
    check("http://a", "/x", Some(""), "http://a/x?");
    check("http://a", "/x", Some("b=2&a=%201&a"), "http://a/x?b=2&a=%201&a");
    check("https://a:8443", "/x", Some("?"), "https://a:8443/x??");
}

#[test]
fn parts_replace_parts_in_the_query() {
    let check = |query: Option<&str>, expected: &str| {
        let mut question = question("/x", query);
        question.target = Target::Part(PartNumber::new(7).unwrap());
        assert_eq!(
            put(&fixed("http://a"), &question).uri().query(),
            Some(expected),
            "{query:?}"
        );
    };
    check(None, "partNumber=7");
    check(Some(""), "partNumber=7");
    check(Some("partNumber=1"), "partNumber=7");
    check(Some("a=1&partNumber=1&partNumberX&b"), "a=1&partNumberX&b&partNumber=7");
}

#[test]
fn odd_urls_are_no_roots() {
    for url in ["/x", "a:80", "ftp://a/", "http://user:secret@a/", "http://a/?q", "*"] {
        assert_eq!(Root::new(&url.parse().unwrap()), None, "{url}");
    }
}

#[test]
fn a_target_says_where() {
    let check = |secure, host: &str, port, uri: &str, field: &str| {
        let target = TargetOrigin {
            secure,
            host: host.into(),
            port,
        };
        let authority = AuthorityId::new(["request"]);
        let mut question = question("", None);
        question.key = ObjectKey::new(&RouteName::new("r"), &authority, Some(target), "/x", None);
        let root = Root::of_target(question.key.target().unwrap()).unwrap();
        let request = put(&root, &question);
        assert_eq!(request.uri(), uri);
        assert_eq!(request.headers()[header::HOST], field);
    };
    check(false, "a.test", 80, "http://a.test/x", "a.test");
    check(true, "a.test", 443, "https://a.test/x", "a.test");
    check(false, "a.test", 443, "http://a.test:443/x", "a.test:443");
    check(false, "::1", 8080, "http://[::1]:8080/x", "[::1]:8080");
}

#[test]
fn a_path_that_no_uri_holds_is_not_asked() {
    let via = HeaderValue::from_static("1.1 p");
    assert!(build(fixed("http://a"), &via, &question("/a b", None)).is_none());
}

#[test]
fn there_is_one_condition_and_it_is_ours() {
    let tag = |tag: &str| StrongETag::parse(tag.as_bytes()).unwrap();
    let check = |condition: Condition, expected: &[(&str, &str)]| {
        let mut question = question("/x", None);
        let mut fields = HeaderMap::new();
        fields.insert(header::IF_MODIFIED_SINCE, HeaderValue::from_static("then"));
        question.fields = fields.into();
        question.condition = condition;
        let request = put(&fixed("http://a"), &question);
        let seen: Vec<_> = CONDITIONS
            .iter()
            .filter_map(|name| Some((name.as_str(), request.headers().get(name)?.to_str().unwrap())))
            .collect();
        assert_eq!(seen, expected);
    };
    check(Condition::Free, &[("if-modified-since", "then")]);
    check(Condition::Pinned(vec![tag("\"a\"")]), &[("if-match", "\"a\"")]);
    check(
        Condition::Pinned(vec![tag("\"a\""), tag("b"), tag("\"c,d\"")]),
        &[("if-match", "\"a\", b, \"c,d\"")],
    );
    check(Condition::Unless(tag("a")), &[("if-none-match", "a")]);
    check(Condition::OrWhole(tag("\"a\"")), &[("if-range", "\"a\"")]);
}

#[test]
fn fields_of_ours_replace_those_of_the_client_and_via_grows() {
    let mut question = question("/x", None);
    let lines = [
        ("host", "client.test"),
        ("accept-encoding", "gzip"),
        ("cache-control", "no-store"),
        ("range", "bytes=9-"),
        ("content-length", "3"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("via", "1.1 before"),
        ("authorization", "kept"),
    ];
    let mut fields = HeaderMap::new();
    for (name, value) in lines {
        fields.insert(name, HeaderValue::from_static(value));
    }
    question.fields = fields.into();
    question.target = Target::Range(RangeSpec::Span(ByteRange::new(2, 5).unwrap()));
    question.revalidate = true;
    let request = put(&fixed("http://a:81"), &question);
    let mut seen: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    seen.sort();
    let expected = [
        "accept-encoding: identity",
        "authorization: kept",
        "cache-control: no-cache",
        "host: a:81",
        "range: bytes=2-5",
        "via: 1.1 before",
        "via: 1.1 pinstripe",
    ];
    assert_eq!(seen, expected);
    question.method = Method::Head;
    assert!(!put(&fixed("http://a"), &question).headers().contains_key(header::RANGE));
}
