"""The servers that are compared: how each is started, from its templates in configs/, and what it asked upstream."""

from __future__ import annotations

import pathlib
import re
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass

from process import Ended, Running, tail

CONFIGS = pathlib.Path(__file__).resolve().parent / "configs"
PATIENCE = 30.0
PLACEHOLDER = re.compile(r"@([A-Z_]+)@")


@dataclass(frozen=True)
class Kind:
    """A program, the files that it reads, and how it is called; @NAMES@ are filled in."""

    name: str
    title: str
    configs: list[str]
    command: list[str]
    version: list[str]
    environment: dict[str, str]


NGINX = ["/usr/sbin/nginx", "-e", "@DIR@/error.log", "-c"]

ORIGIN = Kind("origin", "the origin itself", ["origin.conf"], [*NGINX, "@DIR@/origin.conf"], ["nginx", "-v"], {})
PEERS = [
    Kind("pinstripe", "Pinstripe, disk", ["pinstripe.yaml"], ["@PINSTRIPE@", "run", "--config", "@DIR@/pinstripe.yaml"],
         ["@PINSTRIPE@", "--version"], {"TOKIO_WORKER_THREADS": "2"}),
    Kind("nginx", "nginx, slice 4m", ["nginx.conf"], [*NGINX, "@DIR@/nginx.conf"], ["nginx", "-v"], {}),
    Kind("varnish", "Varnish, malloc", ["default.vcl"],
         ["/usr/sbin/varnishd", "-F", "-j", "none", "-n", "@DIR@/work", "-a", "127.0.0.1:@PORT@",
          "-f", "@DIR@/default.vcl", "-s", "malloc,2g", "-p", "thread_pools=2", "-p", "thread_pool_min=50",
          "-p", "thread_pool_max=1500", "-p", "timeout_idle=3600"],
         ["varnishd", "-V"], {}),
    Kind("ats", "Traffic Server", ["records.config", "remap.config", "storage.config", "ip_allow.yaml", "runroot.yaml"],
         ["/usr/bin/traffic_server", "--run-root=@DIR@/runroot.yaml"],
         ["traffic_server", "-V"], {}),
    Kind("squid", "Squid, memory", ["squid.conf"],
         ["/usr/sbin/squid", "--foreground", "-n", "@UNIQUE@", "-f", "@DIR@/squid.conf"],
         ["squid", "-v"], {}),
]  # fmt: skip


CAPPED = Kind("pinstripe-capped", "Pinstripe, 256 connections", ["pinstripe-capped.yaml"],
              ["@PINSTRIPE@", "run", "--config", "@DIR@/pinstripe-capped.yaml"],
              ["@PINSTRIPE@", "--version"], {"TOKIO_WORKER_THREADS": "2"})  # fmt: skip


class Server:
    """One that runs, on a port of its own, with an origin's port of its own behind it."""

    def __init__(self, kind: Kind, port: int, running: Running, upstream_log: pathlib.Path | None):
        self.kind = kind
        self.port = port
        self.running = running
        self.upstream_log = upstream_log

    @property
    def name(self) -> str:
        return self.kind.name

    def upstream(self) -> tuple[int, int]:
        """Requests and bytes of bodies that it had from the origin so far."""
        if self.upstream_log is None or not self.upstream_log.exists():
            return 0, 0
        lines = self.upstream_log.read_text().split()
        return len(lines), sum(map(int, lines))


class Fleet:
    """All servers of a run, each in a folder of its own. What was started is stopped, whatever happens."""

    def __init__(self, folder: pathlib.Path, objects: pathlib.Path, pinstripe: pathlib.Path):
        self.folder = folder
        self.objects = objects
        self.pinstripe = pinstripe
        self.servers: list[Server] = []
        self.failed: dict[str, str] = {}
        self._started: list[Running] = []

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        for running in reversed(self._started):
            running.stop()

    def start(self, wanted: list[str]) -> None:
        """The origin, and those peers; one that cannot be started is left out, and it is said why."""
        kinds = [kind for kind in [*PEERS, CAPPED] if kind.name in wanted]
        behind = {kind.name: free_port() for kind in kinds}
        logged = "\n".join(
            f"    server {{ listen 127.0.0.1:{port} reuseport; access_log {self.folder}/upstream-{name}.log bytes; }}"
            for name, port in behind.items()
        )
        origin = self._start(ORIGIN, {"OBJECTS": str(self.objects), "LOGGED": logged})
        for kind in kinds:
            port = behind[kind.name]
            try:
                values = {"ORIGIN": f"127.0.0.1:{port}", "ORIGIN_PORT": str(port)}
                self.servers.append(self._start(kind, values, self.folder / f"upstream-{kind.name}.log"))
            except (Ended, OSError) as error:
                self.failed[kind.name] = str(error)
        self.servers.append(origin)

    def _start(self, kind: Kind, values: dict[str, str], upstream_log: pathlib.Path | None = None) -> Server:
        folder = self.folder / kind.name
        # Some servers change to a user of their own, who must be able to write here.
        for each in [folder, folder / "tmp", folder / "cache", folder / "work"]:
            each.mkdir()
            each.chmod(0o777)
        port = free_port()
        values |= {"DIR": str(folder), "PORT": str(port), "ADMIN_PORT": str(free_port())}
        values |= {"PINSTRIPE": str(self.pinstripe), "UNIQUE": re.sub("[^a-z0-9]", "", self.folder.name)}
        for config in kind.configs:
            (folder / config).write_text(fill((CONFIGS / config).read_text(), values))
        if kind.name.startswith("pinstripe"):
            (folder / "cache").chmod(0o700)
        command = [fill(word, values) for word in kind.command]
        running = Running(kind.name, command, folder / "log", kind.environment)
        self._started.append(running)
        wait_until_it_listens(running, port)
        return Server(kind, port, running, upstream_log)

    def version(self, kind: Kind) -> str:
        """What it says of itself."""
        command = [fill(word, {"PINSTRIPE": str(self.pinstripe)}) for word in kind.version]
        command[0] = shutil.which(command[0], path="/usr/sbin:/usr/bin:/sbin:/bin") or command[0]
        said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
        found = re.search(r"\d+\.\d+(\.\d+)?", said)
        return found.group() if found else "unknown"


def fill(text: str, values: dict[str, str]) -> str:
    return PLACEHOLDER.sub(lambda match: values[match.group(1)], text)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until_it_listens(running: Running, port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        running.check()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise Ended(f"{running.name} does not listen after {PATIENCE:.0f} s: {tail(running.log)}")
