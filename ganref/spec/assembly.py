"""What stacks are put together from: a recipe's normalisation, and a pair with labels and spectral
normalisation where the recipe has them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from .errors import UserError
from .layers import BatchNorm, Concat, Conv, Dense, Flatten, Projection
from .networks import Network

if TYPE_CHECKING:
    from .schema import Recipe

SAME = (1, 2)  # "same" for kernel 5, stride 2 and even sizes, in TensorFlow's sense


def norm(recipe: Recipe, features: int) -> BatchNorm:
    """A batch normalisation with the recipe's numbers."""
    own = recipe.norm
    numbers = own.eps, own.momentum, own.unbiased, own.batch_stats
    return BatchNorm(features, *numbers, own.groups if own.batch_stats else 1)


def pair(
    recipe: Recipe,
    latent_shape: tuple[int, ...],
    generator: list,
    discriminator: list,
    code: int | None = None,
) -> tuple[Network, Network]:
    """G and D of these layers. Raises UserError where they do not fit."""
    if recipe.conditional:
        taken = _LABELLED[recipe.conditional](recipe.classes, discriminator)
        # A code lies behind what was put in.
        code = None if code is None else code + len(taken) - len(discriminator)
        discriminator = taken
    if recipe.spectral:
        divided = Dense, Conv, Projection
        discriminator = [
            dataclasses.replace(layer, spectral=True) if isinstance(layer, divided) else layer
            for layer in discriminator
        ]
    return (
        Network("generator", latent_shape, tuple(generator), "samples"),
        Network("discriminator", recipe.data_shape, tuple(discriminator), recipe.head, code),
    )


def _concat(classes: int, layers: list) -> list:
    """Labels before the first layer with weights, which takes them in."""
    at = next(i for i, layer in enumerate(layers) if isinstance(layer, (Dense, Conv)))
    size = "in_channels" if isinstance(layers[at], Conv) else "in_features"
    wider = dataclasses.replace(layers[at], **{size: getattr(layers[at], size) + classes})
    return [*layers[:at], Concat(classes), wider, *layers[at + 1 :]]


def _projection(classes: int, layers: list) -> list:
    """A projection in the place of the last layer, Dense or a convolution as wide as its image."""
    *others, last = layers
    if isinstance(last, Conv):
        size = last.in_channels * last.kernel**2
        return [*others, Flatten(), Projection(size, classes, last.bias)]
    return [*others, Projection(last.in_features, classes, last.bias)]


_LABELLED = {"concat": _concat, "projection": _projection}


def points_shape(recipe: Recipe) -> tuple[int, ...]:
    """The shape of a recipe's points. Raises UserError if it has none."""
    if len(recipe.data_shape) != 1:
        raise UserError(f"recipe {recipe.name} takes points, not data of {recipe.data_shape}")
    return recipe.data_shape


def image(recipe: Recipe, size: int) -> int:
    """The channels of a recipe's images of that size. Raises UserError if they are not."""
    shape = recipe.data_shape
    if len(shape) != 3 or shape[1:] != (size, size):
        raise UserError(f"recipe {recipe.name} takes images {size}×{size}, not data of {shape}")
    return shape[0]
