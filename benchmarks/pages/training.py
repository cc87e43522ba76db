"""A page that is trained as a backend is: from given weights, on given draws, call after call."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import inspect
from collections import deque
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np

import ganref
from ganref import page
from ganref.spec import Recipe, UserError

from .drivers import DRIVERS, NumPy, Weights


class PageGAN:
    """A page's own networks, losses, updates and loop.

    Its initial weights are given, and at every call its data, noise and masks. The page may be any
    module with a page's functions; `driver` speaks its framework, in one precision."""

    def __init__(self, page: ModuleType, driver: NumPy, recipe: Recipe, weights: Weights) -> None:
        self.page, self.driver, self.recipe = page, driver, recipe
        self.trainers: deque[Any] = deque(maxlen=2)
        self.rates = _rates(page, recipe)
        with driver.running():
            self.net_G, self.net_D = (
                make(*[recipe.width] * ("n" in inspect.signature(make).parameters))
                for make in (page.generator, page.discriminator)
            )
            self.held = [driver.variables(net) for net in (self.net_G, self.net_D)]
            for network, held in zip(recipe.networks, self.held, strict=True):
                laid = driver.own(network, {p.name: weights[p.name] for p in network.params})
                for variable, array in zip(held, laid.values(), strict=True):
                    driver.write(variable, array)

    def train_steps(
        self, X: np.ndarray, Z: np.ndarray, Z_G: Any = None, masks: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """k steps on X (k, B, *data) and Z (k, B, *latent): (loss_D, loss_G), each (k,)."""
        driver, given = self.driver, [*(masks or {}).values()]
        latents = (z for i in range(len(X)) for z in (Z[i], *(() if Z_G is None else Z_G[i])))

        def batches() -> Iterator[Any]:
            for i, x in enumerate(X):
                if given:
                    driver.lay(self.net_D, [mask[i] for mask in given])
                yield driver.tensor(x)

        def noise(*args: Any, **how: Any) -> Any:
            return driver.tensor(next(latents))

        with contextlib.ExitStack() as stack:
            stack.enter_context(driver.running())
            stack.enter_context(contextlib.redirect_stdout(None))
            stack.enter_context(driver.noise(self.page, noise))
            owner, name = driver.trainer(self.page)
            make = self._remembered(getattr(owner, name))
            stack.enter_context(mock.patch.object(owner, name, make))
            stack.enter_context(driver.dropping() if given else contextlib.nullcontext())
            losses = driver.train(self.page, self.net_D, self.net_G, batches(), self.rates)
        loss_D, loss_G = np.array(losses, driver.dtype).T
        return loss_D, loss_G

    def generate(self, Z: np.ndarray) -> np.ndarray:
        """What G makes of Z (B, *latent), in the mode that the page left it in: (B, *data)."""
        with self.driver.running():
            Z = self.driver.tensor(Z)
            return self.driver.array(self.driver.generate(self.page, self.net_G, Z))

    def weights(self) -> Weights:
        """All weights and running statistics, in the spec's layout."""
        out: Weights = {}
        for network, held in zip(self.recipe.networks, self.held, strict=True):
            named = {p.name: self.driver.read(v) for p, v in zip(network.params, held, strict=True)}
            out |= self.driver.own(network, named, back=True)
        return out

    def _remembered(self, make: Callable[..., Any]) -> Callable[..., Any]:
        """D's optimiser and G's in turn, made once: a call goes on where the last one ended."""

        def trainer(*args: Any, **how: Any) -> Any:
            whole = len(self.trainers) == self.trainers.maxlen
            self.trainers.append(self.trainers[0] if whole else make(*args, **how))
            return self.trainers[-1]

        return trainer


def create(
    framework: str,
    recipe: Recipe,
    weights: Weights,
    device: str = "cpu",
    dtype: str = "float32",
    eager: bool = False,
) -> PageGAN:
    """The page of a recipe in a framework, the file itself. Raises UserError, as `check` does."""
    check(recipe, framework)
    if dtype == "bfloat16":  # tf32 is a switch of the device's, which no page mentions
        raise UserError("pages have no mixed precision: time fast, auto or off")
    name = page.named(recipe.name, framework)
    # Before the framework: some say there how MXNet is to compute.
    module = importlib.import_module(f"ganref.pages.{name}")
    return PageGAN(module, DRIVERS[framework](dtype, device, eager), recipe, weights)


def check(recipe: Recipe, framework: str) -> None:
    """Raises UserError if no page is this recipe in this framework, at some batch size, width and
    learning rates."""
    name = page.named(recipe.name, framework)
    if framework not in DRIVERS:
        raise UserError(f"benchmarks/pages/drivers.py has no driver for {framework}")
    plain = ganref.recipe(recipe.name)
    adams = {
        which: dataclasses.replace(getattr(plain, which), lr=getattr(recipe, which).lr)
        for which in ("adam_D", "adam_G")
    }
    free = {"batch_size": recipe.batch_size, "epochs": recipe.epochs, **adams}
    free |= {} if recipe.stack == "toy" else {"width": recipe.width}
    expected = plain.replace(**free)
    if recipe not in (expected, meant(expected, framework)):
        raise UserError(f"the page {name} has no such options: time fast, auto or off")


def exists(recipe: Recipe, framework: str) -> bool:
    """Whether there is a page of this recipe in this framework."""
    try:
        check(recipe, framework)
    except UserError:
        return False
    return True


def meant(recipe: Recipe, framework: str) -> Recipe:
    """The recipe with what a framework's own layers say otherwise; all of it is the spec's data."""
    driver = DRIVERS[framework]
    return recipe.replace(norm=driver.norm, leaky_slope=driver.slope)


def _rates(page: ModuleType, recipe: Recipe) -> dict[str, float]:
    if "lr" in inspect.signature(page.train).parameters:
        return {"lr": recipe.adam_D.lr}
    return {"lr_D": recipe.adam_D.lr, "lr_G": recipe.adam_G.lr}
