//! Rows 25–26: a range if it is still the same, else the whole. (Row 24 is in `rows_local`.)

use super::print::check;
use super::rows_pinned::ERRORS;

#[test]
fn row_25_the_same_range_or_another_whole() {
    check(
        "25 the same
        http | *B all & A 1 | GET 0..10 resume A
        anew GET 0..64k or-whole A -> 206 A
        = 206 A 0..10 fetched

        25 in part here
        http | *A 0 | GET 0..100k resume A
        anew GET 0..128k or-whole A -> 206 A
        = 206 A 0..100k fetched

        25 the client has it
        http | | GET 0..10 resume A unless A
        anew GET 0..64k or-whole A -> 206 A
        = 304 A fetched

        25 the same, of unknown length
        http | | GET 0..10 resume A
        anew GET 0..64k or-whole A -> 206 A 0..64k/*
        = relay 206 A 0..10 fetched

        25 the same, which must not be stored
        http | | GET 0..10 resume A
        anew GET 0..64k or-whole A -> 206 A {cache-control: no-store}
        = relay 206 A 0..10 fetched

        25 another: all of it
        http | *A 0 | GET 0..100k resume A
        anew GET 0..128k or-whole A -> 200 B
        = 200 B fetched, current := B

        25 another, and the client has it
        http | | GET 0..10 resume A unless B
        anew GET 0..64k or-whole A -> 200 B
        = 304 B fetched, current := B

        25 the same, but the range is ignored
        http | | GET 0..10 resume A
        anew GET 0..64k or-whole A -> 200 A
        = 200 A fetched, current := A

        25 a whole of weak tag
        http | *A 0 | GET 0..100k resume A
        anew GET 0..128k or-whole A -> 200 W/B
        = relay 200 W/B passed-on, current := none

        25 outside
        http | | GET 999k.. resume A
        anew GET 960k.. or-whole A -> 416 /250k
        = 416 /250k unsatisfiable

        25 outside, and the length is learnt
        http | | GET 999k.. resume A
        anew GET 960k.. or-whole A -> 416
        ask HEAD -> 200 A
        = 416 /250k unsatisfiable, current := A

        25 the last no bytes, of the same
        http | | GET -0 resume A
        anew GET 0..64k or-whole A -> 206 A
        = 416 /250k unsatisfiable

        25 the last no bytes, of the same of unknown length
        http | | GET -0 resume A
        anew GET 0..64k or-whole A -> 206 A 0..64k/*
        = 416 unsatisfiable

        25 the last no bytes, of another
        http | | GET -0 resume A
        anew GET 0..64k or-whole A -> 200 B
        = 200 B fetched, current := B

        25 none
        http | *A 0 | GET 0..100k resume A
        anew GET 0..128k or-whole A -> 404
        = relay 404 not-found, current := none

        25 a cache has none: half of something is no reason to fall back
        cache | *A all | GET 0..10 resume B
        anew GET 0..64k or-whole B -> 404
        = relay 404 not-found",
    );
}

#[test]
fn row_25b_a_tier_that_ignores_if_range() {
    for said in ["206 B", "206 W/A", "206 -", "206 B 0..64k/*", "412"] {
        check(&format!(
            "25b {said}
            http | *A 1 | GET 0..10 resume A
            anew GET 0..64k or-whole A -> {said}
            anew GET -> 200 B
            = 200 B fetched, current := B"
        ));
    }
    check(
        "25b and then an error
        http | *A all | GET 0..10 resume B
        anew GET 0..64k or-whole B -> 412
        anew GET -> 503
        = 503 status

        25b and then none
        http | *A all | GET 0..10 resume B
        anew GET 0..64k or-whole B -> 412
        anew GET -> 404
        = relay 404 not-found, current := none

        25b and then a weak one
        http | *A all | GET 0..10 resume B
        anew GET 0..64k or-whole B -> 412
        anew GET -> 200 W/A
        = relay 200 W/A passed-on, current := none

        25b and then a range that nobody asked for
        http | *A all | GET 0..10 resume B
        anew GET 0..64k or-whole B -> 206 A
        anew GET -> 206 A 0..64k/250k
        = 502 lie",
    );
}

#[test]
fn row_26_no_stale_whole() {
    for (said, told) in ERRORS {
        check(&format!(
            "26 {said}
            http | *A all {{cache-control: stale-if-error=999}} | GET 0..10 resume B
            anew GET 0..64k or-whole B -> {said}
            = {told}"
        ));
    }
}
