"""Initial weights, drawn once for every backend."""

from __future__ import annotations

import math

import numpy as np

from ..spec.layers import Param
from ..spec.schema import Draw, Recipe
from .rng import WEIGHTS, Stream


def initial_weights(recipe: Recipe, seed: int = 0) -> dict[str, np.ndarray]:
    """Every tensor of both networks, running statistics included, as float64 arrays.

    Names and layouts are the spec's (`generator.0.weight`; Dense (out, in), convolution (out, in,
    kh, kw), transposed (in, out, kh, kw)). Each tensor has a step of the stream of its own, so
    that changing one layer leaves the draws of all before it as they were.
    """
    stream = Stream(seed, WEIGHTS)
    weights: dict[str, np.ndarray] = {}
    inits = recipe.init_G, recipe.init_D
    for network, init in zip(recipe.networks, inits, strict=True):
        for param in network.params:
            draw: Draw = getattr(init, param.role)
            weights[param.name] = _draw(draw, param, stream.at(len(weights)))
    return weights


def _draw(draw: Draw, param: Param, generator: np.random.Generator) -> np.ndarray:
    if draw.kind == "constant":
        return np.full(param.shape, draw.mean)
    if draw.kind == "direction":
        vector = generator.standard_normal(param.shape)
        return vector / np.sqrt((vector * vector).sum())
    if draw.kind == "normal":
        return generator.normal(draw.mean, draw.scale, param.shape)
    fans = param.fan_in if draw.kind == "uniform_fan_in" else (param.fan_in + param.fan_out) / 6
    bound = 1 / math.sqrt(fans)
    return generator.uniform(-bound, bound, param.shape)
