"""What makes PyTorch quick: many steps in one call, as one compiled function or one CUDA graph."""

from __future__ import annotations

from functools import partial

from ganref.spec.heap import keep_freed
from ganref.spec.schema import Recipe

from ..layers import Network
from ..optim import Adam
from ..steps import PlainSteps, step
from . import cuda_graph, inductor, products

Steps = PlainSteps | inductor.CompiledSteps | cuda_graph.GraphedSteps


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
    if net_D.device != "cpu":
        if why := cuda_graph.why_launched(recipe, compile):
            return PlainSteps(plain, why)
        own = recipe, net_D, net_G, trainer_D, trainer_G
        return cuda_graph.GraphedSteps(*own, PlainSteps(plain))
    if compile != "off":
        keep_freed()
    if products.pays(recipe, net_D.mixed, compile):
        nets = {"net_D": products.rewritten(net_D), "net_G": products.rewritten(net_G)}
        plain = partial(plain, **nets)
    if why := inductor.why_eager(recipe, net_D.mixed, compile, steps):
        return PlainSteps(plain, why)
    return inductor.CompiledSteps(recipe, trainer_D, trainer_G, PlainSteps(plain), compile == "on")
