"""A run and its directory: what was asked for, and the files that grow while it trains."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..output import strict_json
from ..output.files import disk_errors, write_atomically
from ..spec.errors import UserError
from ..spec.schema import Recipe
from ..spec.serial import from_dict, to_dict
from ..spec.steps import Trace


@dataclass(frozen=True)
class Config:
    """Everything that a run was asked for, resolved."""

    recipe: Recipe
    backend: str = "numpy"
    data: str = "gaussian"
    seed: int = 0
    device: str = "cpu"
    dtype: str = "float32"
    compile: str = "auto"
    steps: int = 0
    # The length first asked for: what `auto` goes by, or a run made longer would change its path.
    planned_steps: int | None = None
    mixed: bool = False
    strict: bool = False


@dataclass(frozen=True)
class Options:
    """How a run is accompanied; nothing here changes what it computes."""

    checkpoint_every: int | None = None  # steps; None is at an epoch's end, twice a minute at most
    keep: int = 2
    progress: bool = True
    tensorboard: bool = False
    gif: bool = False
    evaluate_every: int | None = None  # epochs between two rows with metrics
    versions: dict[str, str] = field(default_factory=dict)


class RunDirectory:
    """The files of design section 4, written so that they can be cut back to any checkpoint."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints, self.samples = path / "checkpoints", path / "samples"
        self.steps_csv, self.metrics = path / "steps.csv", path / "metrics.jsonl"

    @classmethod
    def create(cls, path: Path) -> RunDirectory:
        """Make the directory. Raises UserError if it holds anything or cannot be written."""
        taken = UserError(f"{path} is not empty; choose another --run-dir, or --resume {path}")
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise taken
        run = cls(path)
        with disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)
            try:  # of two that come at once, one makes this file
                with open(run.steps_csv, "x") as file:
                    file.write(",".join(("step", *Trace._fields)) + "\n")
            except FileExistsError:
                raise taken from None
            run.metrics.touch()
            for directory in (run.checkpoints, run.samples):
                directory.mkdir(exist_ok=True)
        return run

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """A run that exists. Raises UserError if there is none."""
        if not (path / "config.json").is_file():
            raise UserError(f"{path} holds no run (no config.json)")
        return cls(path)

    @classmethod
    def numbered(cls, parent: Path, name: str) -> RunDirectory:
        """The first free `parent/name-001`, `-002`, and so on."""
        for number in itertools.count(1):
            path = parent / f"{name}-{number:03d}"
            with disk_errors(path):
                try:  # whoever makes the folder has its number
                    parent.mkdir(parents=True, exist_ok=True)
                    path.mkdir()
                except FileExistsError:
                    continue
            return cls.create(path)
        raise AssertionError

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes from writing here, until this one is done or gone. Raises UserError
        if another one is at it."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / ".lock", timeout=0)
        with disk_errors(self.path):
            try:
                lock.acquire()
            except Timeout:
                raise UserError(
                    f"another process trains in {self.path}; wait until it has ended, or begin a"
                    " run of your own with another --run-dir"
                ) from None
        try:
            yield
        finally:
            lock.release()

    def write_config(self, config: Config, about: dict[str, Any]) -> None:
        """`config.json`: the configuration, what it ran on, and a checksum that shows edits."""
        asked = dataclasses.asdict(config) | {"recipe": to_dict(config.recipe)}
        text = {"config": asked, "sha256": _digest(asked), **about}
        write_atomically(self.path / "config.json", strict_json.dumps(text, indent=1).encode())

    def read_config(self) -> Config:
        """What `write_config` wrote. Raises UserError if it was edited since."""
        path = self.path / "config.json"
        try:
            text = json.loads(path.read_text())
            asked = text["config"]
            if text["sha256"] != _digest(asked):
                raise UserError(
                    f"{path} was edited after the run began; undo that, or start a new run"
                )
            return Config(**asked | {"recipe": from_dict(asked["recipe"])})
        except UserError:
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is not what ganref wrote ({error})") from None

    def append_steps(self, first: int, trace: Trace) -> None:
        """One row a step; `first` is the number of the first one, from 1."""
        buffer = io.StringIO()
        for i, row in enumerate(zip(*trace, strict=True)):
            buffer.write(",".join((str(first + i), *(str(float(v)) for v in row))) + "\n")
        with disk_errors(self.steps_csv), open(self.steps_csv, "a") as file:
            file.write(buffer.getvalue())

    def append_metrics(self, row: dict[str, Any]) -> None:
        """One line of JSON, for an epoch; null where a number is not finite."""
        with disk_errors(self.metrics), open(self.metrics, "a") as file:
            file.write(strict_json.dumps(row) + "\n")

    def read_steps(self) -> tuple[np.ndarray, Trace]:
        """(step numbers, trace) of everything logged so far. Raises UserError."""
        try:
            rows = self.steps_csv.read_text().splitlines()[1:]
            table = np.array([[float(v) for v in row.split(",")] for row in rows])
            table = table.reshape(len(rows), 1 + len(Trace._fields))
        except (OSError, ValueError) as error:
            raise UserError(f"{self.steps_csv} is not what ganref wrote ({error})") from None
        return table[:, 0].astype(int), Trace(*table[:, 1:].T)

    def read_metrics(self) -> list[dict[str, Any]]:
        """Every epoch's row."""
        return [json.loads(line) for line in self.metrics.read_text().splitlines()]

    def cut_back(self, step: int) -> None:
        """Drop what was logged after `step`: a run that was killed has usually gone on for a while
        after its last checkpoint. Raises UserError if rows before it are missing."""
        lines = self.steps_csv.read_text().splitlines()[: step + 1]
        if len(lines) != step + 1 or (step and lines[-1].split(",")[0] != str(step)):
            raise UserError(f"{self.steps_csv} ends before step {step} of the last checkpoint")
        write_atomically(self.steps_csv, ("\n".join(lines) + "\n").encode())
        kept = []
        for line in self.metrics.read_text().splitlines():
            try:
                row = json.loads(line)
            except ValueError:  # the last line of a run killed while it wrote
                break
            if row["step"] <= step:
                kept.append(line + "\n")
        write_atomically(self.metrics, "".join(kept).encode())


def _digest(asked: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
