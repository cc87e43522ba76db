"""ganref: the classic GANs, once as data and the same in every framework.

recipe = ganref.recipe("gaussian")
weights = ganref.initial_weights(recipe, seed=0)
gan = ganref.load_backend("torch").create(recipe, weights, device="cpu", dtype="float32")
loss_D, loss_G = gan.train_steps(X, Z)
"""

import sys

# pip asks this of a wheel; nobody asks it of a source tree.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit("ganref needs Python 3.11 or newer, and this is Python " + sys.version.split()[0])

from .backend import BACKENDS, load_backend
from .draws.weights import initial_weights
from .spec import RECIPES, Recipe, UserError, recipe, with_tab

__version__ = "0.1.0"

__all__ = [
    "BACKENDS",
    "RECIPES",
    "Recipe",
    "UserError",
    "initial_weights",
    "load_backend",
    "recipe",
    "with_tab",
]
