//! Row 14: a discovery outside of the representation, and `bytes=-0`, which lies outside of every one.

use super::print::check;

#[test]
fn row_14_outside_of_the_range() {
    check(
        "14 with the length
        http | | GET 999k..
        discover GET 960k.. -> 416 /250k
        = 416 /250k unsatisfiable

        14 the length is learnt by HEAD
        http | | GET 999k..
        discover GET 960k.. -> 416
        ask HEAD -> 200 A
        = 416 /250k unsatisfiable, current := A

        14 an empty one
        http | | GET 0..10
        discover GET 0..64k -> 416
        ask HEAD -> 200 E
        = 416 /0 unsatisfiable, current := E

        14 without a length, too
        http | | GET 999k..
        discover GET 960k.. -> 416
        ask HEAD -> 200 A nolen
        = 416 unsatisfiable

        14 the length cannot be learnt
        http | | GET 999k..
        discover GET 960k.. -> 416
        ask HEAD -> timeout
        = 416 unsatisfiable

        14 deleted since
        http | | GET 999k..
        discover GET 960k.. -> 416
        ask HEAD -> 404
        = 404 not-found, current := none

        14 a denied HEAD does not deny the GET
        http | | GET 999k..
        discover GET 960k.. -> 416
        ask HEAD -> 403
        = 416 unsatisfiable

        14 the last no bytes
        http | | GET -0
        discover GET 0..64k -> 206 A
        = 416 /250k unsatisfiable, current := A

        14 the last no bytes of what is here
        http | *A | GET -0
        discover GET 0..64k unless A -> 304
        = 416 /250k unsatisfiable, confirmed

        14 the last no bytes of what has no strong tag
        http | | GET -0
        discover GET 0..64k -> 200 W/A
        = 416 /250k unsatisfiable, current := none

        14 the last no bytes of nothing
        http | | GET -0
        discover GET 0..64k -> 404
        = relay 404 not-found, current := none

        14 the last no bytes, and the client has it
        http | | GET -0 unless A
        discover GET 0..64k -> 206 A
        = 304 A fetched, current := A

        14 the client has it: preconditions go before ranges
        http | | GET 999k.. unless A
        discover GET 960k.. -> 416 A /250k
        = relay 304 A passed-on

        14 whether the client has it is learnt by HEAD
        http | | GET 999k.. unless A
        discover GET 960k.. -> 416 /250k
        ask HEAD -> 200 A
        = relay 304 A passed-on, current := A",
    );
}
