"""The pages that this run was told to have, and each as its tests want it."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from unittest import mock

from told import TOLD

import ganref
from benchmarks.pages.drivers import DRIVERS, NumPy
from benchmarks.pages.training import meant
from ganref import pages
from ganref.spec import Recipe

FOLDER = Path(pages.__file__).parent
ALL = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))
PAGES = [name for name in ALL if name.rpartition("_")[2] in TOLD]


def recipe_of(name: str) -> tuple[Recipe, str]:
    """The recipe and the framework of a page."""
    recipe, _, framework = name.rpartition("_")
    return ganref.recipe(recipe.replace("_", "-")), framework


def source(name: str) -> str:
    """A page's text."""
    return (FOLDER / f"{name}.py").read_text()


def small(name: str) -> Recipe:
    """What a page means, at a width and a batch that a test can bear."""
    recipe = meant(*recipe_of(name))
    changes = {} if recipe.name == "gaussian" else {"width": 8, "batch_size": 4}
    return recipe.replace(**changes)


def driver(name: str) -> NumPy:
    """What speaks a page's framework, in float64."""
    return DRIVERS[recipe_of(name)[1]]()


def loaded(name: str, text: str = "") -> ModuleType:
    """A page as a module, or another text in its place."""
    driver(name)  # imports the framework as its backend does
    page = ModuleType(name)
    with mock.patch.dict(os.environ):  # some say there how MXNet is to compute
        exec(compile(text or source(name), f"{name}.py", "exec"), vars(page))
    return page
