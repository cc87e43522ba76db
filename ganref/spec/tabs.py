"""What d2l's three tabs say differently, as data (docs/deviations.md has a paragraph on each).

A tab is a change to an aligned recipe, so "the TensorFlow tab's semantics" runs on any backend.
"""

from __future__ import annotations

import dataclasses

from .errors import UserError
from .optimiser import Adam
from .schema import Draw, Init, Norm, Recipe

TABS = ("aligned", "pytorch", "tensorflow", "mxnet")

# PyTorch and TensorFlow loop over *all* parameters, gamma, beta and biases too.
_REDRAW_ALL = Init(bias=Draw(), gamma=Draw(), beta=Draw())
# The page looks at both networks' output shapes on zeros, in training mode: by PyTorch's momentum
# that takes a tenth off every running variance before training starts.
_LOOKED_AT = dataclasses.replace(_REDRAW_ALL, running_var=Draw("constant", 0.9))
# The toy's TensorFlow net_G has no variables yet when the loop runs over them.
_KERAS_DEFAULT = Init(weight=Draw("glorot_uniform"))

_NORMS = {
    "pytorch": Norm(G_in_update_D=True),
    "tensorflow": Norm(eps=1e-3, momentum=0.99, unbiased=False, batch_stats=False),
    "mxnet": Norm(unbiased=False, fake_first=True),
}


def _adam(adam: Adam, tab: str) -> Adam:
    if tab == "tensorflow":
        return dataclasses.replace(adam, eps=1e-7, eps_form="plain")
    if tab == "mxnet":
        return dataclasses.replace(adam, eps_form="plain", mean_gradients=True)
    return adam


def with_tab(recipe: Recipe, tab: str) -> Recipe:
    """The recipe as that tab of d2l.ai has it; "aligned" is the recipe itself.

    Raises UserError for an unknown tab, and for a recipe that is not d2l's.
    """
    if tab not in TABS:
        raise UserError(f"unknown tab {tab!r}; there are {', '.join(TABS)}")
    if tab == "aligned":
        return recipe
    if recipe.name not in ("gaussian", "dcgan"):
        raise UserError(f"recipe {recipe.name} is not d2l's; tabs are for gaussian and dcgan")
    changed = recipe.replace(
        tab=tab,
        norm=_NORMS[tab],
        adam_D=_adam(recipe.adam_D, tab),
        adam_G=_adam(recipe.adam_G, tab),
    )
    if tab == "mxnet":
        return changed
    changed = changed.replace(init_D=_REDRAW_ALL, init_G=_REDRAW_ALL)
    if tab == "pytorch" and recipe.name == "dcgan":
        return changed.replace(init_D=_LOOKED_AT, init_G=_LOOKED_AT)
    if tab == "tensorflow" and recipe.name == "gaussian":
        return changed.replace(init_G=_KERAS_DEFAULT)
    if tab == "tensorflow":
        adams = {
            name: dataclasses.replace(getattr(changed, name), lr=0.0005)
            for name in ("adam_D", "adam_G")
        }
        return changed.replace(epochs=40, **adams)
    return changed
