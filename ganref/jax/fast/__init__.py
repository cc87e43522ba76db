"""What makes JAX quick: many steps in one call of XLA's, and convolutions that processors like."""

from __future__ import annotations

from functools import partial

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
    if why := why_eager(recipe, compile, steps):
        nets = {"net_D": net_D, "net_G": net_G}
    else:
        nets = {"net_D": rewritten(net_D), "net_G": rewritten(net_G)}
    plain = partial(step, **nets, recipe=recipe, trainer_D=trainer_D, trainer_G=trainer_G)
    if why:
        return PlainSteps(plain, why)
    return CompiledSteps(plain, trainer_D, trainer_G, recipe.convolves)
