//! Rows 20–23: a plain GET that asks. (Row 19 is in `rows_local`.)

use super::print::check;

#[test]
fn row_20_confirmed() {
    check(
        "20 stale
        http | *A all {cache-control: max-age=59} | GET
        discover GET unless A -> 304 A
        = 200 A validated, confirmed

        20 the client has it
        http | *A all | GET unless A
        discover GET unless A -> 304
        = 304 A validated, confirmed

        20 the client has another
        http | *A all | GET unless B
        discover GET unless A -> 304
        = 200 A validated, confirmed

        20 an empty one
        http | *E | GET
        discover GET unless E -> 304
        = 200 E validated, confirmed",
    );
}

#[test]
fn row_21_the_whole_is_fetched() {
    check(
        "21 nothing is here
        http | | GET
        discover GET -> 200 A
        = 200 A fetched, current := A

        21 another one is here
        http | *A all | GET
        discover GET unless A -> 200 B
        = 200 B fetched, current := B

        21 the client has it
        http | | GET unless A
        discover GET -> 200 A
        = 304 A fetched, current := A

        21 on another's question
        http | | GET
        discover GET -> shared 200 A
        = 200 A fetched, current := A

        21 an empty one
        http | | GET
        discover GET -> 200 E
        = 200 E fetched, current := E

        21 without a length
        http | *A all | GET
        discover GET unless A -> 200 B nolen
        = relay 200 B passed-on, current := unknown

        21 a weak tag
        http | *A all | GET
        discover GET unless A -> 200 W/B
        = relay 200 W/B passed-on, current := none

        21 what must not be stored
        http | *A all | GET
        discover GET unless A -> 200 B {cache-control: private}
        = relay 200 B passed-on, current := unknown",
    );
}

#[test]
fn row_22_the_rest_is_asked_for_with_its_tag() {
    check(
        "22 the rest
        http | *A 0 1 | GET
        discover GET unless A -> 304
        fetch GET 128k..250k if A -> 206 A
        = 200 A joined, confirmed

        22 the tier ignores the range
        http | *A 0 1 | GET
        discover GET unless A -> 304
        fetch GET 128k..250k if A -> 200 A
        = 200 A joined, confirmed

        22 an error
        http | *A 0 1 | GET
        discover GET unless A -> 304
        fetch GET 128k..250k if A -> 503
        = 503 status, confirmed",
    );
}

#[test]
fn row_23_stale_while_the_authority_is_in_trouble() {
    for gone in ["timeout", "refused", "reset", "tls"] {
        check(&format!(
            "23 disconnected (RFC 9111 4.2.4)
            http | *A all {{cache-control: max-age=1}} | GET
            discover GET unless A -> {gone}
            = 200 A stale"
        ));
    }
    check(
        "23 disconnected, of unstated freshness
        http | *A all | GET
        discover GET unless A -> refused
        = 200 A stale

        23 the client has it
        http | *A all | GET unless A
        discover GET unless A -> refused
        = 304 A stale

        23 an error that was answered takes stale-if-error (RFC 5861 4)
        http | *A all {cache-control: max-age=1} | GET
        discover GET unless A -> 503
        = 503 status

        23 within it
        http | *A all {cache-control: max-age=1, stale-if-error=59} | GET
        discover GET unless A -> 503
        = 200 A stale

        23 beyond it
        http | *A all {cache-control: max-age=1, stale-if-error=58} | GET
        discover GET unless A -> 503
        = 503 status

        23 the client's own
        http | *A all {cache-control: max-age=1} | GET {cache-control: stale-if-error=59}
        discover GET unless A -> 500
        = 200 A stale

        23 an answer that contradicts its question is no sign of being disconnected
        http | *A all {cache-control: max-age=1} | GET
        discover GET unless A -> 412
        = 502 malformed

        23 the client wants it asked
        http | *A all | GET no-cache
        discover GET unless A -> refused
        = 502 refused

        23 the client wants nothing stale (RFC 9111 5.2.1.1)
        http | *A all {cache-control: max-age=59} | GET {cache-control: max-age=600}
        discover GET unless A -> refused
        = 502 refused

        23 incomplete
        http | *A 0 1 2 | GET
        discover GET unless A -> refused
        = 502 refused

        18 not current
        http | A all | GET
        discover GET -> refused
        = 502 refused",
    );
    for barred in ["must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=1"] {
        check(&format!(
            "23 {barred}
            http | *A all {{cache-control: max-age=1, stale-if-error=999, {barred}}} | GET
            discover GET unless A -> timeout
            = 504 timeout"
        ));
    }
}
