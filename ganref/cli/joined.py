"""A run of several workers, as each of them begins it."""

from __future__ import annotations

import atexit
import contextlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import data
from ..backend import load_backend
from ..data import Dataset
from ..spec.engines import Peers, Place
from ..spec.errors import UserError
from ..spec.serial import to_dict
from ..training import together
from ..training.checkpoint import Checkpoint
from ..training.run import Config
from ..training.watch import Watch, code_of
from .launch import PATIENCE, backend_of
from .runs import new_run, same_data
from .start import versions


@contextlib.contextmanager
def joined(place: Place, args: dict[str, Any], threads: int) -> Iterator[tuple[Peers, Watch]]:
    """The other workers of a run, watched until it ends. Raises UserError."""
    name, patience = backend_of(args), args.get("patience", PATIENCE)
    backend = load_backend(name)
    backend.set_threads(threads)
    try:
        peers = backend.join(place.rank, place.size, place.addresses[0], patience)
        try:
            watch = Watch(peers, place, patience, orphan="workers" in args)
        except OSError as error:
            raise UserError(
                f"rank {place.rank} does not reach rank 0's watch on {place.host} ({error})"
            ) from None
        with watch:
            yield peers, watch
    except BaseException as error:
        # Engines wait at their end for others that are gone: this one ends without.
        atexit.register(os._exit, code_of(error))
        raise
    peers.close()


def begin_together(args: dict[str, Any], place: Place, peers: Peers) -> tuple[Config, Dataset]:
    """A new run, which is the same for all workers, and its data; of those on one machine the first
    reads them (and downloads) before the others do. Raises UserError."""
    if place.local_rank:
        peers.total(np.zeros(1))
    found = new_run(args)
    if not place.local_rank:
        peers.total(np.zeros(1))
    check_alike(args, peers, *found)
    return found


def hand_out(
    args: dict[str, Any],
    peers: Peers,
    config: Config,
    dataset: Dataset,
    checkpoint: Checkpoint | None,
) -> None:
    """Give the run that goes on to the other workers, who `follow`. Raises UserError."""
    together.hand_out(peers, config, checkpoint)
    check_alike(args, peers, config, dataset)


def follow(args: dict[str, Any], peers: Peers) -> tuple[Config, Dataset, int, dict[str, Any]]:
    """The run that the first worker goes on with, as another one takes it from it: configuration,
    data, steps that are done, state. Raises UserError."""
    config, done, state = together.hand_out(peers, None, None)
    dataset = same_data(config, args.get("data", config.data))
    check_alike(args, peers, config, dataset)
    return config, dataset, done, state


def check_alike(args: dict[str, Any], peers: Peers, config: Config, dataset: Dataset) -> None:
    """Raises UserError, the same for all, where a worker has another run than the first."""
    drawn = config.data in data.DATASETS and not data.DATASETS[config.data].channels
    together.agree(peers, {
        "versions": versions(config.backend),
        "recipe": to_dict(config.recipe),
        "seed": config.seed,
        "steps": config.steps,
        "dtype": config.dtype,
        "device": config.device,
        # Points that are drawn may differ in their last bits on another machine.
        "data": config.data if drawn else dataset.identity,
        "--checkpoint-every": args.get("checkpoint_every"),
    })  # fmt: skip
