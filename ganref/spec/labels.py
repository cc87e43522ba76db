"""Class labels of conditional recipes: G has them in its latents, D beside its examples.

Both are one-hot. A latent's last numbers are its label (Mirza and Osindero 2014), so that no
network's signature changes; D's layers that take labels take them as dropout takes masks, by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .errors import UserError

if TYPE_CHECKING:
    from .schema import Recipe

CONDITIONAL = ("concat", "projection")


def check_conditional(kind: str, classes: int, energy: bool) -> None:
    """Refuse a kind of conditioning, or a number of classes, that no recipe can have; "" and 0 are
    none. Raises UserError."""
    if kind and kind not in CONDITIONAL:
        raise UserError(f"unknown conditional {kind!r}; there are {', '.join(CONDITIONAL)}")
    if bool(kind) != bool(classes) or classes == 1 or classes < 0:
        raise UserError(
            "a conditional recipe has at least 2 classes, and one that is not has 0;"
            f" conditional is {kind!r} and classes {classes}"
        )
    if kind == "projection" and energy:
        raise UserError(
            "a projection adds to one number, and an energy is an error of many; choose concat"
        )


def conditional(
    recipe: Recipe, kind: str, labels: np.ndarray | None, names: Sequence[str] = ()
) -> Recipe:
    """The recipe with that kind of conditioning on data with these labels (N,), whose classes have
    those names if any; with the kind "" the recipe itself. Raises UserError for data without
    labels, of one class, or with a class that has no example."""
    if not kind:
        return recipe
    if labels is None or not len(labels):
        raise UserError(
            f"--conditional needs labels, and the data {recipe.data} have none; folders of their"
            " classes have"
        )
    found = np.unique(labels)
    classes = len(names) or int(found[-1]) + 1
    if found[0] < 0 or found[-1] >= classes:
        wrong = found[0] if found[0] < 0 else found[-1]
        raise UserError(f"a label of {recipe.data} is {wrong}; classes are 0 to {classes - 1}")
    if len(found) < classes:
        # The first number that the sorted ones do not have at its place.
        gaps = np.flatnonzero(found != np.arange(len(found)))
        gap = int(gaps[0]) if len(gaps) else len(found)
        called = f" ({names[gap]!r:.60})" if names else ""
        raise UserError(
            f"class {gap}{called} of {recipe.data} has no examples, of {classes} classes; number"
            " those that are there from 0, or train without --conditional"
        )
    if classes < 2:
        raise UserError(f"--conditional needs classes to tell apart; {recipe.data} has one alone")
    return recipe.replace(conditional=kind, classes=classes)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Labels of any shape as (*labels, classes), bool. Raises UserError for one of no class."""
    labels = np.asarray(labels)
    wrong = labels[(labels < 0) | (labels >= classes)]
    if wrong.size:
        raise UserError(f"there is no class {wrong.flat[0]}; classes are 0 to {classes - 1}")
    return labels[..., None] == np.arange(classes)


def with_labels(recipe: Recipe, noise: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """Latents Z (*lead, *latent_shape) of noise (*lead, latent_dim[, 1, 1]) and labels (*lead); the
    noise itself where the recipe has no classes. Raises UserError for labels that are missing or no
    class."""
    if not recipe.classes:
        return noise
    axes = len(recipe.latent_shape)
    lead = noise.shape[: noise.ndim - axes]
    if labels is None or np.shape(labels) != lead:
        found = None if labels is None else np.shape(labels)
        raise UserError(f"labels must have shape {lead}, not {found}; the recipe is conditional")
    hot = one_hot(labels, recipe.classes).reshape(*lead, recipe.classes, *(1,) * (axes - 1))
    return np.concatenate([noise, hot.astype(noise.dtype)], axis=-axes)


def label_masks(recipe: Recipe, labels: np.ndarray | None, examples: int) -> dict[str, np.ndarray]:
    """What a single pass of D on so many examples takes, by layer: labels are one-hot (n, classes),
    and None where the recipe has no classes. Raises UserError for others."""
    wanted = (examples, recipe.classes) if recipe.classes else None
    found = None if labels is None else np.shape(labels)
    if found != wanted:
        raise UserError(f"one-hot labels must have shape {wanted}, not {found}")
    return {name: np.asarray(labels, bool) for name in recipe.discriminator.labelled}


def pass_masks(
    recipe: Recipe, real: np.ndarray, fake: np.ndarray, own: np.ndarray | None
) -> dict[str, np.ndarray]:
    """What D's passes in k steps take, by layer (k, passes, B, classes), bool: the labels of the
    real examples (k, n B) and of the latents (k, n B) of n updates of D; and those of G's latents
    (k, G_updates, B), None where G sees the last ones again. Raises UserError for no class."""
    k, batch = len(real), recipe.batch_size
    pairs = [labels.reshape(k, recipe.D_updates, 1, batch) for labels in (real, fake)]
    seen = np.concatenate(pairs, axis=2).reshape(k, -1, batch)
    last = np.repeat(seen[:, -1:], recipe.G_updates, axis=1) if own is None else own
    hot = one_hot(np.concatenate([seen, last], axis=1), recipe.classes)
    return dict.fromkeys(recipe.discriminator.labelled, hot)
