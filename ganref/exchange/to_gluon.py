"""Gluon: `-symbol.json` and `.params`, for `SymbolBlock.imports`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from ..backend import load_backend, need
from ..spec import layers as spec
from ..spec.layers import Layer, Shape
from .nets import Net
from .snippets import Way

TITLE = "Gluon"
LAST = False  # where an image's channels are


def framework() -> ModuleType:
    """The framework. Raises UserError, with the cure, if it is not here."""
    load_backend("mxnet")
    return need("mxnet", "mxnet")


def build(net: Net) -> Any:
    """The network in the framework's own layers, in inference mode."""
    mx = framework()
    own = mx.gluon.nn.HybridSequential(prefix=f"{net.stem}_")
    with own.name_scope():  # else names depend on what this process has made before
        for _, layer, shape, _ in net.named:
            own.add(*_BLOCKS[type(layer)](mx.gluon.nn, layer, shape))
    own.initialize("zeros")
    own.hybridize()
    own(mx.np.zeros((2, *net.spec.input_shape)))
    parameters = own.collect_params().values()
    for parameter, array in zip(parameters, net.weights.values(), strict=True):
        parameter.set_data(mx.np.array(array))
    return own


def save(net: Net, own: Any, folder: Path) -> None:
    """Write its files. Raises whatever the framework does where the disk refuses."""
    own.export(str(folder / net.stem))


def ways(net: Net) -> list[Way]:
    """How each of its files is opened and run; the first is what people are shown."""
    files = f'"{net.stem}-symbol.json", ["data"], "{net.stem}-0000.params"'
    return [
        Way(
            f"{net.stem}-symbol.json",
            (
                "import numpy as np",
                "import setuptools  # has the distutils that Python 3.12 dropped",
                "np.bool = bool  # and this NumPy 1.24; MXNet 1.9.1 is of 2022",
                "import mxnet as mx",
            ),
            ("mx.npx.set_np()", f"net = mx.gluon.SymbolBlock.imports({files})"),
            "net(mx.np.array({x})).asnumpy()",
        )
    ]


def signature(net: Net) -> str:
    """What the framework calls input and output."""
    return f"The input, `{net.takes}`, is called `data` in the symbol; any batch."


def _conv(nn: Any, layer: spec.Conv, shape: Shape) -> list[Any]:
    before, after = layer.padding
    how = {"in_channels": layer.in_channels, "use_bias": layer.bias}
    if before == after:
        return [nn.Conv2D(layer.out_channels, layer.kernel, layer.stride, before, **how)]
    rows = (before, after)
    pad = nn.HybridLambda(lambda F, x: F.np.pad(x, ((0, 0), (0, 0), rows, rows)))
    return [pad, nn.Conv2D(layer.out_channels, layer.kernel, layer.stride, **how)]


def _transpose(nn: Any, layer: spec.ConvTranspose, shape: Shape) -> list[Any]:
    before, after = layer.padding
    how = {"in_channels": layer.in_channels, "use_bias": layer.bias}
    whole = nn.Conv2DTranspose(layer.out_channels, layer.kernel, layer.stride, before, **how)
    if before == after:
        return [whole]
    ends = (None, None, before - after, before - after)
    return [whole, nn.HybridLambda(lambda F, x: F.npx.slice(x, (None,) * 4, ends))]


_BLOCKS: dict[type[Layer], Callable[..., list[Any]]] = {
    spec.Dense: lambda nn, layer, shape: [
        nn.Dense(layer.out_features, use_bias=layer.bias, in_units=layer.in_features)
    ],
    spec.Conv: _conv,
    spec.ConvTranspose: _transpose,
    spec.BatchNorm: lambda nn, layer, shape: [
        nn.BatchNorm(momentum=layer.momentum, epsilon=layer.eps, in_channels=layer.features)
    ],
    spec.LeakyReLU: lambda nn, layer, shape: [
        nn.LeakyReLU(layer.slope) if layer.slope else nn.Activation("relu")
    ],
    spec.Tanh: lambda nn, layer, shape: [nn.Activation("tanh")],
    spec.Sigmoid: lambda nn, layer, shape: [nn.Activation("sigmoid")],
    spec.Dropout: lambda nn, layer, shape: [nn.Dropout(layer.rate)],
    spec.Reshape: lambda nn, layer, shape: [
        nn.HybridLambda(lambda F, x: F.npx.reshape(x, (-2, *layer.shape)))  # -2: as it is
    ],
    spec.Flatten: lambda nn, layer, shape: [nn.Flatten()],
}
