"""The contract of a backend, the list of backends, and the lazy loading of all that is optional."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol, cast

import numpy as np

from .spec.engines import DMLC, JAX, TF_CONFIG, TORCH, Engine, Peers
from .spec.errors import UserError
from .spec.networks import Network as NetworkSpec
from .spec.releases import Releases, how_to_install
from .spec.schema import Recipe
from .spec.steps import Masks, Trace

State = dict[str, np.ndarray]


class GAN(Protocol):
    """One GAN on one device. Arrays at its border are NumPy's, images NCHW. What a recipe draws
    beyond X and Z comes by keyword: `Z_G` (k, G_updates, B, *latent) where the recipe draws a fresh
    Z for G, `masks` (`Recipe.masks`, with k in front) where D drops out or takes labels (which G
    has in Z: `spec.labels`). The methods for a single step take the same without the leading k. n
    updates of D a step have as many batches in X and Z: (k, n B, ...)."""

    recipe: Recipe
    device: str
    dtype: str

    @property
    def compiled(self) -> str:
        """Whether steps are made in the fastest way: "yes", or why not."""

    def train_steps(
        self,
        X: np.ndarray,
        Z: np.ndarray,
        *,
        Z_G: np.ndarray | None = None,
        masks: Masks | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """k steps on X (k, B, *data) and Z (k, B, *latent): (loss_D, loss_G), each (k,)."""

    def train_trace(
        self,
        X: np.ndarray,
        Z: np.ndarray,
        *,
        Z_G: np.ndarray | None = None,
        masks: Masks | None = None,
    ) -> Trace:
        """The same k steps, with D's mean scores beside the losses."""

    def hold(self, data: np.ndarray) -> bool:
        """Keep a data set (N, *data), uint8 images or points, on the device if there is room; from
        then on X may be rows of it, integers (k, B). Whether it is there."""

    def update_D(self, X: np.ndarray, Z: np.ndarray, *, masks: Masks | None = None) -> float:
        """The readable update of D on one batch (B, ...): its loss."""

    def update_G(self, Z: np.ndarray, *, masks: Masks | None = None) -> float:
        """One readable update of G on Z (B, *latent): its loss. `masks` holds this pass's alone."""

    def gradients(
        self,
        X: np.ndarray,
        Z: np.ndarray,
        *,
        Z_G: np.ndarray | None = None,
        masks: Masks | None = None,
    ) -> State:
        """The gradients of loss_D and loss_G at the present weights, by name, in a step's first
        update of D; a worker's are of its rows."""

    def generate(
        self, Z: np.ndarray, *, batch_stats: bool = False, ema: bool = False
    ) -> np.ndarray:
        """Samples (n, *data) in inference mode (or with batch statistics, or averaged weights)."""

    def discriminate(self, X: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """D's outputs (n,) in inference mode: logits, or energies. `labels` are one-hot, bool (n,
        classes), if and only if the recipe has classes. Raises UserError."""

    def state(self) -> State:
        """A copy of weights, running statistics, Adam moments (`<param>.m`, `<param>.v`), averages
        (`<param>.ema`) and update counts (`generator.step`, `discriminator.step`)."""

    def load_state(self, state: State) -> None:
        """Restore what `state` gave, on any backend. Raises UserError, with nothing changed."""


class Network(Protocol):
    """What `gan.py` and `steps.py` ask of `net_G` and `net_D`; tensors are the framework's own."""

    spec: NetworkSpec
    trained: dict[str, Any]  # what Adam moves, by the spec's names
    stats: dict[str, Any]  # the running statistics

    def run(
        self, x: Any, training: bool = True, update_stats: bool = True, masks: Any = None
    ) -> Any:
        """The output for x (B, *input) alone, with nothing recorded."""

    def record(
        self, x: Any, update_stats: bool = True, masks: dict[str, Any] | None = None
    ) -> tuple[Any, Any]:
        """(output, tape) for x (B, *input): a pass in training that can be gone back through."""

    def named(self, tensors: Any) -> dict[str, Any]:
        """Gradients, moments or averages under the names of the parameters they belong to."""


class Optimiser(Protocol):
    """What they ask of `trainer_G` and `trainer_D`."""

    average: Any  # of the weights, in the network's order

    @property
    def steps(self) -> int:
        """How many updates were made."""

    def step(self, grads: Any, batch_size: int) -> None:
        """One update with these gradients."""

    def set_steps(self, steps: int) -> None:
        """Go on as after that many updates."""

    def tensors(self) -> dict[str, Any]:
        """The moments `<param>.m` and `.v`, and averages `<param>.ema` where they are kept."""


class Backend(Protocol):
    """What the package `ganref.<backend>` offers."""

    def create(
        self,
        recipe: Recipe,
        weights: State,
        device: str = "cpu",
        dtype: str = "float32",
        compile: str = "auto",
        steps: int | None = None,
        peers: Peers | None = None,
    ) -> GAN:
        """A GAN with these initial weights. `compile` is "off", "on" (the fastest steps) or "auto":
        what lets a run of so many `steps`, None for a long one, end soonest. With `peers` it takes
        this one's rows of every batch (`draws.batches.own_rows`), and trains as on all of them."""

    def join(self, rank: int, size: int, address: str, seconds: float) -> Peers:
        """Meet the other workers at "host:port" within so many seconds. Raises UserError."""

    def devices(self) -> list[str]:
        """What `device` may be here: "cpu", and "cuda:0" and so on where the framework sees one."""

    def dtypes(self, device: str = "cpu") -> list[str]:
        """What `dtype` may be on that device, of `spec.precision.DTYPES`."""

    def version(self) -> str:
        """The framework's name and version."""

    def set_threads(self, threads: int) -> None:
        """How many cores the framework may use."""

    def computing(self, dtype: str, device: str) -> Any:
        """A context: what is made on that device is in that precision, and the same each time."""

    def matmul(
        self, a: np.ndarray, b: np.ndarray, dtype: str = "float32", device: str = "cpu"
    ) -> Callable[[], Any]:
        """What makes the product of two square matrices in that precision, to its end."""

    def peak_memory(self, device: str) -> int | None:
        """The most bytes that were in use on a GPU; None where nobody counts."""


@dataclass(frozen=True)
class Entry:
    """A backend in the list: where it is, and what it needs and is released for."""

    module: str
    requires: str
    extra: str
    releases: Releases = Releases()
    keeps: str = ""  # the variable that names the folder for what it compiles
    engine: Engine | None = None  # how workers of a run find one another


# The only place outside a backend's folder that knows of it; pyproject.toml's markers say the same.
BACKENDS: dict[str, Entry] = {
    "numpy": Entry("ganref.numpy", "numpy", ""),
    "torch": Entry("ganref.torch", "torch", "torch", Releases(), "TORCHINDUCTOR_CACHE_DIR", TORCH),
    "tf": Entry("ganref.tf", "tensorflow", "tf", Releases((3, 13)), engine=TF_CONFIG),
    "mxnet": Entry("ganref.mxnet", "mxnet", "mxnet", Releases((3, 12), "x86_64", 1, 8.6), "", DMLC),
    "jax": Entry("ganref.jax", "jax", "jax", Releases(), "JAX_COMPILATION_CACHE_DIR", JAX),
}


def check_backend(name: str) -> Entry:
    """The entry of that name. Raises UserError if there is none."""
    if name not in BACKENDS:
        raise UserError(f"unknown backend {name!r}; there are {', '.join(BACKENDS)}")
    return BACKENDS[name]


def install(extra: str) -> str:
    """The command that installs an extra of ganref here, or why there is none."""
    found = (entry.releases for entry in BACKENDS.values() if entry.extra == extra)
    return how_to_install(extra, next(found, None))


def is_installed(name: str) -> bool:
    """Whether the framework of a backend is installed; nothing is imported."""
    return importlib.util.find_spec(check_backend(name).requires) is not None


def load_backend(name: str) -> Backend:
    """Import a backend. Raises UserError if it is unknown, missing or broken, with the cure."""
    entry = check_backend(name)
    # Read once; MXNet's import would leave one thread.
    os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count() or 1))
    cure = install(entry.extra)
    if not is_installed(name):
        raise UserError(f"backend {name} needs {entry.requires}, which is not installed; {cure}")
    try:
        return cast(Backend, importlib.import_module(entry.module))
    except ImportError as error:
        why = " ".join(str(error).split())
        raise UserError(f"backend {name} does not import here ({why}); {cure}") from error


def need(
    module: str, package: str, purpose: str = "", extra: str = "", cure: str = "", repair: str = ""
) -> ModuleType:
    """An optional module. Raises UserError if it is missing, with the `cure` (by default pip's line
    for the `extra` or package), or broken, with the `repair`; `purpose` says who asks."""
    try:
        return importlib.import_module(module)
    except ImportError:
        who = f"{purpose} needs {package}, which" if purpose else package
        cure = cure or (install(extra) if extra else f"run `pip install {package}`")
        raise UserError(f"{who} is not installed; {cure}") from None
    except Exception as error:  # PyTorch's companions raise RuntimeError beside another PyTorch
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        again = f"run `pip install --force-reinstall {package}` or see its installation page"
        raise UserError(f"{package} is installed but broken ({why}); {repair or again}") from error
