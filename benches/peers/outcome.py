"""All that a run has found."""

from __future__ import annotations

import json
import pathlib
from dataclasses import dataclass, field

from measure import Results
from rows import Row, Series

VERSION = 1


@dataclass
class Measured:
    """One row, and the rate if it had a fixed one."""

    row: Row
    results: Results
    rate: float | None = None


@dataclass
class Grown:
    """One series: a quantity, and what came of it."""

    series: Series
    steps: list[tuple[int, Results]] = field(default_factory=list)


@dataclass
class Outcome:
    """Filled while it runs."""

    machine: dict[str, str]
    settings: dict[str, float | int]
    titles: dict[str, str]
    versions: dict[str, str]
    pins: dict[str, str] = field(default_factory=dict)
    """What each makes of a pin to another revision."""
    not_started: dict[str, str] = field(default_factory=dict)
    rows: list[Measured] = field(default_factory=list)
    cold: Measured | None = None
    growth: list[Grown] = field(default_factory=list)

    def write(self, file: pathlib.Path) -> None:
        data = {
            "format": VERSION,
            "machine": self.machine,
            "settings": self.settings,
            "versions": self.versions,
            "foreign_pins": self.pins,
            "not_started": self.not_started,
            "rows": [_measured(each) for each in self.rows + ([self.cold] if self.cold else [])],
            "growth": [
                {
                    "name": each.series.name,
                    "quantity": each.series.quantity,
                    "steps": [{"quantity": quantity, "servers": _servers(results)} for quantity, results in each.steps],
                }
                for each in self.growth
            ],
        }
        file.write_text(json.dumps(data, indent=1) + "\n")


def _measured(each: Measured) -> dict[str, object]:
    shape = each.row.shape
    head: dict[str, object] = {
        "name": each.row.name,
        "size": shape.size,
        "connections": shape.connections,
        "rate": each.rate,
    }
    return head | {"servers": _servers(each.results)}


def _servers(results: Results) -> dict[str, object]:
    return {name: result.data() for name, result in results.items()}
