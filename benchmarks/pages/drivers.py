"""How a page of each framework is given weights, noise and dropout's masks.

A page knows nothing of this. Its noise is given in the place of the framework's own and so are
dropout's masks; its networks are made in float64 because that is made the framework's default.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np

from ganref.backend import BACKENDS
from ganref.exchange import layouts
from ganref.spec import Network
from ganref.spec.precision import storage
from ganref.spec.schema import Norm

Weights = layouts.Weights


class NumPy:
    """A page's own lists of weights.

    `eager`: what the page compiles runs operation by operation, where it compiles anything."""

    norm = Norm()
    slope = 0.2

    backend = "numpy"  # whose switches settle what a GPU makes of float32

    def __init__(self, dtype: str = "float64", device: str = "cpu", eager: bool = False) -> None:
        self.precision, self.dtype = dtype, storage(dtype)
        self.device, self.eager = device, eager
        self.framework = importlib.import_module(f"ganref.{self.backend}.framework")
        self.load()

    def load(self) -> None:
        """Import the framework as its backend does."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Make this precision the framework's default, and this device."""
        with self.computing():
            yield

    def computing(self) -> Any:
        """A context in which a GPU computes as the backend's does: in this precision."""
        return self.framework.computing(self.precision, self.device)

    def place(self, tensor: Any) -> str:
        """The device that a tensor, a variable or a backend's parameter lies on; "" for what lies
        nowhere: numbers, and what is being compiled."""
        return "cpu"

    def tensor(self, array: np.ndarray) -> Any:
        """An array of numbers, images as channels, rows, columns, as the page has it."""
        return array.astype(self.dtype)

    def array(self, tensor: Any) -> np.ndarray:
        """The numbers of what a network gives, images as channels, rows, columns."""
        return np.array(tensor)

    def noise(self, page: ModuleType, draw: Callable[..., Any]) -> Any:
        """A context in which the page's latents are drawn by `draw`."""
        return mock.patch.object(page, "rng", mock.Mock(standard_normal=draw))

    def trainer(self, page: ModuleType) -> tuple[Any, str]:
        """What the page makes an optimiser with: whose, and its name."""
        return page, "new_trainer"

    def train(self, page: ModuleType, net_D: Any, net_G: Any, data: Any, rates: Any) -> Any:
        """The page's own loop, once through the data: both losses of every step."""
        return page.train(net_D, net_G, data, 1, **rates)

    def generate(self, page: ModuleType, net_G: Any, Z: Any) -> Any:
        """What the page's G makes of Z."""
        return net_G(Z)

    def dropping(self) -> Any:
        """A context in which dropout keeps what `lay` has said."""
        return ExitStack()

    def lay(self, net_D: Any, masks: list[np.ndarray]) -> None:
        """The masks of D's passes in the next step, (passes, B, ...) for each dropout."""

    def variables(self, net: Any) -> list[Any]:
        """What holds numbers, in the order of the layers."""
        net[:] = [variable.astype(self.dtype) for variable in net]
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

    own = staticmethod(layouts.as_it_is)  # weights in the spec's layout in the page's, or `back`


class Torch(NumPy):
    """PyTorch's module; its pages are eager."""

    # G's statistics also take in what is drawn for D.
    norm = Norm(G_in_update_D=True)
    backend = "torch"

    def load(self) -> None:
        self.torch = importlib.import_module("torch")

    @contextmanager
    def running(self) -> Iterator[None]:
        before = self.torch.get_default_dtype()
        self.torch.set_default_dtype(getattr(self.torch, self.dtype))
        try:
            with self.computing():
                yield
        finally:
            self.torch.set_default_dtype(before)

    def place(self, tensor: Any) -> str:
        return str(getattr(tensor, "device", ""))

    def tensor(self, array: np.ndarray) -> Any:
        return self.torch.tensor(array, dtype=getattr(self.torch, self.dtype), device=self.device)

    def array(self, tensor: Any) -> np.ndarray:
        return tensor.detach().cpu().numpy()

    def noise(self, page: ModuleType, draw: Callable[..., Any]) -> Any:
        return mock.patch.object(self.torch, "randn", draw)

    def trainer(self, page: ModuleType) -> tuple[Any, str]:
        return self.torch.optim, "Adam"

    def dropping(self) -> Any:
        forward = lambda layer, x: x * next(self.kept) / (1 - layer.p)  # noqa: E731
        return mock.patch.object(self.torch.nn.Dropout, "forward", forward)

    def lay(self, net_D: Any, masks: list[np.ndarray]) -> None:
        laid = [self.tensor(mask) for mask in masks]
        self.kept = (mask[i] for i in range(len(masks[0])) for mask in laid)

    def variables(self, net: Any) -> list[Any]:
        net.to(self.device)
        return [tensor for tensor in net.state_dict().values() if tensor.ndim]  # no counters

    def write(self, variable: Any, array: np.ndarray) -> None:
        variable.copy_(self.torch.tensor(array))

    def read(self, variable: Any) -> np.ndarray:
        return variable.cpu().numpy().copy()


class TensorFlow(NumPy):
    """TensorFlow and Keras; channels come last."""

    own = staticmethod(layouts.in_keras)
    norm = Norm(unbiased=False, G_in_update_D=True)
    slope = float(np.float32(0.2))  # a slope is a float32, whatever it is applied to
    backend = "tf"

    def load(self) -> None:
        self.tf, self.keras = self.framework.tf, importlib.import_module("keras")
        self.kept: list[Any] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        # Keras keeps the policy that it first made of floatx.
        config = self.keras.config
        before = config.floatx(), config.dtype_policy()
        config.set_floatx(self.dtype)
        config.set_dtype_policy(self.dtype)
        self.tf.config.run_functions_eagerly(self.eager)
        try:
            with self.tf.device(self.framework.resolve_device(self.device)), self.computing():
                yield
        finally:
            config.set_floatx(before[0])
            config.set_dtype_policy(before[1])
            self.tf.config.run_functions_eagerly(False)

    def place(self, tensor: Any) -> str:
        if isinstance(tensor, self.keras.Variable):
            tensor = tensor.value  # TensorFlow's
        where = getattr(tensor, "device", None) if self.tf.executing_eagerly() else None
        return (where or "").rpartition("device:")[2].replace("CPU:0", "cpu").replace("GPU", "cuda")

    def tensor(self, array: np.ndarray) -> Any:
        array = array.astype(self.dtype)
        return self.tf.constant(np.moveaxis(array, -3, -1) if array.ndim == 4 else array)

    def array(self, tensor: Any) -> np.ndarray:
        return np.moveaxis(tensor.numpy(), -1, 1) if tensor.ndim == 4 else tensor.numpy()

    def noise(self, page: ModuleType, draw: Callable[..., Any]) -> Any:
        return mock.patch.object(self.tf.random, "normal", draw)

    def trainer(self, page: ModuleType) -> tuple[Any, str]:
        return page, "Adam"

    def dropping(self) -> Any:
        def call(layer: Any, x: Any, training: bool) -> Any:
            i, mask = next(self.turns)
            return x * mask[i] / (1 - layer.rate)

        return mock.patch.object(self.keras.layers.Dropout, "call", call)

    def lay(self, net_D: Any, masks: list[np.ndarray]) -> None:
        if not self.kept:
            # A compiled update keeps the variable, not what it holds, and asks once for each pass.
            self.kept = [self.tf.Variable(mask.astype(self.dtype)) for mask in masks]
            self.turns = itertools.cycle(itertools.product(range(len(masks[0])), self.kept))
        for kept, mask in zip(self.kept, masks, strict=True):
            kept.assign(mask.astype(self.dtype))

    def variables(self, net: Any) -> list[Any]:
        return [variable for layer in net.layers for variable in layer.weights]

    def write(self, variable: Any, array: np.ndarray) -> None:
        variable.assign(array)

    def read(self, variable: Any) -> np.ndarray:
        return variable.numpy()


class MXNet(NumPy):
    """Gluon."""

    # The statistics change on the way back, which meets the fake batch first, and their momentum is
    # a float32.
    norm = Norm(unbiased=False, fake_first=True, momentum=float(np.float32(0.9)))
    backend = "mxnet"

    def load(self) -> None:
        self.mx = self.framework.mx

    @contextmanager
    def running(self) -> Iterator[None]:
        """Gluon computes a leaky slope in float32, whatever its input is; all else is cast."""

        def exact(layer: Any, F: Any, x: Any) -> Any:
            slope = layer._alpha
            return x * (slope + (1 - slope) * F.npx.cast(x > 0, dtype="float64"))

        with ExitStack() as stack:
            stack.enter_context(self.framework.resolve_device(self.device))
            stack.enter_context(self.computing())
            if self.dtype == "float64":
                leaky = self.mx.gluon.nn.LeakyReLU
                stack.enter_context(mock.patch.object(leaky, "hybrid_forward", exact))
            yield

    def place(self, tensor: Any) -> str:
        if isinstance(tensor, self.mx.gluon.Parameter):
            tensor = tensor.data()
        where = getattr(tensor, "ctx", None)  # symbols have none
        if where is None:
            return ""
        return "cpu" if where.device_type == "cpu" else f"cuda:{where.device_id}"

    def tensor(self, array: np.ndarray) -> Any:
        return self.mx.np.array(array, dtype=self.dtype)

    def array(self, tensor: Any) -> np.ndarray:
        return tensor.asnumpy()

    def noise(self, page: ModuleType, draw: Callable[..., Any]) -> Any:
        return mock.patch.object(self.mx.np.random, "normal", draw)

    def trainer(self, page: ModuleType) -> tuple[Any, str]:
        return self.mx.gluon, "Trainer"

    def dropping(self) -> Any:
        forward = lambda layer, F, x, kept: x * kept / (1 - layer._rate)  # noqa: E731
        return mock.patch.object(self.mx.gluon.nn.Dropout, "hybrid_forward", forward)

    def lay(self, net_D: Any, masks: list[np.ndarray]) -> None:
        laid = [self.tensor(mask) for mask in masks]
        self.passes = ([mask[i] for mask in laid] for i in range(len(masks[0])))
        drops = [block for block in net_D if isinstance(block, self.mx.gluon.nn.Dropout)]
        if "kept" in vars(drops[0]):
            return
        # As a parameter a mask is an input of the compiled network, and may be another each time.
        for block, mask in zip(drops, laid, strict=True):
            how = {"shape": mask.shape[1:], "dtype": self.dtype, "grad_req": "null"}
            block.kept = block.params.get("kept", init="ones", **how)
            block.kept.initialize()

        def put(net: Any, inputs: Any) -> None:
            for block, mask in zip(drops, next(self.passes), strict=True):
                block.kept._data = [mask]  # not into the array that the way back still needs

        net_D.register_forward_pre_hook(put)

    def variables(self, net: Any) -> list[Any]:
        net.initialize("zeros", force_reinit=True)
        net.cast(self.dtype)
        net.hybridize(not self.eager)
        return list(net.collect_params().values())

    def values(self, net: Any, network: Network) -> list[np.ndarray]:
        net(self.mx.np.zeros((2, *network.input_shape)))  # sizes that are not given show here
        return [self.read(parameter) for parameter in net.collect_params().values()]

    def write(self, variable: Any, array: np.ndarray) -> None:
        variable.set_data(self.tensor(array))

    def read(self, variable: Any) -> np.ndarray:
        return variable.data().asnumpy()


class JAX(NumPy):
    """A page's own trees of arrays. Nobody can change an array, so updates return new ones, which
    take the place of those that are held here. Channels come last, as in TensorFlow."""

    own = staticmethod(layouts.in_jax)
    order = ("W", "b", "scale", "shift", "mean", "var")  # what a layer has, as the spec has it
    backend = "jax"

    def load(self) -> None:
        self.jax = importlib.import_module("jax")
        self.kept: list[np.ndarray] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        # Where it is in newer releases, or else in older; the process' own switch stays as it is.
        newer = hasattr(self.jax, "enable_x64")
        enable_x64 = importlib.import_module("jax" if newer else "jax.experimental").enable_x64
        with ExitStack() as stack:
            stack.enter_context(enable_x64(self.dtype == "float64"))
            device = self.framework.resolve_device(self.device)
            stack.enter_context(self.jax.default_device(device))
            stack.enter_context(self.computing())
            stack.enter_context(self.jax.disable_jit(self.eager))
            yield

    def place(self, tensor: Any) -> str:
        if isinstance(tensor, tuple):  # (layer, name)
            tensor = tensor[0][tensor[1]]
        tensor = getattr(tensor, "value", tensor)  # a backend's cell
        if not isinstance(tensor, self.jax.Array) or isinstance(tensor, self.jax.core.Tracer):
            return ""
        (where,) = tensor.devices()
        return "cpu" if where.platform == "cpu" else f"cuda:{where.id}"

    def tensor(self, array: np.ndarray) -> Any:
        array = array.astype(self.dtype)
        return self.jax.numpy.array(np.moveaxis(array, -3, -1) if array.ndim == 4 else array)

    def array(self, tensor: Any) -> np.ndarray:
        return np.moveaxis(np.array(tensor), -1, 1) if tensor.ndim == 4 else np.array(tensor)

    def noise(self, page: ModuleType, draw: Callable[..., Any]) -> Any:
        return mock.patch.object(self.jax.random, "normal", draw)

    def train(self, page: ModuleType, net_D: Any, net_G: Any, data: Any, rates: Any) -> Any:
        """Both losses of every step; the networks and optimisers that were given are then what the
        page has made of them."""

        def remembering(name: str, passes: tuple[int, ...]) -> Any:
            update = getattr(page, name)

            def updated(*args: Any) -> Any:
                self.turns = itertools.product(passes, range(len(self.kept)))
                *new, trainer = update(*args)
                args[-1].update(trainer)
                return *new, args[-1]

            return mock.patch.object(page, name, updated)

        with remembering("update_D", (0, 1)), remembering("update_G", (2,)):
            losses, *nets = page.train(net_D, net_G, data, 1, **rates)
        for old, new in zip((net_D, net_G), nets, strict=True):
            for (layer, name), (made, _) in zip(*map(self.variables, (old, new)), strict=True):
                layer[name] = made[name]
        return losses

    def generate(self, page: ModuleType, net_G: Any, Z: Any) -> Any:
        normalised = "training" in inspect.signature(page.G).parameters
        return page.G(net_G, Z, training=False)[0] if normalised else page.G(net_G, Z)

    def dropping(self) -> Any:
        def bernoulli(key: Any, p: float, shape: tuple[int, ...]) -> Any:
            # A compiled update asks once for each pass where masks are, and every time for them.
            i, layer = next(self.turns)
            kind = self.jax.ShapeDtypeStruct(shape, bool)
            return self.jax.pure_callback(lambda: self.kept[layer][i], kind)

        return mock.patch.object(self.jax.random, "bernoulli", bernoulli)

    def lay(self, net_D: Any, masks: list[np.ndarray]) -> None:
        self.kept = [mask.astype(bool) for mask in masks]

    def variables(self, net: Any) -> list[Any]:
        layers = net if isinstance(net, list) else [net]
        return [(layer, name) for layer in layers for name in self.order if name in layer]

    def write(self, variable: Any, array: np.ndarray) -> None:
        layer, name = variable
        assert layer[name].shape == array.shape, name
        layer[name] = self.jax.numpy.array(array.astype(self.dtype))

    def read(self, variable: Any) -> np.ndarray:
        layer, name = variable
        return np.array(layer[name])


DRIVERS = {"numpy": NumPy, "torch": Torch, "tf": TensorFlow, "mxnet": MXNet, "jax": JAX}
assert set(DRIVERS) <= set(BACKENDS)
