"""Run directories, and configurations alone, with anything changed that they hold, resumed.

A resumed run ends with the numbers of the run that nobody disturbed, or is refused with every byte
as it was.
"""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
from pathlib import Path
from typing import Any

from ganref import train
from ganref.training import loop, run
from ganref.training.checkpoint import load_latest
from ganref.training.run import RunDirectory

from . import mutate
from .outcome import ACCEPTED, DIFFERENT, FAULT, REFUSED, Outcome, attempt

LAST = 15  # steps; an epoch has five
TIMES = ("seconds", "examples_per_sec")


class Undecorated:
    """Stands for what draws: half a second a picture is not what this is about."""

    def __init__(self, *_: Any) -> None: ...

    def __getattr__(self, name: str) -> Any:
        return lambda *_: {} if name == "metrics" else None


def quick() -> None:
    """For this process: no pictures, no waiting for disks, no warnings."""
    loop.Decoration = Undecorated  # type: ignore[assignment,misc]
    os.fsync = lambda _: None
    logging.getLogger("ganref").setLevel(logging.ERROR)


def words(*more: object) -> list[str]:
    """A training command's arguments."""
    return [str(word) for word in (*more, "--quiet", "--threads", 1, "--checkpoint-every", 4)]


def numbers(path: Path) -> tuple[Any, ...]:
    """All that a run has computed."""
    here = RunDirectory.open(path)
    rows = [{k: v for k, v in row.items() if k not in TIMES} for row in here.read_metrics()]
    saved = load_latest(here.checkpoints)
    state = {name: array.tobytes() for name, array in sorted(saved.state.items())}
    return here.steps_csv.read_text(), rows, saved.step, state, here.read_config().recipe


def contents(path: Path) -> dict[str, Any]:
    """Every byte of a folder, without the lock; where links go."""
    found: dict[str, Any] = {}
    for at in path.rglob("*"):
        name = str(at.relative_to(path))
        if at.is_symlink():
            found[name] = os.readlink(at)
        elif at.is_file() and at.name != run.LOCK:
            found[name] = at.read_bytes()
        elif at.is_dir():
            found[name] = "folder"
    return found


class Runs:
    """A run of two epochs that goes on to a third."""

    def __init__(self, folder: Path) -> None:
        quick()
        self.whole, self.good, self.path = folder / "whole", folder / "good", folder / "run"
        for path, steps in ((self.whole, LAST), (self.good, 10)):
            batch = ("--batch-size", 200, "--steps", steps, "--run-dir", path)
            attempt(lambda batch=batch: train.main(words(*batch)))  # type: ignore[misc]
        self.expected = numbers(self.whole)
        self.files = sorted(p.relative_to(self.good) for p in self.good.rglob("*") if p.is_file())

    def case(self, rng: random.Random) -> Outcome:
        """One changed run directory, resumed."""
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.copytree(self.good, self.path)
        made_to_fit = self.change(rng)
        before = contents(self.path)
        outcome, _ = attempt(lambda: train.main(words("--resume", self.path, "--steps", LAST)))
        if outcome.kind == REFUSED and contents(self.path) != before:
            return Outcome(FAULT, f"changed, though refused: {outcome.why}")
        if outcome.kind == ACCEPTED and not made_to_fit:
            _, found = attempt(lambda: numbers(self.path))
            if found != self.expected:
                return Outcome(DIFFERENT, "resumed, and has other numbers")
        return outcome

    def change(self, rng: random.Random) -> bool:
        """Change something; whether a configuration was, with a checksum that fits."""
        name = rng.choice(self.files)
        path = self.path / name
        ways = [self._bytes] * 6 + [self._table] * 3 + [self._json] * 3 + [self._whole] * 2
        return rng.choice(ways)(rng, path)

    def _bytes(self, rng: random.Random, path: Path) -> bool:
        path.write_bytes(mutate.bytes_(rng, path.read_bytes()))
        return False

    def _table(self, rng: random.Random, path: Path) -> bool:
        path = self.path / rng.choice(("steps.csv", "metrics.jsonl"))
        path.write_bytes(mutate.lines(rng, path.read_bytes()))
        return False

    def _json(self, rng: random.Random, path: Path) -> bool:
        path = self.path / rng.choice(("config.json", "checkpoints/latest.json", "config.json"))
        content, fits = json.loads(path.read_text()), False
        if path.name == "config.json" and rng.random() < 0.5:
            content["config"], fits = mutate.json_(rng, content["config"]), True
            content["sha256"] = run._digest(content["config"])
        else:
            content = mutate.json_(rng, content)
        path.write_text(json.dumps(content))
        return fits

    def _whole(self, rng: random.Random, path: Path) -> bool:
        """A file or folder gone, or another in its place."""
        if rng.random() < 0.3:
            path = self.path / rng.choice(("checkpoints", "samples"))
            shutil.rmtree(path)
        else:
            path.unlink()
        way = rng.randrange(6)
        if way == 0:
            path.mkdir()
        elif way == 1:
            path.symlink_to(rng.choice(("nowhere", "/dev/zero/x", path.name, "..")))
        elif way == 2:
            path.write_bytes(b"")
        elif way == 3:
            os.mkfifo(path)
        elif way == 4:
            shutil.copyfile(self.good / rng.choice(self.files), path)
        return False


class Configs:
    """A configuration, read."""

    def __init__(self, folder: Path) -> None:
        Runs(folder)
        self.here = RunDirectory.open(folder / "good")
        self.blob, self.good = self.here.config.read_bytes(), self.here.read_config()

    def case(self, rng: random.Random) -> Outcome:
        """One changed configuration, read."""
        content, fits = json.loads(self.blob), rng.random() < 0.3
        if fits:
            content["config"] = mutate.json_(rng, content["config"])
            content["sha256"] = run._digest(content["config"])
            blob = json.dumps(content).encode()
        elif rng.random() < 0.5:
            blob = json.dumps(mutate.json_(rng, content)).encode()
        else:
            blob = mutate.bytes_(rng, self.blob)
        self.here.config.write_bytes(blob)
        outcome, found = attempt(self.here.read_config)
        if outcome.kind == ACCEPTED and not fits and found != self.good:
            return Outcome(DIFFERENT, "read, and is not what was written")
        return outcome
