"""What memory alone lets a step take, counted from the spec."""

from __future__ import annotations

import math

from ganref.spec import Recipe
from ganref.spec.layers import Layer
from ganref.spec.networks import Network

from ..limits import counts

ADAM = 7  # numbers of float32 for each weight: w, g, m and v are read, w, m and v written


def bytes_per_step(recipe: Recipe, dtype: str) -> int:
    """What no step can do without reading or writing, in bytes: each product reads its two factors
    and writes its result once, in `dtype`, and Adam goes through the weights. Normalisation and
    activations are taken to be part of the products, which nobody reaches."""
    size = {"bfloat16": 2, "float64": 8}.get(dtype, 4)
    moved = 0
    for network in recipe.networks:
        products = [i for i, layer in enumerate(network.layers) if layer.macs(network.shapes[i])]
        for i in products:
            passes = sum(counts(network, i == products[0]))
            moved += passes * _numbers(network, i, recipe.batch_size)
    weights = sum(network.num_parameters for network in recipe.networks)
    return size * moved + 4 * ADAM * weights


def _numbers(network: Network, i: int, batch: int) -> int:
    """The numbers of one pass of a layer: its input, its output, its weights."""
    layer: Layer = network.layers[i]
    around = math.prod(network.shapes[i]) + math.prod(network.shapes[i + 1])
    return batch * around + sum(math.prod(p.shape) for p in layer.params())
