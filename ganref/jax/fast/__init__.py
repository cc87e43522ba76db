"""What makes JAX quick: many steps in one call of XLA's, and convolutions that processors like."""

from __future__ import annotations

from functools import partial
from typing import Any

from ganref.spec.schema import Recipe

from ..layers import Network
from ..optim import Adam
from ..steps import PlainSteps, step
from .blocks import rewritten
from .compiled import CompiledSteps, why_eager

Steps = PlainSteps | CompiledSteps


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
    why, nets = why_eager(compile), (net_D, net_G)
    if not why:
        if not recipe.convolves or net_D.device.platform != "cpu":
            return CompiledSteps(recipe, trainer_D, trainer_G)
        # Compiling the updates apart takes less time than a step, which they fill.
        nets = rewritten(net_D), rewritten(net_G)
    own: Any = {"recipe": recipe, "trainer_D": trainer_D, "trainer_G": trainer_G}
    return PlainSteps(partial(step, net_D=nets[0], net_G=nets[1], **own), why)
