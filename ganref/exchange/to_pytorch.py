"""PyTorch: a state_dict for the page's `nn.Sequential`, its lines, and a `.pt2` of torch.export."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ..backend import load_backend, need
from ..spec import layers as spec
from ..spec.layers import Layer, Shape
from .layouts import torch_names
from .nets import Net
from .snippets import Way

TITLE = "PyTorch"
LAST = False  # where an image's channels are


def framework() -> ModuleType:
    """The framework. Raises UserError, with the cure, if it is not here."""
    load_backend("torch")
    return need("torch", "torch")


def build(net: Net) -> Any:
    """The network in the framework's own layers, in inference mode."""
    torch = framework()
    modules = [
        module
        for _, layer, shape, _ in net.named
        for module in _MODULES[type(layer)](torch.nn, layer, shape)
    ]
    own = torch.nn.Sequential(*modules)
    names = torch_names(net.spec)
    tensors = {names[name]: torch.from_numpy(array) for name, array in net.weights.items()}
    counters = {name: t for name, t in own.state_dict().items() if name.endswith("_tracked")}
    own.load_state_dict(tensors | counters)
    return own.eval()


def save(net: Net, own: Any, folder: Path) -> None:
    """Write its files. Raises whatever the framework does where the disk refuses."""
    torch = framework()
    torch.save(own.state_dict(), folder / f"{net.stem}.pt")
    # What every release has: newer ones say more.
    lines = "".join(f"    nn.{_short(module)},\n" for module in own)
    text = f'"""{net.stem}.pt is the state_dict of this."""\n\nfrom torch import nn\n\n'
    (folder / f"{net.stem}.py").write_text(f"{text}net = nn.Sequential(\n{lines})\n")
    example = torch.zeros(2, *net.spec.input_shape)
    how = ({0: torch.export.Dim("batch")},)
    with _one_precision(torch):
        made = torch.export.export(own, (example,), dynamic_shapes=how)
    torch.export.save(made, folder / f"{net.stem}.pt2")


def ways(net: Net) -> list[Way]:
    """How each of its files is opened and run; the first is what people are shown."""
    run = "net(torch.from_numpy({x})).detach().numpy()"
    state = f'net.load_state_dict(torch.load("{net.stem}.pt", weights_only=True))'
    return [
        Way(
            f"{net.stem}.pt2",
            ("import numpy as np", "import torch"),
            (f'net = torch.export.load("{net.stem}.pt2").module()',),
            run,
        ),
        Way(
            f"{net.stem}.pt",
            ("import numpy as np", "import torch", f"from {net.stem} import net"),
            (state, "net.eval()"),
            run,
        ),
    ]


def signature(net: Net) -> str:
    """What the framework calls input and output."""
    return f"`{net.takes}` is the only argument, `{net.gives}` the only result; any batch."


@contextlib.contextmanager
def _one_precision(torch: Any) -> Iterator[None]:
    """torch.export asks whether cuDNN may use TF32, which fails where convolutions alone have been
    told, as `ganref.torch` does; tracing computes nothing, so for that while all are told alike."""
    cudnn = torch.backends.cudnn
    kinds: tuple[Any, ...] = ()
    try:
        _ = cudnn.allow_tf32
    except RuntimeError:
        kinds = cudnn.conv, cudnn.rnn
    before = [kind.fp32_precision for kind in kinds]
    for kind in kinds:
        kind.fp32_precision = "tf32"  # what the older switch, which nobody has touched, says
    try:
        yield
    finally:
        for kind, precision in zip(kinds, before, strict=True):
            kind.fp32_precision = precision


def _short(module: Any) -> str:
    text, norm, _ = repr(module).partition(", affine=True")
    return f"{text})" if norm else text


def _conv(nn: Any, layer: spec.Conv, shape: Shape) -> list[Any]:
    how = layer.in_channels, layer.out_channels, layer.kernel, layer.stride
    before, after = layer.padding
    if before == after:
        return [nn.Conv2d(*how, padding=before, bias=layer.bias)]
    return [nn.ZeroPad2d((before, after) * 2), nn.Conv2d(*how, bias=layer.bias)]


def _transpose(nn: Any, layer: spec.ConvTranspose, shape: Shape) -> list[Any]:
    how = layer.in_channels, layer.out_channels, layer.kernel, layer.stride
    before, after = layer.padding
    conv = nn.ConvTranspose2d(*how, padding=before, bias=layer.bias)
    return [conv, *([nn.ZeroPad2d((0, before - after) * 2)] if before != after else [])]


def _norm(nn: Any, layer: spec.BatchNorm, shape: Shape) -> list[Any]:
    kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
    return [kind(layer.features, layer.eps, round(1 - layer.momentum, 12))]


_MODULES: dict[type[Layer], Callable[..., list[Any]]] = {
    spec.Dense: lambda nn, layer, shape: [
        nn.Linear(layer.in_features, layer.out_features, layer.bias)
    ],
    spec.Conv: _conv,
    spec.ConvTranspose: _transpose,
    spec.BatchNorm: _norm,
    spec.LeakyReLU: lambda nn, layer, shape: [
        nn.LeakyReLU(layer.slope) if layer.slope else nn.ReLU()
    ],
    spec.Tanh: lambda nn, layer, shape: [nn.Tanh()],
    spec.Sigmoid: lambda nn, layer, shape: [nn.Sigmoid()],
    spec.Dropout: lambda nn, layer, shape: [nn.Dropout(layer.rate)],
    # Of an image too, whatever its shape becomes.
    spec.Reshape: lambda nn, layer, shape: [
        *([nn.Flatten()] if len(shape) > 1 else []), nn.Unflatten(1, layer.shape)
    ],
    spec.Flatten: lambda nn, layer, shape: [nn.Flatten()],
}  # fmt: skip
