"""Pages trained on given weights and given draws, each in its framework.

A page knows nothing of this: its networks are made in float64 because that is made the framework's
default, its noise is given in the place of the framework's own, and so are dropout's masks.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
from conftest import TOLD

import ganref
from ganref import pages
from ganref.backend import BACKENDS
from ganref.spec import Network, Recipe
from ganref.spec.layers import Flatten, Reshape
from ganref.spec.schema import Norm

Weights = dict[str, np.ndarray]


def given(arrays: list[Any]) -> Any:
    """A function that answers with these one after the other, whatever it is asked."""
    rest = iter(arrays)
    return lambda *args, **how: next(rest)


class NumPy:
    """A page's own lists of weights; float64 as NumPy is."""

    norm = Norm()
    slope = 0.2

    def load(self) -> None:
        """Import the framework as its backend does."""

    @contextmanager
    def double(self) -> Iterator[None]:
        """Make float64 the framework's default."""
        yield

    def tensor(self, array: np.ndarray) -> Any:
        """An array of numbers, images as channels, rows, columns, as the page has it."""
        return array.copy()

    def noise(self, page: ModuleType, draws: list[Any]) -> Any:
        """A context in which the page draws these latents."""
        return mock.patch.object(page, "rng", mock.Mock(standard_normal=given(draws)))

    def masks(self, masks: list[Any], rate: float) -> Any:
        """A context in which dropout keeps what these say."""
        return ExitStack()

    def variables(self, net: Any) -> list[Any]:
        """What holds numbers, in the order of the layers."""
        return net

    def values(self, net: Any, network: Network) -> list[np.ndarray]:
        """What a network that is initialised begins with, in the order of the layers."""
        return [self.read(variable) for variable in self.variables(net)]

    def write(self, variable: Any, array: np.ndarray) -> None:
        """Set a variable."""
        variable[...] = array

    def read(self, variable: Any) -> np.ndarray:
        """A variable's numbers."""
        return np.array(variable)

    def own(self, network: Network, weights: Weights, back: bool = False) -> Weights:
        """Weights in the spec's layout in the page's, or `back`."""
        return weights


class Torch(NumPy):
    # G's statistics also take in what is drawn for D.
    norm = Norm(G_in_update_D=True)

    def load(self) -> None:
        self.torch = importlib.import_module("torch")

    @contextmanager
    def double(self) -> Iterator[None]:
        before = self.torch.get_default_dtype()
        self.torch.set_default_dtype(self.torch.float64)
        try:
            yield
        finally:
            self.torch.set_default_dtype(before)

    def tensor(self, array: np.ndarray) -> Any:
        return self.torch.tensor(array)

    def noise(self, page: ModuleType, draws: list[Any]) -> Any:
        return mock.patch.object(self.torch, "randn", given(draws))

    def masks(self, masks: list[Any], rate: float) -> Any:
        rest = iter(masks)
        forward = lambda self, x: x * next(rest) / (1 - rate)  # noqa: E731
        return mock.patch.object(self.torch.nn.Dropout, "forward", forward)

    def variables(self, net: Any) -> list[Any]:
        return [tensor for tensor in net.state_dict().values() if tensor.ndim]  # no counters

    def write(self, variable: Any, array: np.ndarray) -> None:
        variable.copy_(self.torch.tensor(array))

    def read(self, variable: Any) -> np.ndarray:
        return variable.numpy().copy()


class TensorFlow(NumPy):
    norm = Norm(unbiased=False, G_in_update_D=True)
    slope = float(np.float32(0.2))  # a slope is a float32, whatever it is applied to

    def load(self) -> None:
        framework = importlib.import_module("ganref.tf.framework")
        self.tf, self.keras = framework.tf, importlib.import_module("keras")

    @contextmanager
    def double(self) -> Iterator[None]:
        self.keras.config.set_floatx("float64")
        try:
            yield
        finally:
            self.keras.config.set_floatx("float32")

    def tensor(self, array: np.ndarray) -> Any:
        return self.tf.constant(np.moveaxis(array, -3, -1) if array.ndim == 4 else array)

    def noise(self, page: ModuleType, draws: list[Any]) -> Any:
        return mock.patch.object(self.tf.random, "normal", given(draws))

    @contextmanager
    def masks(self, masks: list[Any], rate: float) -> Any:
        rest = iter(masks)
        call = lambda self, x, training: x * next(rest) / (1 - rate)  # noqa: E731
        # A graph would keep the first masks.
        self.tf.config.run_functions_eagerly(bool(masks))
        try:
            with mock.patch.object(self.keras.layers.Dropout, "call", call):
                yield
        finally:
            self.tf.config.run_functions_eagerly(False)

    def variables(self, net: Any) -> list[Any]:
        return [variable for layer in net.layers for variable in layer.weights]

    def write(self, variable: Any, array: np.ndarray) -> None:
        variable.assign(array)

    def read(self, variable: Any) -> np.ndarray:
        return variable.numpy()

    def own(self, network: Network, weights: Weights, back: bool = False) -> Weights:
        axes: dict[int, tuple[int, ...]] = {2: (1, 0), 4: (2, 3, 1, 0)}
        out = {}
        for name, array in weights.items():
            if back:
                array = array.transpose(np.argsort(axes.get(array.ndim, (0,))))
            for axis, order in channels_last(network, name).items():
                array = array.take(np.argsort(order) if back else order, axis)
            out[name] = array if back else array.transpose(axes.get(array.ndim, (0,)))
        return out


class MXNet(NumPy):
    # The statistics change on the way back, which meets the fake batch first, and their momentum is
    # a float32.
    norm = Norm(unbiased=False, fake_first=True, momentum=float(np.float32(0.9)))

    def load(self) -> None:
        self.mx = importlib.import_module("ganref.mxnet.framework").mx

    @contextmanager
    def double(self) -> Iterator[None]:
        """Gluon computes a leaky slope in float32, whatever its input is; all else is cast."""

        def exact(self: Any, F: Any, x: Any) -> Any:
            slope = self._alpha
            return x * (slope + (1 - slope) * F.npx.cast(x > 0, dtype="float64"))

        with mock.patch.object(self.mx.gluon.nn.LeakyReLU, "hybrid_forward", exact):
            yield

    def tensor(self, array: np.ndarray) -> Any:
        return self.mx.np.array(array, dtype="float64")

    def noise(self, page: ModuleType, draws: list[Any]) -> Any:
        return mock.patch.object(self.mx.np.random, "normal", given(draws))

    def masks(self, masks: list[Any], rate: float) -> Any:
        rest = iter(masks)
        forward = lambda self, F, x: x * next(rest) / (1 - rate)  # noqa: E731
        return mock.patch.object(self.mx.gluon.nn.Dropout, "hybrid_forward", forward)

    def variables(self, net: Any) -> list[Any]:
        net.initialize("zeros", force_reinit=True)
        net.cast("float64")
        # A compiled network would keep the first masks.
        net.hybridize(not any(isinstance(block, self.mx.gluon.nn.Dropout) for block in net))
        return list(net.collect_params().values())

    def values(self, net: Any, network: Network) -> list[np.ndarray]:
        net(self.mx.np.zeros((2, *network.input_shape)))  # sizes that are not given show here
        return [self.read(parameter) for parameter in net.collect_params().values()]

    def write(self, variable: Any, array: np.ndarray) -> None:
        variable.set_data(self.tensor(array))

    def read(self, variable: Any) -> np.ndarray:
        return variable.data().asnumpy()


FOLDER = Path(pages.__file__).parent
ALL = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))
PAGES = [name for name in ALL if name.rpartition("_")[2] in TOLD]

DRIVERS = {"numpy": NumPy(), "torch": Torch(), "tf": TensorFlow(), "mxnet": MXNet()}
assert set(DRIVERS) <= set(BACKENDS)


def channels_last(network: Network, name: str) -> dict[int, np.ndarray]:
    """By axis of a dense layer's weight: the order in which channels-last layers have what others
    have channel by channel, where an image is made of a vector or a vector of an image."""
    index = int(name.split(".")[1])
    layers, shapes = network.layers, network.shapes
    out = {}
    if index + 1 < len(layers) and isinstance(layers[index + 1], Reshape):
        out[0] = shapes[index + 2]
    if index and isinstance(layers[index - 1], Flatten) and name.endswith("weight"):
        out[1] = shapes[index - 1]
    return {
        axis: np.arange(np.prod(shape)).reshape(shape).transpose(1, 2, 0).ravel()
        for axis, shape in out.items()
        if len(shape) == 3
    }


def meant(recipe: Recipe, framework: str) -> Recipe:
    """The recipe with what a framework's own layers say otherwise; all of it is the spec's data."""
    driver = DRIVERS[framework]
    return recipe.replace(norm=driver.norm, leaky_slope=driver.slope)


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


def loaded(name: str, text: str = "") -> ModuleType:
    """A page as a module, or another text in its place."""
    DRIVERS[recipe_of(name)[1]].load()
    page = ModuleType(name)
    with mock.patch.dict(os.environ):  # some say there how MXNet is to compute
        exec(compile(text or source(name), f"{name}.py", "exec"), vars(page))
    return page


def run(
    page: ModuleType, framework: str, recipe: Recipe, weights: Weights, draws: Any, wide: bool
) -> tuple[np.ndarray, Weights]:
    """Train the page from these weights on these draws: (losses (steps, 2), weights after it).

    `wide`: its networks take their width."""
    driver = DRIVERS[framework]
    (X, Z), more = draws
    latents = []
    for i in range(len(X)):
        latents += [Z[i]] if more["Z_G"] is None else [Z[i], *more["Z_G"][i]]
    masks = [
        driver.tensor(mask[i, j].astype(float))
        for i in range(len(X))
        for j in range(recipe.passes)
        for mask in more["masks"].values()
    ]
    with ExitStack() as stack:
        stack.enter_context(driver.double())
        how = {"n": recipe.width} if wide else {}
        nets = page.generator(**how), page.discriminator(**how)
        held = [driver.variables(net) for net in nets]
        for network, own in zip(recipe.networks, held, strict=True):
            laid = driver.own(network, {p.name: weights[p.name] for p in network.params})
            for variable, array in zip(own, laid.values(), strict=True):
                driver.write(variable, array)
        stack.enter_context(driver.noise(page, [driver.tensor(z) for z in latents]))
        stack.enter_context(driver.masks(masks, recipe.dropout))
        losses = page.train(nets[1], nets[0], [driver.tensor(x) for x in X], 1)
    after: Weights = {}
    for network, own in zip(recipe.networks, held, strict=True):
        named = {p.name: driver.read(v) for p, v in zip(network.params, own, strict=True)}
        after |= driver.own(network, named, back=True)
    return np.array(losses), after
