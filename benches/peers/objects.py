"""The objects at the origin: files whose bytes are known, with the tags that nginx gives them."""

from __future__ import annotations

import os
import pathlib
from dataclasses import dataclass

PIECE = 1 << 20
# One time for all, so that a tag is known without asking.
MODIFIED = 1_700_000_000


@dataclass(frozen=True)
class Object:
    """One object: its path in URLs, its file, and what is known of it."""

    path: str
    file: pathlib.Path
    size: int

    @property
    def etag(self) -> str:
        return f'"{MODIFIED:x}-{self.size:x}"'


def make(root: pathlib.Path, name: str, size: int) -> Object:
    """Random bytes, so that no two places are the same."""
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "wb") as out:
        for begin in range(0, size, PIECE):
            out.write(os.urandom(min(PIECE, size - begin)))
    os.utime(file, (MODIFIED, MODIFIED))
    return Object(f"/{name}", file, size)


def targets(objects: list[Object], file: pathlib.Path) -> pathlib.Path:
    """The list that the load generator reads."""
    file.write_text("".join(f"{each.path} {each.etag} {each.size}\n" for each in objects))
    return file
