"""The framework-neutral layer: every number, no framework. It imports NumPy alone."""

from .errors import UserError
from .losses import Loss
from .networks import Network
from .optimiser import Adam
from .recipes import RECIPES, num_parameters, on_data, recipe
from .schema import Draw, Init, Norm, Recipe
from .steps import Trace
from .tabs import TABS, with_tab

__all__ = [
    "RECIPES",
    "TABS",
    "Adam",
    "Draw",
    "Init",
    "Loss",
    "Network",
    "Norm",
    "Recipe",
    "Trace",
    "UserError",
    "num_parameters",
    "on_data",
    "recipe",
    "with_tab",
]
