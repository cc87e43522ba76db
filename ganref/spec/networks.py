"""Networks: chains of layers whose shapes are inferred, and checked, on construction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from .errors import UserError
from .layers import BatchNorm, Concat, Conv, Dropout, Layer, Param, Projection, Shape

HEADS = ("samples", "logits", "sigmoid", "energy")


@dataclass(frozen=True)
class Network:
    """A named chain of layers.

    `head` says what the last layer's output means: "samples" (a generator), "logits" (one number
    per example), "sigmoid" (the same logits, which a summary or an export squashes; losses and
    scores work before the sigmoid) or "energy" (the chain is an autoencoder and an example's
    output is its mean squared reconstruction error; Zhao, Mathieu and LeCun 2016).
    `code` is the index of the layer whose output is an autoencoder's code.

    Raises UserError when neighbouring layers do not fit.
    """

    name: str
    input_shape: Shape
    layers: tuple[Layer, ...]
    head: str = "logits"
    code: int | None = None

    def __post_init__(self) -> None:
        if self.head not in HEADS:
            raise UserError(f"unknown head {self.head!r}; there are {', '.join(HEADS)}")
        out = self.shapes[-1]
        if self.head in ("logits", "sigmoid") and math.prod(out) != 1:
            raise UserError(f"{self.name}: a head of {self.head} gives one number, not {out}")
        if self.head == "energy" and (out != self.input_shape or self.code is None):
            raise UserError(f"{self.name}: an energy needs a code, and {self.input_shape} back")

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """The input's shape and every layer's output shape."""
        shapes = [self.input_shape]
        for index, layer in enumerate(self.layers):
            try:
                shapes.append(layer.out_shape(shapes[-1]))
            except UserError as error:
                raise UserError(f"{self.name}.{index}: {error}") from None
        return tuple(shapes)

    @property
    def output_shape(self) -> Shape:
        """What one example becomes."""
        return self.shapes[-1]

    @cached_property
    def params(self) -> tuple[Param, ...]:
        """Every tensor under its full name: `generator.0.weight`, in the order of the layers."""
        return tuple(
            Param(f"{self.name}.{i}.{p.name}", p.shape, p.role, p.fan_in, p.fan_out)
            for i, layer in enumerate(self.layers)
            for p in layer.params()
        )

    @property
    def num_parameters(self) -> int:
        """How many numbers are trained (running statistics not counted)."""
        return sum(math.prod(p.shape) for p in self.params if p.trainable)

    @property
    def flops(self) -> int:
        """Floating-point operations of one forward pass of one example: two per
        multiply-accumulate of the matrix products and convolutions; all else is not counted."""
        pairs = zip(self.layers, self.shapes, strict=False)
        return 2 * sum(layer.macs(shape) for layer, shape in pairs)

    @cached_property
    def dropouts(self) -> dict[str, Shape]:
        """The dropout layers, by name, with the shape of one example's mask."""
        return {
            f"{self.name}.{i}": self.shapes[i]
            for i, layer in enumerate(self.layers)
            if isinstance(layer, Dropout) and layer.rate > 0
        }

    @cached_property
    def labelled(self) -> dict[str, Shape]:
        """The layers that take an example's label, by name, with the shape of a one-hot one."""
        return {
            f"{self.name}.{i}": (layer.classes,)
            for i, layer in enumerate(self.layers)
            if isinstance(layer, (Concat, Projection))
        }

    @cached_property
    def convolves(self) -> bool:
        """Whether any layer is a convolution, of either kind."""
        return any(isinstance(layer, Conv) for layer in self.layers)

    @cached_property
    def couples_examples(self) -> bool:
        """Whether in training an example's output depends on the rest of its batch, or on which
        pass it is in."""
        return self.spectral or self.normalises

    @cached_property
    def normalises(self) -> bool:
        """Whether any layer is normalised by its batch in training."""
        return any(isinstance(layer, BatchNorm) and layer.batch_stats for layer in self.layers)

    @cached_property
    def groups(self) -> int:
        """How many groups a batch is cut into by the layers that are normalised by it."""
        return max((getattr(layer, "groups", 1) for layer in self.layers), default=1)

    @cached_property
    def spectral(self) -> bool:
        """Whether any layer's weights are divided by their largest singular value."""
        return any(getattr(layer, "spectral", False) for layer in self.layers)

    def check_batch(self, batch_size: int) -> None:
        """Refuse a batch, or a group where it is cut, whose variance some batch normalisation
        could not take: one value per channel, where PyTorch raises and the others return beta.
        Raises UserError."""
        for index, layer in enumerate(self.layers):
            values = batch_size * math.prod(self.shapes[index][1:])
            if isinstance(layer, BatchNorm) and layer.batch_stats and values < 2:
                raise UserError(
                    f"{self.name}.{index}: batch normalisation needs at least 2 values per "
                    f"channel, not {values}; use a batch of at least 2"
                )

    def summary(self) -> str:
        """The network as a table: layer, output shape, parameters, FLOPs per example."""
        rows = []
        for index, layer in enumerate(self.layers):
            count = sum(math.prod(p.shape) for p in layer.params() if p.trainable)
            shape = "×".join(map(str, self.shapes[index + 1]))
            flops = 2 * layer.macs(self.shapes[index])
            rows.append(f"  {index:>2}  {layer!s:<68} {shape:>10} {count:>11,} {flops:>14,}")
        shape = "×".join(map(str, self.input_shape))
        title = f"{self.name}: {shape} → {self.head}"
        head = f"{title:<72} {'output':>10} {'parameters':>11} {'FLOPs':>14}"
        total = f"{'  total':<83} {self.num_parameters:>11,} {self.flops:>14,}"
        return "\n".join([head, *rows, total])
