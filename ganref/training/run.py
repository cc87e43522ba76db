"""A run and its directory: what was asked for, and the files that grow while it trains."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import json
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..data import Identity
from ..output import strict_json
from ..output.files import LOG, disk_errors, read_file, write_atomically, write_together
from ..spec.errors import UserError
from ..spec.schema import Recipe
from ..spec.serial import to_dict, typed
from ..spec.steps import Trace
from .log import HEADER, Log, differing, read_epochs, read_steps, rows

LOCK = ".lock"


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
    resize: str = "bilinear"
    crop: str = "center"
    identity: Identity | None = None  # of the data; runs of older versions have none
    class_names: tuple[str, ...] = ()  # of a conditional recipe, where its data have some

    def __post_init__(self) -> None:
        """Raises UserError for numbers out of their range, which no option gives."""
        if min(self.seed, self.steps, self.planned_steps or 0) < 0:
            raise UserError("a seed and a number of steps are from 0")
        if self.compile not in ("auto", "on", "off"):
            raise UserError(f"compile is auto, on or off, not {self.compile!r:.60}")


@dataclass(frozen=True)
class Options:
    """How a run is accompanied; nothing here changes what it computes."""

    checkpoint_every: int | None = None  # steps; None is at an epoch's end, twice a minute at most
    keep: int = 2
    progress: str = "none"  # "bar", or "lines": one for an epoch
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
        self.config = path / "config.json"

    @classmethod
    def create(cls, path: Path) -> RunDirectory:
        """Make the directory. Raises UserError if it holds anything or cannot be written."""
        taken = UserError(f"{path} is not empty; choose another --run-dir")
        if (path / "config.json").is_file():
            taken = UserError(f"{path} holds a run; go on with `{cls(path).resume}`")
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise taken
        run = cls(path)
        with disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)
            try:  # of two that come at once, one makes this file
                run.steps_csv.touch(exist_ok=False)
            except FileExistsError:
                raise taken from None
            try:
                run.steps_csv.write_text(HEADER + "\n")
                run.metrics.touch()
                for directory in (run.checkpoints, run.samples):
                    directory.mkdir(exist_ok=True)
            except OSError:
                run.abandon()
                raise
        return run

    def abandon(self) -> None:
        """Take what `create` made away again: nothing has been earned yet."""
        with contextlib.suppress(OSError):
            for file in (self.steps_csv, self.metrics, self.path / LOCK):
                file.unlink(missing_ok=True)
            for directory in (self.checkpoints, self.samples, self.path):
                if directory.exists():
                    directory.rmdir()

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """A run that exists. Raises UserError if there is none."""
        run = cls(path)
        if not run.config.is_file():
            raise UserError(f"{path} holds no run (no config.json)")
        return run

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

        lock = FileLock(self.path / LOCK, timeout=0)
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

    @property
    def resume(self) -> str:
        """The command that goes on with this run."""
        return f"python -m ganref.train --resume {shlex.quote(str(self.path))}"

    def write_config(self, config: Config, about: dict[str, Any]) -> None:
        """`config.json`: the configuration, what it ran on, and a checksum that shows edits."""
        write_atomically(self.config, _text(config, about))

    def go_on(self, config: Config, about: dict[str, Any], log: Log) -> None:
        """Make the files what they were when that was all that had been logged: a run that was
        killed has usually gone on for a while after its last checkpoint. Says in a warning what
        had to be mended. Raises UserError, with every file as it was."""
        self._check_places()
        texts = dict(zip((self.steps_csv, self.metrics), log.texts(), strict=True))
        mended = [words for path, text in texts.items() if (words := differing(path, text))]
        files = {path: text.encode() for path, text in texts.items()}
        write_together(files | {self.config: _text(config, about)})
        for words in mended:
            LOG.warning("%s; it is as the checkpoint has it again", words)

    def _check_places(self) -> None:
        """Raises UserError if a folder lies where a file will, or the reverse."""
        files = [self.checkpoints / "latest.json", *self.checkpoints.glob("step_*")]
        places = dict.fromkeys(files, False) | {self.checkpoints: True, self.samples: True}
        for path, folder in places.items():
            if os.path.lexists(path) and path.is_dir() != folder:
                raise UserError(f"{path} is not what ganref made; move it away")

    def read_config(self) -> Config:
        """What `write_config` wrote. Raises UserError if it was edited since."""
        path = self.config
        try:
            text = strict_json.loads(read_file(path))
            asked = text["config"]
            if text["sha256"] != _digest(asked):
                raise UserError(
                    f"{path} was edited after the run began; undo that, or start a new run"
                )
            # Older versions wrote fewer fields.
            missing = {f.name: f.default for f in dataclasses.fields(Config) if f.name != "recipe"}
            return typed(Config, missing | asked, "config")
        except UserError as error:
            raise UserError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is not what ganref wrote ({error})") from None

    def append_steps(self, first: int, trace: Trace) -> None:
        """One row a step; `first` is the number of the first one, from 1."""
        with disk_errors(self.steps_csv), open(self.steps_csv, "a") as file:
            file.write("".join(rows(first, trace)))

    def append_metrics(self, row: dict[str, Any]) -> None:
        """One line of JSON, for an epoch; null where a number is not finite."""
        with disk_errors(self.metrics), open(self.metrics, "a") as file:
            file.write(strict_json.dumps(row) + "\n")

    def read_log(self, step: int) -> Log:
        """What the files say up to that step, for a checkpoint that does not say it itself. Raises
        UserError if it is not all there."""
        trace, epochs = read_steps(self.steps_csv), read_epochs(self.metrics)
        if len(trace.loss_D) < step:
            raise UserError(f"{self.steps_csv} ends before step {step:,} of the last checkpoint")
        lines = [strict_json.dumps(row) for row in epochs if row["step"] <= step]
        return Log(Trace(*(column[:step] for column in trace)), tuple(lines))

    def read_steps(self) -> Trace:
        """The trace of everything logged so far. Raises UserError."""
        return read_steps(self.steps_csv)

    def read_metrics(self) -> list[dict[str, Any]]:
        """Every epoch's row. Raises UserError."""
        return read_epochs(self.metrics)


def _text(config: Config, about: dict[str, Any]) -> bytes:
    asked = dataclasses.asdict(config) | {"recipe": to_dict(config.recipe)}
    return strict_json.dumps({"config": asked, "sha256": _digest(asked), **about}, 1).encode()


def _digest(asked: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
