"""The architectures of weights that others have trained; `variants` has the numbers of each.

Images have channels first here, as everywhere in the spec: whoever brings channels-last weights
puts them in order on the way in (`exchange/layouts.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from .assembly import SAME, image, norm, pair
from .layers import (
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    Reshape,
    Tanh,
)
from .networks import Network

if TYPE_CHECKING:
    from .schema import Recipe

Pair = tuple[Network, Network]


def dcgan28(recipe: Recipe) -> Pair:
    """The 28×28 stack of TensorFlow's DCGAN tutorial: a dense layer normalised feature by feature,
    k5 "same" throughout, G without bias, D with bias and dropout."""
    channels, w, act = image(recipe, 28), recipe.width, LeakyReLU(recipe.leaky_slope)
    features = 4 * w * 7 * 7
    generator: list[Layer] = [
        *(Dense(recipe.latent_size, features, bias=False), norm(recipe, features), act),
        Reshape((4 * w, 7, 7)),
        # "Same" of stride 1 is even.
        *(ConvTranspose(4 * w, 2 * w, 5, 1, (2, 2), bias=False), norm(recipe, 2 * w), act),
        *(ConvTranspose(2 * w, w, 5, 2, SAME, bias=False), norm(recipe, w), act),
        *(ConvTranspose(w, channels, 5, 2, SAME, bias=False), Tanh()),
    ]
    discriminator = [
        *(Conv(channels, w, 5, 2, SAME), act, Dropout(recipe.dropout)),
        *(Conv(w, 2 * w, 5, 2, SAME), act, Dropout(recipe.dropout)),
        *(Flatten(), Dense(2 * w * 7 * 7, 1)),
    ]
    return pair(recipe, (recipe.latent_size,), generator, discriminator)


def pixel28(recipe: Recipe) -> Pair:
    """The 28×28 pair of gan-vae-pretrained. Its G ends in a kernel of 1 that crops two rows on each
    side; here the layer before makes them not at all, which gives the same images."""
    channels, w = image(recipe, 28), recipe.width
    down: list[Layer] = [*_downs(recipe, [channels, w, 2 * w, 4 * w])]
    down.append(Conv(4 * w, 1, 4, 2, (1, 1), bias=False))
    return pair(recipe, (recipe.latent_size, 1, 1), _pixel_generator(recipe, 3), down)


def pixel32(recipe: Recipe) -> Pair:
    """The 32×32 pair of gan-vae-pretrained: DCGAN's blocks, and a last kernel of 1 in G."""
    channels, w = image(recipe, 32), recipe.width
    down: list[Layer] = [*_downs(recipe, [channels, w, 2 * w, 4 * w, 8 * w])]
    down.append(Conv(8 * w, 1, 2, 2, bias=False))
    return pair(recipe, (recipe.latent_size, 1, 1), _pixel_generator(recipe, 1), down)


def odd28(recipe: Recipe) -> Pair:
    """The 28×28 pair of labml.ai's DCGAN: by way of 3×3 and 7×7, kernels of 3, then of 4."""
    channels, w, act = image(recipe, 28), recipe.width, LeakyReLU(recipe.leaky_slope)
    generator: list[Layer] = []
    ups = (recipe.latent_size, 4 * w, 3, 1, (0, 0)), (4 * w, 2 * w, 3, 2, (0, 0))
    for up in (*ups, (2 * w, w, 4, 2, (1, 1))):
        generator += [ConvTranspose(*up, bias=False), norm(recipe, up[1]), LeakyReLU(0)]
    generator += [ConvTranspose(w, channels, 4, 2, (1, 1), bias=False), Tanh()]
    discriminator = [
        *_downs(recipe, [channels, w, 2 * w]),
        *(Conv(2 * w, 4 * w, 3, 2, bias=False), norm(recipe, 4 * w), act),
        Conv(4 * w, 1, 3, bias=False),
    ]
    return pair(recipe, (recipe.latent_size, 1, 1), generator, discriminator)


def even_mlp(recipe: Recipe) -> Pair:
    """Two hidden layers of one width each, for images as vectors (gan-vae-pretrained's MLP)."""
    size, w, act = math.prod(recipe.data_shape), recipe.width, LeakyReLU(recipe.leaky_slope)
    generator: list[Layer] = []
    for n in (recipe.latent_size, w):
        generator += [Dense(n, w), LeakyReLU(0)]
    generator += [Dense(w, size), Tanh(), Reshape(recipe.data_shape)]
    discriminator = [Flatten(), Dense(size, w), act, Dense(w, w), act, Dense(w, 1)]
    return pair(recipe, (recipe.latent_size,), generator, discriminator)


STACKS: dict[str, Callable[[Recipe], Pair]] = {
    "dcgan28": dcgan28,
    "pixel28": pixel28,
    "pixel32": pixel32,
    "odd28": odd28,
    "even-mlp": even_mlp,
}


def _pixel_generator(recipe: Recipe, padding: int) -> list[Layer]:
    w = recipe.width
    ups = [recipe.latent_size, 8 * w, 4 * w, 2 * w, w]
    windows = (1, (0, 0)), (2, (1, 1)), (2, (1, 1)), (2, (padding, padding))
    layers: list[Layer] = []
    for n, m, window in zip(ups, ups[1:], windows, strict=False):
        layers += [ConvTranspose(n, m, 4, *window, bias=False), norm(recipe, m), LeakyReLU(0)]
    return [*layers, ConvTranspose(w, recipe.data_shape[0], 1, bias=False), Tanh()]


def _downs(recipe: Recipe, widths: list[int]) -> list[Layer]:
    """k4 s2 p1 blocks without bias, the first without normalisation."""
    layers: list[Layer] = []
    for i, (n, m) in enumerate(zip(widths, widths[1:], strict=False)):
        own = [norm(recipe, m)] if i else []
        layers += [Conv(n, m, 4, 2, (1, 1), bias=False), *own, LeakyReLU(recipe.leaky_slope)]
    return layers
