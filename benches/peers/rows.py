"""What is measured: the rows of the comparison, and the series that show how costs grow."""

from __future__ import annotations

from dataclasses import dataclass, field

KIB, MIB = 1 << 10, 1 << 20
OBJECT = 256 * MIB
COLD_OBJECT = 128 * MIB
SMALL_OBJECT = 16 * KIB


@dataclass(frozen=True)
class Shape:
    """What each request asks for, bytes of a range or "whole", and over how many connections."""

    size: int | str
    connections: int

    @property
    def title(self) -> str:
        size = self.size if isinstance(self.size, str) else f"{bytes_title(self.size)} ranges"
        return f"{size} × {self.connections}"


@dataclass(frozen=True)
class Row:
    """One comparison: a shape, as fast as it goes, or at a rate that all can hold."""

    name: str
    shape: Shape
    paced_by: str | None = None
    """The row whose slowest serious peer names the rate."""

    @property
    def title(self) -> str:
        return self.shape.title + (", fixed rate" if self.paced_by else "")


@dataclass(frozen=True)
class Series:
    """How one shape's cost changes with one quantity. Each step: the quantity, the shape, how many objects."""

    name: str
    title: str
    quantity: str
    steps: list[tuple[int, Shape, int]] = field(default_factory=list)


CLOSED = [
    Row("8MiB", Shape(8 * MIB, 8)),
    Row("64KiB", Shape(64 * KIB, 32)),
    Row("4KiB", Shape(4 * KIB, 32)),
    Row("whole", Shape("whole", 4)),
]
OPEN = [Row(f"{row.name}-rate", row.shape, row.name) for row in CLOSED if row.name != "whole"]
ROWS = [*CLOSED, *OPEN]
# The last, since it writes.
COLD = Row("cold", Shape(8 * MIB, 8))


def growth(objects: int) -> list[Series]:
    """Up to so many objects."""
    connections = [1, 4, 16, 64, 256, 1024]
    sizes = [KIB << step for step in range(0, 17, 2)]
    counts = [count for count in (10**power for power in range(9)) if count < objects] + [objects]
    return [
        Series(
            "connections",
            "64 KiB ranges of one object over more and more connections",
            "connections",
            [(count, Shape(64 * KIB, count), 1) for count in connections],
        ),
        Series(
            "sizes",
            "larger and larger ranges of one object over 8 connections",
            "bytes of a range",
            [(size, Shape(size, 8), 1) for size in sizes],
        ),
        Series(
            "objects",
            f"objects of {bytes_title(SMALL_OBJECT)}, more and more of them, over 32 connections",
            "objects",
            [(count, Shape(SMALL_OBJECT, 32), count) for count in counts],
        ),
    ]


def bytes_title(size: int) -> str:
    return f"{size // MIB} MiB" if size >= MIB else f"{size // KIB} KiB"
