"""Clients that cost more than they are worth, many of each: a thread with a selector for all of one kind."""

from __future__ import annotations

import collections
import contextlib
import selectors
import socket
import threading
import time

from objects import Object

TICK = 0.01


class Crowd:
    """So many connections, kept for as long as it is entered; one that is closed is opened again."""

    def __init__(self, port: int, count: int):
        self.port = port
        self.count = count
        self.selector = selectors.DefaultSelector()
        self.sockets: set[socket.socket] = set()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.ready = threading.Event()

    def __enter__(self):
        self.thread.start()
        self.ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()
        for each in list(self.sockets):
            self.close(each)

    def open(self) -> int:
        """How many there are now."""
        return len(self.sockets)

    def _run(self) -> None:
        while not self.stop.is_set():
            # A few at a time, as they would come.
            for _ in range(min(100, self.count - len(self.sockets))):
                with contextlib.suppress(OSError):
                    self.connect()
            if len(self.sockets) >= self.count or self.gives_up_filling():
                self.ready.set()
            begun = time.monotonic()
            for key, _ in self.selector.select(TICK):
                try:
                    self.readable(key.fileobj)
                except OSError:
                    self.close(key.fileobj)
            self.tick()
            self.stop.wait(max(0.0, TICK - (time.monotonic() - begun)))

    def gives_up_filling(self) -> bool:
        return False

    def connect(self) -> None:
        client = socket.socket()
        # So that what it does not read stays with the server.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.connect(("127.0.0.1", self.port))
        self.sockets.add(client)
        self.selector.register(client, selectors.EVENT_READ)
        self.opened(client)

    def close(self, client: socket.socket) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(client)
        self.sockets.discard(client)
        client.close()

    def opened(self, client: socket.socket) -> None:
        """It connects."""

    def readable(self, client: socket.socket) -> None:
        """Something came, or it was closed."""

    def tick(self) -> None:
        """Some time went by."""


class Turns(Crowd):
    """Each of them does something once a second, a few at a time."""

    def __init__(self, port: int, count: int):
        super().__init__(port, count)
        self.slots: list[set[socket.socket]] = [set() for _ in range(round(1 / TICK))]
        self.ticks = 0
        self.opened_yet = 0

    def opened(self, client: socket.socket) -> None:
        self.opened_yet += 1
        self.slots[self.opened_yet % len(self.slots)].add(client)

    def tick(self) -> None:
        self.ticks += 1
        slot = self.slots[self.ticks % len(self.slots)]
        for client in list(slot):
            if client not in self.sockets:
                slot.discard(client)
                continue
            try:
                self.turn(client)
            except BlockingIOError:
                pass
            except OSError:
                self.close(client)

    def turn(self, client: socket.socket) -> None:
        raise NotImplementedError


class SlowReaders(Turns):
    """Ask for a large object, and read 1 KiB of it a second."""

    rate = 1024

    def __init__(self, port: int, of: Object, count: int):
        super().__init__(port, count)
        self.request = f"GET {of.path} HTTP/1.1\r\nHost: slow\r\n\r\n".encode()
        self.asked: set[socket.socket] = set()

    def turn(self, client: socket.socket) -> None:
        if client not in self.asked:
            client.send(self.request)
            self.asked.add(client)
            # It reads by the clock, not whenever there is something.
            self.selector.unregister(client)
        elif not client.recv(self.rate):
            raise ConnectionResetError


class SlowHeads(Turns):
    """Send a head, a byte a second; closed for it, they come again."""

    def turn(self, client: socket.socket) -> None:
        client.send(b"G")

    def readable(self, client: socket.socket) -> None:
        client.recv(4096)
        raise ConnectionResetError


class Pushers(Crowd):
    """Connect again and again where there is no place, and note what they are told."""

    def __init__(self, port: int, count: int):
        super().__init__(port, count)
        self.told: collections.Counter[str] = collections.Counter()

    def gives_up_filling(self) -> bool:
        return True

    def readable(self, client: socket.socket) -> None:
        head = client.recv(4096).decode("latin-1")
        if head:
            retry = "with Retry-After" if "retry-after:" in head.lower() else "without Retry-After"
            self.told[f"{head[9:12]} {retry}"] += 1
        else:
            self.told["closed"] += 1
        self.close(client)

    def opened(self, client: socket.socket) -> None:
        """Nothing is sent: there is nobody who would read it."""
