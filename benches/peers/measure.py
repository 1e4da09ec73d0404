"""Rounds, interleaved between servers; a server whose answers are not right to the last byte is refused."""

from __future__ import annotations

import contextlib
import pathlib
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import objects
import verify
from load import Failed, Generator, Round
from objects import Object
from process import Ended
from rows import Row, Shape
from servers import Server

# Whole GETs until nothing is asked upstream any more, but not for ever. Some caches need more than one: a worker each,
# or a second look before something is kept in memory.
WARM_AT_LEAST = 3
WARM_AT_MOST = 20
WARM_GETS = 4
# A peer that does less than this share of the fastest cannot set the pace of all.
SERIOUS = 0.25


@dataclass
class Result:
    """All rounds of one server in one row, or why there are none."""

    rounds: list[Round] = field(default_factory=list)
    refused: str | None = None
    upstream_requests: int = 0
    upstream_bytes: int = 0
    again_bytes: int = 0
    """Of a cold download: what the same one took from upstream soon after it."""

    def values(self, name: str) -> list[float]:
        return [float(getattr(each, name)) for each in self.rounds]

    def median(self, name: str) -> float:
        return statistics.median(self.values(name))

    def spread(self, name: str) -> tuple[float, float]:
        return min(self.values(name)), max(self.values(name))

    def latency(self, quantile: str) -> float | None:
        """Of all rounds the median; none where too few requests tell."""
        least = {"p99": 100, "p999": 1000}.get(quantile, 1)
        if min(each.requests for each in self.rounds) < least:
            return None
        return statistics.median(each.latency[quantile] or 0 for each in self.rounds)

    def data(self) -> dict[str, object]:
        return {
            "refused": self.refused,
            "upstream_requests": self.upstream_requests,
            "upstream_bytes": self.upstream_bytes,
            "again_bytes": self.again_bytes,
            "rounds": [each.data() for each in self.rounds],
        }


Results = dict[str, Result]


class Bench:
    """How long, how often, and with what."""

    def __init__(self, generator: Generator, servers: list[Server], folder: pathlib.Path, seconds: float, rounds: int):
        self.generator = generator
        self.servers = servers
        self.folder = folder
        self.seconds = seconds
        self.rounds = rounds

    def warm(self, of: list[Object]) -> None:
        """Every server has all of it, and asks upstream for nothing more."""
        targets = self._targets(of * max(1, WARM_GETS // len(of)))
        for server in self.servers:
            say(f"warming {server.name}")
            for turn in range(WARM_AT_MOST):
                before = server.upstream()
                try:
                    self.generator.run(server, targets, Shape("whole", WARM_GETS), None, None)
                except (Failed, Ended) as error:
                    say(f"{server.name}: {error}")
                    break
                if turn + 1 >= WARM_AT_LEAST and server.upstream() == before:
                    break

    def row(self, row: Row, of: list[Object], rate: float | None = None) -> Results:
        """Warm reads, compared before and after the rounds with what is known of the objects."""
        results = {server.name: Result() for server in self.servers}
        targets = self._targets(of)
        self._verify(results, row.shape, of)
        before = {server.name: server.upstream() for server in self.servers}
        for number in range(self.rounds):
            for server in turned(self.servers, number):
                say(f"{row.title}: round {number + 1} of {self.rounds}, {server.name}")
                self._round(results[server.name], partial(self._load, server, targets, row.shape, rate))
        for server in self.servers:
            requests, size = server.upstream()
            results[server.name].upstream_requests = requests - before[server.name][0]
            results[server.name].upstream_bytes = size - before[server.name][1]
        self._verify(results, row.shape, of)
        return results

    def cold(self, row: Row, fresh: list[Object]) -> Results:
        """Downloads of an object that only the origin has, a fresh one each round. Upstream counts are per download."""
        results = {server.name: Result() for server in self.servers}
        for number, each in enumerate(fresh):
            targets = self._targets([each])
            for server in turned(self.servers, number):
                say(f"cold: round {number + 1} of {len(fresh)}, {server.name}")
                result, before = results[server.name], server.upstream()
                self._round(result, partial(self.generator.run, server, targets, row.shape, None, None))
                once = server.upstream()
                self._again(server, targets, row.shape)
                result.upstream_requests += once[0] - before[0]
                result.upstream_bytes += once[1] - before[1]
                result.again_bytes += server.upstream()[1] - once[1]
            self._verify(results, row.shape, [each])
        for result in results.values():
            result.upstream_requests = round(result.upstream_requests / len(fresh))
            result.upstream_bytes = round(result.upstream_bytes / len(fresh))
            result.again_bytes = round(result.again_bytes / len(fresh))
        return results

    def _targets(self, of: list[Object]) -> pathlib.Path:
        return objects.targets(of, self.folder / "targets")

    def _load(self, server: Server, targets: pathlib.Path, shape: Shape, rate: float | None) -> Round:
        return self.generator.run(server, targets, shape, self.seconds, rate)

    def _round(self, result: Result, load: Callable[[], Round]) -> None:
        if result.refused:
            return
        try:
            result.rounds.append(load())
        except (Failed, Ended) as error:
            result.refused = str(error)

    def _again(self, server: Server, targets: pathlib.Path, shape: Shape) -> None:
        with contextlib.suppress(Failed, Ended):
            self.generator.run(server, targets, shape, None, None)

    def _verify(self, results: Results, shape: Shape, of: list[Object]) -> None:
        for server in self.servers:
            result = results[server.name]
            if result.refused:
                continue
            try:
                if isinstance(shape.size, int):
                    verify.ranges(server.port, of, shape.size)
                else:
                    verify.whole(server.port, of[0])
            except verify.Wrong as error:
                result.refused = str(error)


def half_of_the_slowest(results: Results) -> float | None:
    """A rate that all but hopeless peers can hold, and so see what they take for it."""
    peaks = [result.median("requests_per_second") for result in results.values() if not result.refused]
    if not peaks:
        return None
    serious = [peak for peak in peaks if peak >= SERIOUS * max(peaks)]
    return min(serious) / 2


def turned(servers: list[Server], number: int) -> list[Server]:
    """Each round begins with another one, so that none always comes after the same."""
    start = number % len(servers)
    return servers[start:] + servers[:start]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
