//! Rows that ask nobody: 1, 19, 24, what `only-if-cached` gets, and how long a former revision answers.

use super::print::check;

#[test]
fn row_1_a_pin_is_answered_from_disk() {
    check(
        "1 all wanted blocks are here
        http | *A 0 1 | GET 0..100k pin A
        = 206 A 0..100k disk

        1 all of it
        http | *A all | GET pin A
        = 200 A disk

        1 whether or not it is current, fresh, or known to be either
        http | *B all & A 0 {cache-control: max-age=1, must-revalidate} | GET 0..10 pin A
        = 206 A 0..10 disk

        1 after a write, too
        http | A 0 & former A 1m | GET 0..10 pin A
        = 206 A 0..10 disk

        1 any listed tag will do
        http | *C & B 0 | GET 0..10 pin A,B
        = 206 B 0..10 disk

        1 of two listed revisions the one that is all here
        http | A 0 & B 0 1 | GET 0..100k pin A,B
        = 206 B 0..100k disk

        1 a HEAD wants only the head
        http | *A | HEAD pin A
        = 200 A disk

        1 an empty revision has no blocks
        http | *E | GET pin E
        = 200 E disk

        1 outside of the known length
        http | *A 0 | GET 250k.. pin A
        = 416 /250k unsatisfiable

        1 no byte of an empty one
        http | *E | GET 0..10 pin E
        = 416 /0 unsatisfiable

        1 the last no bytes
        http | *A | GET -0 pin A
        = 416 /250k unsatisfiable

        1 no-cache does not touch a pin
        http | *A 0 | GET 0..10 pin A no-cache
        = 206 A 0..10 disk

        1 only-if-cached
        http | *A 0 | GET 0..10 pin A only-if-cached
        = 206 A 0..10 disk",
    );
}

#[test]
fn row_1_preconditions_go_before_ranges() {
    check(
        "1 the client has it
        http | *A | GET 0..10 pin A unless A
        = 304 A disk

        1 the client has another
        http | *A 0 | GET 0..10 pin A unless B
        = 206 A 0..10 disk

        1 the client has it, wherever the range lies
        http | *A | GET 999k.. pin A unless A
        = 304 A disk

        1 not modified since
        http | *A {lm} | GET 0..10 pin A since
        = 304 A disk

        1 of unknown date
        http | *A 0 | GET 0..10 pin A since
        = 206 A 0..10 disk

        1 a HEAD whose client has it
        http | *A | HEAD pin A unless A
        = 304 A disk",
    );
}

#[test]
fn grace_row_1_ends_some_time_after_a_revision_stopped_being_current() {
    check(
        "grace: not yet
        http | *B & A 0 & former A 14m | GET 0..10 pin A
        = 206 A 0..10 disk

        grace: over
        http | *B & A 0 & former A 16m | GET 0..10 pin A
        fetch GET 0..64k if A -> 412
        = 412 pin-mismatch

        grace: over, and the authority still has it
        http | *B & A 0 & former A 16m | GET 0..10 pin A
        fetch GET 0..64k if A -> 206 A
        = 206 A 0..10 fetched

        grace: over for a revision that a write did not touch
        http | A 0 & former A 16m | GET 0..10 pin A
        fetch GET 0..64k if A -> 412
        = 412 pin-mismatch

        grace: there is none now
        http | none & A 0 & former A 14m | GET 0..10 pin A
        = 206 A 0..10 disk

        grace: for If-Range, too
        http | *B & A 0 & former A 16m | GET 0..10 resume A
        anew GET 0..64k or-whole A -> 200 B
        = 200 B fetched, confirmed",
    );
}

#[test]
fn row_19_a_fresh_complete_revision_answers_a_plain_get() {
    check(
        "19 fresh by max-age
        http | *A all {cache-control: max-age=100} | GET
        = 200 A disk

        19 fresh by Expires
        http | *A all {expires: Tue, 08 Nov 1994 08:49:37 GMT} | GET
        = 200 A disk

        19 fresh, and the client has it
        http | *A all {cache-control: max-age=100} | GET unless A
        = 304 A disk

        19 fresh, though it would have to be revalidated later
        http | *A all {cache-control: max-age=100, must-revalidate} | GET only-if-cached
        = 200 A disk

        19 no heuristic freshness
        http | *A all {lm} | GET
        discover GET unless A -> 304
        = 200 A validated, confirmed

        19 stale
        http | *A all {cache-control: max-age=59} | GET
        discover GET unless A -> 304
        = 200 A validated, confirmed

        19 the origin wants to be asked
        http | *A all {cache-control: max-age=100, no-cache} | GET
        discover GET unless A -> 304
        = 200 A validated, confirmed

        19 the client wants it asked
        http | *A all {cache-control: max-age=100} | GET no-cache
        discover GET unless A -> 304
        = 200 A validated, confirmed

        19 too old for this client
        http | *A all {cache-control: max-age=100} | GET {cache-control: max-age=59}
        discover GET unless A -> 304
        = 200 A validated, confirmed

        19 not fresh for long enough
        http | *A all {cache-control: max-age=100} | GET {cache-control: min-fresh=41}
        discover GET unless A -> 304
        = 200 A validated, confirmed

        19 fresh but incomplete
        http | *A 0 1 2 {cache-control: max-age=100} | GET
        discover GET unless A -> 304
        fetch GET 192k..250k if A -> 206 A
        = 200 A joined, confirmed

        19 a write went through
        http | A all {cache-control: max-age=100} | GET
        discover GET -> 200 A
        = 200 A fetched, current := A

        19 a discovery asks, however fresh
        http | *A all {cache-control: max-age=100} | GET 0..10
        discover GET 0..64k unless A -> 304
        = 206 A 0..10 validated, confirmed",
    );
}

#[test]
fn row_24_a_strong_if_range_names_the_bytes() {
    check(
        "24 here
        http | *B & A 0 {cache-control: max-age=1} | GET 0..10 resume A
        = 206 A 0..10 disk

        24 outside of its length
        http | A | GET 250k.. resume A
        = 416 /250k unsatisfiable

        24 the client has it
        http | A | GET 0..10 resume A unless A
        = 304 A disk

        24 only-if-cached
        http | A 0 | GET 0..10 resume A only-if-cached
        = 206 A 0..10 disk

        24 no-cache asks
        http | A 0 | GET 0..10 resume A no-cache
        anew GET 0..64k or-whole A -> 206 A
        = 206 A 0..10 fetched",
    );
}

#[test]
fn only_if_cached_asks_nobody() {
    check(
        "a pin, not here
        http | *A 0 | GET 0..100k pin A only-if-cached
        = 504 only-if-cached

        a discovery, though it is all here
        http | *A all {cache-control: max-age=100} | GET 0..10 only-if-cached
        = 504 only-if-cached

        a HEAD
        http | *A all {cache-control: max-age=100} | HEAD only-if-cached
        = 504 only-if-cached

        a plain GET, stale
        http | *A all | GET only-if-cached
        = 504 only-if-cached

        a resumed one, not here
        http | *A | GET 0..10 resume A only-if-cached
        = 504 only-if-cached",
    );
}

#[test]
fn nearest_discoveries_are_answered_here_unless_the_client_insists() {
    check(
        "here
        nearest | *A 0 | GET 0..10
        = 206 A 0..10 nearest

        a HEAD
        nearest | *A | HEAD
        = 200 A nearest

        not here
        nearest | *A 0 | GET 0..100k
        discover GET 0..128k unless A -> 304
        fetch GET 64k..128k if A -> 206 A
        = 206 A 0..100k joined, confirmed

        another Pinstripe's discovery says no-cache
        nearest | *A 0 | GET 0..10 no-cache
        discover GET 0..64k unless A -> 304
        = 206 A 0..10 validated, confirmed",
    );
}
