"""The report as Markdown: the machine, a summary, a table for each row, and where Pinstripe loses."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import table
from measure import Result
from outcome import Measured, Outcome

# Less is the same, as far as one can tell.
NOTEWORTHY = 1.02
# With so large a share for others, throughput and latency are theirs as well.
BUSY = 0.05


@dataclass(frozen=True)
class Figure:
    """Something by which caches are better or worse."""

    title: str
    value: Callable[[Result], float | None]
    more_is_better: bool = False


RATE = Figure("requests per second", lambda result: result.median("requests_per_second"), more_is_better=True)
SECONDS = Figure("time", lambda result: result.median("seconds"))
CPU = Figure("processor time", lambda result: result.median("cpu_per_request"))
LATENCY = Figure("p99", lambda result: result.latency("p99"))
MEMORY = Figure("memory", lambda result: result.median("pss"))


def markdown(outcome: Outcome, pictures: list[tuple[str, str]]) -> str:
    """The whole page; pictures are file names with what they show."""
    parts = [
        "# The last run\n\nWritten by `benches/peers/run`; [what it means](../../README.md).\n",
        _machine(outcome),
        _busy(outcome),
        _summary(outcome),
    ]
    parts += [table.row(each, outcome.titles) for each in outcome.rows]
    if outcome.cold:
        parts.append(table.cold(outcome.cold, outcome.titles))
    parts += [table.growth(each, outcome.titles) for each in outcome.growth]
    parts.append(_losses(outcome))
    parts += [f"## {title}\n\n![{title}]({file})\n" for file, title in pictures]
    return "\n".join(part for part in parts if part)


def _machine(outcome: Outcome) -> str:
    lines = [f"- {name}: {value}" for name, value in (outcome.machine | outcome.settings).items()]
    servers = table.table(
        ["server", "version", "a pin to another revision is answered"],
        [[title, outcome.versions.get(name, ""), outcome.pins.get(name, "")] for name, title in outcome.titles.items()],
    )
    failed = [f"\n{outcome.titles[name]} was not started: {why}" for name, why in outcome.not_started.items()]
    return "\n".join([*lines, "", servers, *failed, ""])


def _busy(outcome: Outcome) -> str:
    """A warning, if the machine had more to do."""
    results = [result for each in outcome.rows for result in each.results.values()]
    others = statistics.median([round_.others for result in results for round_ in result.rounds] or [0])
    if others < BUSY:
        return ""
    return (
        f"**The machine was busy: other processes took {others:.0%} of it. Processor times and memory can be compared, "
        "throughput and latency only roughly.**\n"
    )


def _summary(outcome: Outcome) -> str:
    """One line for each row."""
    heads = ["", *outcome.titles.values()]
    lines = []
    for each in outcome.rows:
        what = "p50 / p99, µs" if each.rate else "MB/s / CPU µs a request"
        lines.append([f"{each.row.title}: {what}", *(_brief(each, name) for name in outcome.titles)])
    if outcome.cold:
        cells = [_brief(outcome.cold, name) for name in outcome.titles]
        lines.append([f"cold, {outcome.cold.row.title}: s / MB from upstream", *cells])
    return f"## All rows\n\n{table.table(heads, lines)}\n"


def _brief(each: Measured, name: str) -> str:
    result = each.results.get(name)
    if result is None or result.refused:
        return "refused" if result else ""
    if each.row.name == "cold":
        return f"{result.median('seconds'):.2f} / {table.count(result.upstream_bytes / 1e6)}"
    if each.rate:
        held = "" if table.holds(each, result) else "rate not held"
        return held or f"{table.micros(result.latency('p50'))} / {table.micros(result.latency('p99'))}"
    throughput = table.count(result.median("bytes_per_second") / 1e6)
    return f"{throughput} / {table.micros(result.median('cpu_per_request') * 1e6)}"


def _losses(outcome: Outcome) -> str:
    """Every figure in which another cache is better."""
    lines = []
    for each in outcome.rows + ([outcome.cold] if outcome.cold else []):
        for figure in [SECONDS, CPU] if each is outcome.cold else [LATENCY, CPU] if each.rate else [RATE, CPU, MEMORY]:
            lines += _better(each, outcome.titles, figure)
    body = "\n".join(lines) or "In no row and by no figure."
    return f"## Where Pinstripe loses to another cache\n\n{body}\n"


def _better(each: Measured, titles: dict[str, str], figure: Figure) -> list[str]:
    """How many times as fast, or as cheap, other caches are."""
    own = each.results.get("pinstripe")
    mine = None if own is None or own.refused else figure.value(own)
    if not mine:
        return []
    found = []
    for name, result in each.results.items():
        theirs = None if name in ("pinstripe", "origin") or result.refused else figure.value(result)
        if not theirs:
            continue
        better = theirs / mine if figure.more_is_better else mine / theirs
        if better >= NOTEWORTHY:
            found.append(f"{titles[name]} {better:.2f} ×")
    name = "cold" if each.row.name == "cold" else each.row.title
    return [f"- {name}, {figure.title}: {', '.join(found)}"] if found else []
