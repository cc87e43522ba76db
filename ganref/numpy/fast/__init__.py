"""What makes NumPy quick: memory that it keeps. A loop of many steps is as fast as they are one by
one."""

from __future__ import annotations

from functools import partial

import numpy as np

from ganref.spec.heap import keep_freed
from ganref.spec.schema import Recipe

from ..framework import Masks, Tensor
from ..layers import Network
from ..optim import Adam
from ..steps import PlainSteps, step

Steps = PlainSteps


def make_steps(
    net_D: Network,
    net_G: Network,
    recipe: Recipe,
    trainer_D: Adam,
    trainer_G: Adam,
    compile: str,
    steps: int | None,
) -> Steps:
    """What makes k steps in one call, in the arithmetic of `steps.step`: in the way that lets a run
    of so many `steps` end soonest (compile "auto"), in the fastest ("on"), or plainly ("off")."""
    plain = partial(
        step,
        net_D=net_D,
        net_G=net_G,
        recipe=recipe,
        trainer_D=trainer_D,
        trainer_G=trainer_G,
    )
    if compile != "off":
        keep_freed()
    return _Quiet(plain)


class _Quiet(PlainSteps):
    def __call__(self, X: Tensor, Z: Tensor, Z_G: Tensor | None, masks: Masks) -> Tensor:
        with np.errstate(all="ignore"):  # a loss that is not finite says it in the trace
            return super().__call__(X, Z, Z_G, masks)
