//! Rows 15–18: the authority has none, or is in trouble. (Near tiers are in `rows_tiers`, row 23 in `rows_whole`.)

use super::print::check;
use super::rows_pinned::ERRORS;

#[test]
fn row_15_the_404_of_an_origin() {
    check(
        "15 a discovery
        http | *A all {cache-control: max-age=100} | GET 0..10
        discover GET 0..64k unless A -> 404
        = relay 404 not-found, current := none

        15 gone
        http | *A all | HEAD
        discover HEAD -> 410
        = relay 410 not-found, current := none

        15 a plain GET
        http | *A all | GET
        discover GET unless A -> 404
        = relay 404 not-found, current := none

        15 another's answer has no body to hand on
        http | *A all | GET
        discover GET unless A -> shared 404
        = 404 not-found, current := none",
    );
}

#[test]
fn row_16_a_cache_that_forgot() {
    check(
        "16 complete, nothing forbids it
        cache | *A all {cache-control: max-age=1} | GET 0..10
        discover GET 0..64k unless A -> 404
        = 206 A 0..10 discovery-fallback

        16 complete, of unstated freshness
        cache | *A all | HEAD
        discover HEAD -> 404
        = 200 A discovery-fallback

        16 a plain GET
        cache | *A all | GET
        discover GET unless A -> 410
        = 200 A discovery-fallback

        16 fresh, whatever it would forbid when stale
        cache | *A all {cache-control: s-maxage=100, must-revalidate} | GET 0..10
        discover GET 0..64k unless A -> 404
        = 206 A 0..10 discovery-fallback

        16 incomplete
        cache | *A 0 1 2 | GET 0..10
        discover GET 0..64k unless A -> 404
        = relay 404 not-found

        16 the client has it
        cache | *A all | GET 0..10 unless A
        discover GET 0..64k unless A -> 404
        = 304 A discovery-fallback",
    );
    for barred in ["must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=1"] {
        check(&format!(
            "16 stale and {barred}
            cache | *A all {{cache-control: max-age=1, {barred}}} | GET 0..10
            discover GET 0..64k unless A -> 404
            = relay 404 not-found

            17 stale and {barred}
            http | *A all {{cache-control: max-age=1, {barred}}} | GET 0..10
            discover GET 0..64k unless A -> refused
            = 502 refused"
        ));
    }
}

#[test]
fn rows_17_and_18_an_authority_in_trouble() {
    for (said, told) in ERRORS.into_iter().filter(|(said, _)| *said != "lie") {
        check(&format!(
            "17 complete
            http | *A all | GET 0..10
            discover GET 0..64k unless A -> {said}
            = 206 A 0..10 discovery-fallback

            17 of a cache
            cache | *A all | HEAD
            discover HEAD -> {said}
            = 200 A discovery-fallback

            18 incomplete
            http | *A 0 1 2 | GET 0..10
            discover GET 0..64k unless A -> {said}
            = {told}

            18 not current
            http | none & A all | GET 0..10
            discover GET 0..64k -> {said}
            = {told}"
        ));
    }
}

#[test]
fn a_fallback_of_another_pinstripe_is_one_here_too() {
    check(
        "its bytes are passed on
        http | *A 0 | GET 0..10
        discover GET 0..64k unless A -> 206 B {fallback}
        = relay 206 B 0..10 discovery-fallback

        a HEAD
        http | *A 0 | HEAD
        discover HEAD -> 200 B {fallback}
        = relay 200 B discovery-fallback

        it has what is here
        http | *A 0 | GET 0..10
        discover GET 0..64k unless A -> 304 {fallback}
        = 206 A 0..10 discovery-fallback

        it has what is in part here
        http | *A 0 | GET 0..100k
        discover GET 0..128k unless A -> 304 {fallback}
        fetch GET 64k..128k if A -> 206 A
        = 206 A 0..100k discovery-fallback",
    );
}
