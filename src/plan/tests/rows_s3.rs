//! S3's dialect: ranges on HEAD, bare ranges of empty objects, parts.

use super::print::check;

#[test]
fn a_head_with_range_gets_206() {
    check(
        "a discovery
        s3 | | HEAD 0..10
        discover HEAD -> 200 A
        = 206 A 0..10 fetched, current := A

        outside
        s3 | | HEAD 999k..
        discover HEAD -> 200 A
        = 416 /250k unsatisfiable, current := A

        a pin, here
        s3 | *A | HEAD 0..10 pin A
        = 206 A 0..10 disk

        a pin, not here
        s3 | | HEAD 0..10 pin A
        fetch HEAD 0..64k if A -> 206 A
        = 206 A 0..10 fetched",
    );
}

#[test]
fn an_empty_object_has_no_range() {
    check(
        "S3 does not tell the length
        s3 | | GET 0..10
        discover GET 0..64k -> 416
        ask HEAD -> 200 E
        = 416 /0 unsatisfiable, current := E

        known
        s3 | *E | GET 0..10
        discover GET 0..64k unless E -> 304
        = 416 /0 unsatisfiable, confirmed",
    );
}

#[test]
fn if_range_is_asked_by_if_match() {
    check(
        "25b
        s3 | *A 0 | GET 0..100k resume A
        anew GET 0..128k or-whole A -> 412
        anew GET -> 200 B
        = 200 B fetched, current := B",
    );
}

#[test]
fn a_part_is_the_range_that_the_map_gives_it() {
    check(
        "1 pinned, mapped and here
        s3 | *M-3 1 2 3 part 2 | GET part 2 pin M-3
        = 206 M-3 100k..200k disk

        2 pinned, mapped and in part here
        s3 | *M-3 1 part 2 | GET part 2 pin M-3
        fetch GET 128k..250k if M-3 -> 206 M-3
        = 206 M-3 100k..200k joined

        10 a discovery, mapped and here
        s3 | *M-3 all part 2 | GET part 2
        discover GET part 2 unless M-3 -> 304
        = 206 M-3 100k..200k validated, confirmed

        11 by number
        s3 | | GET part 1
        discover GET part 1 -> 206 M-3 {x-amz-mp-parts-count: 3}
        = 206 M-3 0..100k fetched, current := M-3

        11 the only part of a plain object
        s3 | | GET part 1
        discover GET part 1 -> 206 A 0..250k/250k
        = 206 A 0..250k fetched, current := A

        3 by number, pinned
        s3 | | GET part 2 pin M-3
        fetch GET part 2 if M-3 -> 206 M-3 {x-amz-mp-parts-count: 3}
        = 206 M-3 100k..200k fetched

        3 by number, pinned, though its blocks are here: the map teaches the next time
        s3 | *M-3 all | GET part 2 pin M-3
        fetch GET part 2 if M-3 -> 206 M-3 {x-amz-mp-parts-count: 3}
        = 206 M-3 100k..200k fetched

        3 by number, pinned to a former revision that is here
        s3 | *A & M-3 all & former M-3 1m | GET part 2 pin M-3
        fetch GET part 2 if M-3 -> 206 M-3 {x-amz-mp-parts-count: 3}
        = 206 M-3 100k..200k fetched

        10 confirmed but not mapped: by number, passed on
        s3 | *M-3 all | GET part 2
        discover GET part 2 unless M-3 -> 304
        fetch GET part 2 if M-3 -> 206 M-3 {x-amz-mp-parts-count: 3}
        = 206 M-3 100k..200k fetched, confirmed

        11 another's answer names the revision, not the part
        s3 | | GET part 2
        discover GET part 2 -> shared 200 M-3
        fetch GET part 2 if M-3 -> 206 M-3 {x-amz-mp-parts-count: 3}
        = 206 M-3 100k..200k fetched, current := M-3

        12 a server that knows no parts
        s3 | | GET part 2
        discover GET part 2 -> 200 A
        = relay 200 A fetched, current := A

        4 pinned to another
        s3 | | GET part 2 pin A
        fetch GET part 2 if A -> 206 M-3 {x-amz-mp-parts-count: 3}
        = 412 pin-ignored

        29 gone in between
        s3 | *M-3 all | GET part 2
        discover GET part 2 unless M-3 -> 304
        fetch GET part 2 if M-3 -> 412
        anew GET part 2 -> 206 A 0..250k/250k
        = 206 A 0..250k fetched, current := A

        a HEAD
        s3 | | HEAD part 2
        discover HEAD part 2 -> 206 M-3 {x-amz-mp-parts-count: 3}
        = 206 M-3 100k..200k fetched, current := M-3

        14 beyond the last part
        s3 | | GET part 9
        discover GET part 9 -> 416
        ask HEAD -> 200 M-3
        = 416 /250k unsatisfiable, current := M-3

        the client has it
        s3 | *M-3 part 2 | GET part 2 unless M-3
        discover GET part 2 unless M-3 -> 304
        = 304 M-3 validated, confirmed",
    );
}

#[test]
fn a_part_with_a_tag_of_its_own_is_passed_on() {
    check(
        "Ceph
        s3 | *M-3 0 | GET part 2
        discover GET part 2 unless M-3 -> 206 D 0..10k/10k {x-amz-mp-parts-count: 3}
        = relay 206 D passed-on

        Ceph, to a HEAD
        s3 | *M-3 0 | HEAD part 2
        discover HEAD part 2 -> 206 D 0..10k/10k {x-amz-mp-parts-count: 3}
        = relay 206 D passed-on

        Ceph, to a pin: that it is the object's cannot be told
        s3 | | GET part 2 pin M-3
        fetch GET part 2 if M-3 -> 206 D 0..10k/10k {x-amz-mp-parts-count: 3}
        = 412 pin-ignored",
    );
}
