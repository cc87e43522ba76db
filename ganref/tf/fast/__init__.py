"""What makes TensorFlow quick: a graph, and many steps in one call of XLA's."""

from __future__ import annotations

from functools import partial

from ganref.spec.schema import Recipe

from ..layers import Network
from ..optim import Adam
from ..steps import PlainSteps, step
from . import products
from .xla import CompiledSteps, why_eager

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
    plain = partial(
        step,
        net_D=net_D,
        net_G=net_G,
        recipe=recipe,
        trainer_D=trainer_D,
        trainer_G=trainer_G,
    )
    if why := why_eager(recipe, compile, steps):
        return PlainSteps(plain, why)
    if products.pays(recipe, net_D.device):
        plain = partial(plain, net_D=products.rewritten(net_D), net_G=products.rewritten(net_G))
    return CompiledSteps(plain, recipe.convolves)
