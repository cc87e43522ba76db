"""Keras and TensorFlow: a `.keras` of Keras' own layers, and a SavedModel. Channels come last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from ..backend import load_backend, need
from ..spec import layers as spec
from ..spec.layers import Layer, Shape
from .layouts import in_keras, same_padding, shape_last
from .nets import Net
from .snippets import Way

TITLE = "Keras"
LAST = True  # where an image's channels are


def framework() -> ModuleType:
    """The framework. Raises UserError, with the cure, if it is not here."""
    load_backend("tf")
    return need("keras", "keras", extra="tf")


def build(net: Net) -> Any:
    """The network in the framework's own layers, in inference mode."""
    keras = framework()
    made = [
        own
        for _, layer, shape, _ in net.named
        for own in _LAYERS[type(layer)](keras.layers, layer, shape)
    ]
    first = keras.Input(shape_last(net.spec.input_shape), name=net.takes, dtype="float32")
    own = keras.Sequential([first, *made], name=net.stem)
    variables = [variable for layer in own.layers for variable in layer.weights]
    laid = in_keras(net.spec, net.weights)
    for variable, array in zip(variables, laid.values(), strict=True):
        variable.assign(array)
    return own


def save(net: Net, own: Any, folder: Path) -> None:
    """Write its files. Raises whatever the framework does where the disk refuses."""
    own.save(folder / f"{net.stem}.keras")
    own.export(folder / f"{net.stem}_savedmodel", verbose=False)


def ways(net: Net) -> list[Way]:
    """How each of its files is opened and run; the first is what people are shown."""
    saved = f"{net.stem}_savedmodel"
    return [
        Way(
            f"{net.stem}.keras",
            ("import keras", "import numpy as np"),
            (f'net = keras.models.load_model("{net.stem}.keras", safe_mode=True)',),
            "net.predict({x}, verbose=0)",
        ),
        Way(
            saved,
            ("import numpy as np", "import tensorflow as tf"),
            (f'net = tf.saved_model.load("{saved}")',),
            "net.serve(tf.constant({x})).numpy()",
        ),
    ]


def signature(net: Net) -> str:
    """What the framework calls input and output."""
    return (
        f"The input is called `{net.takes}`; any batch. In the SavedModel both are unnamed, as the"
        " argument and the result of `serve`."
    )


def _conv(layers: Any, layer: spec.Conv, shape: Shape) -> list[Any]:
    how = layer.out_channels, layer.kernel, layer.stride
    same = {same_padding(layer.kernel, layer.stride, size) for size in shape[1:]}
    if layer.padding == (0, 0):
        return [layers.Conv2D(*how, "valid", use_bias=layer.bias)]
    if same == {layer.padding}:
        return [layers.Conv2D(*how, "same", use_bias=layer.bias)]
    pad = layers.ZeroPadding2D((layer.padding, layer.padding))
    return [pad, layers.Conv2D(*how, "valid", use_bias=layer.bias)]


def _transpose(layers: Any, layer: spec.ConvTranspose, shape: Shape) -> list[Any]:
    how = layer.out_channels, layer.kernel, layer.stride
    out = layer.out_shape(shape)[1:]
    grows = out == tuple(layer.stride * size for size in shape[1:])
    if grows and layer.padding == same_padding(layer.kernel, layer.stride, out[0]):
        return [layers.Conv2DTranspose(*how, "same", use_bias=layer.bias)]
    whole = layers.Conv2DTranspose(*how, "valid", use_bias=layer.bias)
    # Keras leaves room for a whole stride behind a kernel that is smaller.
    before, after = layer.padding
    crop = before, after + max(layer.stride - layer.kernel, 0)
    return [whole, *([layers.Cropping2D((crop, crop))] if any(crop) else [])]


_LAYERS: dict[type[Layer], Callable[..., list[Any]]] = {
    spec.Dense: lambda layers, layer, shape: [
        layers.Dense(layer.out_features, use_bias=layer.bias)
    ],
    spec.Conv: _conv,
    spec.ConvTranspose: _transpose,
    spec.BatchNorm: lambda layers, layer, shape: [
        layers.BatchNormalization(momentum=layer.momentum, epsilon=layer.eps)
    ],
    spec.LeakyReLU: lambda layers, layer, shape: [
        layers.LeakyReLU(layer.slope) if layer.slope else layers.ReLU()
    ],
    spec.Tanh: lambda layers, layer, shape: [layers.Activation("tanh")],
    spec.Sigmoid: lambda layers, layer, shape: [layers.Activation("sigmoid")],
    spec.Dropout: lambda layers, layer, shape: [layers.Dropout(layer.rate)],
    spec.Reshape: lambda layers, layer, shape: [layers.Reshape(shape_last(layer.shape))],
    spec.Flatten: lambda layers, layer, shape: [layers.Flatten()],
}
