"""What is exported: a network as it answers, without what is there for training alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from ..spec.errors import UserError
from ..spec.layers import (
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    Reshape,
    Shape,
    Sigmoid,
    Tanh,
)
from ..spec.networks import Network
from ..spec.schema import Recipe
from .layouts import Weights

KNOWN = (Dense, Conv, BatchNorm, LeakyReLU, Tanh, Sigmoid, Dropout, Reshape, Flatten)
UNMOVED = (
    "No running statistics have moved from 0 and 1: inference, which normalises by them, gives"
    " other numbers than training."
)
RANGES = {Tanh: (-1.0, 1.0), Sigmoid: (0.0, 1.0)}


@dataclass(frozen=True)
class Net:
    """A network of plain layers, and every weight as its input is multiplied by it, float32 in the
    spec's layouts. `stem` is what its files are called, `takes` and `gives` what its input and
    output are. A generator draws its `latent` ("normal" or "uniform"), of which the last `classes`
    numbers are a one-hot label."""

    spec: Network
    weights: Weights
    stem: str
    takes: str
    gives: str
    latent: str = ""
    classes: int = 0
    notes: tuple[str, ...] = ()

    @property
    def range(self) -> tuple[float, float] | None:
        """What its numbers cannot leave; None if they can be any."""
        ends = (layer for layer in reversed(self.spec.layers) if not isinstance(layer, Reshape))
        return RANGES.get(type(next(ends)))

    @property
    def named(self) -> list[tuple[int, Layer, Shape, Weights]]:
        """For every layer: its place in the chain, itself, its input's shape, its own tensors."""
        return [
            (i, layer, shape, {
                p.name: self.weights[f"{self.spec.name}.{i}.{p.name}"] for p in layer.params()
            })
            for i, (layer, shape) in enumerate(
                zip(self.spec.layers, self.spec.shapes, strict=False)
            )
        ]  # fmt: skip


def generator(recipe: Recipe, state: Weights, ema: bool) -> Net:
    """G of a state, or its average (`<param>.ema`). Raises UserError as `inference` does."""
    weights = dict(state)
    if ema:
        weights |= {n.removesuffix(".ema"): a for n, a in state.items() if n.endswith(".ema")}
    classes = recipe.classes
    notes = ["The weights are the average that training kept of G's."] if ema else []
    if classes:
        notes.append(f"The last {classes} numbers of `Z` are the class, one-hot.")
    about = "generator", "Z", "X", recipe.latent, classes, tuple(notes)
    return inference(Net(recipe.generator, weights, *about))


def discriminator(recipe: Recipe, state: Weights) -> Net:
    """D of a state, and what its head makes of the last layer. Raises UserError as `inference`
    does."""
    network, notes = recipe.discriminator, []
    layers = [*network.layers]
    if network.head == "energy":
        notes.append(
            "This D is an autoencoder: `Y` is the copy that it makes of `X`, and the energy of an"
            " example is the mean of `(Y - X) ** 2`."
        )
    elif len(network.output_shape) == 3:
        layers.append(Flatten())
    if network.head == "sigmoid":
        layers.append(Sigmoid())
        notes.append("`Y` is a probability: the logit before it is squashed by a sigmoid.")
    elif network.head == "logits":
        notes.append("`Y` is what the loss takes, not a probability; the sigmoid is left to it.")
    spec = dataclasses.replace(network, layers=tuple(layers))
    return inference(Net(spec, dict(state), "discriminator", "X", "Y", notes=tuple(notes)))


def inference(net: Net) -> Net:
    """The network with W / σ in the place of spectral normalisation, as training leaves it (one
    power iteration from the vector that is kept), in float32. Raises UserError for a layer that no
    export knows."""
    layers: list[Layer] = []
    weights: Weights = {}
    notes = [*net.notes]
    for i, layer in enumerate(net.spec.layers):
        if not isinstance(layer, KNOWN):
            raise UserError(f"{net.spec.name}.{i} is not exported: {layer} {_why_not(layer)}")
        tensors = {p.name: net.weights[f"{net.spec.name}.{i}.{p.name}"] for p in layer.params()}
        if isinstance(layer, (Dense, Conv)) and layer.spectral:
            tensors["weight"] = normalised(layer, tensors["weight"], tensors.pop("u"))
            layer = dataclasses.replace(layer, spectral=False)
        layers.append(layer)
        weights |= {
            f"{net.spec.name}.{i}.{name}": array.astype(np.float32)
            for name, array in tensors.items()
        }
    if unmoved(net.spec, net.weights):
        notes.append(UNMOVED)
    if net.spec.spectral:
        notes.append("Spectral normalisation is in the weights: they are W / σ of the last step.")
    spec = dataclasses.replace(net.spec, layers=tuple(layers))
    return dataclasses.replace(net, spec=spec, weights=weights, notes=tuple(notes))


def normalised(layer: Dense | Conv, weight: np.ndarray, u: np.ndarray) -> np.ndarray:
    """W / σ with the spec's estimate of σ (`ganref.spec.layers.Dense`), float64."""
    wide = weight.astype(np.float64)
    swapped = wide.swapaxes(0, 1) if isinstance(layer, ConvTranspose) else wide
    matrix = swapped.reshape(len(swapped), -1)  # a row for each output
    v = matrix.T @ u
    return wide / np.linalg.norm(matrix @ (v / np.linalg.norm(v)))


def unmoved(network: Network, weights: Weights) -> bool:
    """Whether there are running statistics that training should have moved, and none has."""
    norms = [
        f"{network.name}.{i}.running"
        for i, layer in enumerate(network.layers)
        if isinstance(layer, BatchNorm) and layer.batch_stats
    ]
    still = ((weights[f"{n}_mean"] == 0).all() and (weights[f"{n}_var"] == 1).all() for n in norms)
    return bool(norms) and all(still)


def _why_not(layer: Layer) -> str:
    if hasattr(layer, "classes"):
        return "takes the example's label beside the example, and an export has one input"
    return "is a layer that exports do not have"
