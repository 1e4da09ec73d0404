//! Rows 27, 29 and 30, and what is never stored: they hold for every class. (Row 28 is beside `recover`.)

use super::print::check;

#[test]
fn row_27_a_206_that_lies() {
    for lie in [
        "206 A 0..10/250k",
        "206 A 1..64k/250k",
        "206 A 0..65k/250k",
        "206 A 64k..128k/250k",
        "206 B 0..130k/130k",
        "206 -  0..10/250k",
        "206 A 1..64k/*",
    ] {
        check(&format!(
            "27 to a discovery: not hidden by a fallback
            http | *B all | GET 0..10
            discover GET 0..64k unless B -> {lie}
            = 502 lie

            27 to a pin
            http | | GET 0..10 pin A
            fetch GET 0..64k if A -> {lie}
            = 502 lie

            27 to a resumed one
            http | | GET 0..10 resume A
            anew GET 0..64k or-whole A -> {lie}
            = 502 lie"
        ));
    }
    check(
        "27 to a question without Range
        http | | GET
        discover GET -> 206 A
        = 502 lie

        27 to a HEAD
        http | | HEAD
        discover HEAD -> 206 A
        = 502 lie

        27 another total than known of that tag drops what is stored under it
        http | *A 0 | GET 64k..70k
        discover GET 64k..128k -> 206 A 64k..128k/300k
        = 502 lie, current := unknown

        27 another length
        http | *A 0 | GET 64k..70k
        discover GET 64k..128k -> 200 A 0..1/300k
        = 502 lie, current := unknown

        27 multipart, another unit
        http | *A all | GET 0..10
        discover GET 0..64k unless A -> lie
        = 502 lie

        27 of a revision that ends before the block does
        http | | GET 0..10
        discover GET 0..64k -> 206 D 0..10k/10k
        = 206 D 0..10 fetched, current := D",
    );
}

#[test]
fn answers_to_conditions_that_were_not_put_are_errors() {
    check(
        "304 to nothing
        http | | GET 0..10
        discover GET 0..64k -> 304
        = 502 malformed

        412 to nothing
        http | | GET 0..10
        discover GET 0..64k -> 412
        = 502 malformed

        304 to a pin
        http | | GET 0..10 pin A unless A
        fetch GET 0..64k if A -> 304
        = 502 malformed

        416 to no range
        http | | GET
        discover GET -> 416
        = 502 malformed",
    );
}

#[test]
fn row_29_what_was_named_a_moment_ago_is_gone() {
    for gone in ["412", "206 B", "200 B", "206 W/A", "206 -", "416", "416 /9"] {
        check(&format!(
            "29 of row 10: {gone}
            http | *A 0 | GET 0..100k
            discover GET 0..128k unless A -> 304
            fetch GET 64k..128k if A -> {gone}
            anew GET 0..128k -> 206 B
            = 206 B 0..100k fetched, current := B

            29 of row 22: {gone}
            http | *A 0 | GET
            discover GET unless A -> 304
            fetch GET 64k..250k if A -> {gone}
            anew GET -> 200 B
            = 200 B fetched, current := B

            29 of another range of the group: {gone}
            http | | GET 0..10
            discover GET 0..64k -> shared 206 A 128k..192k/250k
            fetch GET 0..64k if A -> {gone}
            anew GET 0..64k -> 206 B
            = 206 B 0..10 fetched, current := B"
        ));
    }
    for other in ["304 B", "304 W/A", "304 W/B"] {
        check(&format!(
            "29 {other}
            http | *A 0 | GET 0..10
            discover GET 0..64k unless A -> {other}
            anew GET 0..64k -> 206 B
            = 206 B 0..10 fetched, current := B

            29 a plain GET: {other}
            http | *A all | GET
            discover GET unless A -> {other}
            anew GET -> 200 B
            = 200 B fetched, current := B"
        ));
    }
    check(
        "29 deleted in between
        http | *A 0 | GET 0..100k
        discover GET 0..128k unless A -> 304
        fetch GET 64k..128k if A -> 404
        anew GET 0..128k -> 404
        = relay 404 not-found, current := none

        29 an error in between is one
        http | *A 0 | GET 0..100k
        discover GET 0..128k unless A -> 304
        fetch GET 64k..128k if A -> 503
        = 503 status, confirmed

        29 an error of the answer of its own, after another tag was named: what is here is not current
        http | *A all | GET 0..10
        discover GET 0..64k unless A -> 304 B
        anew GET 0..64k -> timeout
        = 504 timeout

        29 the answer of its own stands, whatever it is
        http | *A 0 | GET 0..100k
        discover GET 0..128k unless A -> 304
        fetch GET 64k..128k if A -> 412
        anew GET 0..128k -> 302
        = relay 302 passed-on, confirmed",
    );
}

#[test]
fn row_30_any_other_status() {
    for status in ["204", "301", "302", "307", "400", "418", "501"] {
        check(&format!(
            "30 to a discovery
            http | *A all | GET 0..10
            discover GET 0..64k unless A -> {status}
            = relay {status} passed-on

            30 to a HEAD
            http | *A all | HEAD
            discover HEAD -> {status}
            = relay {status} passed-on

            30 to a plain GET
            http | *A all | GET
            discover GET unless A -> {status}
            = relay {status} passed-on

            30 to a resumed one
            http | *A all | GET 0..10 resume B
            anew GET 0..64k or-whole B -> {status}
            = relay {status} passed-on"
        ));
    }
    for status in ["302", "400", "501"] {
        check(&format!(
            "30 to a pin
            http | *A 0 | GET 0..100k pin A
            fetch GET 64k..128k if A -> {status}
            = relay {status} passed-on"
        ));
    }
    for status in ["203", "204"] {
        check(&format!(
            "30 a 2xx to a pin that is neither 200 nor 206
            http | *A 0 | GET 0..100k pin A
            fetch GET 64k..128k if A -> {status} A
            = 502 malformed"
        ));
    }
    check(
        "30 a 206 of unknown total
        http | *A all | GET 0..10
        discover GET 0..64k unless A -> 206 B 0..64k/*
        = relay 206 B 0..10 passed-on

        30 cut to what was asked for, where it lies within
        http | | GET 70k..80k
        discover GET 64k..128k -> 206 B 64k..75k/*
        = relay 206 B 70k..75k passed-on

        30 nothing of what was asked for lies within
        http | | GET 70k..80k
        discover GET 64k..128k -> 206 B 64k..65k/*
        = 416 unsatisfiable

        30 a suffix of unknown total comes as it is
        http | | GET -10
        discover GET -10 -> 206 B 90..100/*
        = relay 206 B 90..100 passed-on

        30 to a pin
        http | | GET 0..10 pin A
        fetch GET 0..64k if A -> 206 A 0..64k/*
        = relay 206 A 0..10 fetched

        30 to a pin, of another revision
        http | | GET 0..10 pin A
        fetch GET 0..64k if A -> 206 B 0..64k/*
        = 412 pin-ignored",
    );
}

#[test]
fn what_is_never_stored_is_passed_on() {
    for field in [
        "cache-control: no-store",
        "cache-control: private",
        "cache-control: private=\"x\", max-age=9",
        "set-cookie: a=b",
        "vary: accept-language",
        "vary: origin, accept-language",
        "vary: *",
        "content-encoding: gzip",
    ] {
        check(&format!(
            "{field}: a discovery
            http | *A all | GET 0..10
            discover GET 0..64k unless A -> 206 B {{{field}}}
            = relay 206 B 0..10 passed-on, current := unknown

            {field}: a pin
            http | | GET 0..10 pin A
            fetch GET 0..64k if A -> 206 A {{{field}}}
            = relay 206 A 0..10 fetched

            {field}: a pin, and the client has it
            http | | GET 0..10 pin A unless A
            fetch GET 0..64k if A -> 206 A {{{field}}}
            = relay 304 A fetched"
        ));
    }
    for field in [
        "cache-control: no-store",
        "cache-control: private",
        "set-cookie: a=b",
        "vary: cookie",
    ] {
        check(&format!(
            "{field}: what is here may not be kept any more
            http | *A 0 | GET 0..10
            discover GET 0..64k unless A -> 304 {{{field}}}
            anew GET 0..64k -> 206 A {{{field}}}
            = relay 206 A 0..10 passed-on, current := unknown"
        ));
    }
    check(
        "vary on what is the same in every question
        http | | GET 0..10
        discover GET 0..64k -> 206 A {vary: Accept-Encoding, Origin}
        = 206 A 0..10 fetched, current := A

        a coding that S3 keeps is the representation's own
        s3 | | GET 0..10
        discover GET 0..64k -> 206 A {content-encoding: gzip}
        = 206 A 0..10 fetched, current := A",
    );
}
