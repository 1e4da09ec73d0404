"""What clients talk to: the kit's S3 server, sidecars, and a Service in front of several of them. All on loopback, on ports
that the system chooses; nothing is waited for by time."""

import itertools
import json
import os
import pathlib
import re
import socket
import subprocess
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug"
PATIENCE = 60
# Proxies and keys of whoever runs this are none of these tests' business.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("AWS_", "PINSTRIPE_")) and not name.lower().endswith("_proxy")
} | {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}

CONFIG = """
listen: [{{ address: 127.0.0.1:0, forward: true }}]
admin: {{ address: 127.0.0.1:0 }}
tiers:
  local: {{ disk: {{ path: '{folder}/blocks', capacity: 2GiB }} }}
  shared: {{ s3: {{ bucket: box, region: us-east-1, endpoint: '{endpoint}', path_style: true }} }}
  target: {{ http: {{ url: request, allow: [127.0.0.0/8] }} }}
routes:
  # A route without a host takes nothing that HTTP_PROXY brings, so it may come first
  - {{ name: reverse, match: {{ path: /box/ }}, tiers: [local, shared], auth: shared }}
  # What HTTP_PROXY brings for the same bucket, read as Pinstripe
  - {{ name: proxied, match: {{ host: 127.0.0.1, path: /box/ }}, tiers: [local, shared], auth: shared }}
  # Another name of the same bucket, for clients that go there in their own name
  - {{ name: passed, match: {{ host: localhost }}, tiers: [local, target] }}
"""


def built(name):
    path = TARGET / name
    if not path.exists():
        raise SystemExit(f"{path} is missing; `cargo test --workspace` builds it, and tests/run does all of it")
    return str(path)


class S3:
    """The kit's server; ends when its input does."""

    def __enter__(self):
        self.process = subprocess.Popen(
            [built("examples/s3")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT
        )
        lines = (self.process.stdout.readline().strip() for _ in range(4))
        self.environment = dict(line.split("=", 1) for line in lines)
        self.url = self.environment["AWS_ENDPOINT_URL"]
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.read()
        self.process.wait(PATIENCE)


class Sidecar:
    """`pinstripe run`, once it is ready."""

    def __init__(self, s3, folder):
        self.s3, self.folder = s3, pathlib.Path(folder)

    def __enter__(self):
        self.folder.mkdir()
        config = self.folder / "pinstripe.yaml"
        config.write_text(CONFIG.format(folder=self.folder, endpoint=self.s3.url))
        log = self.folder / "log"
        keys = {name: value for name, value in self.s3.environment.items() if name != "AWS_ENDPOINT_URL"}
        with log.open("w") as stderr:
            self.process = subprocess.Popen(
                [built("pinstripe"), "run", "--config", str(config)], stderr=stderr, env=ENVIRONMENT | keys
            )
        try:
            self.address, self.admin = eventually(lambda: self.addresses(log.read_text()))
            eventually(lambda: self.get("/readyz").startswith("ready"))
        except BaseException:
            print(log.read_text())
            self.__exit__()
            raise
        self.url = f"http://{self.address}"
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE)

    def addresses(self, log):
        """From the log: of clients, and of the admin listener."""
        if self.process.poll() is not None:
            raise SystemExit(f"pinstripe ended with {self.process.returncode}")
        lines = [json.loads(line) for line in log.splitlines(keepends=True) if line.endswith("\n")]
        told = [line["fields"] for line in lines if line["fields"].get("message", "").startswith("listening")]
        found = {fields["message"]: fields["address"] for fields in told}
        return len(found) == 2 and (found["listening"], found["listening for metrics and health"])

    def get(self, path):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://{self.admin}{path}", timeout=PATIENCE) as answer:
            return answer.read().decode()

    def metric(self, name, **labels):
        """The sum of a metric over all labels but these."""
        wanted = {f'{label}="{value}"' for label, value in labels.items()}
        total = 0
        for line in self.get("/metrics").splitlines():
            found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if found and found[1] == name and wanted <= set((found[2] or "").split(",")):
                total += float(found[3])
        return total


class Service:
    """Spreads connections over sidecars in turn, as a Service of Kubernetes may."""

    def __init__(self, sidecars):
        self.turns = itertools.cycle([sidecar.address.rsplit(":", 1) for sidecar in sidecars])

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        # Closing alone would leave accept() waiting.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            host, port = next(self.turns)
            server = socket.create_connection((host, int(port)))
            for source, sink in [(client, server), (server, client)]:
                threading.Thread(target=copy, args=(source, sink), daemon=True).start()


def copy(source, sink):
    try:
        while data := source.recv(1 << 18):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def eventually(found):
    """What this finds, once it does."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            if value := found():
                return value
        except (OSError, ValueError) as error:
            if time.monotonic() > end:
                raise TimeoutError(f"not within {PATIENCE} s") from error
        if time.monotonic() > end:
            raise TimeoutError(f"not within {PATIENCE} s")
        time.sleep(0.01)
