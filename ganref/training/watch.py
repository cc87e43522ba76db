"""Who of a run's workers lives: each gives a sign of life, and one that is lost stops all of them.

The engines' own sums would wait for a worker that is gone, some of them for ever. So every worker
has a thread that speaks to the first one's: a line of JSON each second, with the number of sums it
has begun. The first says once what went wrong, naming the rank, and all end with one exit code.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import sys
import threading
import time
from typing import Any

import numpy as np

from ..spec.engines import Peers, Place
from ..spec.errors import UserError

LOST = 4  # the exit code where a worker is lost, hangs or differs
BEAT = 1.0  # seconds between two signs of life
STUCK = 10  # times as long as a worker may be silent, it may keep the others waiting
VERDICT = 5.0  # seconds in which a failure becomes known to all


def code_of(error: BaseException) -> int:
    """The exit code of a command that ends so; 1 is a fault of the program's or the engine's."""
    usual = {UserError: 2, MemoryError: 2, KeyboardInterrupt: 130}
    found = (code for kind, code in usual.items() if isinstance(error, kind))
    return getattr(error, "exit_code", next(found, 1))


class Alike(UserError):
    """What every worker finds out by itself, at the same place: the first one says it."""

    alike = True


class WorkersDiffer(Alike):
    """The workers' states are no longer the same."""

    exit_code = LOST


class Watch:
    """The signs of life between the workers of a run; one is silent for `patience` seconds at
    most. `advice` is what a person can do when a worker is lost."""

    def __init__(self, peers: Peers, place: Place, patience: float, orphan: bool) -> None:
        self.peers, self.patience, self.advice = peers, patience, ""
        self._parent = os.getppid() if orphan else None
        self._lock, self._settled, self._ended = threading.Lock(), False, threading.Event()
        self._links: dict[int, _Link] = {}
        ours = np.zeros(1)
        if peers.rank == 0:
            server = socket.create_server((place.host if place.host == "127.0.0.1" else "", 0))
            ours[0] = server.getsockname()[1]
        # The engine that they have in common says where.
        port = int(peers.total(ours)[0])
        if peers.rank == 0:
            server.settimeout(patience)
            with server:
                for _ in range(peers.size - 1):
                    link = _Link(server.accept()[0])
                    self._links[link.introduction()] = link
        else:
            self._links[0] = _Link(socket.create_connection((place.host, port), patience))
            self._links[0].send({"rank": peers.rank})
        self._began, self._moved, self._seen = time.monotonic(), time.monotonic(), peers.calls
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        """Say to the others that this one is done, or what made it fail."""
        if error is not None:
            self._failed(error)
        self._settle()
        self._ended.set()
        for link in self._links.values():
            link.send({"bye": True})
        self._thread.join(VERDICT)

    def _failed(self, error: BaseException) -> None:
        code = code_of(error)
        if code == 1:  # most likely the engine's words for what the thread says better
            self._ended.wait(VERDICT)
        words = " ".join(f"{error or type(error).__name__}".split())
        if self.peers.rank == 0:
            self._settle()
            self._tell({"verdict": code})
        else:
            # The first one says it, and this process ends.
            if getattr(error, "alike", False):
                self._ended.wait(self.patience)
                return
            self._tell({"failed": words, "code": code})
            self._ended.wait(VERDICT)

    def _settle(self) -> bool:
        """Whether nobody has had the last word yet: the caller has it now."""
        with self._lock:
            first, self._settled = not self._settled, True
        return first

    def _tell(self, what: dict[str, Any]) -> None:
        for link in self._links.values():
            link.send(what)

    def _run(self) -> None:
        selector = selectors.DefaultSelector()
        for rank, link in self._links.items():
            selector.register(link.socket, selectors.EVENT_READ, rank)
        while not self._ended.is_set():
            self._tell({"calls": self.peers.calls})
            until = time.monotonic() + BEAT
            while (left := until - time.monotonic()) > 0 and not self._ended.is_set():
                for key, _ in selector.select(min(left, BEAT / 10)):
                    self._hear(key.data, selector)
            self._judge()

    def _hear(self, rank: int, selector: selectors.BaseSelector) -> None:
        link = self._links[rank]
        heard = link.receive()
        for what in heard or []:
            link.calls = what.get("calls", link.calls)
            if "verdict" in what and self._settle():
                _end(what["verdict"])
            if "failed" in what:
                self._stop(f"rank {rank}: {what['failed']}", what["code"])
            if "bye" in what:
                link.left = True
        if heard is None:
            selector.unregister(link.socket)
            if not link.left:
                self._lost(f"rank {rank} died")
            link.left = True

    def _judge(self) -> None:
        """Whether a worker has been silent, or has kept the others waiting, for too long."""
        now, living = time.monotonic(), {r: k for r, k in self._links.items() if not k.left}
        for rank, link in living.items():
            if now - link.heard_at > self.patience:
                self._lost(f"rank {rank} gave no sign of life for {self.patience:.0f} s")
        if self._seen != self.peers.calls:
            self._seen, self._moved = self.peers.calls, now
        behind = {link.calls: rank for rank, link in living.items()}
        if self.peers.rank == 0 and behind and now - self._moved > STUCK * self.patience:
            slowest = min(behind)
            if slowest != self.peers.calls:
                rank = behind[slowest] if slowest < self.peers.calls else 0
                self._lost(f"rank {rank} has kept the others waiting for {now - self._moved:.0f} s")
        if self._parent is not None and os.getppid() != self._parent and self._settle():
            _end(LOST)

    def _lost(self, words: str) -> None:
        self._stop(f"{words}; all workers are stopped{self.advice}", LOST)

    def _stop(self, words: str, code: int) -> None:
        """End this process and tell the others, unless it is ending already."""
        if self._settle():
            # Where the first worker is lost, the second one speaks.
            if self.peers.rank < 2:
                print(f"\nganref.train: {words}" if _bar() else f"ganref.train: {words}",
                      file=sys.stderr)  # fmt: skip
            self._tell({"verdict": code})
            _end(code)


class _Link:
    """A connection to another worker's thread, line by line."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket, self.heard_at, self.calls, self.left = connected, time.monotonic(), 0, False
        self._rest, self._sending = b"", threading.Lock()

    def introduction(self) -> int:
        """The rank of whoever has connected."""
        heard = self.receive()
        if not heard or "rank" not in heard[0]:
            raise OSError("somebody else has come")
        return int(heard[0]["rank"])

    def send(self, what: dict[str, Any]) -> None:
        """One line; nothing where nobody is left to read it."""
        with contextlib.suppress(OSError), self._sending:
            self.socket.sendall(json.dumps(what).encode() + b"\n")

    def receive(self) -> list[dict[str, Any]] | None:
        """The lines that have come; None at their end."""
        data = b""
        with contextlib.suppress(OSError):
            data = self.socket.recv(2**16)
        self.heard_at = time.monotonic()
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines] if data else None


def _bar() -> bool:
    return bool(sys.stderr) and sys.stderr.isatty()


def _end(code: int) -> None:
    # The main thread waits inside the engine, which nothing but the end of the process reaches.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)
