"""The architectures: functions from a recipe's numbers to its generator and discriminator."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from . import guests
from .assembly import SAME, image, norm, pair, points_shape
from .layers import (
    BatchNorm,
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


def toy(recipe: Recipe) -> tuple[Network, Network]:
    """The linear generator and the small tanh discriminator of d2l.ai's toy."""
    (dim,) = points_shape(recipe)
    generator = [Dense(recipe.latent_size, dim)]
    discriminator = [Dense(dim, 5), Tanh(), Dense(5, 3), Tanh(), Dense(3, 1)]
    return pair(recipe, (recipe.latent_size,), generator, discriminator)


def points(recipe: Recipe) -> tuple[Network, Network]:
    """Two hidden layers each, for two-dimensional mixtures."""
    (dim,) = points_shape(recipe)
    w, act = recipe.width, LeakyReLU(recipe.leaky_slope)
    generator = [Dense(recipe.latent_size, w), LeakyReLU(0), Dense(w, w), LeakyReLU(0)]
    discriminator = [Dense(dim, w), act, Dense(w, w), act, Dense(w, 1)]
    return pair(recipe, (recipe.latent_size,), [*generator, Dense(w, dim)], discriminator)


def mlp(recipe: Recipe) -> tuple[Network, Network]:
    """Three hidden layers each, doubling in G and halving in D, dropout in D (an introduction to
    GANs in PyTorch)."""
    size, act = math.prod(recipe.data_shape), LeakyReLU(recipe.leaky_slope)
    widths = (recipe.width, 2 * recipe.width, 4 * recipe.width)
    generator: list[Layer] = []
    for n, m in zip((recipe.latent_size, *widths), widths, strict=False):
        generator += [Dense(n, m), act]
    generator += [Dense(widths[-1], size), Tanh(), Reshape(recipe.data_shape)]
    discriminator: list[Layer] = [Flatten()]
    for n, m in zip((size, *widths[::-1]), widths[::-1], strict=False):
        discriminator += [Dense(n, m), act, Dropout(recipe.dropout)]
    discriminator += [Dense(widths[0], 1)]
    return pair(recipe, (recipe.latent_size,), generator, discriminator)


def dcgan64(recipe: Recipe, first_norm: bool = True) -> tuple[Network, Network]:
    """The 64×64 stack of d2l.ai's DCGAN (k4 s2 p1 blocks, no bias), latent as nz×1×1."""
    channels = image(recipe, 64)
    w, act = recipe.width, LeakyReLU(recipe.leaky_slope)
    ups = [8 * w, 4 * w, 2 * w, w]
    generator: list[Layer] = []
    for i, (n, m) in enumerate(zip([recipe.latent_size, *ups], ups, strict=False)):
        stride, padding = (2, (1, 1)) if i else (1, (0, 0))
        block = ConvTranspose(n, m, 4, stride, padding, bias=False)
        generator += [block, norm(recipe, m), LeakyReLU(0)]
    generator += [ConvTranspose(w, channels, 4, 2, (1, 1), bias=False), Tanh()]
    discriminator: list[Layer] = []
    downs = ups[::-1]
    for i, (n, m) in enumerate(zip([channels, *downs], downs, strict=False)):
        own = [norm(recipe, m)] if i or first_norm else []
        discriminator += [Conv(n, m, 4, 2, (1, 1), bias=False), *own, act]
    discriminator += [Conv(8 * w, 1, 4, bias=False)]
    return pair(recipe, (recipe.latent_size, 1, 1), generator, discriminator)


def dcgan_nyu(recipe: Recipe) -> tuple[Network, Network]:
    """The stack of PyTorch's examples, as the NYU Deep Learning course (week 9) has it: d2l.ai's,
    but without normalisation in D's first block."""
    return dcgan64(recipe, first_norm=False)


def dcgan32(recipe: Recipe) -> tuple[Network, Network]:
    """The 32×32 stack of T. Silva's introduction (k5 s2 "same", all with bias)."""
    discriminator = [*_encoder32(recipe), Flatten(), Dense(4 * recipe.width * 16, 1)]
    return pair(recipe, (recipe.latent_size,), _generator32(recipe), discriminator)


def wgan(recipe: Recipe) -> tuple[Network, Network]:
    """The networks of `points` or the 32×32 stack, as the data ask, with no normalisation in D: the
    gradient penalty is each example's own (Gulrajani et al. 2017, section 4)."""
    if len(recipe.data_shape) == 1:
        return points(recipe)
    encoder = [layer for layer in _encoder32(recipe) if not isinstance(layer, BatchNorm)]
    discriminator = [*encoder, Flatten(), Dense(4 * recipe.width * 16, 1)]
    return pair(recipe, (recipe.latent_size,), _generator32(recipe), discriminator)


def ebgan(recipe: Recipe) -> tuple[Network, Network]:
    """The cost network is an autoencoder; its size follows the data's (NYU Deep Learning,
    week 9, first section)."""
    act = LeakyReLU(recipe.leaky_slope)
    if len(recipe.data_shape) == 1:
        (dim,), w = recipe.data_shape, recipe.width
        generator = [Dense(recipe.latent_size, w), LeakyReLU(0), Dense(w, w), LeakyReLU(0)]
        # Codes of one number would all be parallel: nothing for the repelling term to push apart.
        # The generated points keep a wide code from copying everything (Zhao et al., section 2).
        code_size = max(1, w // 2)
        encoder = [Dense(dim, w), act, Dense(w, code_size)]
        decoder = [Dense(code_size, w), act, Dense(w, dim)]
        generator, code = [*generator, Dense(w, dim)], len(encoder) - 1
    else:
        generator = _generator32(recipe)
        encoder = _encoder32(recipe)
        w, code = recipe.width, len(encoder) - 1
        decoder = [
            *(ConvTranspose(4 * w, 2 * w, 5, 2, SAME), norm(recipe, 2 * w), act),
            *(ConvTranspose(2 * w, w, 5, 2, SAME), norm(recipe, w), act),
            *(ConvTranspose(w, image(recipe, 32), 5, 2, SAME), Tanh()),
        ]
    return pair(recipe, (recipe.latent_size,), generator, [*encoder, *decoder], code)


STACKS: dict[str, Callable[[Recipe], tuple[Network, Network]]] = {
    "toy": toy,
    "points": points,
    "mlp": mlp,
    "dcgan64": dcgan64,
    "dcgan-nyu": dcgan_nyu,
    "dcgan32": dcgan32,
    "wgan": wgan,
    "ebgan": ebgan,
    **guests.STACKS,
}


def _generator32(recipe: Recipe) -> list[Layer]:
    channels, w = image(recipe, 32), recipe.width
    first = [Dense(recipe.latent_size, 8 * w * 16), Reshape((8 * w, 4, 4))]
    layers: list[Layer] = [*first, norm(recipe, 8 * w), LeakyReLU(0)]
    for n, m in ((8 * w, 4 * w), (4 * w, 2 * w)):
        layers += [ConvTranspose(n, m, 5, 2, SAME), norm(recipe, m), LeakyReLU(0)]
    return [*layers, ConvTranspose(2 * w, channels, 5, 2, SAME), Tanh()]


def _encoder32(recipe: Recipe) -> list[Layer]:
    channels, w, act = image(recipe, 32), recipe.width, LeakyReLU(recipe.leaky_slope)
    layers: list[Layer] = [Conv(channels, w, 5, 2, SAME), act]
    for n, m in ((w, 2 * w), (2 * w, 4 * w)):
        layers += [Conv(n, m, 5, 2, SAME), norm(recipe, m), act]
    return layers
