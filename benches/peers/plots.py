"""The three kinds of picture: bars for what was reached, dots for quantiles, lines for growth."""

from __future__ import annotations

import math
from dataclasses import dataclass

from svg import COLORS, FAINT, INK, Page, Scale, decades, from_zero, short

WIDTH = 860
LEFT, RIGHT = 130, 80
BAR, GAP = 18, 6
# More between the largest and the smallest value is drawn by powers.
WIDE = 30
RADII = {"p50": 3, "p99": 5, "p99.9": 7}


@dataclass(frozen=True)
class Bar:
    """A median with the least and the most beside it; none if there is only a word to say."""

    name: str
    title: str
    value: float | None
    low: float = 0
    high: float = 0
    word: str = ""


@dataclass(frozen=True)
class Line:
    """One server's values, from left to right."""

    name: str
    title: str
    points: list[tuple[float, float]]


@dataclass(frozen=True)
class Chart:
    """Lines in one frame."""

    title: str
    x_title: str
    lines: list[Line]


def bars(title: str, unit: str, panels: list[tuple[str, list[Bar]]]) -> str:
    """One panel below another, each with a scale of its own from zero."""
    height = 50 + sum(_panel_height(len(each)) for _, each in panels)
    page = Page(WIDTH, height)
    page.text(16, 26, title, 16)
    top = 50
    for heading, each in panels:
        _bars(page, top, f"{heading}, {unit}", each)
        top += _panel_height(len(each))
    return page.render()


def _panel_height(rows: int) -> int:
    return 60 + rows * (BAR + GAP)


def _bars(page: Page, top: float, heading: str, each: list[Bar]) -> None:
    page.text(16, top + 12, heading, 13)
    highest = [bar.high for bar in each if bar.value is not None]
    scale = from_zero(highest, LEFT, WIDTH - RIGHT)
    bottom = top + 22 + len(each) * (BAR + GAP)
    _grid(page, scale, top + 20, bottom)
    for number, bar in enumerate(each):
        y = top + 22 + number * (BAR + GAP)
        middle = y + BAR / 2
        page.text(LEFT - 8, middle + 4, bar.title, 12, "end")
        if bar.value is None:
            page.text(LEFT + 4, middle + 4, bar.word, 11)
            continue
        page.box(LEFT, y, scale(bar.value) - LEFT, BAR, COLORS[bar.name])
        page.line([(scale(bar.low), middle), (scale(bar.high), middle)], INK)
        page.text(scale(bar.high) + 5, middle + 4, short(bar.value), 11)


def _grid(page: Page, scale: Scale, top: float, bottom: float) -> None:
    for tick in scale.ticks():
        page.line([(scale(tick), top), (scale(tick), bottom)], FAINT)
        page.text(scale(tick), bottom + 13, short(tick), 10, "middle")


def dots(title: str, unit: str, panels: list[tuple[str, list[tuple[str, str, dict[str, float]]]]]) -> str:
    """Quantiles of each server on one line, on a logarithmic scale that all panels share."""
    height = 50 + sum(_panel_height(len(each)) for _, each in panels)
    page = Page(WIDTH, height)
    page.text(16, 26, title, 16)
    values = [value for _, each in panels for _, _, quantiles in each for value in quantiles.values()]
    scale = decades(values, LEFT, WIDTH - RIGHT)
    top = 50
    for heading, each in panels:
        page.text(16, top + 12, f"{heading}, {unit}", 13)
        _grid(page, scale, top + 20, top + 22 + len(each) * (BAR + GAP))
        for number, (name, server, quantiles) in enumerate(each):
            y = top + 22 + number * (BAR + GAP) + BAR / 2
            page.text(LEFT - 8, y + 4, server, 12, "end")
            places = [(scale(value), y) for value in quantiles.values()]
            page.line(places, COLORS[name], 2)
            for (x, _), quantile in zip(places, quantiles):
                page.dot(x, y, COLORS[name], RADII[quantile])
        top += _panel_height(len(each))
    return page.render()


def lines(title: str, charts: list[Chart]) -> str:
    """Two charts in each row; quantities to the right by powers, values up from zero."""
    rows = math.ceil(len(charts) / 2)
    page = Page(WIDTH, 60 + rows * 270)
    page.text(16, 26, title, 16)
    for number, chart in enumerate(charts):
        _chart(page, chart, 16 + (number % 2) * 425, 44 + (number // 2) * 270)
    return page.render()


def _chart(page: Page, chart: Chart, left: float, top: float) -> None:
    page.text(left, top + 12, chart.title, 13)
    points = [point for line in chart.lines for point in line.points]
    across = [x for x, _ in points] or [1]
    right = max(across) if max(across) > min(across) else min(across) * 10
    x_scale = Scale(min(across), right, left + 45, left + 385, logarithmic=True)
    y_scale = _upwards([y for _, y in points], top + 205, top + 24)
    for tick in y_scale.ticks():
        page.line([(x_scale.begin, y_scale(tick)), (x_scale.end, y_scale(tick))], FAINT)
        page.text(x_scale.begin - 5, y_scale(tick) + 4, short(tick), 10, "end")
    for x in sorted(set(across)):
        page.text(x_scale(x), top + 220, _quantity(x, chart.x_title), 10, "middle")
    page.text((x_scale.begin + x_scale.end) / 2, top + 236, chart.x_title, 11, "middle")
    for number, line in enumerate(chart.lines):
        places = [(x_scale(x), y_scale(y)) for x, y in line.points]
        page.line(places, COLORS[line.name], 2)
        for x, y in places:
            page.dot(x, y, COLORS[line.name], 3)
        page.box(x_scale.begin + number * 140, top + 246, 10, 10, COLORS[line.name])
        page.text(x_scale.begin + number * 140 + 14, top + 255, line.title, 11)


def _upwards(values: list[float], begin: float, end: float) -> Scale:
    """From zero, unless the small values could then not be told from each other."""
    some = [value for value in values if value > 0] or [1]
    wide = max(some) > WIDE * min(some)
    return decades(values, begin, end) if wide else from_zero(values, begin, end)


def _quantity(value: float, of: str) -> str:
    """Bytes by powers of two, all else by powers of ten."""
    if "bytes" not in of:
        return f"{value:.0f}" if value < 10_000 else short(value)
    return f"{value / 2**20:.0f}M" if value >= 2**20 else f"{value / 2**10:.0f}K"
