"""The loop that an experienced PyTorch user writes first, for any recipe: `nn` layers in a
Sequential, torch.optim.Adam, backward() and step(), eagerly and one update at a time. It is what
the backend's speed is measured against, and shares no code with it.

The library's defaults stay where a first version would leave them: memory format, Adam's
implementation and the place of its epsilon; D's gradients in G's update are computed and thrown
away, and G's forward pass is computed in both updates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ganref.spec import Network, Recipe
from ganref.spec import layers as spec


class GivenDropout(nn.Dropout):
    """Dropout that keeps what it is told to, so that other frameworks can drop the same."""

    kept: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """PyTorch's own dropout unless `kept` is set."""
        return super().forward(x) if self.kept is None else x * self.kept / (1 - self.p)


def torch_layers(layer: spec.Layer, shape: tuple[int, ...]) -> list[nn.Module]:
    """The layers that do what the spec's does to a batch; `shape` is its input's."""
    if isinstance(layer, spec.Dense):
        return [nn.Linear(layer.in_features, layer.out_features, layer.bias)]
    if isinstance(layer, spec.Conv):
        return _convolution(layer)
    if isinstance(layer, spec.BatchNorm):
        kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
        return [kind(layer.features, layer.eps, 1 - layer.momentum)]
    if isinstance(layer, spec.LeakyReLU):
        return [nn.LeakyReLU(layer.slope) if layer.slope else nn.ReLU()]
    if isinstance(layer, spec.Dropout):
        return [GivenDropout(layer.rate)]
    if isinstance(layer, (spec.Reshape, spec.Flatten)):
        out = layer.out_shape(shape)
        return [nn.Flatten()] if len(out) == 1 else [nn.Unflatten(1, out)]
    return [{spec.Tanh: nn.Tanh, spec.Sigmoid: nn.Sigmoid}[type(layer)]()]


def _convolution(layer: spec.Conv) -> list[nn.Module]:
    transposed = isinstance(layer, spec.ConvTranspose)
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    (before, after), size = layer.padding, (layer.in_channels, layer.out_channels)
    padding = before if before == after else 0
    main = kind(*size, layer.kernel, layer.stride, padding, bias=layer.bias)
    if before == after:
        return [main]
    sides = (before, after) * 2
    if transposed:
        return [main, nn.ZeroPad2d(tuple(-n for n in sides))]
    return [nn.ZeroPad2d(sides), main]


def build(network: Network, first: int, end: int, weights: dict[str, np.ndarray]) -> nn.Sequential:
    """A Sequential of the spec's layers `first` to `end`, with these weights."""
    modules = []
    for i in range(first, end):
        for module in torch_layers(network.layers[i], network.shapes[i]):
            modules.append(module)
            tensors = dict(module.named_parameters()) | dict(module.named_buffers())
            tensors.pop("num_batches_tracked", None)
            for name, tensor in tensors.items():
                # Not copied in: a float64 run would start from weights rounded to float32.
                tensor.data = torch.tensor(weights[f"{network.name}.{i}.{name}"])
    return nn.Sequential(*modules)


class PlainGAN:
    """Two networks, two optimisers and a loop."""

    def __init__(
        self, recipe: Recipe, weights: dict[str, np.ndarray], device: str, dtype: torch.dtype
    ) -> None:
        self.recipe, self.device, self.dtype = recipe, device, dtype
        G, D = recipe.generator, recipe.discriminator
        # An energy is an autoencoder: its code is read between the two halves.
        code = len(D.layers) if D.code is None else D.code + 1
        self.net_G = build(G, 0, len(G.layers), weights)
        self.encoder = build(D, 0, code, weights)
        self.decoder = build(D, code, len(D.layers), weights)
        self.net_D = nn.Sequential(self.encoder, self.decoder)
        for net in (self.net_G, self.net_D):
            net.to(device, dtype).train(recipe.norm.batch_stats)
        self.drops = [m for m in self.net_D.modules() if isinstance(m, GivenDropout)]
        self.trainer_D, self.trainer_G = (
            torch.optim.Adam(net.parameters(), adam.lr, (adam.beta1, adam.beta2), adam.eps)
            for net, adam in ((self.net_D, recipe.adam_D), (self.net_G, recipe.adam_G))
        )
        self.average = [p.detach().clone() for p in self.net_G.parameters()]

    def train_steps(
        self, X: np.ndarray, Z: np.ndarray, Z_G: Any = None, masks: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """k steps on X (k, B, *data) and Z (k, B, *latent): (loss_D, loss_G), each (k,)."""
        losses_D, losses_G = [], []
        for i in range(len(X)):
            kept = [torch.tensor(mask[i], device=self.device) for mask in (masks or {}).values()]
            losses_D.append(self.update_D(self._tensor(X[i]), self._tensor(Z[i]), kept))
            for j in range(self.recipe.G_updates):
                latent = Z[i] if Z_G is None else Z_G[i, j]
                loss_G = self.update_G(self._tensor(latent), [mask[2 + j] for mask in kept])
            losses_G.append(loss_G)
        precision = str(self.dtype).removeprefix("torch.")
        return np.array(losses_D, precision), np.array(losses_G, precision)

    def update_D(self, X: torch.Tensor, Z: torch.Tensor, kept: list[torch.Tensor]) -> float:
        """One update of the discriminator."""
        loss = self.recipe.loss
        self.trainer_D.zero_grad()
        X.requires_grad_(loss.r1 > 0)
        real_Y, _ = self.discriminate(X, [mask[0] for mask in kept])
        fake_X = self.net_G(Z)
        fake_Y, _ = self.discriminate(fake_X.detach(), [mask[1] for mask in kept])
        if loss.energy:
            loss_D = self._reduce(real_Y) + self._reduce(F.relu(loss.margin - fake_Y))
        else:
            loss_D = self._bce(real_Y, loss.real_label) + self._bce(fake_Y, 0)
        loss_D = loss.scale_D * loss_D
        if loss.r1:
            (g,) = torch.autograd.grad(real_Y.sum(), X, create_graph=True)
            loss_D = loss_D + loss.r1 / 2 * self._reduce(g.flatten(1).square().sum(1))
        loss_D.backward()
        self._step(self.trainer_D, self.recipe.adam_D)
        return loss_D.item()

    def update_G(self, Z: torch.Tensor, kept: list[torch.Tensor]) -> float:
        """One update of the generator."""
        loss = self.recipe.loss
        self.trainer_G.zero_grad()
        fake_X = self.net_G(Z)
        fake_Y, codes = self.discriminate(fake_X, kept)
        if loss.energy:
            loss_G = self._reduce(fake_Y)
        else:
            loss_G = -self._bce(fake_Y, 0) if loss.minimax else self._bce(fake_Y, 1)
        if loss.needs_codes:
            unit = F.normalize(codes.flatten(1))
            squares = (unit @ unit.T).square()
            others = squares.sum() - squares.trace()
            loss_G = loss_G + loss.repelling * others / (len(Z) * (len(Z) - 1))
        loss_G.backward()
        self._step(self.trainer_G, self.recipe.adam_G)
        if self.recipe.ema:
            with torch.no_grad():
                for average, p in zip(self.average, self.net_G.parameters(), strict=True):
                    average.lerp_(p, 1 - self.recipe.ema)
        return loss_G.item()

    def discriminate(
        self, x: torch.Tensor, kept: list[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(logits or energies (B,), codes) in training mode."""
        for layer, mask in zip(self.drops, kept, strict=bool(kept)):
            layer.kept = mask
        codes = self.encoder(x)
        if self.recipe.discriminator.code is None:
            return codes.flatten(), codes
        return (self.decoder(codes) - x).flatten(1).square().mean(1), codes

    def _bce(self, output: torch.Tensor, label: float) -> torch.Tensor:
        labels = torch.full_like(output, label)
        reduction = self.recipe.loss.reduction
        return F.binary_cross_entropy_with_logits(output, labels, reduction=reduction)

    def _reduce(self, terms: torch.Tensor) -> torch.Tensor:
        return terms.sum() if self.recipe.loss.reduction == "sum" else terms.mean()

    def _step(self, trainer: torch.optim.Optimizer, adam: Any) -> None:
        if adam.mean_gradients:
            for p in trainer.param_groups[0]["params"]:
                p.grad /= self.recipe.batch_size
        trainer.step()

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.tensor(array, dtype=self.dtype, device=self.device)


def create(
    recipe: Recipe,
    weights: dict[str, np.ndarray],
    device: str = "cpu",
    dtype: str = "float32",
) -> PlainGAN:
    """A GAN with these initial weights."""
    return PlainGAN(recipe, weights, device, getattr(torch, dtype))


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
