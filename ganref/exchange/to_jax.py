"""JAX: the page's tree of arrays as `.npz`, and the bytes of jax.export, which take it. Channels
come last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..backend import load_backend, need
from ..spec import layers as spec
from ..spec.layers import Layer, Shape
from .layouts import in_jax, jax_places, shape_last
from .nets import Net
from .snippets import Way

TITLE = "JAX"
LAST = True  # where an image's channels are
PLATFORMS = ("cpu", "cuda", "tpu")


def framework() -> ModuleType:
    """The framework. Raises UserError, with the cure, if it is not here."""
    load_backend("jax")
    return need("jax", "jax")


def build(net: Net) -> Any:
    """The network in the framework's own layers, in inference mode: a function of the page's tree
    and the input."""
    jax = framework()
    places = jax_places(net.spec)
    layers = [
        (_FORWARD[type(layer)], layer, [places[f"{net.spec.name}.{i}.{name}"] for name in tensors])
        for i, layer, _, tensors in net.named
    ]
    single = _is_single(net)

    def forward(tree: Any, x: Any) -> Any:
        trees = [tree] if single else tree
        for step, layer, found in layers:
            x = step(jax, layer, x, *(trees[place][name] for place, name in found))
        return x

    return forward


def save(net: Net, own: Any, folder: Path) -> None:
    """Write its files. Raises whatever the framework does where the disk refuses."""
    jax, export = framework(), need("jax.export", "jax")
    tree = _tree(net)
    np.savez(folder / f"{net.stem}.npz", **_flat(tree))
    (batch,) = export.symbolic_shape("batch")
    x = jax.ShapeDtypeStruct((batch, *shape_last(net.spec.input_shape)), np.float32)
    done = export.export(jax.jit(own), platforms=PLATFORMS)(tree, x)
    (folder / f"{net.stem}.jax").write_bytes(done.serialize())


def ways(net: Net) -> list[Way]:
    """How each of its files is opened and run; the first is what people are shown."""
    layers = 0 if _is_single(net) else len(_tree(net))
    tree = "net = dict(file)"
    if layers:
        names = "{k.partition('.')[2]: file[k] for k in file if k.startswith(f'{i}.')}"
        tree = f"net = [{names} for i in range({layers})]"
    return [
        Way(
            f"{net.stem}.jax",
            ("import numpy as np", "from jax import export"),
            (
                f'file = np.load("{net.stem}.npz")',
                tree,
                f'run = export.deserialize(bytearray(open("{net.stem}.jax", "rb").read())).call',
            ),
            "np.asarray(run(net, {x}))",
        )
    ]


def signature(net: Net) -> str:
    """What the framework calls input and output."""
    return (
        f"The function takes the page's tree of arrays and `{net.takes}`; any batch, on"
        f" {', '.join(PLATFORMS)}."
    )


def _is_single(net: Net) -> bool:
    """The page of a network of one layer has no list."""
    return {place for place, _ in jax_places(net.spec).values()} == {0}


def _tree(net: Net) -> Any:
    laid = in_jax(net.spec, net.weights)
    places = jax_places(net.spec)
    trees: list[dict[str, np.ndarray]] = [{} for _ in range(1 + max(p for p, _ in places.values()))]
    for name, (place, own) in places.items():
        trees[place][own] = np.ascontiguousarray(laid[name])
    return trees[0] if _is_single(net) else trees


def _flat(tree: Any) -> dict[str, np.ndarray]:
    if isinstance(tree, dict):
        return tree
    return {f"{i}.{name}": array for i, layer in enumerate(tree) for name, array in layer.items()}


def _dense(jax: Any, layer: spec.Dense, x: Any, W: Any, b: Any = 0.0) -> Any:
    return jax.numpy.matmul(x, W, precision="highest") + b


def _conv(jax: Any, layer: spec.Conv, x: Any, W: Any, b: Any = 0.0) -> Any:
    axes = ("NHWC", "HWIO", "NHWC")
    strides, pads = (layer.stride,) * 2, [layer.padding] * 2
    conv = jax.lax.conv_general_dilated
    return conv(x, W, strides, pads, dimension_numbers=axes, precision="highest") + b


def _transpose(jax: Any, layer: spec.ConvTranspose, x: Any, W: Any, b: Any = 0.0) -> Any:
    axes = ("NHWC", "HWIO", "NHWC")
    pads = [tuple(layer.kernel - 1 - pad for pad in layer.padding)] * 2
    how = {"lhs_dilation": (layer.stride,) * 2, "dimension_numbers": axes, "precision": "highest"}
    return jax.lax.conv_general_dilated(x, W, (1, 1), pads, **how) + b


def _norm(jax: Any, layer: spec.BatchNorm, x: Any, scale: Any, shift: Any, m: Any, v: Any) -> Any:
    return scale * (x - m) / jax.numpy.sqrt(v + layer.eps) + shift


def _reshape(jax: Any, layer: Layer, x: Any) -> Any:
    shape: Shape = layer.shape if isinstance(layer, spec.Reshape) else (-1,)
    return x.reshape(x.shape[0], *shape_last(shape))


_FORWARD: dict[type[Layer], Callable[..., Any]] = {
    spec.Dense: _dense,
    spec.Conv: _conv,
    spec.ConvTranspose: _transpose,
    spec.BatchNorm: _norm,
    spec.LeakyReLU: lambda jax, layer, x: jax.nn.leaky_relu(x, layer.slope),
    spec.Tanh: lambda jax, layer, x: jax.numpy.tanh(x),
    spec.Sigmoid: lambda jax, layer, x: jax.nn.sigmoid(x),
    spec.Dropout: lambda jax, layer, x: x,
    spec.Reshape: _reshape,
    spec.Flatten: _reshape,
}
