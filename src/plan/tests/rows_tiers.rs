//! More than two tiers: a pin is asked for from near to deep, a discovery from the authority.

use super::print::check;

#[test]
fn a_pin_is_asked_for_from_near_to_deep() {
    check(
        "served near
        http+1 | | GET 0..10 pin A
        fetch@0 GET 0..64k if A -> 206 A
        = 206 A 0..10 fetched

        served deep
        http+2 | | GET 0..10 pin A
        fetch@0 GET 0..64k if A -> 404
        fetch@1 GET 0..64k if A -> 412
        fetch@2 GET 0..64k if A -> 206 A
        = 206 A 0..10 fetched

        served after an error
        http+1 | | GET 0..10 pin A
        fetch@0 GET 0..64k if A -> timeout
        fetch@1 GET 0..64k if A -> 206 A
        = 206 A 0..10 fetched

        4 a near tier that ignores the pin counts as its 412
        http+1 | | GET 0..10 pin A
        fetch@0 GET 0..64k if A -> 206 B
        fetch@1 GET 0..64k if A -> 206 A
        = 206 A 0..10 fetched

        27 a near tier that lies counts as its error
        http+1 | | GET 0..10 pin A
        fetch@0 GET 0..64k if A -> 206 A 0..10/250k
        fetch@1 GET 0..64k if A -> 206 A
        = 206 A 0..10 fetched

        a near tier's refusals do not end the search
        http+2 | | GET 0..10 pin A
        fetch@0 GET 0..64k if A -> 403
        fetch@1 GET 0..64k if A -> 302
        fetch@2 GET 0..64k if A -> 206 A
        = 206 A 0..10 fetched

        5b a near tier that has it knows its end
        http+1 | | GET 999k.. pin A
        fetch@0 GET 960k.. if A -> 416 A /250k
        = 416 /250k unsatisfiable

        5b a near tier that has another does not
        http+1 | | GET 64k..70k pin A
        fetch@0 GET 64k..128k if A -> 416 D /10k
        fetch@1 GET 64k..128k if A -> 206 A
        = 206 A 64k..70k fetched

        2 the rest of what is here may be near
        http+1 | *A 0 | GET 0..100k pin A
        fetch@0 GET 64k..128k if A -> 206 A
        = 206 A 0..100k joined",
    );
}

/// "Result: served; else an error was met → row 8; else the authority's 404 if its role is origin; else 412 if any
/// tier had another revision; else 404." Both answers, then what an origin and what a cache makes of them.
#[test]
fn the_result_of_a_search() {
    let results = [
        (
            "404",
            "404",
            "relay 404 not-found, current := none",
            "relay 404 not-found",
        ),
        ("412", "404", "relay 404 not-found, current := none", "412 pin-mismatch"),
        (
            "206 B",
            "404",
            "relay 404 not-found, current := none",
            "412 pin-ignored",
        ),
        (
            "403",
            "404",
            "relay 404 not-found, current := none",
            "relay 404 not-found",
        ),
        ("404", "412", "412 pin-mismatch", "412 pin-mismatch"),
        ("403", "412", "412 pin-mismatch", "412 pin-mismatch"),
        ("404", "206 B", "412 pin-ignored", "412 pin-ignored"),
        ("206 W/A", "412", "412 pin-ignored", "412 pin-ignored"),
        ("503", "404", "503 status, current := none", "503 status"),
        ("timeout", "412", "504 timeout", "504 timeout"),
        ("206 A 0..10/250k", "412", "502 lie", "502 lie"),
        ("refused", "206 B", "502 refused", "502 refused"),
        ("refused", "416 /9", "502 refused", "502 refused"),
        ("refused", "503", "503 status", "503 status"),
        ("404", "timeout", "504 timeout", "504 timeout"),
        ("412", "503", "503 status", "503 status"),
        ("timeout", "403", "relay 403 passed-on", "relay 403 passed-on"),
        ("412", "401", "relay 401 passed-on", "relay 401 passed-on"),
    ];
    for (near, deep, origin, cache) in results {
        for (route, result) in [("http", origin), ("cache", cache)] {
            check(&format!(
                "{near}, then {deep}
                {route}+1 | | GET 0..10 pin A
                fetch@0 GET 0..64k if A -> {near}
                fetch@1 GET 0..64k if A -> {deep}
                = {result}"
            ));
        }
    }
}

#[test]
fn an_error_of_one_listed_tag_outlives_the_search_for_the_others() {
    check(
        "the other tags are still asked for
        http+1 | *A 0 | GET 0..100k pin A,B
        fetch@0 GET 64k..128k if A -> timeout
        fetch@1 GET 64k..128k if A -> 412
        fetch@0 GET 0..128k if B -> 206 B
        = 206 B 0..100k fetched

        whoever refused one may have another, wherever the search ended
        http+1 | *A 0 | GET 0..100k pin A,B
        fetch@0 GET 64k..128k if A -> 412
        fetch@1 GET 64k..128k if A -> 404
        fetch@0 GET 0..128k if B -> 206 B
        = 206 B 0..100k fetched, current := none

        a denial is final
        http+1 | *A 0 | GET 0..100k pin A,B
        fetch@0 GET 64k..128k if A -> 412
        fetch@1 GET 64k..128k if A -> 403
        = relay 403 passed-on

        what they come to is an error
        http+1 | *A 0 | GET 0..100k pin A,B
        fetch@0 GET 64k..128k if A -> timeout
        fetch@1 GET 64k..128k if A -> 412
        fetch@0 GET 0..128k if B -> 412
        fetch@1 GET 0..128k if B -> 412
        = 504 timeout",
    );
}

#[test]
fn a_discovery_asks_the_deepest_and_falls_back_from_near_to_deep() {
    check(
        "the authority alone is asked
        http+2 | | GET 0..10
        discover@2 GET 0..64k -> 206 A
        = 206 A 0..10 fetched, current := A

        17 what is here goes first
        http+1 | *A all | GET 0..10
        discover@1 GET 0..64k unless A -> refused
        = 206 A 0..10 discovery-fallback

        17 then near tiers, which move nothing
        http+2 | *A 0 | GET 0..10
        discover@2 GET 0..64k unless A -> refused
        ask@0 GET 0..64k -> 404
        ask@1 GET 0..64k -> 206 B
        = 206 B 0..10 discovery-fallback

        17 a plain GET, too
        http+1 | | GET
        discover@1 GET -> refused
        ask@0 GET -> 200 B
        = 200 B discovery-fallback

        17 a HEAD
        http+1 | | HEAD
        discover@1 HEAD -> refused
        ask@0 HEAD -> 200 B
        = 200 B discovery-fallback

        17 a near tier that falls back itself
        http+1 | | GET 0..10
        discover@1 GET 0..64k -> refused
        ask@0 GET 0..64k -> 206 B {fallback}
        = relay 206 B 0..10 discovery-fallback

        18 a near tier that has nothing to pin
        http+1 | | GET 0..10
        discover@1 GET 0..64k -> refused
        ask@0 GET 0..64k -> 206 W/B
        = 502 refused

        18 near tiers in trouble: the authority's error is told
        http+1 | | GET 0..10
        discover@1 GET 0..64k -> 503
        ask@0 GET 0..64k -> timeout
        = 503 status

        9 the denial of a near tier is not the authority's
        http+1 | | GET 0..10
        discover@1 GET 0..64k -> 503
        ask@0 GET 0..64k -> 403
        = 503 status

        15 an origin's 404 ends it
        http+1 | *A all | GET 0..10
        discover@1 GET 0..64k unless A -> 404
        = relay 404 not-found, current := none

        16 a cache's does not
        cache+1 | | GET 0..10
        discover@1 GET 0..64k -> 404
        ask@0 GET 0..64k -> 206 A
        = 206 A 0..10 discovery-fallback

        16 nobody has it; the authority's own body is gone by now
        cache+1 | | GET 0..10
        discover@1 GET 0..64k -> 404
        ask@0 GET 0..64k -> 404
        = 404 not-found

        16 nobody is known to have it, since one is in trouble
        cache+2 | | GET 0..10
        discover@2 GET 0..64k -> 404
        ask@0 GET 0..64k -> 503 {retry-after: 3}
        ask@1 GET 0..64k -> 404
        = 503 status retry-after 3

        29 a near tier's second question does not undo a discovery
        http+1 | *A 0 | GET 0..100k
        discover@1 GET 0..128k unless A -> 304
        fetch@0 GET 64k..128k if A -> timeout
        fetch@1 GET 64k..128k if A -> 412
        anew@1 GET 0..128k -> 206 B
        = 206 B 0..100k fetched, current := B",
    );
}
