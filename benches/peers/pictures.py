"""The pictures of a run, drawn beside its table."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import plots
from measure import Result
from outcome import Grown, Measured, Outcome
from plots import Bar, Chart, Line

QUANTILES = {"p50": "p50", "p99": "p99", "p999": "p99.9"}


def draw(outcome: Outcome, folder: pathlib.Path) -> list[tuple[str, str]]:
    """Writes them; gives file names and titles."""
    fast = [each for each in outcome.rows if not each.rate]
    paced = [each for each in outcome.rows if each.rate]
    drawn: list[tuple[str, str]] = []
    for stale in folder.glob("growth-*.svg"):
        stale.unlink()

    def save(file: str, title: str, picture: str) -> None:
        (folder / file).write_text(picture)
        drawn.append((file, title))

    if fast:
        title = "What each reaches with two threads; the line is from the least to the most of all rounds"
        save("throughput.svg", title, _bars(title, "MB/s", fast, "bytes_per_second", 1e-6, outcome))
        title = "Processor time for each request; less is better"
        save("cpu.svg", title, _bars(title, "µs", fast, "cpu_per_request", 1e6, outcome))
    if paced:
        title = "Latency at a fixed rate, from when a request was due: p50, p99 and, the largest dot, p99.9"
        save("latency.svg", title, plots.dots(title, "µs", [_quantiles(each, outcome) for each in paced]))
    for each in outcome.growth:
        title = f"Growth: {each.series.title}"
        save(f"growth-{each.series.name}.svg", title, plots.lines(title, _charts(each, outcome)))
    return drawn


def _bars(title: str, unit: str, rows: list[Measured], name: str, factor: float, outcome: Outcome) -> str:
    def bar(server: str, result: Result) -> Bar:
        if result.refused:
            return Bar(server, outcome.titles[server], None, word=f"refused: {result.refused}"[:90])
        low, high = result.spread(name)
        return Bar(server, outcome.titles[server], result.median(name) * factor, low * factor, high * factor)

    panels = [(each.row.title, [bar(*pair) for pair in each.results.items()]) for each in rows]
    return plots.bars(title, unit, panels)


def _quantiles(each: Measured, outcome: Outcome) -> tuple[str, list[tuple[str, str, dict[str, float]]]]:
    servers = []
    for server, result in each.results.items():
        if result.refused:
            continue
        every = [(title, result.latency(name)) for name, title in QUANTILES.items()]
        known = {title: value for title, value in every if value is not None}
        servers.append((server, outcome.titles[server], known))
    return f"{each.row.title}: {each.rate:.0f} requests/s", servers


def _charts(each: Grown, outcome: Outcome) -> list[Chart]:
    charts: list[tuple[str, Callable[[Result], float | None]]] = [
        ("throughput, MB/s", lambda result: result.median("bytes_per_second") / 1e6),
        ("processor time, µs a request", lambda result: result.median("cpu_per_request") * 1e6),
        ("processor time, s a GB", lambda result: result.median("cpu_per_byte") * 1e9),
        ("p99, µs", lambda result: result.latency("p99")),
        ("memory (PSS), MiB", lambda result: result.median("pss") / 2**20),
    ]
    return [Chart(title, each.series.quantity, _lines(each, outcome, value)) for title, value in charts]


def _lines(each: Grown, outcome: Outcome, value: Callable[[Result], float | None]) -> list[Line]:
    points: dict[str, list[tuple[float, float]]] = {}
    for quantity, results in each.steps:
        for server, result in results.items():
            y = None if result.refused else value(result)
            if y is not None:
                points.setdefault(server, []).append((quantity, y))
    return [Line(server, outcome.titles[server], line) for server, line in points.items()]
