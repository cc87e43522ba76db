"""Small versions of every recipe, and the draws of a few steps, for all tests to share."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from typing import Any

import numpy as np

import ganref
from ganref.draws.rng import (
    DATA,
    DROPOUT,
    LABELS,
    LATENT,
    LATENT_G,
    MIXTURE,
    Stream,
    drawn_labels,
    dropout_masks,
    latent,
    mixtures,
)  # fmt: skip
from ganref.labs import fresh_state
from ganref.parity.differences import FLOOR
from ganref.spec import Recipe, on_data
from ganref.spec.labels import pass_masks, with_labels
from ganref.spec.losses import (
    BinaryCrossEntropy,
    Hinge,
    LeastSquares,
    Wasserstein,
    WassersteinGP,
)  # fmt: skip
from ganref.spec.variants import VARIANTS

NARROW: dict[str, dict[str, Any]] = {
    "gaussian": {},
    "ring": {"width": 8, "batch_size": 8},
    "dcgan": {"width": 4, "batch_size": 4},
    "dcgan-nyu": {"width": 4, "batch_size": 4},
    "dcgan32": {"width": 4, "batch_size": 4},
    "mlp": {"width": 8, "batch_size": 8},
    "ebgan": {"width": 4, "batch_size": 4},
    "wgan-gp": {"width": 4, "batch_size": 4},
}


def narrow(name: str) -> Recipe:
    """The recipe with its own numbers but fewer channels and a small batch."""
    return ganref.recipe(name).replace(**NARROW[name])


@lru_cache(maxsize=16)
def _made(backend: str, recipe: Recipe, dtype: str, compile: str) -> Any:
    weights = ganref.initial_weights(recipe)
    return ganref.load_backend(backend).create(recipe, weights, "cpu", dtype, compile)


def started(backend: str, recipe: Recipe, dtype: str = "float64", compile: str = "auto") -> Any:
    """A GAN at its beginning: the last one that was asked for in these words, with all that its
    framework has compiled for it."""
    gan = _made(backend, recipe, dtype, compile)
    gan.load_state(fresh_state(recipe, 0))
    return gan


def with_loss(recipe: Recipe, **changes: Any) -> Recipe:
    """The recipe with other numbers in its loss."""
    return recipe.replace(loss=dataclasses.replace(recipe.loss, **changes))


def draws(recipe: Recipe, steps: int, seed: int = 0) -> tuple[tuple[Any, Any], dict[str, Any]]:
    """((X, Z), keywords) of that many steps; data are Gaussian, squashed where they are images."""
    k, batch = range(steps), recipe.batch_size
    examples = recipe.examples_per_step
    shape = (steps, examples, *recipe.data_shape)
    X = Stream(seed, DATA).at(0).standard_normal(shape)
    X = X @ np.array([[1, 2], [-0.1, 0.5]]) + [1, 2] if recipe.data_shape == (2,) else np.tanh(X)
    Z = latent(recipe, Stream(seed, LATENT), k, (examples,))
    masks = dropout_masks(recipe, Stream(seed, DROPOUT), k)
    masks |= mixtures(recipe, Stream(seed, MIXTURE), k)
    more: dict[str, Any] = {"Z_G": None, "masks": masks}
    if recipe.fresh_Z:
        more["Z_G"] = latent(recipe, Stream(seed, LATENT_G), k, (recipe.G_updates, batch))
    if recipe.classes:
        leads = (examples,), (examples,), (recipe.G_updates, batch)
        labels = drawn_labels(Stream(seed, LABELS), k, leads, np.arange(recipe.classes))
        Z = with_labels(recipe, Z, labels[1])
        if recipe.fresh_Z:
            more["Z_G"] = with_labels(recipe, more["Z_G"], labels[2])
        masks |= pass_masks(recipe, *labels[:2], labels[2] if recipe.fresh_Z else None)
    return (X, Z), more


def one_step(recipe: Recipe, seed: int = 0) -> tuple[tuple[Any, Any], dict[str, Any]]:
    """The draws of a single step, without the leading axis."""
    (X, Z), more = draws(recipe, 1, seed)
    Z_G = None if more["Z_G"] is None else more["Z_G"][0]
    return (X[0], Z[0]), {"Z_G": Z_G, "masks": {n: m[0] for n, m in more["masks"].items()}}


def difference(a: Any, b: Any) -> float:
    """The largest difference relative to the largest magnitude of b."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-300))


def trace_differences(recipe: Recipe, found: Any, expected: Any) -> dict[str, float]:
    """The difference of each column of two traces; where its terms cancel, what is left of a
    column is measured on a hundredth of the largest."""
    largest = max(float(np.abs(column).max()) for column in expected)
    floor = FLOOR * largest if recipe.loss.signed else 1e-300
    return {
        name: float(np.abs(a - b).max() / max(np.abs(b).max(), floor))
        for name, a, b in zip(expected._fields, found, expected, strict=True)
    }


def conditional() -> dict[str, Recipe]:
    """Both kinds of class labels, on dense networks and on convolutions, and the one that there is
    on an energy, whose code lies a layer further back."""
    by_name = {
        f"{kind}-{name}": narrow(name).replace(conditional=kind, classes=3)
        for kind in ("concat", "projection")
        for name in ("mlp", "dcgan32", "dcgan")
    }
    energy = narrow("ebgan").replace(data="gaussian", data_shape=(2,), latent_dim=2)
    energy = with_loss(energy, repelling=0.1).replace(conditional="concat", classes=3)
    return by_name | {"concat-energy": energy}


def grouped(recipe: Recipe, groups: int, **changes: Any) -> Recipe:
    """The recipe with its batch cut, and other numbers of its batch normalisation."""
    norm = dataclasses.replace(recipe.norm, groups=groups, **changes)
    return recipe.replace(norm=norm, batch_size=max(recipe.batch_size, 2 * groups))


def groups() -> dict[str, Recipe]:
    """Batches cut in two and four: in statistics of either variance and order, in penalties between
    them, in the repelling term with and without statistics, beside labels."""
    dcgan32, ebgan = narrow("dcgan32"), with_loss(narrow("ebgan"), repelling=0.1)
    # Wide enough that no sample is 0, whose code would have no direction.
    points = ebgan.replace(data="gaussian", data_shape=(2,), latent_dim=2, width=16)
    labelled = dcgan32.replace(conditional="projection", classes=3, spectral=True)
    return {
        "groups-labels": grouped(labelled, 2, unbiased=False, fake_first=True, G_in_update_D=True),
        "groups-gp": grouped(dcgan32.replace(loss=WassersteinGP(r1=0.5)), 4),
        "groups-repelling": grouped(ebgan, 2),
        "groups-points": grouped(with_loss(points, r1=0.5, reduction="sum"), 4),
    }


def options() -> dict[str, Recipe]:
    """Every option that changes the arithmetic, on a narrow recipe that has a use for it."""
    toy, dcgan, dcgan32 = narrow("gaussian"), narrow("dcgan"), narrow("dcgan32")
    ebgan = narrow("ebgan").replace(latent="uniform")
    points = ebgan.replace(data="gaussian", data_shape=(2,), latent_dim=2)
    wgan_gp = on_data(narrow("wgan-gp"), "ring", True).replace(width=8)
    # Labels in every pass: of two updates of D, at mixed and at real points, and of a fresh Z.
    labelled = wgan_gp.replace(
        conditional="concat", classes=3, D_updates=2, loss=WassersteinGP(r1=0.5)
    )
    gentle = {"adam_D": ganref.recipe("mlp").adam_D, "adam_G": ganref.recipe("mlp").adam_G}
    tabs = {f"{r.name}-{tab}": ganref.with_tab(r, tab) for r in (toy, dcgan)
            for tab in ("pytorch", "tensorflow", "mxnet")}  # fmt: skip
    return {
        "minimax": with_loss(toy, generator="minimax"),
        "smoothing": with_loss(toy, real_label=0.9),
        "least-squares": toy.replace(loss=LeastSquares("sum", 0.5)),
        "hinge": narrow("mlp").replace(loss=Hinge()),
        "hinge-r1": narrow("mlp").replace(loss=Hinge(r1=0.5)),
        "relu": dcgan.replace(leaky_slope=0.0, **gentle),
        "r1": with_loss(narrow("mlp"), r1=0.5),
        "r1-conv": with_loss(dcgan32, r1=0.5),
        "r1-tanh": with_loss(toy, r1=0.5),
        "r1-energy": with_loss(points, r1=0.5, repelling=0.1),
        "r2": with_loss(narrow("mlp"), r2=0.5),
        "r1-r2-conv": with_loss(dcgan32, r1=0.5, r2=0.25),
        "wasserstein": toy.replace(loss=Wasserstein("sum", 0.5), D_updates=2),
        "gp-tanh": toy.replace(loss=BinaryCrossEntropy("sum", 0.5, gp=0.3)),
        "gp-dropout": narrow("mlp").replace(loss=WassersteinGP(), D_updates=2),
        "gp-conv": dcgan32.replace(loss=WassersteinGP(r1=0.5)),
        "spectral": narrow("mlp").replace(spectral=True, loss=Hinge()),
        "spectral-conv": dcgan32.replace(spectral=True),
        "spectral-gp": narrow("wgan-gp").replace(spectral=True, D_updates=2),
        "spectral-penalties": toy.replace(spectral=True, loss=WassersteinGP(r1=0.5, r2=0.25)),
        "spectral-toy": toy.replace(spectral=True),
        "spectral-energy": narrow("ebgan").replace(spectral=True),
        "ema": dcgan32.replace(ema=0.9),
        "repelling": with_loss(ebgan, repelling=0.1),
        "ebgan-points": points,
        "wgan-gp-points": wgan_gp,
        "fresh-Z": dcgan32.replace(fresh_Z=True),
        "concat-gp": labelled.replace(conditional="concat"),
        "projection-gp": labelled.replace(conditional="projection"),
        "projection-spectral": dcgan32.replace(conditional="projection", classes=3, spectral=True),
        "D-updates": toy.replace(D_updates=3, G_updates=2),
        "D-updates-fresh": narrow("mlp").replace(D_updates=2),
        "D-updates-conv": dcgan32.replace(D_updates=2, loss=LeastSquares()),
        **groups(),
        **tabs,
        # The networks of weights that others have trained.
        **{name: r.replace(width=4, batch_size=4) for name, r in VARIANTS.items()},
    }
