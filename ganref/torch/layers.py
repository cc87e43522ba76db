"""The layers: PyTorch's own where they mean what the spec means."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ganref.spec import layers as spec
from ganref.spec.groups import group_size
from ganref.spec.networks import Network as NetworkSpec

from .framework import Gradients, Masks, Tensor, to_array


class Layer(nn.Module):
    """A layer that takes its numbers from the spec."""

    def __init__(self, layer: Any, dtype: torch.dtype) -> None:
        super().__init__()
        self.spec = layer


class Dense(nn.Linear):
    """y = x Wᵀ + b."""

    def __init__(self, layer: spec.Dense | spec.Projection, dtype: torch.dtype) -> None:
        super().__init__(layer.in_features, layer.out_features, layer.bias, dtype=dtype)
        _keep_u(self, layer, dtype)

    def reset_parameters(self) -> None:
        """Draw nothing: the weights are the spec's."""

    def forward(self, x: Tensor, update_stats: bool) -> Tensor:  # type: ignore[override]
        return F.linear(x, _kernel(self, update_stats), self.bias)


class Conv(nn.Conv2d):
    """Cross-correlation, padded by the spec's explicit pair."""

    def __init__(self, layer: spec.Conv, dtype: torch.dtype) -> None:
        before, after = layer.padding
        # PyTorch pads evenly: another pair is laid on before it.
        window = layer.kernel, layer.stride, before if before == after else 0
        own: Any = {"bias": layer.bias, "dtype": dtype}
        super().__init__(layer.in_channels, layer.out_channels, *window, **own)
        _keep_u(self, layer, dtype)
        self.uneven = (before, after) * 2 if before != after else None

    def reset_parameters(self) -> None:
        """Draw nothing: the weights are the spec's."""

    def forward(self, x: Tensor, update_stats: bool) -> Tensor:  # type: ignore[override]
        x = F.pad(x, self.uneven) if self.uneven else x
        return self._conv_forward(x, _kernel(self, update_stats), self.bias)


class ConvTranspose(nn.ConvTranspose2d):
    """The transpose of a convolution: its forward pass is that one's gradient to the input."""

    def __init__(self, layer: spec.ConvTranspose, dtype: torch.dtype) -> None:
        before, after = layer.padding
        window = layer.kernel, layer.stride, before
        own: Any = {"bias": layer.bias, "dtype": dtype}
        super().__init__(layer.in_channels, layer.out_channels, *window, **own)
        _keep_u(self, layer, dtype)
        self.uneven = after - before

    def reset_parameters(self) -> None:
        """Draw nothing: the weights are the spec's."""

    def forward(self, x: Tensor, update_stats: bool) -> Tensor:  # type: ignore[override]
        kernel = _kernel(self, update_stats, outputs=1)
        padding: Any = self.padding  # which PyTorch says may be a word
        y = F.conv_transpose2d(x, kernel, self.bias, self.stride, padding)
        # `output_padding` adds rows at the end and never takes the odd one away.
        return y[:, :, : -self.uneven, : -self.uneven] if self.uneven else y


class BatchNorm(Layer):
    """y = gamma (x - mean) / sqrt(var + eps) + beta, per channel (Ioffe and Szegedy 2015)."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, layer: spec.BatchNorm, dtype: torch.dtype) -> None:
        super().__init__(layer, dtype)
        for p in layer.params():
            tensor = torch.empty(p.shape, dtype=dtype)
            if p.trainable:
                self.register_parameter(p.name, nn.Parameter(tensor))
            else:
                self.register_buffer(p.name, tensor)

    def forward(self, x: Tensor, training: bool, update_stats: bool) -> Tensor:
        if not (training and self.spec.batch_stats):
            return self._normalise(x, self.running_mean, self.running_var, False, 0.0)
        if self.spec.groups > 1:
            return self._groups(x, update_stats)
        if not update_stats:
            return self._normalise(x, None, None, True, 0.0)
        if self.spec.unbiased:
            rate = 1 - self.spec.momentum  # PyTorch's momentum is the share of the new
            return self._normalise(x, self.running_mean, self.running_var, True, rate)
        # F.batch_norm knows only the unbiased variance: have it by itself, and take it back.
        mean, var = torch.zeros_like(self.running_mean), torch.zeros_like(self.running_var)
        y = self._normalise(x, mean, var, True, 1.0)
        count = x.numel() // len(mean)
        self._update_stats(mean, var * ((count - 1) / count))
        return y

    def _groups(self, x: Tensor, update_stats: bool) -> Tensor:
        """Each group by itself; the running statistics take in the means of theirs."""
        size = group_size(len(x), self.spec.groups)
        mean, var = (r.new_zeros(len(x) // size, len(r)) for r in (self.running_mean,) * 2)
        groups = zip(x.split(size), mean, var, strict=True)
        y = torch.cat([self._normalise(*group, True, 1.0) for group in groups])
        if update_stats:
            count = x[:size].numel() // mean.shape[1]
            share = 1.0 if self.spec.unbiased else (count - 1) / count
            self._update_stats(mean.mean(0), share * var.mean(0))
        return y

    def _normalise(
        self, x: Tensor, mean: Tensor | None, var: Tensor | None, batch: bool, rate: float
    ) -> Tensor:
        return F.batch_norm(x, mean, var, self.weight, self.bias, batch, rate, self.spec.eps)

    def _update_stats(self, mean: Tensor, var: Tensor) -> None:
        keep = self.spec.momentum
        self.running_mean.mul_(keep).add_((1 - keep) * mean)
        self.running_var.mul_(keep).add_((1 - keep) * var)


class LeakyReLU(nn.LeakyReLU):
    """x where x > 0, else slope * x; the derivative at 0 is the slope."""

    def __init__(self, layer: spec.LeakyReLU, dtype: torch.dtype) -> None:
        super().__init__(layer.slope)


class Tanh(nn.Tanh):
    """tanh(x)."""

    def __init__(self, layer: spec.Tanh, dtype: torch.dtype) -> None:
        super().__init__()


class Sigmoid(nn.Sigmoid):
    """1 / (1 + exp(-x))."""

    def __init__(self, layer: spec.Sigmoid, dtype: torch.dtype) -> None:
        super().__init__()


class Dropout(Layer):
    """x * mask / (1 - rate) with the caller's mask; x where there is none (inference)."""

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        return x if mask is None else x * (mask.to(x.dtype) * (1 / (1 - self.spec.rate)))


class Concat(Layer):
    """The example's label behind its numbers, or as constant channels behind an image's."""

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        own = label.to(x.dtype).reshape(*label.shape, *(1,) * (x.ndim - 2))
        return torch.cat([x, own.expand(*label.shape, *x.shape[2:])], 1)


class Projection(Dense):
    """y = x (w + E[label])ᵀ + b (Miyato and Koyama 2018)."""

    def __init__(self, layer: spec.Projection, dtype: torch.dtype) -> None:
        super().__init__(layer, dtype)
        shape = layer.classes, layer.in_features
        self.embedding = nn.Parameter(torch.empty(shape, dtype=dtype))

    def forward(self, x: Tensor, label: Tensor, update_stats: bool) -> Tensor:  # type: ignore[override]
        e = _kernel(self, update_stats, name="embedding", power="u_embedding")
        along = _kernel(self, update_stats) + label.to(e.dtype) @ e
        y = (x * along).sum(1, keepdim=True)
        return y if self.bias is None else y + self.bias


class Reshape(Layer):
    """The same numbers in the spec's shape."""

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), *self.spec.out_shape(tuple(x.shape[1:])))


LAYERS: dict[type[spec.Layer], Any] = {
    spec.Dense: Dense,
    spec.Conv: Conv,
    spec.ConvTranspose: ConvTranspose,
    spec.BatchNorm: BatchNorm,
    spec.LeakyReLU: LeakyReLU,
    spec.Tanh: Tanh,
    spec.Sigmoid: Sigmoid,
    spec.Dropout: Dropout,
    spec.Concat: Concat,
    spec.Projection: Projection,
    spec.Reshape: Reshape,
    spec.Flatten: Reshape,
}


class Network(nn.Sequential):
    """A chain of layers: `trained` holds what Adam moves, `stats` the running statistics, both by
    the spec's names.

    Its state_dict has these names too: "0.weight", "0.bias", and so on. With `mixed` it computes in
    bfloat16; weights, inputs and outputs are float32 all the same."""

    def __init__(
        self,
        network: NetworkSpec,
        weights: dict[str, np.ndarray],
        dtype: torch.dtype,
        device: str,
        mixed: bool = False,
    ) -> None:
        super().__init__(*(LAYERS[type(layer)](layer, dtype) for layer in network.layers))
        self.spec, self.dtype, self.device, self.mixed = network, dtype, device, mixed
        if network.convolves:  # 10 to 30% faster on processors (measured)
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.to(device)
        params, buffers = self.named_parameters(), self.named_buffers()
        self.trained: dict[str, Tensor] = {f"{network.name}.{name}": p for name, p in params}
        self.stats = {f"{network.name}.{name}": b for name, b in buffers}
        for name, tensor in (self.trained | self.stats).items():
            write(tensor, weights[name])

    def forward(
        self,
        x: Tensor,
        training: bool = True,
        update_stats: bool = True,
        masks: Masks | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """(output, codes) for x (B, *input): samples (B, *output), or outputs (B,); and an
        autoencoder's codes (B, n)."""
        if not self.mixed:
            return self._forward(x, training, update_stats, masks or {})
        # Left after every pass: weights cast to bfloat16 would be kept beyond their update.
        with torch.autocast(x.device.type, torch.bfloat16):
            return self._forward(x, training, update_stats, masks or {})

    @torch.no_grad()
    def run(
        self,
        x: Tensor,
        training: bool = True,
        update_stats: bool = True,
        masks: Masks | None = None,
    ) -> Tensor:
        """The output for x (B, *input) alone, with nothing recorded."""
        return self(x, training, update_stats, masks)[0]

    def record(
        self, x: Tensor, update_stats: bool = True, masks: Masks | None = None
    ) -> tuple[Tensor, Any]:
        """(output, tape) for x (B, *input): a pass in training that can be gone back through."""
        return self(x, True, update_stats, masks)[0], None  # the output carries its own history

    def named(self, tensors: Gradients) -> dict[str, Tensor]:
        """Gradients, moments or averages under the names of the parameters they belong to."""
        return dict(zip(self.trained, tensors, strict=True))

    def _forward(
        self, x: Tensor, training: bool, update_stats: bool, masks: Masks
    ) -> tuple[Tensor, Tensor | None]:
        codes, start = None, x
        for i, layer in enumerate(self):
            if isinstance(layer, BatchNorm):
                x = layer(x, training, update_stats)
            elif isinstance(layer, Dropout):
                x = layer(x, masks.get(f"{self.spec.name}.{i}"))
            elif isinstance(layer, Concat):
                x = layer(x, masks[f"{self.spec.name}.{i}"])
            elif isinstance(layer, Projection):
                x = layer(x, masks[f"{self.spec.name}.{i}"], training and update_stats)
            elif isinstance(layer, (Dense, Conv, ConvTranspose)):
                x = layer(x, training and update_stats)
            else:
                x = layer(x)
            if i == self.spec.code:
                codes = x.reshape(len(x), -1).to(start.dtype)
        x = x.to(start.dtype)
        if self.spec.head == "samples":
            return x, codes
        if self.spec.head == "energy":
            error = (x - start).reshape(len(x), -1)
            return (error * error).mean(1), codes
        return x.reshape(len(x)), codes


def read(tensor: Tensor) -> np.ndarray:
    """A weight, or what belongs to one, as the spec has it: a copy in NumPy."""
    return to_array(tensor)


@torch.no_grad()
def write(tensor: Tensor, array: np.ndarray) -> None:
    """Set a weight, or what belongs to one, from an array as the spec has it."""
    tensor.copy_(torch.tensor(array))


def _keep_u(module: nn.Module, layer: Any, dtype: torch.dtype) -> None:
    for p in layer.params():
        if not p.trainable:
            module.register_buffer(p.name, torch.empty(p.shape, dtype=dtype))


def _kernel(
    module: Any, update_stats: bool, outputs: int = 0, name: str = "weight", power: str = "u"
) -> Tensor:
    """What the layer multiplies by; its outputs are that axis of its weight."""
    weight, u_before = getattr(module, name), module._buffers.get(power)
    if u_before is None:
        return weight
    with torch.autocast(weight.device.type, enabled=False):
        matrix = weight.transpose(0, outputs).flatten(1)
        v = matrix.detach().T @ u_before
        v = v / (v * v).sum().sqrt()
        u = matrix @ v
        sigma = (u * u).sum().sqrt()
        if update_stats:
            u_before.copy_((u / sigma).detach())
        return weight / sigma
