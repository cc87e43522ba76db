"""Layers as data: shapes, parameters and work, with no framework and no arithmetic.

Shapes leave out the batch axis: `(features,)` or `(channels, height, width)`. Kernels,
strides and padding are square; padding is an explicit pair (before, after), because "same"
means different things in different libraries (design, section 2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .errors import UserError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Param:
    """One tensor of a layer: its name in the layer, its shape, and what initialisers need."""

    name: str
    shape: Shape
    role: str  # weight, bias, gamma, beta, power, running_mean or running_var
    fan_in: int = 0
    fan_out: int = 0

    @property
    def trainable(self) -> bool:
        """Whether Adam moves it; running statistics and power iterations are state."""
        return self.role not in ("power", "running_mean", "running_var")


@dataclass(frozen=True)
class Layer:
    """The base of all layers; shape-preserving and without parameters unless it says otherwise."""

    def __post_init__(self) -> None:
        """Refuse numbers that no layer can have. Raises UserError."""

    def params(self) -> tuple[Param, ...]:
        """The layer's tensors, in the order in which they are stored."""
        return ()

    def out_shape(self, shape: Shape) -> Shape:
        """The output's shape for an input of `shape`. Raises UserError if it does not fit."""
        return shape

    def macs(self, shape: Shape) -> int:
        """Multiply-accumulates per example of the forward pass (matrix products only)."""
        return 0

    def _require(self, good: bool, what: str) -> None:
        if not good:
            raise UserError(f"{self}: {what}")


@dataclass(frozen=True)
class Dense(Layer):
    """y = W x + b with W (out_features, in_features).

    `spectral` divides W, as a matrix of a row for each output, by an estimate of its largest
    singular value: |W v| with v = Wᵀ u / |Wᵀ u|, one power iteration from the vector u that is kept
    (Miyato et al. 2018, algorithm 1). Every pass makes it; those that update statistics keep
    W v / |W v| as u. Gradients take v as it is."""

    in_features: int
    out_features: int
    bias: bool = True
    spectral: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        self._require(min(self.in_features, self.out_features) > 0, "sizes must be at least 1")

    def params(self) -> tuple[Param, ...]:
        fans = self.in_features, self.out_features
        weight = Param("weight", (self.out_features, self.in_features), "weight", *fans)
        bias = Param("bias", (self.out_features,), "bias", *fans)
        return (weight, *([bias] if self.bias else []), *_power(self, self.out_features))

    def out_shape(self, shape: Shape) -> Shape:
        self._require(shape == (self.in_features,), f"takes ({self.in_features},), not {shape}")
        return (self.out_features,)

    def macs(self, shape: Shape) -> int:
        return self.in_features * self.out_features


@dataclass(frozen=True)
class Conv(Layer):
    """Cross-correlation with W (out_channels, in_channels, kernel, kernel); `spectral` as in
    `Dense`."""

    in_channels: int
    out_channels: int
    kernel: int
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    bias: bool = True
    spectral: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        sizes = self.in_channels, self.out_channels, self.kernel, self.stride
        self._require(min(sizes) > 0, "channels, kernel and stride must be at least 1")
        before, after = self.padding
        # One row of difference is all that "same" ever asks for; the frameworks' own
        # transposed convolutions can express that and no more.
        self._require(
            0 <= before < self.kernel and before <= after <= before + 1,
            "padding must be a pair (p, p) or (p, p + 1) with 0 <= p < kernel",
        )

    def params(self) -> tuple[Param, ...]:
        area = self.kernel * self.kernel
        fans = self.in_channels * area, self.out_channels * area
        shape = (self.out_channels, self.in_channels, self.kernel, self.kernel)
        weight = Param("weight", shape, "weight", *fans)
        bias = Param("bias", (self.out_channels,), "bias", *fans)
        return (weight, *([bias] if self.bias else []), *_power(self, self.out_channels))

    def out_shape(self, shape: Shape) -> Shape:
        self._check_image(shape)
        return (self.out_channels, *(self._out(n) for n in shape[1:]))

    def macs(self, shape: Shape) -> int:
        _, height, width = self.out_shape(shape)
        return self.in_channels * self.out_channels * self.kernel**2 * height * width

    def _check_image(self, shape: Shape) -> None:
        fits = len(shape) == 3 and shape[0] == self.in_channels
        self._require(fits, f"takes ({self.in_channels}, height, width), not {shape}")

    def _out(self, n: int) -> int:
        out = (n + sum(self.padding) - self.kernel) // self.stride + 1
        self._require(out > 0, f"an input {n} wide is smaller than the kernel")
        return out


@dataclass(frozen=True)
class ConvTranspose(Conv):
    """The transpose of a convolution, with W (in_channels, out_channels, kernel, kernel)."""

    def params(self) -> tuple[Param, ...]:
        _, *others = super().params()
        area = self.kernel * self.kernel
        shape = (self.in_channels, self.out_channels, self.kernel, self.kernel)
        fans = self.in_channels * area, self.out_channels * area
        return (Param("weight", shape, "weight", *fans), *others)

    def macs(self, shape: Shape) -> int:
        self._check_image(shape)
        return self.in_channels * self.out_channels * self.kernel**2 * math.prod(shape[1:])

    def _out(self, n: int) -> int:
        out = (n - 1) * self.stride + self.kernel - sum(self.padding)
        self._require(out > 0, f"padding leaves nothing of an input {n} wide")
        return out


@dataclass(frozen=True)
class BatchNorm(Layer):
    """Batch normalisation over all axes but the channels' (Ioffe and Szegedy 2015).

    `momentum` is the share of the old statistics kept: r <- momentum r + (1 - momentum) b.
    `unbiased` says which batch variance enters the running one (the normalisation itself always
    uses the biased one). `batch_stats=False` is inference mode during training: the input is
    normalised by the running statistics and these never change (d2l's TensorFlow tab). `groups`
    cut the batch, in order, into batches of their own (`groups` has the formulas).
    """

    features: int
    eps: float = 1e-5
    momentum: float = 0.9
    unbiased: bool = True
    batch_stats: bool = True
    groups: int = field(default=1, repr=False)

    def __post_init__(self) -> None:
        self._require(self.features > 0, "features must be at least 1")
        self._require(self.eps > 0, "eps must be positive")
        self._require(0 <= self.momentum < 1, "momentum must be in [0, 1)")
        self._require(self.groups > 0, "groups must be at least 1")

    def params(self) -> tuple[Param, ...]:
        shape = (self.features,)
        return (
            Param("weight", shape, "gamma"),
            Param("bias", shape, "beta"),
            Param("running_mean", shape, "running_mean"),
            Param("running_var", shape, "running_var"),
        )

    def out_shape(self, shape: Shape) -> Shape:
        fits = len(shape) in (1, 3) and shape[0] == self.features
        self._require(fits, f"takes {self.features} channels, not {shape}")
        return shape


@dataclass(frozen=True)
class LeakyReLU(Layer):
    """x where x > 0, else slope * x; its derivative at 0 is the slope. Slope 0 is ReLU."""

    slope: float = 0.2

    def __post_init__(self) -> None:
        self._require(0 <= self.slope <= 1, "slope must be in [0, 1] (0 is ReLU)")


@dataclass(frozen=True)
class Tanh(Layer):
    """tanh(x)."""


@dataclass(frozen=True)
class Sigmoid(Layer):
    """1 / (1 + exp(-x))."""


@dataclass(frozen=True)
class Dropout(Layer):
    """x * mask / (1 - rate) in training, with a mask that the caller draws; x in inference."""

    rate: float

    def __post_init__(self) -> None:
        self._require(0 <= self.rate < 1, "rate must be in [0, 1)")


@dataclass(frozen=True)
class Concat(Layer):
    """An example's label, one-hot, behind its numbers, or as constant channels behind an image's
    (Mirza and Osindero 2014, section 3.2). The caller gives the labels (batch, classes)."""

    classes: int

    def __post_init__(self) -> None:
        self._require(self.classes > 0, "classes must be at least 1")

    def out_shape(self, shape: Shape) -> Shape:
        return (shape[0] + self.classes, *shape[1:])


@dataclass(frozen=True)
class Projection(Layer):
    """y = (w + e) x + b with w (1, in_features) and e that row of the embedding (classes,
    in_features) which is the label's: psi(x) + E[label] x with a linear psi (Miyato and Koyama
    2018, section 3). The caller gives the labels, one-hot (batch, classes). `spectral` as in
    `Dense`, for each of the two matrices by itself."""

    in_features: int
    classes: int
    bias: bool = True
    spectral: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        self._require(min(self.in_features, self.classes) > 0, "sizes must be at least 1")

    @property
    def out_features(self) -> int:
        """One number per example."""
        return 1

    def params(self) -> tuple[Param, ...]:
        n = self.in_features
        weight, bias = Param("weight", (1, n), "weight", n, 1), Param("bias", (1,), "bias", n, 1)
        embedding = Param("embedding", (self.classes, n), "weight", n, 1)
        powers = [*_power(self, 1), *_power(self, self.classes, "u_embedding")]
        return (weight, *([bias] if self.bias else []), embedding, *powers)

    def out_shape(self, shape: Shape) -> Shape:
        self._require(shape == (self.in_features,), f"takes ({self.in_features},), not {shape}")
        return (1,)

    def macs(self, shape: Shape) -> int:
        return self.in_features


@dataclass(frozen=True)
class Reshape(Layer):
    """The same numbers in another shape, in channel, row, column order."""

    shape: Shape

    def out_shape(self, shape: Shape) -> Shape:
        fits = math.prod(shape) == math.prod(self.shape)
        self._require(fits, f"holds {math.prod(self.shape)} numbers, not {shape}")
        return self.shape


@dataclass(frozen=True)
class Flatten(Layer):
    """The same numbers as one vector, in channel, row, column order."""

    def out_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)


def _power(layer: Dense | Conv | Projection, outputs: int, name: str = "u") -> list[Param]:
    return [Param(name, (outputs,), "power")] if layer.spectral else []
