//! Rows 2–9: a pin that asks.

use super::print::check;

#[test]
fn row_2_what_is_missing_is_asked_for_with_that_tag_alone() {
    check(
        "2 between what is here
        http | *A 0 2 | GET 0..192k pin A,B
        fetch GET 64k..128k if A -> 206 A
        = 206 A 0..192k joined

        2 the first missing span is awaited, later ones are not
        http | *A 0 2 | GET pin A
        fetch GET 64k..128k if A -> 206 A
        = 200 A joined

        2 the last block is short
        http | *A 0 1 2 | GET 0.. pin A
        fetch GET 192k..250k if A -> 206 A
        = 206 A 0..250k joined

        2 a tier that ignores the range
        http | *A 0 | GET 0..100k pin A
        fetch GET 64k..128k if A -> 200 A
        = 206 A 0..100k joined

        2 it is gone
        http | *A 0 | GET 0..100k pin A
        fetch GET 64k..128k if A -> 412
        = 412 pin-mismatch

        2 it is gone: row 3 with the other tags
        http | *A 0 | GET 0..100k pin A,B
        fetch GET 64k..128k if A -> 412
        fetch GET 0..128k if B -> 206 B
        = 206 B 0..100k fetched

        2 both are here in part, and both are gone: each is asked for once
        http | A 0 & B 0 | GET 0..100k pin A,B
        fetch GET 64k..128k if A -> 412
        fetch GET 0..128k if B -> 412
        = 412 pin-mismatch

        2 a tier that ignores the pin names another listed tag: its bytes are not those that were asked for
        http | A 0 | GET 0..100k pin A,B
        fetch GET 64k..128k if A -> 206 B
        fetch GET 0..128k if B -> 206 B
        = 206 B 0..100k fetched

        2 what comes may not be kept, so it cannot be joined
        http | *A 0 | GET 0..100k pin A
        fetch GET 64k..128k if A -> 206 A {set-cookie: a=b}
        fetch GET 0..128k if A -> 206 A {set-cookie: a=b}
        = relay 206 A 0..100k fetched

        2 an error ends it
        http | *A 0 | GET 0..100k pin A,B
        fetch GET 64k..128k if A -> timeout
        = 504 timeout",
    );
}

#[test]
fn row_3_a_listed_revision_is_fetched() {
    check(
        "3 whole blocks are asked for
        http | | GET 70k..80k pin A
        fetch GET 64k..128k if A -> 206 A
        = 206 A 70k..80k fetched

        3 with all tags of the list
        http | *C all | GET 0..10 pin A,B
        fetch GET 0..64k if A,B -> 206 B
        = 206 B 0..10 fetched

        3 an open end
        http | | GET 70k.. pin A
        fetch GET 64k.. if A -> 206 A
        = 206 A 70k..250k fetched

        3 a suffix, whose place is not known
        http | | GET -1k pin A
        fetch GET -1k if A -> 206 A
        = 206 A 249k..250k fetched

        3 a 200 is sliced
        http | | GET 0..10 pin A
        fetch GET 0..64k if A -> 200 A
        = 206 A 0..10 fetched

        3 a 200 without a length is not
        http | | GET 0..10 pin A
        fetch GET 0..64k if A -> 200 A nolen
        = relay 200 A fetched

        3 outside of what turns out to be its length
        http | | GET 999k.. pin A
        fetch GET 960k.. if A -> 200 A
        = 416 /250k unsatisfiable

        3 the last no bytes: whether it exists is asked with a range that upstreams agree on
        http | | GET -0 pin A
        fetch GET 0..64k if A -> 206 A
        = 416 /250k unsatisfiable

        3 the whole
        http | | GET pin A
        fetch GET if A -> 200 A
        = 200 A fetched

        3 a HEAD
        http | | HEAD pin A
        fetch HEAD if A -> 200 A
        = 200 A fetched

        3 the client has it
        http | | GET 0..10 pin A unless A
        fetch GET 0..64k if A -> 206 A
        = 304 A fetched

        3 an answer to a pin does not move current
        http | *B | GET 0..10 pin A
        fetch GET 0..64k if A -> 206 A
        = 206 A 0..10 fetched",
    );
}

#[test]
fn row_4_a_tier_that_ignores_the_pin() {
    for said in ["206 B", "200 B", "206 W/A", "200 W/A", "206 -", "200 -", "200 - nolen"] {
        check(&format!(
            "4 {said}
            http | | GET 0..10 pin A
            fetch GET 0..64k if A -> {said}
            = 412 pin-ignored"
        ));
    }
    check(
        "4 a HEAD
        http | | HEAD pin A
        fetch HEAD if A -> 200 B
        = 412 pin-ignored

        4 412 goes before 304 (RFC 9110 13.2.2)
        http | | GET 0..10 pin A unless B
        fetch GET 0..64k if A -> 206 B
        = 412 pin-ignored",
    );
}

#[test]
fn row_5_nobody_has_it() {
    check(
        "5 refused, whatever the client has
        http | *B all | GET 0..10 pin A unless B
        fetch GET 0..64k if A -> 412
        = 412 pin-mismatch",
    );
}

#[test]
fn row_5b_outside_of_the_range() {
    check(
        "5b of whatever is current there
        http | | GET 64k.. pin A
        fetch GET 64k.. if A -> 416 /9
        = 416 unsatisfiable

        5b of another revision
        http | | GET 64k.. pin A
        fetch GET 64k.. if A -> 416 B /9
        = 416 unsatisfiable

        5b of the pinned revision
        http | | GET 999k.. pin A
        fetch GET 960k.. if A -> 416 A /250k
        = 416 /250k unsatisfiable

        5b to what was missing
        http | *A 0 | GET 0..100k pin A
        fetch GET 64k..128k if A -> 416 /9
        = 416 unsatisfiable",
    );
}

#[test]
fn rows_6_and_7_not_found() {
    check(
        "6 a cache does not have it, and another revision is known
        cache | *B | GET 0..10 pin A
        fetch GET 0..64k if A -> 404
        = 412 pin-mismatch

        7 a cache does not have it, and nothing is known
        cache | | GET 0..10 pin A
        fetch GET 0..64k if A -> 404
        = relay 404 not-found

        7 a cache does not have it, and it is what was current
        cache | *A 0 | GET 0..100k pin A
        fetch GET 64k..128k if A -> 410
        = relay 410 not-found

        7 an origin has deleted it
        http | *B all | GET 0..10 pin A
        fetch GET 0..64k if A -> 404
        = relay 404 not-found, current := none

        7 gone
        http | *A 0 | GET 0..100k pin A
        fetch GET 64k..128k if A -> 410
        = relay 410 not-found, current := none",
    );
}

/// What an error is told as, rows 8, 18 and 26: its own status, or a gateway's.
pub(super) const ERRORS: [(&str, &str); 11] = [
    ("429 {retry-after: 7}", "429 status retry-after 7"),
    ("500", "500 status"),
    ("502", "502 status"),
    ("503 {retry-after: 7}", "503 status retry-after 7"),
    ("503 {retry-after: soon}", "503 status"),
    ("504", "504 status"),
    ("408", "504 status"),
    ("timeout", "504 timeout"),
    ("refused", "502 refused"),
    ("own-credentials", "502 own-credentials"),
    ("lie", "502 lie"),
];

#[test]
fn row_8_an_error_is_told_as_an_error() {
    for (said, told) in ERRORS {
        check(&format!(
            "8 nothing here
            http | | GET 0..10 pin A
            fetch GET 0..64k if A -> {said}
            = {told}

            8 in part here, another revision known
            http | *B all & A 0 | GET 0..100k pin A
            fetch GET 64k..128k if A -> {said}
            = {told}"
        ));
    }
    check(
        "8 a date is told in seconds
        http | | GET pin A
        fetch GET if A -> 503 {retry-after: Mon, 07 Nov 1994 08:49:44 GMT}
        = 503 status retry-after 7",
    );
}

#[test]
fn row_9_denials_are_passed_on() {
    for status in ["401", "403"] {
        check(&format!(
            "9 to a pin
            http | *A 0 | GET 0..100k pin A
            fetch GET 64k..128k if A -> {status}
            = relay {status} passed-on

            9 to a discovery, though it is all here
            http | *A all {{cache-control: max-age=100}} | GET 0..10
            discover GET 0..64k unless A -> {status}
            = relay {status} passed-on

            9 of a cache, too
            cache | *A all | HEAD
            discover HEAD -> {status}
            = relay {status} passed-on

            9 to a plain GET
            http | *A all | GET
            discover GET unless A -> {status}
            = relay {status} passed-on

            9 to a resumed one
            http | *A | GET 0..10 resume A
            anew GET 0..64k or-whole A -> {status}
            = relay {status} passed-on

            9 to the second question of a discovery
            http | *A 0 | GET 0..100k
            discover GET 0..128k unless A -> 304
            fetch GET 64k..128k if A -> {status}
            = relay {status} passed-on, confirmed"
        ));
    }
}
