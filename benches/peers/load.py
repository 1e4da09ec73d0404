"""The load generator, and what it and the server used meanwhile."""

from __future__ import annotations

import json
import pathlib
import subprocess
import time
from dataclasses import asdict, dataclass

from process import machine_cpu
from rows import Shape
from servers import Server

# A run that does not end by itself is ended; the generator itself gives up after 20 s of silence.
PATIENCE = 180


class Failed(Exception):
    """The generator was not answered as it asked."""


@dataclass(frozen=True)
class Round:
    """One round of load on one server. Times are in seconds, latencies in microseconds."""

    requests: int
    bytes: int
    seconds: float
    requests_per_second: float
    bytes_per_second: float
    cpu_per_request: float
    cpu_per_byte: float
    generator_cpu_per_request: float
    latency: dict[str, float | None]
    late: dict[str, float | None]
    """How long after it was due a request was sent."""
    reconnects: int
    pss: int
    """Of the server, while it was under load."""
    others: float
    """Share of the machine that went to neither server nor generator, nor was idle."""

    def data(self) -> dict[str, object]:
        return asdict(self)


class Generator:
    """The program, and how it is called."""

    def __init__(self, program: pathlib.Path, threads: int):
        self.program = program
        self.threads = threads

    def run(
        self, server: Server, targets: pathlib.Path, shape: Shape, seconds: float | None, rate: float | None
    ) -> Round:
        """Without seconds, all ranges of all objects are asked for once."""
        command = [
            str(self.program),
            f"--server=127.0.0.1:{server.port}",
            f"--targets={targets}",
            f"--size={shape.size}",
            f"--connections={shape.connections}",
            f"--threads={self.threads}",
            "--once" if seconds is None else f"--seconds={seconds}",
        ]
        if rate is not None:
            command.append(f"--rate={rate}")
        cpu, (busy, steal), begun = server.running.cpu(), machine_cpu(), time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                if seconds is not None:
                    time.sleep(seconds / 2)
                pss = server.running.pss()
                out, error = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                raise Failed(f"not answered within {PATIENCE} s") from None
            finally:
                process.kill()
        cpu, wall = server.running.cpu() - cpu, time.monotonic() - begun
        busy, steal = (now - before for now, before in zip(machine_cpu(), (busy, steal)))
        server.running.check()
        if process.returncode:
            raise Failed(" ".join(error.removeprefix("Error: ").split())[:200])
        said = json.loads(out)
        used = cpu + said["cpu_seconds"]
        return Round(
            requests=said["requests"],
            bytes=said["bytes"],
            seconds=said["seconds"],
            requests_per_second=said["requests_per_second"],
            bytes_per_second=said["bytes_per_second"],
            cpu_per_request=cpu / said["requests"],
            cpu_per_byte=cpu / said["bytes"],
            generator_cpu_per_request=said["cpu_seconds"] / said["requests"],
            latency=said["latency_us"],
            late=said["late_us"],
            reconnects=said["reconnects"],
            pss=pss,
            others=max(0.0, busy + steal - used) / (wall * os_cpus()),
        )


def os_cpus() -> int:
    """Processors of this machine, whether or not all may be used."""
    return sum(line.startswith("processor") for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines())
