"""Weights by the names of others, through every reader and into every target."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from checks.fuzz import foreign
from ganref.backend import BACKENDS
from ganref.exchange.layouts import in_keras
from ganref.exchange.profiles import NETS, profile_named
from ganref.exchange.reading import read
from ganref.exchange.verify import Exported
from ganref.export import TARGETS, nets_of, origin, write
from ganref.import_weights import Imported, imported
from ganref.spec.layers import BatchNorm, Conv, ConvTranspose
from ganref.spec.networks import Network
from ganref.training.checkpoint import Checkpoint

from . import about, exports, kept
from . import write as write_result
from .blocks import table

Arrays = dict[str, np.ndarray]

KERAS = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean",
         "running_var": "moving_variance"}  # fmt: skip


def network(profile: str, net: str) -> tuple[Network, Arrays]:
    """A profile's network, narrow, with weights that no layer is blind to."""
    recipe = profile_named(profile).made().replace(width=4, latent_dim=12)
    own = recipe.networks[NETS.index(net)]
    drawn = exports.state(recipe)
    return own, {p.name: drawn[p.name] for p in own.params}


def theirs(profile: str, net: str, sep: str = ".") -> tuple[Network, Arrays]:
    """The same, by the profile's names, or as TensorFlow's layers with weights are counted."""
    own, arrays = network(profile, net)
    weighted = [i for i, layer in enumerate(own.layers) if layer.params()]
    names = profile_named(profile).layers(net)
    if not names:
        arrays = in_keras(own, arrays)
        names = tuple(f"{own.name}/layer_with_weights-{i}" for i in range(len(weighted)))
    found = {}
    for full, array in arrays.items():
        _, index, word = full.split(".")
        norm = isinstance(own.layers[int(index)], BatchNorm)
        if sep == "/":
            word = KERAS[word] if norm else word.replace("weight", "kernel")
        elif sep == "+":
            word = word.replace("weight", "gamma").replace("bias", "beta") if norm else word
        name = names[weighted.index(int(index))]
        found[f"{name}{'.' if sep == '+' else sep}{word}"] = np.ascontiguousarray(array)
    return own, found


def _torch(profile: str, net: str, folder: Path) -> Path:
    return _file(folder, "w.pth", foreign.zipped(foreign.torch_zip(theirs(profile, net)[1])))


def _old_torch(profile: str, net: str, folder: Path) -> Path:
    return _file(folder, "w.pth", foreign.torch_legacy(theirs(profile, net)[1]))


def _safe(profile: str, net: str, folder: Path) -> Path:
    made = foreign.safe_bytes(*foreign.safetensors(theirs(profile, net)[1]))
    return _file(folder, "w.safetensors", made)


def _npz(profile: str, net: str, folder: Path) -> Path:
    return _file(folder, "w.npz", foreign.zipped(foreign.npz(theirs(profile, net)[1])))


def _gluon(profile: str, net: str, folder: Path) -> Path:
    return _file(folder, "w.params", foreign.gluon(theirs(profile, net, "+")[1]))


def _onnx(profile: str, net: str, folder: Path) -> Path:
    own, arrays = theirs(profile, net)
    layers: dict[str, Arrays] = {}
    for name, array in arrays.items():
        layers.setdefault(name.rpartition(".")[0], {})[name] = array
    kinds = [_operator(layer) for layer in own.layers if layer.params()]
    made = foreign.onnx(list(zip(kinds, layers.values(), strict=True)))
    return _file(folder, "w.onnx", made)


def _operator(layer: Any) -> str:
    kinds = {ConvTranspose: "ConvTranspose", Conv: "Conv", BatchNorm: "BatchNormalization"}
    return kinds.get(type(layer), "Gemm")


def _tensorflow(profile: str, net: str, folder: Path) -> Path:
    index, shard = foreign.tensorflow(theirs(profile, net, "/")[1])
    _file(folder, "ckpt-1.data-00000-of-00001", shard)
    return _file(folder, "ckpt-1.index", index)


def _keras(profile: str, net: str, folder: Path) -> Path:
    return _file(folder, "w.weights.h5", foreign.hdf5(theirs(profile, net, "/")[1]))


def _file(folder: Path, name: str, data: bytes) -> Path:
    (folder / name).write_bytes(data)
    return folder / name


SOURCES: dict[str, tuple[Callable[[str, str, Path], Path], tuple[str, ...]]] = {
    "PyTorch": (_torch, ("pytorch-examples", "dcgan-pytorch", "gan-zoo", "d2l", "csinva-mnist",
                         "csinva-cifar", "csinva-mlp", "labml")),
    "PyTorch before 1.6": (_old_torch, ("pytorch-examples",)),
    "safetensors": (_safe, ("pytorch-examples",)),
    "npz": (_npz, ("pytorch-examples",)),
    "ONNX": (_onnx, ("pytorch-examples",)),
    "Gluon": (_gluon, ("d2l",)),
    "TensorFlow": (_tensorflow, ("tf-tutorial",)),
    "Keras": (_keras, ("tf-tutorial",)),
}  # fmt: skip


def rows() -> list[tuple[str, str, str]]:
    """(profile, source, network) of every row."""
    return [(p, s, n) for s, (_, profiles) in SOURCES.items() for p in profiles for n in NETS]


def taken(profile: str, source: str, net: str) -> Imported:
    """What `ganref import` makes of that row's file."""
    with tempfile.TemporaryDirectory() as folder:
        path = SOURCES[source][0](profile, net, Path(folder))
        return imported([(path, *read(path))], None, profile)


def measure(target: str, chosen: list[tuple[str, str, str]] | None = None) -> dict[str, float]:
    """By row: the largest difference of what is exported from NumPy, relative to its scale."""
    nets: list[Exported] = []
    for i, row in enumerate(chosen or rows()):
        made = taken(*row)
        c = Checkpoint(made.recipe, made.state, 0, 0, made.recipe.data, made.dtype, "numpy")
        ((net, *rest),) = nets_of(c, row[2], False)
        nets.append((dataclasses.replace(net, stem=f"row_{i}"), *rest))  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        checks = write(Path(folder) / "out", TARGETS[target], nets, origin(c, Path()))
    return {
        ", ".join(row): float(f"{max(check.relative for check in made):.2g}")
        for row, made in zip(chosen or rows(), checks, strict=True)
    }


def make(runs: Path) -> None:
    """imports.json."""
    command = "python -m docs.make_results imports"
    told = about("dcgan-nyu", "numpy", 0, command, width=4, latent_dim=12, examples=64)
    packages = [entry.requires for entry in BACKENDS.values()]
    told["versions"] |= {
        package: metadata.version(package)
        for package in (*packages, "keras", "onnx", "onnxruntime")
    }
    figures = {t: kept(runs, f"imports-{t}", lambda t=t: measure(t)) for t in TARGETS}
    write_result("imports", told, figures)


def block(found: dict[str, Any]) -> str:
    """The matrix: a row a profile, its file and network, a column a target."""
    figures = found["figures"]
    lines = [
        [*row.split(", "), *(f"{figures[target][row]:.0e}" for target in figures)]
        for row in figures["numpy"]
    ]
    return "\n\n".join([
        table(["profile", "file", "", *figures], lines),
        f"*By `{found['command']}`, seed {found['seed']}, ganref {found['versions']['ganref']}:"
        " `docs/results/imports.json`.*",
    ])  # fmt: skip
