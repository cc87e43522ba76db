"""ONNX: one graph of standard operators with explicit padding, the spec's names, any batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from .. import __version__
from ..backend import need
from ..spec import layers as spec
from ..spec.layers import Layer, Shape
from .nets import Net
from .snippets import Way

TITLE = "ONNX"
LAST = False  # where an image's channels are
OPSET, IR = 17, 8  # of 2022: what runtimes of today all read


def framework() -> ModuleType:
    """The framework. Raises UserError, with the cure, if it is not here."""
    need("onnxruntime", "onnxruntime", "an export to ONNX", "export")
    return need("onnx", "onnx", "an export to ONNX", "export")


def build(net: Net) -> Any:
    """The network in the framework's own layers, in inference mode."""
    onnx = framework()
    graph = _Graph(onnx, net)
    for i, layer, shape, tensors in net.named:
        _NODES[type(layer)](graph, f"{net.spec.name}.{i}", layer, shape, tensors)
    graph.nodes[-1].output[0] = net.gives
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", *shape])
        for name, shape in ((net.takes, net.spec.input_shape), (net.gives, net.spec.output_shape))
    ]
    made = onnx.helper.make_graph(graph.nodes, net.stem, ends[:1], ends[1:], graph.tensors)
    opset = [onnx.helper.make_opsetid("", OPSET)]
    about = {"producer_name": "ganref", "producer_version": __version__, "ir_version": IR}
    own = onnx.helper.make_model(made, opset_imports=opset, **about)
    onnx.checker.check_model(own, full_check=True)
    return own


def save(net: Net, own: Any, folder: Path) -> None:
    """Write its files. Raises whatever the framework does where the disk refuses."""
    framework().save(own, str(folder / f"{net.stem}.onnx"))


def ways(net: Net) -> list[Way]:
    """How each of its files is opened and run; the first is what people are shown."""
    file = f"{net.stem}.onnx"
    provider = 'providers=["CPUExecutionProvider"]'
    load = f'net = onnxruntime.InferenceSession("{file}", {provider})'
    run = f'net.run(["{net.gives}"], {{{{"{net.takes}": {{x}}}}}})[0]'
    return [Way(file, ("import numpy as np", "import onnxruntime"), (load,), run)]


def signature(net: Net) -> str:
    """What the framework calls input and output."""
    return (
        f"The input is called `{net.takes}`, the output `{net.gives}`; any batch. Opset {OPSET}, IR"
        f" version {IR}, operators of the standard domain."
    )


class _Graph:
    """Nodes one behind another, and the tensors that they take."""

    def __init__(self, onnx: Any, net: Net) -> None:
        self.onnx, self.end = onnx, net.takes
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []

    def add(self, operator: str, name: str, tensors: dict[str, np.ndarray], **how: Any) -> None:
        """A node that takes the end of the chain and these tensors, and is the new end."""
        inputs = [f"{name}.{own}" for own in tensors]
        for full, array in zip(inputs, tensors.values(), strict=True):
            array = np.ascontiguousarray(array)
            self.tensors.append(self.onnx.numpy_helper.from_array(array, full))
        out = f"{name}.{operator}"
        made = self.onnx.helper.make_node(operator, [self.end, *inputs], [out], name=out, **how)
        self.nodes.append(made)
        self.end = out


Tensors = dict[str, np.ndarray]


def _dense(graph: _Graph, name: str, layer: spec.Dense, shape: Shape, tensors: Tensors) -> None:
    graph.add("Gemm", name, tensors, transB=1)


def _conv(graph: _Graph, name: str, layer: spec.Conv, shape: Shape, tensors: Tensors) -> None:
    before, after = layer.padding
    sides = {"strides": [layer.stride] * 2, "kernel_shape": [layer.kernel] * 2}
    graph.add("Conv", name, tensors, pads=[before, before, after, after], **sides)


def _transpose(
    graph: _Graph, name: str, layer: spec.ConvTranspose, shape: Shape, tensors: Tensors
) -> None:
    # Some runtimes refuse uneven padding here (onnxruntime #11312): even, then a crop.
    before, after = layer.padding
    sides = {"strides": [layer.stride] * 2, "kernel_shape": [layer.kernel] * 2}
    graph.add("ConvTranspose", name, tensors, pads=[before] * 4, **sides)
    if before != after:
        ends = layer.out_shape(shape)[1:]
        crop = {"starts": [0, 0], "ends": list(ends), "axes": [2, 3]}
        graph.add("Slice", name, {key: np.array(value) for key, value in crop.items()})


def _norm(graph: _Graph, name: str, layer: spec.BatchNorm, shape: Shape, tensors: Tensors) -> None:
    graph.add("BatchNormalization", name, tensors, epsilon=layer.eps, momentum=layer.momentum)


def _leaky(graph: _Graph, name: str, layer: spec.LeakyReLU, shape: Shape, tensors: Tensors) -> None:
    if layer.slope:
        graph.add("LeakyRelu", name, {}, alpha=layer.slope)
    else:
        graph.add("Relu", name, {})


def _reshape(graph: _Graph, name: str, layer: Layer, shape: Shape, tensors: Tensors) -> None:
    wanted = np.array([-1, *layer.out_shape(shape)])  # whatever the batch is
    graph.add("Reshape", name, {"shape": wanted})


_NODES: dict[type[Layer], Callable[..., None]] = {
    spec.Dense: _dense,
    spec.Conv: _conv,
    spec.ConvTranspose: _transpose,
    spec.BatchNorm: _norm,
    spec.LeakyReLU: _leaky,
    spec.Tanh: lambda graph, name, layer, shape, tensors: graph.add("Tanh", name, {}),
    spec.Sigmoid: lambda graph, name, layer, shape, tensors: graph.add("Sigmoid", name, {}),
    spec.Dropout: lambda graph, name, layer, shape, tensors: None,  # there is none but in training
    spec.Reshape: _reshape,
    spec.Flatten: _reshape,
}
