"""The one checkpoint format: safetensors, the same whatever framework wrote it.

Tensors carry the spec's names and layouts (`ganref.spec.state`). The metadata hold the format's
version, the whole recipe, seed, step, data, precision and versions, and a SHA-256 over metadata
and tensors, because safetensors itself would not notice a flipped bit. Nothing is ever unpickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..output import strict_json
from ..output.files import LOG, disk_errors, read_file, write_atomically
from ..spec.errors import UserError
from ..spec.schema import Recipe
from ..spec.serial import from_dict, to_dict, typed
from ..spec.state import check_state
from ..spec.steps import Trace
from .log import Log
from .run import Config, Options, RunDirectory

FORMAT = 2
READ = (1, 2)  # until 2, checkpoints had no log
TRACE = "log.trace"  # a tensor (columns, steps) beside those of the state
SECONDS = 30.0  # between two checkpoints that nobody asked for
PLAIN = {
    "seed": int, "step": int, "data": str, "dtype": str, "backend": str, "versions": dict[str, str],
}  # fmt: skip


@dataclass(frozen=True)
class Checkpoint:
    """A run at one step: enough to go on in any framework."""

    recipe: Recipe
    state: dict[str, np.ndarray]
    seed: int
    step: int
    data: str
    dtype: str
    backend: str
    versions: dict[str, str] = field(default_factory=dict)
    log: Log | None = None
    class_names: tuple[str, ...] = ()  # of a conditional recipe, where its data have some


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file whole or not at all (write, fsync, rename). Raises UserError if the disk
    refuses; what was there before is then still there."""
    from safetensors.numpy import save as serialise

    meta: dict[str, Any] = {
        "format": FORMAT,
        "recipe": to_dict(checkpoint.recipe),
        **{name: getattr(checkpoint, name) for name in PLAIN},
    }
    # safetensors keeps the order of neither tensors nor metadata: sorted names and a single key
    # make the same state the same bytes. Its 0-d arrays must stay 0-d.
    tensors = checkpoint.state
    if checkpoint.class_names:
        meta["class_names"] = list(checkpoint.class_names)
    if checkpoint.log:
        meta["epochs"] = list(checkpoint.log.epochs)
        tensors = tensors | {TRACE: np.stack(checkpoint.log.trace)}
    state = {n: np.asarray(tensors[n], order="C") for n in sorted(tensors)}
    meta["sha256"] = _digest(meta, state)
    write_atomically(path, serialise(state, metadata={"ganref": json.dumps(meta, sort_keys=True)}))


def load(path: Path) -> Checkpoint:
    """Read and verify a checkpoint. Raises UserError, in one line, if it is not a whole and
    unaltered checkpoint of a recipe that this version knows."""
    from safetensors import SafetensorError, safe_open

    try:
        if path.exists() and not path.is_file():
            raise UserError(f"{path} is no file")
        with safe_open(str(path), framework="numpy") as file:
            text = (file.metadata() or {}).get("ganref")
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise UserError(f"there is no checkpoint {path}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    except (SafetensorError, ValueError, TypeError, KeyError, OverflowError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(
            f"{path} is not a whole safetensors file ({reason}); ganref loads no other kind"
        ) from None
    if text is None:
        raise UserError(f"{path} holds tensors but is not a checkpoint of ganref")
    try:
        meta = strict_json.loads(text)
        if meta["format"] not in READ:
            found = f"{meta['format']!r:.20}"
            raise UserError(f"checkpoint format {found}; this version reads {READ[-1]} at most")
        # Other text can mean the same numbers (1E-08): it is not what was written all the same.
        as_written = json.dumps(meta, sort_keys=True) == text
        if meta.pop("sha256") != _digest(meta, state) or not as_written:
            raise UserError("altered after it was written (its checksum does not fit)")
        plain = {name: typed(kind, meta[name], name) for name, kind in PLAIN.items()}
        if plain["seed"] < 0 or plain["step"] < 0:
            raise UserError("a negative seed or step")
        plain["class_names"] = typed(tuple[str, ...], meta.get("class_names", []), "class_names")
        recipe, log = from_dict(meta["recipe"]), _log(meta, state, plain["step"])
        check_state(recipe, state)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path} has metadata that ganref did not write ({error})") from None
    return Checkpoint(recipe=recipe, state=state, log=log, **plain)


def _log(meta: dict[str, Any], tensors: dict[str, np.ndarray], step: int) -> Log | None:
    """The log, taken from among the tensors; None in a checkpoint without one."""
    trace = tensors.pop(TRACE, None)
    if trace is None:
        return None
    if trace.dtype != np.float64 or trace.shape != (len(Trace._fields), step):
        raise UserError(f"{TRACE} is {trace.dtype} of shape {trace.shape} at step {step:,}")
    return Log(Trace(*trace), typed(tuple[str, ...], meta["epochs"], "epochs"))


def save_latest(directory: Path, checkpoint: Checkpoint, keep: int = 2) -> Path:
    """Save `step_NNNNNNNN.safetensors`, point `latest.json` at it, and drop all but the newest
    `keep` (0 keeps all). At every moment the file that `latest.json` names is whole."""
    path = directory / f"step_{checkpoint.step:08d}.safetensors"
    with disk_errors(directory):
        directory.mkdir(exist_ok=True)
    save(path, checkpoint)
    pointer = {"file": path.name, "step": checkpoint.step}
    write_atomically(directory / "latest.json", json.dumps(pointer).encode())
    for old in _newest_first(directory)[keep:] if keep else []:
        with disk_errors(old):
            old.unlink(missing_ok=True)
    return path


class Checkpoints:
    """The checkpoints of a run that trains: when one is due, and where it goes."""

    def __init__(
        self, config: Config, run: RunDirectory, options: Options, steps_per_epoch: int
    ) -> None:
        self.config, self.run, self.options = config, run, options
        self.steps_per_epoch = steps_per_epoch
        self._saved_at = time.perf_counter()

    def due(self, step: int) -> bool:
        """Whether the state after that step is to be kept: always at the end; else as often as
        was asked for, or at an epoch's end, twice a minute at most."""
        if step == self.config.steps:
            return True
        if self.options.checkpoint_every:
            return step % self.options.checkpoint_every == 0
        ends = step % self.steps_per_epoch == 0
        return ends and time.perf_counter() - self._saved_at > SECONDS

    def save(self, step: int, state: dict[str, np.ndarray], log: Log) -> None:
        """Save the state after that step, and all that was logged until then, whole or not at
        all. Raises UserError."""
        c = self.config
        about = c.seed, step, c.data, c.dtype, c.backend, self.options.versions, log
        checkpoint = Checkpoint(c.recipe, state, *about, c.class_names)
        save_latest(self.run.checkpoints, checkpoint, self.options.keep)
        self._saved_at = time.perf_counter()


def load_latest(directory: Path) -> Checkpoint:
    """The newest checkpoint of a run that is good: the one `latest.json` names, else the newest
    that loads. Raises UserError, with the first one's fault, if none does."""
    candidates = _newest_first(directory)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        named = directory / strict_json.loads(read_file(directory / "latest.json"))["file"]
        if named in candidates:
            candidates.remove(named)
            candidates.insert(0, named)
    if not candidates:
        raise UserError(f"{directory} holds no checkpoint")
    faults: list[UserError] = []
    for path in candidates:
        try:
            checkpoint = load(path)
        except UserError as error:
            faults.append(error)
            continue
        for fault in faults:
            LOG.warning("%s; took %s", fault, path.name)
        return checkpoint
    raise faults[0]


def find(run_or_file: Path) -> Checkpoint:
    """The checkpoint of a run directory (its newest) or of a file. Raises UserError."""
    if (run_or_file / "checkpoints").is_dir():
        return load_latest(run_or_file / "checkpoints")
    if run_or_file.is_dir():
        raise UserError(f"{run_or_file} is not a run directory: it has no checkpoints/")
    return load(run_or_file)


def _newest_first(directory: Path) -> list[Path]:
    return sorted(directory.glob("step_*.safetensors"), reverse=True)


def _digest(meta: dict[str, Any], state: dict[str, np.ndarray]) -> str:
    shapes = [[n, str(a.dtype), list(a.shape)] for n, a in sorted(state.items())]
    digest = hashlib.sha256(json.dumps([meta, shapes], sort_keys=True).encode())
    for _, array in sorted(state.items()):
        digest.update(array.tobytes())
    return digest.hexdigest()
