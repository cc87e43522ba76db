"""Runs from options: a new one, one to go on with, and one whose checkpoint is looked at."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from .. import data
from ..backend import GAN, check_backend
from ..draws import rng
from ..output.files import LOG
from ..spec import Recipe, UserError
from ..spec.labels import with_labels
from ..spec.precision import storage
from ..training import shown
from ..training.checkpoint import Checkpoint, find, load_latest
from ..training.log import Log
from ..training.run import Config, RunDirectory
from .options import DEFINING, READING, build_recipe, reading, with_data
from .start import check_memory, create, pick_device, prepare_threads

BATCH = 256  # samples that are drawn at a time


def new_run(args: dict[str, Any]) -> tuple[Config, data.Dataset]:
    """What the options ask for, and its data. Raises UserError."""
    built = build_recipe(args)
    backend = args.get("backend", "numpy")
    check_backend(backend)
    check_memory(built, args.get("dtype", "float32"))
    name = args.get("data", built.data)
    built, dataset = with_data(args, built)
    steps = _steps(args, built, name, dataset)
    config = Config(
        recipe=built,
        backend=backend,
        data=_anywhere(name),
        identity=dataset.identity,
        seed=args.get("seed", 0),
        device=pick_device(backend, args.get("device", "auto"), built),
        dtype=args.get("dtype", "float32"),
        compile=args.get("compile", "auto"),
        steps=steps,
        planned_steps=steps,
        class_names=dataset.classes if built.conditional else (),
        **reading(args, name),
    )
    return config, dataset


def check_changes(args: dict[str, Any]) -> None:
    """Raises UserError if an option would change what a run that goes on has been so far."""
    for name in DEFINING:
        if name in args:
            option = name.replace("_", "-")
            raise UserError(f"--{option} cannot change with --resume; it belongs to the run")


def resumed_run(
    args: dict[str, Any], run: RunDirectory
) -> tuple[Config, data.Dataset, Checkpoint | None, Log]:
    """The run in that directory as far as it is, with what may change, and what it has logged; no
    checkpoint if it was ended before its first one. Raises UserError."""
    config = run.read_config()
    saved = run.checkpoints.is_dir() and any(run.checkpoints.glob("step_*"))
    checkpoint = load_latest(run.checkpoints) if saved else None
    if checkpoint and (checkpoint.recipe, checkpoint.seed) != (config.recipe, config.seed):
        raise UserError(f"the checkpoints in {run.path} are of another run than its config.json")
    dataset = same_data(config, args.get("data", config.data))
    changes: dict[str, Any] = {n: args[n] for n in ("backend", "compile") if n in args}
    changes |= {"data": _anywhere(dataset.name), "identity": dataset.identity}
    # Of weights of others nobody has said yet how long they are to be trained.
    if "steps" in args or "epochs" in args or not config.steps:
        changes["steps"] = _steps(args, config.recipe, config.data, dataset)
    config = dataclasses.replace(config, **changes)
    if "device" in args or "backend" in args:
        check_backend(config.backend)
        device = pick_device(config.backend, args.get("device", "auto"), config.recipe)
        config = dataclasses.replace(config, device=device)
    if checkpoint and checkpoint.step > config.steps:
        raise UserError(
            f"{run.path} is at step {checkpoint.step:,} already; --steps counts from its start"
        )
    if checkpoint is None:
        LOG.warning("%s has no checkpoint yet; it begins again with its first step", run.path)
        return config, dataset, None, Log()
    return config, dataset, checkpoint, checkpoint.log or run.read_log(checkpoint.step)


def same_data(config: Config, name: str) -> data.Dataset:
    """What a run trains on, wherever it lies now. Raises UserError if it is not the same."""
    _there(name)
    how = {key: getattr(config, key) for key in READING}
    dataset = data.load(name, config.recipe, config.seed, **how)
    drawn = name in data.DATASETS and not data.DATASETS[name].channels
    # Points that are drawn may differ in their last bits on another machine.
    same = name == config.data if drawn else config.identity in (None, dataset.identity)
    if not same:
        raise UserError(
            f"the data of this run were {config.identity}; {name} now holds {dataset.identity}; say"
            " where the same data are with --data, or begin a new run"
        )
    return dataset


def _there(name: str) -> None:
    if name not in data.DATASETS and not Path(name).expanduser().exists():
        raise UserError(f"the run's data {name} are not to be found here; say where with --data")


def _anywhere(name: str) -> str:
    """A name that means the same in every folder."""
    return name if name in data.DATASETS else str(Path(name).expanduser().resolve())


def _steps(args: dict[str, Any], built: Recipe, name: str, dataset: data.Dataset) -> int:
    per_epoch = built.steps_per_epoch(len(dataset))
    return args.get("steps") or args.get("epochs", built.epochs_on(name)) * per_epoch


def trained(run_or_file: Path, ema: bool) -> Checkpoint:
    """The checkpoint of a run or a file. Raises UserError if there is none, or it has no average
    of G's weights that is asked for."""
    checkpoint = find(run_or_file)
    if ema and not checkpoint.recipe.ema:
        raise UserError("this run kept no average of G's weights; train with --ema 0.999, say")
    return checkpoint


def restore(
    checkpoint: Checkpoint, backend: str | None, device: str, threads: int | None
) -> tuple[Config, GAN]:
    """The GAN of a checkpoint, on that backend or the one that wrote it. Raises UserError."""
    count = prepare_threads(threads)
    name = backend or checkpoint.backend
    check_backend(name)
    dtype = storage(checkpoint.dtype)
    where = pick_device(name, device, checkpoint.recipe)
    config = Config(checkpoint.recipe, name, checkpoint.data, checkpoint.seed, where, dtype)
    return config, create(config, count, checkpoint)


def generate(
    gan: GAN,
    recipe: Recipe,
    seed: int,
    num: int,
    stream: int = rng.PICTURES,
    labels: np.ndarray | None = None,
    **how: bool,
) -> np.ndarray:
    """`num` samples (num, *data) from the noise of that seed, the same on every backend: each
    256 of them are a step of the stream. `labels` (num,) are the classes of a conditional recipe's.
    """
    noise = rng.Stream(seed, stream)
    parts = []
    for i in range(-(-num // BATCH)):
        count = min(BATCH, num - i * BATCH)
        Z = rng.latent(recipe, noise, range(i, i + 1), (BATCH,))[0][:count]
        own = None if labels is None else labels[i * BATCH : i * BATCH + count]
        parts.append(gan.generate(with_labels(recipe, Z, own), **how))
    return np.concatenate(parts)


def generate_rows(gan: GAN, recipe: Recipe, seed: int, across: int, **how: bool) -> np.ndarray:
    """Samples (classes * across, *data) of a conditional recipe, class by class, each of the same
    noise."""
    Z = shown.rows_of_classes(recipe, seed, range(recipe.classes), across)
    return np.concatenate([gan.generate(Z[i : i + BATCH], **how) for i in range(0, len(Z), BATCH)])


def data_of(
    checkpoint: Checkpoint, run: Path, name: str | None, args: dict[str, Any]
) -> data.Dataset:
    """The data of that name, else those of the run (a directory, or a checkpoint in one), read as
    it read them unless the options say otherwise. Raises UserError."""
    where = name or checkpoint.data
    if name is None:
        _there(where)
    how: dict[str, Any] = {}
    # A checkpoint alone does not know how its images were read.
    with contextlib.suppress(UserError):
        config = RunDirectory.open(run if run.is_dir() else run.parent.parent).read_config()
        how = {key: getattr(config, key) for key in READING}
    asked = reading(args, where)
    return data.load(where, checkpoint.recipe, checkpoint.seed, **how | asked)
