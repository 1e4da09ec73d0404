"""A page of panels in SVG, and scales from values to places on it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

FONT = 'font-family="system-ui, sans-serif"'
# Told apart by those who do not see red and green apart, too (Okabe and Ito).
COLORS = {
    "pinstripe": "#0072b2",
    "nginx": "#009e73",
    "varnish": "#d55e00",
    "ats": "#cc79a7",
    "squid": "#e69f00",
    "origin": "#7f7f7f",
}
INK, FAINT = "#222222", "#dddddd"


@dataclass
class Page:
    """Elements, from the top left."""

    width: int
    height: int
    elements: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, text: str, size: int = 12, anchor: str = "start", turn: int = 0) -> None:
        turned = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn else ""
        self.elements.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" {FONT} fill="{INK}" text-anchor="{anchor}"{turned}>'
            f"{escape(text)}</text>"
        )

    def box(self, x: float, y: float, width: float, height: float, color: str) -> None:
        self.elements.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{color}"/>'
        )

    def line(self, points: list[tuple[float, float]], color: str, width: float = 1) -> None:
        places = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.elements.append(f'<polyline points="{places}" fill="none" stroke="{color}" stroke-width="{width}"/>')

    def dot(self, x: float, y: float, color: str, radius: float = 3.5) -> None:
        self.elements.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{color}"/>')

    def render(self) -> str:
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{self.height}" '
                f'viewBox="0 0 {self.width} {self.height}">',
                f'<rect width="{self.width}" height="{self.height}" fill="white"/>',
                *self.elements,
                "</svg>\n",
            ]
        )


@dataclass(frozen=True)
class Scale:
    """Places between two ends for values between two bounds."""

    low: float
    high: float
    begin: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high, value = (self._measure(each) for each in (self.low, self.high, max(value, self.low)))
        return self.begin + (self.end - self.begin) * (value - low) / (high - low)

    def ticks(self) -> list[float]:
        if self.logarithmic:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            return [10.0**power for power in range(first, last + 1)]
        step = nice((self.high - self.low) / 4)
        return [self.low + step * number for number in range(int((self.high - self.low) / step + 1e-9) + 1)]

    def _measure(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value


def from_zero(values: list[float], begin: float, end: float) -> Scale:
    return Scale(0, max(values, default=0) * 1.05 or 1, begin, end)


def decades(values: list[float], begin: float, end: float) -> Scale:
    """From one power of ten to another, with all values between."""
    some = [value for value in values if value > 0] or [1]
    low = 10.0 ** math.floor(math.log10(min(some)))
    high = 10.0 ** math.ceil(math.log10(max(some)))
    return Scale(low, high if high > low else low * 10, begin, end, logarithmic=True)


def nice(step: float) -> float:
    """The next of 1, 2, 5, 10, 20, …"""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step)


def short(value: float) -> str:
    """With three digits, as people read numbers."""
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= factor:
            return f"{value / factor:.3g}{unit}"
    return f"{value:.3g}"
