"""Tables in Markdown: one for each row, for the cold downloads and for each series."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from measure import Result, Results
from outcome import Grown, Measured

# A rate counts as held if so much of it was answered.
HELD = 0.95


def row(each: Measured, titles: dict[str, str]) -> str:
    heads = [
        "server",
        "requests/s",
        "least–most",
        "GB/s",
        "CPU µs/request",
        "CPU s/GB",
        "CPU / Pinstripe's",
        "client's CPU µs",
    ]
    heads += ["p50 µs", "p99", "p99.9", "PSS MiB", "upstream requests", "upstream MB"]
    own = each.results.get("pinstripe")
    reference = own.median("cpu_per_request") if own and not own.refused else None

    def cells(result: Result) -> list[str]:
        low, high = result.spread("requests_per_second")
        cpu = result.median("cpu_per_request")
        return [
            count(result.median("requests_per_second")) + ("" if holds(each, result) else ", not held"),
            f"{count(low)}–{count(high)}",
            f"{result.median('bytes_per_second') / 1e9:.2f}",
            micros(cpu * 1e6),
            f"{result.median('cpu_per_byte') * 1e9:.3f}",
            f"{cpu / reference:.2f}" if reference else "",
            micros(result.median("generator_cpu_per_request") * 1e6),
            *(micros(result.latency(quantile)) for quantile in ("p50", "p99", "p999")),
            f"{result.median('pss') / 2**20:.0f}",
            count(result.upstream_requests),
            f"{result.upstream_bytes / 1e6:.1f}",
        ]

    title = each.row.title + (f": {each.rate:.0f} requests/s" if each.rate else "")
    return f"## {title}\n\n{_servers(heads, each.results, titles, cells)}\n{_meter(each)}\n"


def _meter(each: Measured) -> str:
    """What to think of the figures above."""
    sound = [result for result in each.results.values() if not result.refused]
    if not sound:
        return ""
    others = [round_.others for result in sound for round_ in result.rounds]
    median, most = statistics.median(others), max(others)
    says = f"\nOther processes took {median:.0%} of the machine, at most {most:.0%} of it in a round."
    held = [result for result in sound if each.rate and holds(each, result)]
    late = [round_.late["p99"] or 0 for result in held for round_ in result.rounds]
    if late:
        median, most = statistics.median(late), max(late)
        says += f" Where the rate was held, the client sent {micros(median)} µs late, at most {micros(most)}"
        says += " (p99 of each round)."
    return says


def holds(each: Measured, result: Result) -> bool:
    """Whether as much was answered as was asked for."""
    return each.rate is None or result.median("requests_per_second") >= HELD * each.rate


def cold(each: Measured, titles: dict[str, str]) -> str:
    heads = [
        "server",
        "seconds",
        "least–most",
        "GB/s",
        "CPU s/GB",
        "upstream requests",
        "upstream MB",
        "of the same again",
    ]

    def cells(result: Result) -> list[str]:
        low, high = result.spread("seconds")
        return [
            f"{result.median('seconds'):.3f}",
            f"{low:.3f}–{high:.3f}",
            f"{result.median('bytes_per_second') / 1e9:.2f}",
            f"{result.median('cpu_per_byte') * 1e9:.3f}",
            count(result.upstream_requests),
            f"{result.upstream_bytes / 1e6:.1f}",
            f"{result.again_bytes / 1e6:.1f}",
        ]

    sizes = {round_.bytes for result in each.results.values() for round_ in result.rounds}
    size = f"{max(sizes, default=0) / 1e6:.1f} MB"
    return f"## Cold: {size} at once by {each.row.title}\n\n{_servers(heads, each.results, titles, cells)}\n"


def growth(each: Grown, titles: dict[str, str]) -> str:
    heads = [
        each.series.quantity,
        "server",
        "requests/s",
        "GB/s",
        "CPU µs/request",
        "CPU s/GB",
        "p50 µs",
        "p99",
        "PSS MiB",
    ]
    rows = []
    for quantity, results in each.steps:
        for name, result in results.items():
            if result.refused:
                rows.append([count(quantity), titles[name], f"refused: {result.refused}"])
                continue
            cells = [
                count(result.median("requests_per_second")),
                f"{result.median('bytes_per_second') / 1e9:.3f}",
                micros(result.median("cpu_per_request") * 1e6),
                f"{result.median('cpu_per_byte') * 1e9:.3f}",
                micros(result.latency("p50")),
                micros(result.latency("p99")),
                f"{result.median('pss') / 2**20:.0f}",
            ]
            rows.append([count(quantity), titles[name], *cells])
    return f"## Growth: {each.series.title}\n\n{table(heads, rows)}\n"


def _servers(heads: list[str], results: Results, titles: dict[str, str], cells: Callable[[Result], list[str]]) -> str:
    rows = []
    for name, result in results.items():
        rows.append([titles[name], *([f"refused: {result.refused}"] if result.refused else cells(result))])
    return table(heads, rows)


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Cells that a short row lacks are empty."""
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    for cells in rows:
        cells = [cell.replace("|", "\\|") for cell in cells] + [""] * (len(heads) - len(cells))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def count(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def micros(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}"
