#!/usr/bin/env python3
"""The same objects behind several caches and at their origin, measured in one run. Called by `run`, which builds first."""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator

import machine
import objects
import pictures
import report
import rows
import servers
import verify
from load import Generator
from measure import Bench, Results, half_of_the_slowest, say
from outcome import Grown, Measured, Outcome
from servers import Fleet, Server

HERE = pathlib.Path(__file__).resolve().parent
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GROWING = ["pinstripe", "nginx"]
# Many steps, whose shape matters more than each figure.
GROWTH_ROUNDS = 3


def main() -> None:
    arguments = parse()
    for each in STOPS:
        signal.signal(each, stop)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    begun = time.monotonic()
    with temporary(arguments.dir) as folder:
        make(arguments, folder)
    say(f"took {time.monotonic() - begun:.0f} s")


def stop(*_: object) -> None:
    """Once; what follows is the end of all servers, and nothing cuts that short."""
    for each in STOPS:
        signal.signal(each, signal.SIG_IGN)
    sys.exit("stopped")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benches/peers/run", description=__doc__)
    names = [kind.name for kind in servers.PEERS]
    parser.add_argument("--pinstripe", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--load", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="short rounds: whether it works, not what is true")
    parser.add_argument("--growth", action="store_true", help="also how costs grow with connections, sizes and objects")
    parser.add_argument(
        "--rows", help=f"only these, with commas: {','.join(row.name for row in rows.ROWS)},cold, or none"
    )
    parser.add_argument("--peers", help=f"only these, with commas: {','.join(names)}")
    parser.add_argument("--rounds", type=int, help="of each server in each row (5; 3 if quick)")
    parser.add_argument("--seconds", type=float, help="of each round (1.5; 0.4 if quick)")
    parser.add_argument(
        "--objects", type=int, default=10_000, help="the most objects of the growth series (%(default)s)"
    )
    parser.add_argument("--threads", type=int, default=2, help="of the load generator (%(default)s)")
    parser.add_argument("--dir", type=pathlib.Path, help="where caches and objects are made and removed again")
    parser.add_argument("--out", type=pathlib.Path, help="where the report goes")
    arguments = parser.parse_args()
    partial = arguments.quick or arguments.rows or arguments.peers
    # What is kept in the repository is only replaced by a whole run.
    arguments.out = arguments.out or (machine.ROOT / "target" / "peers" if partial else HERE / "results")
    arguments.rounds = arguments.rounds or (3 if arguments.quick else 5)
    arguments.seconds = arguments.seconds or (0.4 if arguments.quick else 1.5)
    arguments.peers = chosen(parser, arguments.peers, names)
    everything = [*(row.name for row in rows.ROWS), "cold"]
    arguments.rows = [] if arguments.rows == "none" else chosen(parser, arguments.rows, everything)
    return arguments


def chosen(parser: argparse.ArgumentParser, text: str | None, known: list[str]) -> list[str]:
    wanted = text.split(",") if text else known
    if strangers := [name for name in wanted if name not in known]:
        parser.error(f"not known: {', '.join(strangers)}; there are {', '.join(known)}")
    return wanted


@contextlib.contextmanager
def temporary(parent: pathlib.Path | None) -> Iterator[pathlib.Path]:
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pinstripe-peers-", dir=parent))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make(arguments: argparse.Namespace, folder: pathlib.Path) -> None:
    www = folder / "objects"
    with Fleet(folder, www, arguments.pinstripe) as fleet:
        say("making objects, starting servers")
        www.mkdir()
        big = objects.make(www, "big", rows.OBJECT)
        fleet.start(arguments.peers)
        outcome = prepare(arguments, folder, fleet)
        check_the_check(fleet, www, folder)
        generator = Generator(arguments.load, arguments.threads)
        bench = Bench(generator, fleet.servers, folder, arguments.seconds, arguments.rounds)
        bench.warm([big])
        outcome.pins = {server.name: pin(server, big) for server in fleet.servers}
        compare(arguments, bench, outcome, big)
        if "cold" in arguments.rows:
            fresh = [objects.make(www, f"cold-{number}", rows.COLD_OBJECT) for number in range(arguments.rounds)]
            outcome.cold = Measured(rows.COLD, bench.cold(rows.COLD, fresh))
        if arguments.growth:
            bench.rounds = min(bench.rounds, GROWTH_ROUNDS)
            bench.servers = [server for server in fleet.servers if server.name in GROWING]
            grow(arguments, bench, outcome, big, www)
    arguments.out.mkdir(parents=True, exist_ok=True)
    drawn = pictures.draw(outcome, arguments.out)
    outcome.write(arguments.out / "latest.json")
    page = report.markdown(outcome, drawn)
    (arguments.out / "latest.md").write_text(page)
    print(page)
    say(f"the report is in {arguments.out}")


def check_the_check(fleet: Fleet, www: pathlib.Path, folder: pathlib.Path) -> None:
    probe = objects.make(www, "probe", rows.SMALL_OBJECT)
    known = probe.file.read_bytes()
    (folder / "differing").write_bytes(known[:-1] + bytes([known[-1] ^ 1]))
    origin = next(server for server in fleet.servers if server.name == servers.ORIGIN.name)
    verify.check_the_check(origin.port, probe, folder / "differing")


def prepare(arguments: argparse.Namespace, folder: pathlib.Path, fleet: Fleet) -> Outcome:
    kinds = [*(kind for kind in servers.PEERS if kind.name in arguments.peers), servers.ORIGIN]
    return Outcome(
        machine=machine.describe(folder),
        settings={
            "rounds": arguments.rounds,
            "seconds of a round": arguments.seconds,
            "threads of the generator": arguments.threads,
        },
        titles={kind.name: kind.title for kind in kinds},
        versions={kind.name: fleet.version(kind) for kind in kinds},
        not_started=fleet.failed,
    )


def pin(server: Server, big: objects.Object) -> str:
    try:
        return verify.foreign_pin(server.port, big)
    except verify.Wrong as error:
        return str(error)


def compare(arguments: argparse.Namespace, bench: Bench, outcome: Outcome, big: objects.Object) -> None:
    fast: dict[str, Results] = {}
    for row in rows.ROWS:
        if row.name not in arguments.rows:
            continue
        rate = None
        if row.paced_by:
            if row.paced_by not in fast:
                say(f"{row.title}: left out, since its rate comes from {row.paced_by}")
                continue
            rate = half_of_the_slowest(fast[row.paced_by])
            if rate is None:
                continue
        results = bench.row(row, [big], rate)
        fast[row.name] = results
        outcome.rows.append(Measured(row, results, rate))


def grow(arguments: argparse.Namespace, bench: Bench, outcome: Outcome, big: objects.Object, www: pathlib.Path) -> None:
    for series in rows.growth(arguments.objects):
        grown = Grown(series)
        outcome.growth.append(grown)
        small: list[objects.Object] = []
        for quantity, shape, count in series.steps:
            if series.name == "objects":
                new = [
                    objects.make(www, f"small/{number:08}", rows.SMALL_OBJECT) for number in range(len(small), count)
                ]
                # Asked for when their turn comes, so that what they cost is seen from there on.
                bench.warm(new)
                small += new
            row = rows.Row(f"{series.name}-{quantity}", shape)
            grown.steps.append((quantity, bench.row(row, small or [big])))


if __name__ == "__main__":
    main()
