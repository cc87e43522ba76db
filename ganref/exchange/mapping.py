"""A file's tensors as a network's: in the spec's layouts, and the map that says so."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..spec.layers import ConvTranspose
from ..spec.networks import Network
from ..spec.schema import Recipe
from .arrays import Arrays
from .importing import Matched
from .layouts import LAYOUTS, channels_last
from .naming import spec_shape
from .profiles import NETS


class Row(NamedTuple):
    """A line of the map."""

    theirs: str
    ours: str
    shape: str
    change: str


def weights_of(own: Matched, recipe: Recipe) -> tuple[Arrays, list[Row]]:
    """A network's tensors under the spec's names and in its layouts, and the map. Raises
    UserError."""
    network = recipe.networks[NETS.index(own.net)]
    theirs, rows = {}, []
    for index, module in own.fit.pairs.items():
        layer = network.layers[index]
        for p in layer.params():
            full, name = module.tensors[p.name], f"{network.name}.{index}.{p.name}"
            theirs[name] = own.part.arrays[full]
            rows.append(Row(own.part.before + full, name, shown(p.shape), ""))
    changed = LAYOUTS[own.layout](network, theirs, back=True)
    rows = [
        row._replace(change=_change(own, network, row.ours, theirs[row.ours].shape)) for row in rows
    ]
    return {name: np.ascontiguousarray(array) for name, array in changed.items()}, rows


def shown(shape: tuple[int, ...]) -> str:
    """A shape as a person reads it."""
    return "×".join(map(str, shape)) or "1"


def _change(own: Matched, network: Network, name: str, shape: tuple[int, ...]) -> str:
    layer = network.layers[int(name.split(".")[1])]
    if own.layout not in ("tf", "jax"):
        return "as it is"
    words = []
    transposed = isinstance(layer, ConvTranspose)
    if len(shape) > 1:
        turned = spec_shape(own.layout, transposed, tuple(range(len(shape))))
        words.append(f"axes {turned}")
    if transposed and own.layout == "jax" and len(shape) == 4:
        words.append("turned by 180°")
    if channels_last(network, name):
        words.append("HWC → CHW")
    return ", ".join(words) or "as it is"
