"""Groups: how a batch is cut where its examples are coupled, and what one of several workers
computes of it.

The batch of B examples is g groups of B / g, in order: rows 0 to B / g - 1 are the first. What
couples examples is computed of each group by itself: the statistics of a batch normalisation, also
in penalties, and the repelling term PT. Nothing else is: R stays the sum or the mean over all B.

    y_i = gamma (x_i - mean(x_i)) / sqrt(var(x_i) + eps) + beta    of each group x_i
    r <- 1/g Σ_i (momentum r + (1 - momentum) b_i)                 running statistics
    L_G = R[terms_G(o_fake)] + repelling * 1/g Σ_i PT(codes_i)

W workers with g / W whole groups each, B / W rows in order, compute that together: each trains the
GAN of `share(recipe, W)` on its rows, and with its L_w and running statistics r_w

    L = s Σ_w L_w and its gradients alike, s = 1 if R is the sum, 1 / W if it is the mean
    r = 1/W Σ_w r_w, after any number of passes, for r enters no pass that changes it.

PT is summed by neither R, so a worker's share of it is repelling / W where R is the sum.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from .errors import UserError

if TYPE_CHECKING:
    from .optimiser import Adam
    from .schema import Recipe


def group_size(batch: int, groups: int) -> int:
    """The examples of one group. Raises UserError where the batch is not cut into so many."""
    if groups < 1:
        raise UserError(f"groups must be at least 1, not {groups}")
    if batch % groups:
        fit = [n for n in range(1, min(batch, groups) + 1) if not batch % n]
        raise UserError(
            f"a batch of {batch} is not cut into {groups} equal groups; {fit[-1]} would divide it"
        )
    return batch // groups


def couples_examples(recipe: Recipe) -> bool:
    """Whether groups make a difference: an example's gradient depends on the others of its own."""
    return recipe.loss.needs_codes or any(network.normalises for network in recipe.networks)


def in_words(recipe: Recipe) -> str:
    """A recipe's batch and its groups."""
    groups = recipe.norm.groups
    return f"batch {recipe.batch_size}" + (f" in {groups} groups" if groups > 1 else "")


def share(recipe: Recipe, workers: int) -> Recipe:
    """What each of so many workers trains on its rows of every batch. Raises UserError where they
    have no whole groups, or not the same number of examples."""
    if workers < 1:
        raise UserError(f"workers must be at least 1, not {workers}")
    if not couples_examples(recipe):
        if recipe.batch_size % workers:
            raise UserError(f"{workers} workers cannot share a batch of {recipe.batch_size} evenly")
        groups = 1
    elif recipe.norm.groups % workers:
        raise UserError(
            f"{workers} workers cannot share {recipe.norm.groups} groups of examples evenly; train"
            f" with --groups {workers}, which is another recipe"
        )
    else:
        groups = recipe.norm.groups // workers
    return recipe.replace(
        batch_size=recipe.batch_size // workers,
        norm=dataclasses.replace(recipe.norm, groups=groups),
        loss=recipe.loss.share(workers),
    )


def weight_of_sum(recipe: Recipe, adam: Adam, workers: int) -> float:
    """By what the sum of so many workers' gradients is multiplied to be the batch's; an optimiser
    of mean gradients divides by the rows of one worker afterwards."""
    return recipe.loss.weight(workers) / (workers if adam.mean_gradients else 1)
