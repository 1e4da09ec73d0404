"""Bodies in which every 16 bytes say object, revision and offset, as tests/kit makes them."""

from array import array
import sys

WORD = 16


def body(number, revision, start, end):
    """What stands at start..end, both multiples of a word."""
    count = (end - start) // WORD
    words = array("Q", bytes(end - start))
    words[0::2] = array("Q", [number << 32 | revision]) * count
    words[1::2] = array("Q", range(start, end, WORD))
    if sys.byteorder == "little":
        words.byteswap()
    return words.tobytes()


def revision_of(data, number, size):
    """The one revision that all of this is; anything else is an error that names the first wrong word."""
    if len(data) != size:
        raise AssertionError(f"{len(data)} bytes instead of {size}")
    revision = int.from_bytes(data[4:8], "big")
    if data == body(number, revision, 0, size):
        return revision
    step = 1 << 16
    for start in range(0, size, step):
        end = min(start + step, size)
        expected = body(number, revision, start, end)
        for at in range(0, end - start, WORD):
            found = data[start + at : start + at + WORD]
            if found != expected[at : at + WORD]:
                kind = "SPLICED" if found[8:] == expected[at + 8 : at + WORD] else "wrong"
                other = int.from_bytes(found[4:8], "big")
                raise AssertionError(f"{kind}: revision {revision}, but {other} at byte {start + at}")
    raise AssertionError("differs, but nowhere")


def check_the_check():
    """That a splice is found, else nothing below means anything."""
    size = 1 << 20
    one, two = body(7, 1, 0, size), body(7, 2, 0, size)
    assert revision_of(one, 7, size) == 1
    spliced = one[: size // 2] + two[size // 2 :]
    try:
        revision_of(spliced, 7, size)
    except AssertionError as error:
        assert str(error) == f"SPLICED: revision 1, but 2 at byte {size // 2}", error
    else:
        raise AssertionError("a splice went unnoticed")
