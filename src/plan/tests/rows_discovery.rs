//! Rows 10–13: what is current?

use super::print::check;

#[test]
fn row_10_the_authoritys_word_and_local_bytes() {
    check(
        "10 confirmed without a tag
        http | *A 0 | GET 0..10
        discover GET 0..64k unless A -> 304
        = 206 A 0..10 validated, confirmed

        10 confirmed with it
        http | *A 0 | GET 0..10
        discover GET 0..64k unless A -> 304 A
        = 206 A 0..10 validated, confirmed

        10 on another's question
        http | *A 0 | GET 0..10
        discover GET 0..64k unless A -> shared 304
        = 206 A 0..10 validated, confirmed

        10 outside of the range
        http | *A | GET 250k..
        discover GET 192k.. unless A -> 304
        = 416 /250k unsatisfiable, confirmed

        10 no byte of an empty one
        http | *E | GET 0..10
        discover GET 0..64k unless E -> 304
        = 416 /0 unsatisfiable, confirmed

        10 the client has it
        http | *A | GET 0..10 unless A
        discover GET 0..64k unless A -> 304
        = 304 A validated, confirmed

        10 not modified since
        http | *A {lm} | GET 0..10 since
        discover GET 0..64k unless A -> 304
        = 304 A validated, confirmed

        10 what is missing is fetched as row 2
        http | *A 0 2 | GET
        discover GET unless A -> 304
        fetch GET 64k..128k if A -> 206 A
        = 200 A joined, confirmed

        10 what comes may not be kept any more, so it cannot be joined
        http | *A 0 | GET 0..100k
        discover GET 0..128k unless A -> 304
        fetch GET 64k..128k if A -> 206 A {set-cookie: a=b}
        fetch GET 0..128k if A -> 206 A {set-cookie: a=b}
        = relay 206 A 0..100k fetched, confirmed

        10 nothing of what is wanted is here: the bytes themselves are asked for
        http | *A 3 | GET 0..10
        discover GET 0..64k -> 206 A
        = 206 A 0..10 fetched, confirmed

        10 unknown is as if nothing were stored
        http | A all | GET 0..10
        discover GET 0..64k -> 206 A
        = 206 A 0..10 fetched, current := A

        10 none is as if nothing were stored
        http | none & A all | GET 0..10
        discover GET 0..64k -> 206 A
        = 206 A 0..10 fetched, current := A",
    );
}

#[test]
fn row_11_the_revision_that_the_authority_names() {
    check(
        "11 nothing is here
        http | | GET 70k..80k
        discover GET 64k..128k -> 206 A
        = 206 A 70k..80k fetched, current := A

        11 another one is here
        http | *A all | GET 0..10
        discover GET 0..64k unless A -> 206 B
        = 206 B 0..10 fetched, current := B

        11 an open end
        http | | GET 70k..
        discover GET 64k.. -> 206 A
        = 206 A 70k..250k fetched, current := A

        11 a suffix
        http | | GET -1k
        discover GET -1k -> 206 A
        = 206 A 249k..250k fetched, current := A

        11 the block holds less than was asked for
        http | | GET 9k..20k
        discover GET 0..64k -> 206 D
        = 206 D 9k..10k fetched, current := D

        11 the block ends before the range
        http | | GET 10k..20k
        discover GET 0..64k -> 206 D
        = 416 /10k unsatisfiable, current := D

        11 the client has it
        http | | GET 0..10 unless A
        discover GET 0..64k -> 206 A
        = 304 A fetched, current := A

        11 another's answer names it, the bytes are fetched under its tag
        http | | GET 0..10
        discover GET 0..64k -> shared 206 A 128k..192k/250k
        fetch GET 0..64k if A -> 206 A
        = 206 A 0..10 fetched, current := A

        11 another's answer brings the bytes
        http | | GET 0..10
        discover GET 0..64k -> shared 206 A
        = 206 A 0..10 fetched, current := A",
    );
}

#[test]
fn row_11b_a_head_is_asked_as_head() {
    check(
        "11b nothing is here
        http | | HEAD
        discover HEAD -> 200 A
        = 200 A fetched, current := A

        11b without a condition, though it is here
        http | *A all | HEAD
        discover HEAD -> 200 A
        = 200 A fetched, confirmed

        11b another one is here
        http | *A all | HEAD
        discover HEAD -> 200 B
        = 200 B fetched, current := B

        11b the client has it
        http | *A | HEAD unless A
        discover HEAD -> 200 A
        = 304 A fetched, confirmed

        11b a range on HEAD is no range outside of S3's dialect
        http | | HEAD 0..10
        discover HEAD -> 200 A
        = 200 A fetched, current := A",
    );
}

#[test]
fn row_12_an_authority_that_ignores_ranges() {
    check(
        "12 sliced
        http | | GET 0..10
        discover GET 0..64k -> 200 A
        = 206 A 0..10 fetched, current := A

        12 outside
        http | | GET 999k..
        discover GET 960k.. -> 200 A
        = 416 /250k unsatisfiable, current := A

        12 an empty one
        http | | GET 0..10
        discover GET 0..64k -> 200 E
        = 416 /0 unsatisfiable, current := E

        12 for all who wait
        http | | GET 0..10
        discover GET 0..64k -> shared 200 A
        = 206 A 0..10 fetched, current := A

        12 without a length it is passed on whole
        http | *B 0 | GET 0..10
        discover GET 0..64k unless B -> 200 A nolen
        = relay 200 A passed-on, current := unknown

        12 what may not be kept is sliced all the same
        http | *B 0 | GET 0..10
        discover GET 0..64k unless B -> 200 A {cache-control: no-store}
        = relay 206 A 0..10 passed-on, current := unknown

        12 what may not be kept, outside
        http | | GET 999k..
        discover GET 960k.. -> 200 A {cache-control: private}
        = 416 /250k unsatisfiable",
    );
}

#[test]
fn row_13_no_strong_tag() {
    check(
        "13 a weak tag
        http | *A all | GET 0..10
        discover GET 0..64k unless A -> 206 W/A
        = relay 206 W/A 0..10 passed-on, current := none

        13 no tag
        http | *A all | GET 0..10
        discover GET 0..64k unless A -> 206 -
        = relay 206 0..10 passed-on, current := none

        13 a 200 is not cut
        http | | GET 0..10
        discover GET 0..64k -> 200 W/A
        = relay 200 W/A passed-on, current := none

        13 a HEAD
        http | *A all | HEAD
        discover HEAD -> 200 -
        = relay 200 passed-on, current := none

        13 the client has it
        http | | GET 0..10 unless A
        discover GET 0..64k -> 206 W/A
        = relay 304 W/A passed-on, current := none",
    );
}
