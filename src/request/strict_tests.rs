use super::*;
use proptest::prelude::*;

/// A GET with a Host field, these lines and the empty line.
fn with(lines: &str) -> String {
    format!("GET /a HTTP/1.1\r\nHost: h\r\n{lines}\r\n")
}

/// A request line, a Host field and the empty line.
fn line(first: &str) -> String {
    format!("{first}\r\nHost: h\r\n\r\n")
}

#[track_caller]
fn check(head: &str, expected: Result<Framing, Refusal>) {
    let seen = strict(head.as_bytes()).map(|head| head.framing);
    assert_eq!(seen, expected, "{head:?}");
}

#[track_caller]
fn refused(head: &str, expected: Refusal) {
    check(head, Err(expected));
}

#[test]
fn plain_heads_pass() {
    check(&with(""), Ok(Framing::Empty));
    check(
        &with("X-A:b\r\nx-b:\r\nx-c: \t d e \t\r\nx-d: \u{e9}\r\n"),
        Ok(Framing::Empty),
    );
    check(&with("Content-Length: 0\r\n"), Ok(Framing::Length(0)));
    check(&with("content-length:17 \r\n"), Ok(Framing::Length(17)));
    check(&with("Transfer-Encoding: Chunked\r\n"), Ok(Framing::Chunked));
    check(&with("Range: bytes=0-1\r\n"), Ok(Framing::Empty));
    check("GET / HTTP/1.0\r\n\r\n", Ok(Framing::Empty));
    check(&line("PROPFIND /a?b={c}|d^\\ HTTP/1.1"), Ok(Framing::Empty));
    check(&line("GET /\u{e9} HTTP/1.1"), Ok(Framing::Empty));
    check(&line("GET http://u.example/a HTTP/1.1"), Ok(Framing::Empty));
    check(&line("CONNECT u.example:443 HTTP/1.1"), Ok(Framing::Empty));
    check(&line("OPTIONS * HTTP/1.1"), Ok(Framing::Empty));
}

#[test]
fn a_head_tells_what_routing_needs() {
    let raw = "PUT http://A.example/b?c HTTP/1.1\r\nHost: Proxy:8080\r\nContent-Length: 3\r\n\r\n";
    let head = strict(raw.as_bytes()).unwrap();
    assert_eq!(head.method, "PUT");
    assert_eq!(head.raw_target, "http://A.example/b?c");
    assert_eq!(head.target.path(), Some("/b"));
    assert_eq!(head.target.query(), Some("c"));
    assert_eq!(head.version, Version::Http11);
    let host = head.host.unwrap();
    assert_eq!((&*host.host, host.port), ("proxy", Some(8080)));
}

#[test]
fn framing_is_unambiguous() {
    let both = with("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n");
    refused(&both, Refusal::LengthAndEncoding);
    refused(&with("Content-Length: 3\r\nContent-Length: 3\r\n"), Refusal::TwoLengths);
    for value in [
        "",
        "+3",
        "-3",
        "3, 3",
        "3 3",
        "0x3",
        "3.0",
        "18446744073709551616",
        "3\u{b2}",
    ] {
        refused(&with(&format!("Content-Length: {value}\r\n")), Refusal::Length);
    }
    for value in [
        "",
        "gzip",
        "identity",
        "chunked, gzip",
        "chunked, chunked",
        "chunked;a=b",
        "xchunked",
        "chunked,",
        ",chunked",
        "\"chunked\"",
        "gzip chunked",
    ] {
        refused(&with(&format!("Transfer-Encoding: {value}\r\n")), Refusal::Encoding);
    }
    for value in ["gzip, chunked", "foo,CHUNKED", "gzip, foo, chunked"] {
        refused(
            &with(&format!("Transfer-Encoding: {value}\r\n")),
            Refusal::UnknownCoding,
        );
    }
    let twice = with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n");
    refused(&twice, Refusal::Encoding);
    refused(
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        Refusal::Encoding,
    );
}

#[test]
fn one_valid_host() {
    refused("GET / HTTP/1.1\r\n\r\n", Refusal::NoHost);
    refused(&with("Host: h\r\n"), Refusal::TwoHosts);
    refused("GET / HTTP/1.0\r\nHost: h\r\nhost: h\r\n\r\n", Refusal::TwoHosts);
    for value in [
        "", "a b", "a/b", "u@h", "h:x", "h:99999", "[::1", "::1", "a,b", "h#", "\u{e9}",
    ] {
        refused(&format!("GET / HTTP/1.1\r\nHost: {value}\r\n\r\n"), Refusal::Host);
    }
}

#[test]
fn lines_end_with_crlf() {
    refused("GET / HTTP/1.1\nHost: h\r\n\r\n", Refusal::BareLf);
    refused("GET / HTTP/1.1\r\nHost: h\n\r\n", Refusal::BareLf);
    refused("GET / HTTP/1.1\r\nHost: h\r\n\n", Refusal::BareLf);
    refused("GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", Refusal::BareCr);
    refused("GET / HTTP/1.1\r\rHost: h\r\n\r\n", Refusal::BareCr);
    refused("GET / HTTP/1.1\r\nHost: h\r\n\r", Refusal::Incomplete);
    refused("GET / HTTP/1.1\r\nHost: h\r\n", Refusal::Incomplete);
    refused("GET / HTTP/1.1", Refusal::Incomplete);
    refused("\r\n\r\n", Refusal::RequestLine);
}

#[test]
fn request_lines_have_three_parts() {
    for first in [
        "GET",
        "GET /",
        "GET  HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET / http/1.1",
        "GET / HTTP/1.10",
        "GET / HTTP/x.1",
    ] {
        refused(&line(first), Refusal::RequestLine);
    }
    for first in [" GET / HTTP/1.1", "GE(T / HTTP/1.1", "G\tT / HTTP/1.1"] {
        refused(&line(first), Refusal::Method);
    }
    for version in ["HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/9.9"] {
        refused(&line(&format!("GET / {version}")), Refusal::Version);
    }
    for target in ["/a b", " /", "/\tb", "/\0", "/\u{7f}", "/<", "/\"", "/`"] {
        refused(&line(&format!("GET {target} HTTP/1.1")), Refusal::TargetByte);
    }
    refused(&line("GET a HTTP/1.1"), Refusal::TargetForm);
    refused(&line("GET h:443 HTTP/1.1"), Refusal::TargetForm);
    refused(&line("GET * HTTP/1.1"), Refusal::TargetForm);
    refused(&line("GET /#a HTTP/1.1"), Refusal::Fragment);
    refused(&line("GET /../a HTTP/1.1"), Refusal::DotSegment);
    assert_eq!(
        strict(b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n"),
        Err(Refusal::TargetByte)
    );
}

#[test]
fn field_lines_are_name_colon_value() {
    refused(&with("X: a\r\n b\r\n"), Refusal::Fold);
    refused(&with("X: a\r\n\tb\r\n"), Refusal::Fold);
    refused("GET / HTTP/1.1\r\n Host: h\r\n\r\n", Refusal::Fold);
    refused(&with("X\r\n"), Refusal::NoColon);
    refused(&with("X : a\r\n"), Refusal::SpaceBeforeColon);
    refused(&with("X\t: a\r\n"), Refusal::SpaceBeforeColon);
    refused(&with("X_Y: a\r\n"), Refusal::Underscore);
    refused(&with("Content_Length: 3\r\n"), Refusal::Underscore);
    for name in ["", "X Y", "X(", "\u{e9}", "X\0"] {
        refused(&with(&format!("{name}: a\r\n")), Refusal::FieldName);
    }
    for value in ["a\0b", "\u{1}", "a\u{7f}", "a\u{1b}[m", "\u{c}a", "a\u{b}"] {
        refused(&with(&format!("X: {value}\r\n")), Refusal::FieldValue);
    }
    refused(&with("Range: bytes=0-1\r\nrange: bytes=0-1\r\n"), Refusal::TwoRanges);
}

#[test]
fn heads_are_bounded() {
    let room = MAX_HEAD - with("X: \r\n").len();
    check(&with(&format!("X: {}\r\n", "a".repeat(room))), Ok(Framing::Empty));
    refused(&with(&format!("X: {}\r\n", "a".repeat(room + 1))), Refusal::HeadSize);
    check(&with(&"X: y\r\n".repeat(MAX_FIELDS - 1)), Ok(Framing::Empty));
    refused(&with(&"X: y\r\n".repeat(MAX_FIELDS)), Refusal::FieldCount);
}

#[test]
fn statuses_are_of_the_client() {
    let check = |refusal: Refusal, status: u16| assert_eq!(refusal.status().as_u16(), status, "{refusal}");
    check(Refusal::BareLf, 400);
    check(Refusal::HeadSize, 431);
    check(Refusal::UnknownCoding, 501);
    check(Refusal::Version, 505);
    check(Refusal::Slow, 408);
}

proptest! {
    #[test]
    fn never_panics(bytes: Vec<u8>) {
        let _ = strict(&bytes);
    }

    #[test]
    fn nearly_valid_heads_never_panic(
        first in "(GET|CONNECT|OPTIONS)( |\t)?[ -~]{0,12} HTTP/1.[01]",
        fields in prop::collection::vec("(Host|Content-Length|Transfer-Encoding|Range|X)[: \t]{0,3}[ -~\r\n]{0,8}", 0..4),
        end in "(\r|\n){0,4}",
    ) {
        let _ = strict(format!("{first}\r\n{}{end}", fields.join("\r\n")).as_bytes());
    }

    /// What passes here is what the edge's own parser will read: the same target, the same fields.
    #[test]
    fn what_passes_another_parser_reads_alike(
        target in "/[!-~]{0,8}",
        value in "[ -~\t\u{e9}]{0,8}",
    ) {
        let raw = format!("GET {target} HTTP/1.1\r\nHost: h\r\nX: {value}\r\n\r\n");
        if let Ok(head) = strict(raw.as_bytes()) {
            let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
            let mut other = httparse::Request::new(&mut fields);
            prop_assert!(other.parse(raw.as_bytes()).is_ok_and(|status| status.is_complete()));
            prop_assert_eq!(other.path, Some(head.raw_target));
            prop_assert_eq!(other.headers.len(), 2);
            prop_assert!(http::Uri::try_from(head.raw_target).is_ok());
        }
    }
}
