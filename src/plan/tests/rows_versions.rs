//! Rows 2, 3, 5–9 and 29 where S3 keeps what was overwritten, and the name of the version is known.

use super::print::check;

const KNOWN: &str = "{x-amz-version-id: v}";

/// `{v}` stands for a head that names its version.
fn check_versions(table: &str) {
    check(&table.replace("{v}", KNOWN));
}

#[test]
fn a_revision_that_was_overwritten_is_fetched_by_its_version() {
    check_versions(
        "3 refused by its tag
        s3 | *A {v} | GET 0..10 pin A
        fetch GET 0..64k if A -> 412
        fetch GET 0..64k version v if A -> 206 A
        = 206 A 0..10 versioned

        3 deleted
        s3 | *A {v} | GET 0..10 pin A
        fetch GET 0..64k if A -> 404
        fetch GET 0..64k version v if A -> 206 A
        = 206 A 0..10 versioned, current := none

        3 known to have passed: its tag would be refused
        s3 | *B & A {v} & former A 1m | GET 0..10 pin A
        fetch GET 0..64k version v if A -> 206 A
        = 206 A 0..10 versioned

        3 also after its grace: it is S3 that answers
        s3 | *B & A 0 {v} & former A 20m | GET 0..10 pin A
        fetch GET 0..64k version v if A -> 206 A
        = 206 A 0..10 versioned

        2 what is missing
        s3 | *A 0 {v} | GET 0..100k pin A
        fetch GET 64k..128k if A -> 412
        fetch GET 64k..128k version v if A -> 206 A
        = 206 A 0..100k versioned

        3 the whole
        s3 | *A {v} | GET pin A
        fetch GET if A -> 412
        fetch GET version v if A -> 200 A
        = 200 A versioned

        3 a HEAD
        s3 | *B & A {v} & former A 1m | HEAD pin A
        = 200 A disk

        3 a part
        s3 | *M-3 {v} | GET part 2 pin M-3
        fetch GET part 2 if M-3 -> 412
        fetch GET part 2 version v if M-3 -> 206 M-3 {x-amz-mp-parts-count: 3}
        = 206 M-3 100k..200k versioned

        3 one of a list
        s3 | *A {v} | GET 0..10 pin C,A
        fetch GET 0..64k if C,A -> 412
        fetch GET 0..64k version v if A -> 206 A
        = 206 A 0..10 versioned

        3 a near tier is asked by the tag
        s3+1 | *B & A {v} & former A 1m | GET 0..10 pin A
        fetch@0 GET 0..64k if A -> 412
        fetch@1 GET 0..64k version v if A -> 206 A
        = 206 A 0..10 versioned

        3 it is not kept: handed on
        s3 | *A {v} | GET 0..10 pin A
        fetch GET 0..64k if A -> 412
        fetch GET 0..64k version v if A -> 206 A {cache-control: no-store}
        = relay 206 A 0..10 versioned

        29 a discovery that was confirmed a moment ago
        s3 | *A 0 {v} | GET 0..100k
        discover GET 0..128k unless A -> 304
        fetch GET 64k..128k if A -> 412
        fetch GET 64k..128k version v if A -> 206 A
        = 206 A 0..100k versioned, confirmed",
    );
}

#[test]
fn a_version_that_is_not_to_be_had_is_as_if_nobody_had_asked() {
    for refusal in ["404", "405", "400", "403", "401", "412", "206 B 0..64k/130k"] {
        let table = "5 refused by its tag
            s3 | *A {v} | GET 0..10 pin A
            fetch GET 0..64k if A -> 412
            fetch GET 0..64k version v if A -> {refusal}
            = 412 pin-mismatch

            7 deleted
            s3 | *A {v} | GET 0..10 pin A
            fetch GET 0..64k if A -> 404
            fetch GET 0..64k version v if A -> {refusal}
            = 404 not-found, current := none

            5 known to have passed
            s3 | *B & A {v} & former A 1m | GET 0..10 pin A
            fetch GET 0..64k version v if A -> {refusal}
            fetch GET 0..64k if A -> 412
            = 412 pin-mismatch

            3 it was put again
            s3 | *B & A {v} & former A 1m | GET 0..10 pin A
            fetch GET 0..64k version v if A -> {refusal}
            fetch GET 0..64k if A -> 206 A
            = 206 A 0..10 fetched

            9 and the object may not be read, either
            s3 | *B & A {v} & former A 1m | GET 0..10 pin A
            fetch GET 0..64k version v if A -> {refusal}
            fetch GET 0..64k if A -> 403
            = relay 403 passed-on

            2 row 3 with the other tags
            s3 | *A 0 {v} | GET 0..100k pin A,B
            fetch GET 64k..128k if A -> 412
            fetch GET 64k..128k version v if A -> {other}
            fetch GET 0..128k if B -> 206 B
            = 206 B 0..100k fetched

            29 asked anew
            s3 | *A 0 {v} | GET 0..100k
            discover GET 0..128k unless A -> 304
            fetch GET 64k..128k if A -> 412
            fetch GET 64k..128k version v if A -> {other}
            anew GET 0..128k -> 206 B
            = 206 B 0..100k fetched, current := B";
        let other = refusal.replace("0..64k", "64k..128k");
        check_versions(&table.replace("{refusal}", refusal).replace("{other}", &other));
    }
}

#[test]
fn an_error_is_told_as_one() {
    check_versions(
        "8 it may be there
        s3 | *A {v} | GET 0..10 pin A
        fetch GET 0..64k if A -> 412
        fetch GET 0..64k version v if A -> 503 {retry-after: 3}
        = 503 status retry-after 3

        8 known to have passed
        s3 | *B & A {v} & former A 1m | GET 0..10 pin A
        fetch GET 0..64k version v if A -> timeout
        = 504 timeout

        8 our own credentials
        s3 | *A {v} | GET 0..10 pin A
        fetch GET 0..64k if A -> 412
        fetch GET 0..64k version v if A -> own-credentials
        = 502 own-credentials

        27 a lie
        s3 | *A {v} | GET 0..10 pin A
        fetch GET 0..64k if A -> 412
        fetch GET 0..64k version v if A -> 206 A 1..64k/250k
        = 502 lie

        5b outside of it
        s3 | *A {v} | GET part 9 pin A
        fetch GET part 9 if A -> 412
        fetch GET part 9 version v if A -> 416
        = 416 unsatisfiable

        29 a discovery has something else to ask for
        s3 | *A 0 {v} | GET 0..100k
        discover GET 0..128k unless A -> 304
        fetch GET 64k..128k if A -> 412
        fetch GET 64k..128k version v if A -> 503
        anew GET 0..128k -> 206 B
        = 206 B 0..100k fetched, current := B",
    );
}

#[test]
fn no_version_is_asked_for_where_it_is_not_needed_or_not_known() {
    check_versions(
        "1 it is here
        s3 | *B & A all {v} & former A 1m | GET 0..10 pin A
        = 206 A 0..10 disk

        3 it is current
        s3 | *A {v} | GET 0..10 pin A
        fetch GET 0..64k if A -> 206 A
        = 206 A 0..10 fetched

        3 what is known to be current may be older
        s3 | *B & A {v} | GET 0..10 pin A
        fetch GET 0..64k if A -> 206 A
        = 206 A 0..10 fetched

        5 no version is known
        s3 | *A | GET 0..10 pin A
        fetch GET 0..64k if A -> 412
        = 412 pin-mismatch

        5 a version of what is overwritten in place
        s3 | *A {x-amz-version-id: null} | GET 0..10 pin A
        fetch GET 0..64k if A -> 412
        = 412 pin-mismatch

        5 HTTP has none
        http | *A {v} | GET 0..10 pin A
        fetch GET 0..64k if A -> 412
        = 412 pin-mismatch

        8 an error says nothing about the tag
        s3 | *A {v} | GET 0..10 pin A
        fetch GET 0..64k if A -> 503
        = 503 status

        9 a denial is told
        s3 | *A {v} | GET 0..10 pin A
        fetch GET 0..64k if A -> 403
        = relay 403 passed-on

        25b who resumes wants the new one
        s3 | *A 0 {v} | GET 0..100k resume A
        anew GET 0..128k or-whole A -> 412
        anew GET -> 200 B
        = 200 B fetched, current := B",
    );
}
