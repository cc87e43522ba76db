"""PyTorch's convolutions one by one, which `benchmarks.limits` times, and its copy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ganref.spec import layers as spec


def kernels(
    layer: spec.Conv, shape: tuple[int, ...], batch: int, dtype: str, device: str = "cpu"
) -> list[Callable[[], Any]]:
    """PyTorch's three passes of a convolution alone on inputs (batch, *shape), in the memory layout
    of the fast path: forward, gradient to the input, gradient to the weights."""
    how: Any = {"dtype": getattr(torch, dtype), "device": device}
    transposed = isinstance(layer, spec.ConvTranspose)
    inside = layer.in_channels, layer.out_channels
    sides = inside if transposed else inside[::-1]
    last = torch.channels_last
    x = torch.randn(batch, *shape, **how).to(memory_format=last)
    w = torch.randn(*sides, layer.kernel, layer.kernel, **how).to(memory_format=last)
    pad, step, ones, none = [layer.padding[0]] * 2, [layer.stride] * 2, [1, 1], [0, 0]

    def forward() -> Any:
        return torch.ops.aten.convolution(x, w, None, step, pad, ones, transposed, none, 1)

    dy = torch.randn_like(forward())

    def backward(*wanted: bool) -> Callable[[], Any]:
        rest = [0], step, pad, ones, transposed, none, 1, [*wanted, False]
        return lambda: torch.ops.aten.convolution_backward(dy, x, w, *rest)

    return [forward, backward(True, False), backward(False, True)]


def copying(size: int, device: str) -> Callable[[], Any]:
    """What copies `size` bytes that lie on the device to another place there, to its end."""
    x = torch.ones(size // 4, device=device)
    y = torch.empty_like(x)

    def copy() -> None:
        y.copy_(x)
        if x.is_cuda:
            torch.cuda.synchronize(device)

    return copy
