"""Runs that meet a disk, a clock or a memory that fails, and are then resumed where none does."""

from __future__ import annotations

import builtins
import errno
import os
import pickle
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganref import cli, train

from .outcome import ACCEPTED, DIFFERENT, FAULT, Outcome, attempt
from .runs import LAST, numbers, quick, words

ERRORS = (
    errno.ENOSPC,
    errno.EIO,
    errno.EROFS,
    errno.EDQUOT,
    errno.EACCES,
    errno.EMFILE,
    errno.ENOENT,
)


class _File:
    """A file that fails when its turn to be written comes."""

    def __init__(self, file: Any, tick: Callable[[], None]) -> None:
        self._file, self._tick = file, tick

    def write(self, data: Any) -> Any:
        self._tick()
        return self._file.write(data)

    def flush(self) -> None:
        self._tick()
        self._file.flush()

    def close(self) -> None:
        self._file.close()
        self._tick()

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def failing_disk(rng: random.Random, folder: Path) -> None:
    """From some call on, or for that call alone, whatever changes this folder fails."""
    turn, number = rng.randrange(120), rng.choice(ERRORS)
    lasting, seen = rng.random() < 0.5, 0

    def tick() -> None:
        nonlocal seen
        seen += 1
        if seen == turn or (lasting and seen > turn):
            raise OSError(number, os.strerror(number))

    def wrapped(function: Any) -> Any:
        def call(*args: Any, **more: Any) -> Any:
            if any(str(folder) in str(word) for word in args):
                tick()
            return function(*args, **more)

        return call

    for name in ("open", "mkdir", "replace", "rename", "unlink", "fsync", "rmdir"):
        setattr(os, name, wrapped(getattr(os, name)))
    whole = builtins.open

    def opened(file: Any, mode: str = "r", *args: Any, **more: Any) -> Any:
        if str(folder) not in str(file) or not set(mode) & set("wax+"):
            return whole(file, mode, *args, **more)
        tick()
        return _File(whole(file, mode, *args, **more), tick)

    builtins.open = opened  # type: ignore[assignment]


def _lower(what: int, limit: int) -> None:
    resource.setrlimit(what, (limit, resource.getrlimit(what)[1]))


def small_files(rng: random.Random, _: Path) -> None:
    """No file may grow beyond some size: the system's own refusal."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    size = int(rng.choice((0, 100, 1000, 5000, 20_000)) * rng.random())
    _lower(resource.RLIMIT_FSIZE, size)


def few_files(rng: random.Random, _: Path) -> None:
    """Few files may be open at once."""
    opened = len(os.listdir("/proc/self/fd"))
    limit = max(4, opened + rng.randrange(-1, 4))
    _lower(resource.RLIMIT_NOFILE, limit)


def little_memory(rng: random.Random, _: Path) -> None:
    """Little more memory than there is in use."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = used + rng.choice((1, 4, 16, 64)) * 2**20
    _lower(resource.RLIMIT_AS, limit)


def jumping_clock(rng: random.Random, _: Path) -> None:
    """Clocks that go back, and far ahead."""

    def jumping(clock: Callable[[], float]) -> Callable[[], float]:
        return lambda: clock() + rng.choice((0, 0, -1e9, 1e9, 1e-9, -3600.0, 86400.0))

    time.time, time.perf_counter = jumping(time.time), jumping(time.perf_counter)
    time.monotonic = jumping(time.monotonic)


WAYS: tuple[Callable[[random.Random, Path], None], ...] = (
    failing_disk, failing_disk, failing_disk, small_files, few_files, little_memory, jumping_clock,
)  # fmt: skip


class Faults:
    """A run of 15 steps, begun or gone on with, under a fault; then resumed without."""

    def __init__(self, folder: Path) -> None:
        quick()
        self.whole, self.part, self.path = folder / "whole", folder / "part", folder / "run"
        for path, steps in ((self.whole, LAST), (self.part, 5)):
            self._train("--batch-size", 200, "--steps", steps, "--run-dir", path)
        self.expected = numbers(self.whole)

    def _train(self, *more: object) -> Outcome:
        outcome, _ = attempt(lambda: cli.run_main(train.main, "ganref.train", words(*more)))
        return outcome

    def case(self, rng: random.Random) -> Outcome:
        """One fault."""
        shutil.rmtree(self.path, ignore_errors=True)
        how: tuple[object, ...] = ("--batch-size", 200, "--steps", LAST, "--run-dir", self.path)
        resumed = rng.random() < 0.5
        if resumed:
            shutil.copytree(self.part, self.path)
            how = ("--resume", self.path, "--steps", LAST)
        way, seed = rng.choice(WAYS), rng.random()
        outcome = _in_a_child(lambda: self._under(way, seed, how))
        if outcome.kind == FAULT:
            return Outcome(FAULT, f"{way.__name__}: {outcome.why}")
        if resumed or (self.path / "config.json").exists():
            again = self._train("--resume", self.path, "--steps", LAST)
            if again.kind != ACCEPTED:
                return Outcome(FAULT, f"{way.__name__}, {outcome}; not resumed: {again.why}")
        elif outcome.kind == ACCEPTED or self.path.exists():
            left = sorted(str(p.relative_to(self.path)) for p in self.path.rglob("*"))
            # A disk that refuses everything refuses to be cleaned, too.
            if outcome.kind == ACCEPTED or way is not failing_disk:
                return Outcome(FAULT, f"{way.__name__}, {outcome}: left {left}")
            return outcome
        else:
            return outcome
        if numbers(self.path) != self.expected:
            return Outcome(DIFFERENT, f"{way.__name__}, {outcome}: other numbers after resuming")
        return outcome

    def _under(self, way: Callable[..., None], seed: float, how: tuple[object, ...]) -> Outcome:
        way(random.Random(seed), self.path)
        return self._train(*how)


def _in_a_child(function: Callable[[], Outcome]) -> Outcome:
    """Its outcome in a process of its own, which keeps what was done to it."""
    ours, theirs = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(theirs, pickle.dumps(tuple(function())))
        finally:
            os._exit(0)  # without the parent's own ends
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if not said:
        return Outcome(FAULT, f"the process died (status {status})")
    return Outcome(*pickle.loads(said))
