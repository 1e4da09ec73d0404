"""Whether answers are right to the last byte: requests of the kind that is measured, compared with the object's file."""

from __future__ import annotations

import dataclasses
import http.client
import pathlib
import random

from objects import Object

SAMPLES = 5
PIECE = 1 << 20
TIMEOUT = 60


class Wrong(Exception):
    """An answer that is not what was asked for."""


def ranges(port: int, objects: list[Object], size: int) -> None:
    """Some random ranges, pinned, over one connection; the first and the last one, too."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    for sample in range(SAMPLES):
        each = random.choice(objects)
        last = each.size // size - 1
        number = {0: 0, 1: last}.get(sample, random.randint(0, last))
        _range(connection, each, number * size, size)
    connection.close()


def whole(port: int, each: Object) -> None:
    """All of an object, by a plain GET."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    answer = _ask(connection, each, {})
    _expect(answer, 200, each.size, None, each)
    _compare(answer, each, 0, each.size)
    connection.close()


def check_the_check(port: int, probe: Object, differing: pathlib.Path) -> None:
    """That other bytes are found, else nothing below means anything. The file differs from the object in a byte."""
    ranges(port, [probe], probe.size)
    try:
        ranges(port, [dataclasses.replace(probe, file=differing)], probe.size)
    except Wrong:
        return
    raise RuntimeError("a wrong byte went unnoticed")


def foreign_pin(port: int, each: Object) -> str:
    """What becomes of a range that is pinned to another revision than the current one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    answer = _ask(connection, each, {"Range": "bytes=0-15", "If-Match": '"another"'})
    connection.close()
    return {412: "412", 206: "206, the pin is ignored"}.get(answer.status, str(answer.status))


def _range(connection: http.client.HTTPConnection, each: Object, first: int, size: int) -> None:
    last = first + size - 1
    answer = _ask(connection, each, {"Range": f"bytes={first}-{last}", "If-Match": each.etag})
    _expect(answer, 206, size, f"bytes {first}-{last}/{each.size}", each)
    _compare(answer, each, first, size)


def _ask(connection: http.client.HTTPConnection, each: Object, fields: dict[str, str]) -> http.client.HTTPResponse:
    try:
        connection.request("GET", each.path, headers=fields)
        return connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise Wrong(f"no answer: {error!r}") from error


def _expect(
    answer: http.client.HTTPResponse, status: int, length: int, content_range: str | None, each: Object
) -> None:
    for what, found, expected in [
        ("status", answer.status, status),
        ("Content-Length", answer.getheader("Content-Length"), str(length)),
        ("Content-Range", answer.getheader("Content-Range"), content_range),
        ("ETag", answer.getheader("ETag"), each.etag),
    ]:
        if found != expected:
            raise Wrong(f"{what} {found} instead of {expected}")


def _compare(answer: http.client.HTTPResponse, each: Object, first: int, size: int) -> None:
    with open(each.file, "rb") as known:
        known.seek(first)
        left = size
        while left:
            try:
                piece = answer.read(min(PIECE, left))
            except (OSError, http.client.HTTPException) as error:
                raise Wrong(f"a body that breaks off: {error!r}") from error
            if not piece:
                raise Wrong(f"a body that is {left} bytes short")
            if piece != known.read(len(piece)):
                raise Wrong(f"{each.path}: other bytes at {first + size - left} or soon after")
            left -= len(piece)
