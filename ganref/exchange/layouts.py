"""What a spec's tensors are called, and how they lie, in the pages of each framework, and back.

Images and kernels of the spec have channels first. Where channels come last, kernels change their
axes, and a vector that becomes an image, or was one, has its numbers in another order: with it the
rows or columns of the dense layers beside it, and the batch normalisation between. The proof of the
pages (`benchmarks/pages/drivers.py`) reads this file: what is proven there is exported here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..spec.errors import UserError
from ..spec.layers import (
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Flatten,
    LeakyReLU,
    Reshape,
    Shape,
    Sigmoid,
    Tanh,
)
from ..spec.networks import Network

Weights = dict[str, np.ndarray]

# What keeps a vector's order: number by number the same place.
KEEPING = (BatchNorm, LeakyReLU, Tanh, Sigmoid, Dropout)


def images_last(array: np.ndarray) -> np.ndarray:
    """Images (B, c, h, w) as (B, h, w, c); anything else as it is."""
    return np.moveaxis(array, 1, -1) if array.ndim == 4 else array


def images_first(array: np.ndarray) -> np.ndarray:
    """What `images_last` gave, back."""
    return np.moveaxis(array, -1, 1) if array.ndim == 4 else array


def shape_last(shape: Shape) -> Shape:
    """One example's shape with channels last."""
    return (*shape[1:], shape[0]) if len(shape) == 3 else shape


def channels_last(network: Network, name: str) -> dict[int, np.ndarray]:
    """By axis of a tensor that lies beside a vector: the order in which channels-last layers have
    what others have channel by channel, where that vector becomes an image or was one."""
    index, own = name.split(".")[1:]
    layer, orders = network.layers[int(index)], _orders(network)
    before, after = orders[int(index)], orders[int(index) + 1]
    found = {}
    if after is not None and isinstance(layer, (Dense, BatchNorm)):
        found[0] = after
    if before is not None and isinstance(layer, Dense) and own == "weight":
        found[1] = before
    return found


def in_keras(network: Network, weights: Weights, back: bool = False) -> Weights:
    """The weights of a network as Keras has them (Dense (in, out), kernels (h, w, in, out),
    transposed ones (h, w, out, in)), or, `back`, as the spec has them."""
    axes: dict[int, tuple[int, ...]] = {2: (1, 0), 4: (2, 3, 1, 0)}
    out = {}
    for name, array in weights.items():
        if back:
            array = array.transpose(np.argsort(axes.get(array.ndim, (0,))))
        for axis, order in channels_last(network, name).items():
            array = array.take(np.argsort(order) if back else order, axis)
        out[name] = array if back else array.transpose(axes.get(array.ndim, (0,)))
    return out


def in_jax(network: Network, weights: Weights, back: bool = False) -> Weights:
    """As in Keras, but a transposed convolution is an ordinary one of a wider image: its kernel is
    upside down, and what it takes stands before what it gives."""

    def turned(weights: Weights) -> Weights:
        kinds = {name: network.layers[int(name.split(".")[1])] for name in weights}
        return {
            name: array[::-1, ::-1].swapaxes(2, 3)
            if array.ndim == 4 and isinstance(kinds[name], ConvTranspose)
            else array
            for name, array in weights.items()
        }

    if back:
        return in_keras(network, turned(weights), back)
    return turned(in_keras(network, weights))


def as_it_is(network: Network, weights: Weights, back: bool = False) -> Weights:
    """PyTorch, MXNet and ONNX have the spec's own layouts."""
    return weights


LAYOUTS: dict[str, Callable[..., Weights]] = {
    "numpy": as_it_is,
    "torch": as_it_is,
    "tf": in_keras,
    "mxnet": as_it_is,
    "jax": in_jax,
}


def torch_names(network: Network) -> dict[str, str]:
    """By the spec's name of a tensor: the page's, whose `nn.Sequential` has a module more where
    zeros are laid on or a row is cropped."""
    names: dict[str, str] = {}
    place = 0
    for i, layer in enumerate(network.layers):
        uneven = isinstance(layer, Conv) and layer.padding[0] != layer.padding[1]
        at = place + (uneven and not isinstance(layer, ConvTranspose))
        names |= {f"{network.name}.{i}.{p.name}": f"{at}.{p.name}" for p in layer.params()}
        place += 1 + uneven
    return names


JAX_NAMES = {  # of a layer's numbers: what is multiplied, and what normalises behind it
    "weight": "W", "bias": "b",
    "norm.weight": "scale", "norm.bias": "shift",
    "norm.running_mean": "mean", "norm.running_var": "var",
}  # fmt: skip


def jax_places(network: Network) -> dict[str, tuple[int, str]]:
    """By the spec's name of a tensor: (which of the page's layers, the name in it). A page's layer
    is what is multiplied and the normalisation behind it. Raises UserError where there is nothing
    before a normalisation."""
    places: dict[str, tuple[int, str]] = {}
    place = -1
    for i, layer in enumerate(network.layers):
        place += isinstance(layer, (Dense, Conv))
        norm = "norm." if isinstance(layer, BatchNorm) else ""
        for p in layer.params():
            found = place, JAX_NAMES[norm + p.name]
            if place < 0 or found in places.values():
                raise UserError(f"{network.name}.{i}: a page in JAX has no place for {layer}")
            places[f"{network.name}.{i}.{p.name}"] = found
    return places


def same_padding(kernel: int, stride: int, size: int) -> tuple[int, int]:
    """What "same" of TensorFlow pads an image of that size for a convolution; for a transposed one
    that is the size of what it gives."""
    total = max(kernel - (stride if size % stride == 0 else size % stride), 0)
    return total // 2, total - total // 2


def _orders(network: Network) -> list[np.ndarray | None]:
    """For the input and every layer's output: the order that channels-last layers have a vector in,
    if it becomes an image or was one. Raises UserError where it is two, or no dense layer can have
    its rows in that order."""
    layers, shapes = network.layers, network.shapes
    found: list[np.ndarray | None] = [None] * len(shapes)
    for i, layer in enumerate(layers):
        if isinstance(layer, Flatten):
            found[i + 1] = _order(shapes[i])
        elif isinstance(layer, KEEPING) and len(shapes[i]) == 1:
            found[i + 1] = found[i]
    for i in reversed(range(len(layers))):
        if isinstance(layers[i], Reshape) and len(shapes[i]) == 1:
            wanted = _order(shapes[i + 1])
        elif isinstance(layers[i], KEEPING) and len(shapes[i]) == 1:
            wanted = found[i + 1]
        else:
            continue
        own = found[i]
        if own is not None and wanted is not None and (own != wanted).any():
            raise UserError(f"{network.name}.{i}: {layers[i]} would need two orders of a vector")
        found[i] = wanted if own is None else own
    if found[0] is not None and (np.diff(found[0]) != 1).any():
        raise UserError(f"{network.name}: nothing before the image can change the input's order")
    return found


def _order(shape: Shape) -> np.ndarray | None:
    if len(shape) != 3:
        return None
    return np.arange(np.prod(shape)).reshape(shape).transpose(1, 2, 0).ravel()
