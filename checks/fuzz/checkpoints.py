"""Checkpoints with changed bytes, changed headers, and changed metadata whose checksum fits."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np

from ganref import initial_weights, load_backend, recipe
from ganref.spec.steps import Trace
from ganref.training import checkpoint as ckpt
from ganref.training.checkpoint import Checkpoint
from ganref.training.log import Log

from . import mutate
from .outcome import ACCEPTED, DIFFERENT, Outcome, attempt


class Checkpoints:
    """A small checkpoint, and what loading it changed must come to."""

    def __init__(self, folder: Path) -> None:
        toy = recipe("gaussian")
        state = load_backend("numpy").create(toy, initial_weights(toy)).state()
        log = Log(
            Trace(*np.random.default_rng(0).normal(size=(5, 3))), ('{"epoch": 1, "step": 3}',)
        )
        self.good = Checkpoint(
            toy, state, 0, 3, "gaussian", "float32", "numpy", {"ganref": "1"}, log
        )
        self.path = folder / "step_00000003.safetensors"
        ckpt.save(self.path, self.good)
        self.blob = self.path.read_bytes()

    def case(self, rng: random.Random) -> Outcome:
        """One changed checkpoint, loaded."""
        made_to_fit = False
        way = rng.random()
        if way < 0.6:
            blob = mutate.bytes_(rng, self.blob)
        else:
            size = int.from_bytes(self.blob[:8], "little")
            header, body = json.loads(self.blob[8 : 8 + size]), self.blob[8 + size :]
            if way < 0.75:
                header = mutate.json_(rng, header)
            else:
                made_to_fit = True
                header["__metadata__"]["ganref"] = self._fitting(rng, header)
            text = json.dumps(header).encode()
            blob = len(text).to_bytes(8, "little") + text + body
        self.path.write_bytes(blob)
        outcome, found = attempt(lambda: ckpt.load(self.path))
        if outcome.kind == ACCEPTED and not made_to_fit and not _same(found, self.good):
            return Outcome(DIFFERENT, "loaded, and is not what was saved")
        return outcome

    def _fitting(self, rng: random.Random, header: dict) -> str:
        meta = json.loads(header["__metadata__"]["ganref"])
        meta.pop("sha256")
        meta = mutate.json_(rng, meta)
        if isinstance(meta, dict):
            assert self.good.log is not None
            tensors = self.good.state | {ckpt.TRACE: np.stack(self.good.log.trace)}
            meta["sha256"] = ckpt._digest(meta, tensors)
        return json.dumps(meta, sort_keys=True)


def _same(a: Checkpoint, b: Checkpoint) -> bool:
    plain = all(getattr(a, name) == getattr(b, name) for name in ("recipe", *ckpt.PLAIN))
    tensors = set(a.state) == set(b.state) and all(
        np.array_equal(a.state[n], array) for n, array in b.state.items()
    )
    assert b.log is not None
    return (
        plain and tensors and a.log is not None and a.log.epochs == b.log.epochs
        and all(map(np.array_equal, a.log.trace, b.log.trace))
    )  # fmt: skip
