"""Processes that this run started: their start and end, and what they use of the machine."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import time
from dataclasses import dataclass

PROC = pathlib.Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE = 10.0


class Ended(Exception):
    """A server that is not there, or not any more."""


@dataclass(frozen=True)
class Stat:
    """One process, as /proc/PID/stat has it."""

    pid: int
    parent: int
    cpu: float
    """Seconds of all its threads, those that ended too."""


class Running:
    """A server and all its descendants."""

    def __init__(self, name: str, command: list[str], log: pathlib.Path, environment: dict[str, str]):
        self.name = name
        self.log = log
        with open(log, "wb") as out:
            # Should this process die without a word, the kernel ends what it has started.
            self.main = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=os.environ | environment,
                start_new_session=True,
            )

    def check(self) -> None:
        """An error if it has ended."""
        if self.main.poll() is not None:
            raise Ended(f"{self.name} ended with {self.main.returncode}: {tail(self.log)}")

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        return sum(stat.cpu for stat in family(self.main.pid))

    def pss(self) -> int:
        """Bytes of memory, where a page that n processes share counts as 1/n."""
        return sum(pss(stat.pid) for stat in family(self.main.pid))

    def stop(self) -> None:
        """Ends it, with patience, and then whatever is left of it without."""
        members = [stat.pid for stat in family(self.main.pid)]
        self.main.terminate()
        deadline = time.monotonic() + PATIENCE
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.main.wait(PATIENCE)
        while any(alive(pid) for pid in members) and time.monotonic() < deadline:
            time.sleep(0.02)
        for pid in filter(alive, members):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.main.wait()


def family(root: int) -> list[Stat]:
    """A process and its descendants."""
    everyone = [stat for stat in map(stat_of, pids()) if stat]
    members, found = {root}, 0
    while len(members) > found:
        found = len(members)
        members |= {stat.pid for stat in everyone if stat.parent in members}
    return [stat for stat in everyone if stat.pid in members]


def pids() -> list[int]:
    return [int(entry) for entry in os.listdir(PROC) if entry.isdecimal()]


def stat_of(pid: int) -> Stat | None:
    """None if it is gone, or a zombie."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, in parentheses, may hold anything.
    fields = text.rpartition(")")[2].split()
    if fields[0] == "Z":
        return None
    return Stat(pid, int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS)


def alive(pid: int) -> bool:
    return stat_of(pid) is not None


def pss(pid: int) -> int:
    try:
        text = (PROC / str(pid) / "smaps_rollup").read_text()
    except OSError:
        return 0
    kib = next((line.split()[1] for line in text.splitlines() if line.startswith("Pss:")), "0")
    return int(kib) << 10


def machine_cpu() -> tuple[float, float]:
    """Seconds that all processors were busy, and that the host of a virtual machine took from them."""
    line = (PROC / "stat").read_text().splitlines()[0]
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(word) / TICKS for word in line.split()[1:9])
    return user + nice + system + irq + softirq, steal


def tail(log: pathlib.Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return " / ".join(lines[-3:]) or "nothing said"
