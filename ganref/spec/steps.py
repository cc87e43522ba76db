"""What a training step reports, and what it takes beyond X and Z: shared by all backends."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .errors import UserError
from .schema import MIX, Recipe

Masks = dict[str, np.ndarray]


class Trace(NamedTuple):
    """One number per step, each of shape (k,): the losses as the recipe defines them, and the mean
    scores of D as the NYU Deep Learning course (week 9) logs them: on real and on fake examples
    while D is updated (for the last time in the step), and on fake ones after that, while G is
    updated. A score is what people read off D: a probability, or whatever number its loss takes."""

    loss_D: np.ndarray
    loss_G: np.ndarray
    D_x: np.ndarray
    D_G_z: np.ndarray
    D_G_z_after: np.ndarray


def check_steps(
    recipe: Recipe,
    X: np.ndarray,
    Z: np.ndarray,
    Z_G: np.ndarray | None,
    masks: Masks | None,
    held: bool = False,
) -> None:
    """Refuse arrays that are not k steps of the recipe. Raises UserError.

    With n = D_updates batches of B in a step, one after another: X (k, n B, *data), or rows
    (k, n B) of the data set that is `held`; Z (k, n B, *latent); Z_G (k, G_updates, B, *latent) if
    and only if the recipe draws a fresh Z for G; masks[name] (k, passes, B, *features) for each
    dropout layer of D, and for `MIX` as `Recipe.masks` has it.
    """
    if are_rows(X):
        if not held:
            raise UserError("X holds rows of a data set, and none is held here")
    elif X.ndim < 2 or X.shape[2:] != recipe.data_shape:
        raise UserError(f"X must be (k, B, *{recipe.data_shape}), not {X.shape}")
    k, examples = X.shape[:2]
    batch, rest = divmod(examples, recipe.D_updates)
    if rest:
        raise UserError(f"X must hold {recipe.D_updates} batches a step, not {examples} examples")
    _expect("Z", Z, (k, examples, *recipe.latent_shape))
    if recipe.fresh_Z:
        _expect("Z_G", Z_G, (k, recipe.G_updates, batch, *recipe.latent_shape))
    elif Z_G is not None:
        raise UserError("this recipe updates D and G on the same Z; Z_G must be None")
    wanted = recipe.masks(batch)
    if set(wanted) != set(masks or {}):
        raise UserError(f"masks must name {sorted(wanted)}, not {sorted(masks or {})}")
    for name, shape in wanted.items():
        _expect(f"masks[{name!r}]", (masks or {})[name], (k, *shape))


def are_rows(X: np.ndarray) -> bool:
    """Whether X names examples of a data set on the device instead of holding them."""
    return X.ndim == 2 and np.issubdtype(X.dtype, np.integer)


def in_one_pass(recipe: Recipe) -> bool:
    """Whether D may see real and fake examples in one pass: nothing couples them, and no penalty
    is at either alone. Products of twice as many rows take less than twice the time."""
    apart = {"real", "fake"} & {penalty.at for penalty in recipe.loss.penalties}
    return not recipe.discriminator.couples_examples and not apart


def of_pass(masks: dict[str, Any], i: int) -> dict[str, Any]:
    """The masks of pass (or step) i out of those of several, in any framework's arrays."""
    return {name: mask[i] for name, mask in masks.items()}


def of_updates(masks: dict[str, Any], i: int) -> dict[str, Any]:
    """The masks from D's update i on, real and fake first, in any framework's arrays."""
    return {name: mask[2 * i :] for name, mask in masks.items()} if i else masks


def of_update(batches: Any, i: int, updates: int) -> Any:
    """The batch of D's update i out of those of a step, in any framework's arrays."""
    size = batches.shape[0] // updates
    return batches[i * size : (i + 1) * size] if updates > 1 else batches


def points(recipe: Recipe, X: Any, fake_X: Any, masks: dict[str, Any]) -> dict[str, Any]:
    """The inputs of D at which the loss has penalties, by `Penalty.at`, in any framework's arrays:
    mixed ones are ε x + (1 - ε) G(z) (Gulrajani et al. 2017, algorithm 1)."""
    found = {"real": X, "fake": fake_X}
    if MIX in masks:
        found["mixed"] = masks[MIX][0] * X + (1 - masks[MIX][0]) * fake_X
    return {penalty.at: found[penalty.at] for penalty in recipe.loss.penalties}


def split(flat: np.ndarray, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """A vector as arrays of these shapes, one after another."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    return [part.reshape(s) for part, s in zip(np.split(flat, ends), shapes, strict=True)]


def from_bytes(x: Any, white: Any = 255) -> Any:
    """Images of whole numbers up to `white` as numbers in [-1, 1], in any framework's arrays of
    floating-point numbers: what `Dataset.batch` does in place."""
    return (x / white - 0.5) / 0.5


def _expect(name: str, array: np.ndarray | None, shape: tuple[int, ...]) -> None:
    found = None if array is None else array.shape
    if found != shape:
        raise UserError(f"{name} must have shape {shape}, not {found}")
