"""The layers: PyTorch's own where they mean what the spec means."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganref.spec import layers as spec
from ganref.spec.networks import Network as NetworkSpec


class Dense(nn.Linear):
    """y = x Wᵀ + b."""

    def __init__(self, layer: spec.Dense) -> None:
        super().__init__(layer.in_features, layer.out_features, layer.bias)

    def reset_parameters(self) -> None:
        """Draw nothing: the weights are the spec's."""


class Conv(nn.Conv2d):
    """Cross-correlation; an uneven padding is laid on before it."""

    def __init__(self, layer: spec.Conv) -> None:
        before, after = layer.padding
        channels = layer.in_channels, layer.out_channels
        padding = before if before == after else 0
        super().__init__(*channels, layer.kernel, layer.stride, padding, bias=layer.bias)
        self.uneven = (before, after) * 2 if before != after else None

    def reset_parameters(self) -> None:
        """Draw nothing: the weights are the spec's."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.uneven) if self.uneven else x)


class ConvTranspose(nn.ConvTranspose2d):
    """The transpose of a convolution: its forward pass is that one's gradient to the input."""

    def __init__(self, layer: spec.ConvTranspose) -> None:
        before, after = layer.padding
        channels = layer.in_channels, layer.out_channels
        super().__init__(*channels, layer.kernel, layer.stride, before, bias=layer.bias)
        self.uneven = after - before

    def reset_parameters(self) -> None:
        """Draw nothing: the weights are the spec's."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        y = super().forward(x)
        # `output_padding` adds rows at the end and never takes the odd one away.
        return y[:, :, : -self.uneven, : -self.uneven] if self.uneven else y


class BatchNorm(nn.Module):
    """y = gamma (x - mean) / sqrt(var + eps) + beta, per channel (Ioffe and Szegedy 2015)."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, layer: spec.BatchNorm) -> None:
        super().__init__()
        self.spec = layer
        for p in layer.params():
            if p.trainable:
                self.register_parameter(p.name, nn.Parameter(torch.empty(p.shape)))
            else:
                self.register_buffer(p.name, torch.empty(p.shape))

    def forward(self, x: Tensor, training: bool, update_stats: bool) -> Tensor:
        if not (training and self.spec.batch_stats):
            return self._normalise(x, self.running_mean, self.running_var, False, 0.0)
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

    def __init__(self, layer: spec.LeakyReLU) -> None:
        super().__init__(layer.slope)


class Tanh(nn.Tanh):
    """tanh(x)."""

    def __init__(self, layer: spec.Tanh) -> None:
        super().__init__()


class Sigmoid(nn.Sigmoid):
    """1 / (1 + exp(-x))."""

    def __init__(self, layer: spec.Sigmoid) -> None:
        super().__init__()


class Dropout(nn.Module):
    """x * mask / (1 - rate) with the caller's mask; x where there is none (inference)."""

    def __init__(self, layer: spec.Dropout) -> None:
        super().__init__()
        self.scale = 1 / (1 - layer.rate)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        return x if mask is None else x * (mask.to(x.dtype) * self.scale)


class Reshape(nn.Module):
    """The same numbers in the spec's shape."""

    def __init__(self, layer: spec.Reshape | spec.Flatten) -> None:
        super().__init__()
        self.spec = layer

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
    spec.Reshape: Reshape,
    spec.Flatten: Reshape,
}


class Network(nn.Sequential):
    """A chain of layers whose state_dict has the spec's names: "0.weight", "0.bias", ...

    With `mixed` it computes in bfloat16; weights, inputs and outputs are float32 all the same."""

    def __init__(
        self,
        network: NetworkSpec,
        weights: dict[str, np.ndarray],
        dtype: torch.dtype,
        mixed: bool = False,
    ) -> None:
        super().__init__(*(LAYERS[type(layer)](layer) for layer in network.layers))
        self.spec, self.mixed = network, mixed
        self.to(dtype)
        pads = [layer.padding for layer in network.layers if isinstance(layer, spec.Conv)]
        # Channels-last convolutions are 10 to 30% faster on processors, but not where padding and
        # cropping around them have to copy (measured).
        if pads and all(before == after for before, after in pads):
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        with torch.no_grad():
            for name, tensor in (self.params | self.stats).items():
                tensor.copy_(torch.tensor(weights[name]))
        self.trained: list[Tensor] = list(self.parameters())

    @property
    def params(self) -> dict[str, Tensor]:
        """The trained tensors, by the spec's names."""
        return {f"{self.spec.name}.{name}": p for name, p in self.named_parameters()}

    @property
    def stats(self) -> dict[str, Tensor]:
        """The running statistics, by the spec's names."""
        return {f"{self.spec.name}.{name}": b for name, b in self.named_buffers()}

    def forward(
        self,
        x: Tensor,
        training: bool = True,
        update_stats: bool = True,
        masks: dict[str, Tensor] | None = None,
    ) -> tuple[Tensor, Any]:
        """(output, tape) for x (B, *input): samples (B, *output), or outputs (B,).

        PyTorch records the way back in the output itself; the tape holds an autoencoder's code."""
        if not self.mixed:
            return self._forward(x, training, update_stats, masks or {})
        # Left after every pass: weights cast to bfloat16 would be kept beyond their update.
        with torch.autocast(x.device.type, torch.bfloat16):
            return self._forward(x, training, update_stats, masks or {})

    def codes(self, tape: Any) -> Tensor | None:
        """An autoencoder's codes (B, n) of the pass that left this tape."""
        return None if tape is None else tape.reshape(len(tape), -1).to(self.trained[0].dtype)

    def _forward(
        self, x: Tensor, training: bool, update_stats: bool, masks: dict[str, Tensor]
    ) -> tuple[Tensor, Any]:
        code, start = None, x
        for i, layer in enumerate(self):
            if isinstance(layer, BatchNorm):
                x = layer(x, training, update_stats)
            elif isinstance(layer, Dropout):
                x = layer(x, masks.get(f"{self.spec.name}.{i}"))
            else:
                x = layer(x)
            code = x if i == self.spec.code else code
        x = x.to(start.dtype)
        if self.spec.head == "samples":
            return x, code
        if self.spec.head == "energy":
            error = (x - start).reshape(len(x), -1)
            return (error * error).mean(1), code
        return x.reshape(len(x)), code
