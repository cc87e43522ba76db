"""Files of weights with changed bytes, changed members and changed headers, imported."""

from __future__ import annotations

import importlib.util
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ganref import recipe
from ganref.exchange import importing, reading_keras, reading_tf
from ganref.exchange.arrays import Found
from ganref.exchange.mapping import weights_of
from ganref.exchange.profiles import Profile
from ganref.exchange.reading import of_bytes

from . import foreign, mutate
from .foreign import Arrays
from .outcome import ACCEPTED, DIFFERENT, Outcome, attempt

RECIPE = recipe("dcgan-nyu").replace(width=1, latent_dim=2, data_shape=(1, 64, 64))
SECONDS = 20


def weights(sep: str = ".", keras: bool = False) -> Arrays:
    """G's, by the names of PyTorch's example or of Keras."""
    words = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean",
             "running_var": "moving_variance"}  # fmt: skip
    draw, found = np.random.default_rng(0), {}
    for p in RECIPE.generator.params:
        _, index, own = p.name.split(".")
        array = draw.random(p.shape, np.float32)
        if keras:
            norm = f"{index}.running_var" in str(RECIPE.generator.params)
            own = words[own] if norm else "kernel"
            array = np.ascontiguousarray(array.transpose(2, 3, 1, 0)) if array.ndim == 4 else array
        found[f"main{sep}{index}{sep}{own}"] = array
    return found


class Imports:
    """Changed files of one format, and what importing them must come to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def changed(self, rng: random.Random) -> bytes:
        """A file, changed."""
        raise NotImplementedError

    def read(self, data: bytes) -> Found:
        """What it holds."""
        return of_bytes(data)

    def case(self, rng: random.Random) -> Outcome:
        """One changed file, read, and its layers looked for."""
        data = self.changed(rng)
        outcome, found = attempt(lambda: self._import(data))
        if outcome.kind == ACCEPTED and not all(np.isfinite(a).all() for a in found.values()):
            return Outcome(DIFFERENT, "imported, and not finite")
        return outcome

    def _import(self, data: bytes) -> Arrays:
        found = self.read(data)
        (own, *_) = importing.matched(found, RECIPE, Profile("", "", ""), None, None)
        return weights_of(own, importing.sized(RECIPE, [own]))[0]


def _members(rng: random.Random, members: dict[str, bytes]) -> bytes:
    """An archive with one member changed, or as a whole."""
    if rng.random() < 0.3:
        return mutate.bytes_(rng, foreign.zipped(members, rng.random() < 0.5))
    name = rng.choice(sorted(members, key=lambda name: (not name.endswith(".pkl"), name))[:4])
    return foreign.zipped(members | {name: mutate.bytes_(rng, members[name])}, rng.random() < 0.5)


class Torch(Imports):
    """PyTorch's, of today and of before 1.6."""

    def changed(self, rng: random.Random) -> bytes:
        if rng.random() < 0.3:
            return mutate.bytes_(rng, foreign.torch_legacy(weights()))
        return _members(rng, foreign.torch_zip(weights()))


class SafeTensors(Imports):
    """Safetensors."""

    def changed(self, rng: random.Random) -> bytes:
        header, body = foreign.safetensors(weights())
        if rng.random() < 0.5:
            return mutate.bytes_(rng, foreign.safe_bytes(header, body))
        return foreign.safe_bytes(mutate.json_(rng, header), body)


class Npz(Imports):
    """NumPy's."""

    def changed(self, rng: random.Random) -> bytes:
        return _members(rng, foreign.npz(weights()))


class Gluon(Imports):
    """MXNet's."""

    def changed(self, rng: random.Random) -> bytes:
        return mutate.bytes_(rng, foreign.gluon(weights()))


class Onnx(Imports):
    """ONNX."""

    def changed(self, rng: random.Random) -> bytes:
        layers: dict[str, Arrays] = {}
        for name, array in weights().items():
            layers.setdefault(name.rpartition(".")[0], {})[name] = array
        kinds = {1: "ConvTranspose", 4: "BatchNormalization"}
        made = foreign.onnx([(kinds[len(arrays)], arrays) for arrays in layers.values()])
        return mutate.bytes_(rng, made)


class TensorFlow(Imports):
    """A checkpoint of TensorFlow: its index, or its numbers."""

    def changed(self, rng: random.Random) -> bytes:
        index, shard = foreign.tensorflow(weights("/", keras=True))
        change = mutate.bytes_
        index, shard = (change(rng, index), shard) if rng.random() < 0.8 else (
            index, change(rng, shard))  # fmt: skip
        (self.folder / "ckpt.data-00000-of-00001").write_bytes(shard)
        return index

    def read(self, data: bytes) -> Found:
        (self.folder / "ckpt.index").write_bytes(data)
        return reading_tf.read_checkpoint(self.folder / "ckpt")


class Keras(Imports):
    """Keras' archive and HDF5, whose library is in a process that may die of it: forked, which is
    quicker than to start one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        importlib.import_module("h5py")
        self.good = foreign.hdf5(weights("/", keras=True))
        reading_keras.apart = self._apart  # type: ignore[assignment]

    def changed(self, rng: random.Random) -> bytes:
        if rng.random() < 0.3:
            return _members(rng, {"config.json": b"{}", reading_keras.WEIGHTS: self.good})
        return mutate.bytes_(rng, self.good)

    def _apart(self, path: Path) -> dict[str, Any]:
        out, err = self.folder / "out", self.folder / "err"
        child = os.fork()
        if child == 0:
            code = 70
            try:
                for file, to in ((out, 1), (err, 2)):
                    os.dup2(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), to)
                signal.setitimer(signal.ITIMER_REAL, 0)
                code = _answer(str(path))
            finally:
                os._exit(code)
        deadline = time.monotonic() + SECONDS
        while (ended := os.waitpid(child, os.WNOHANG))[0] == 0:
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                raise TimeoutError("HDF5 does not come to an end")
            time.sleep(0.0005)
        code = os.waitstatus_to_exitcode(ended[1])
        if code > 0 and code != 2:
            raise RuntimeError(f"a fault in the other process: {err.read_text()[-300:]}")
        return reading_keras.verdict(code, out.read_bytes(), err.read_bytes())


def _answer(path: str) -> int:
    """`reading_keras.main`, with the streams that a fork of a test has not."""
    import io
    import sys

    sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", closefd=False))
    sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", closefd=False))
    try:
        return reading_keras.main(path)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


IMPORTS: dict[str, Callable[[Path], Imports]] = {
    "import-torch": Torch,
    "import-safetensors": SafeTensors,
    "import-npz": Npz,
    "import-gluon": Gluon,
    "import-onnx": Onnx,
    "import-tensorflow": TensorFlow,
    **({"import-keras": Keras} if importlib.util.find_spec("h5py") else {}),
}
