"""What a recipe is: everything that defines a run but its seed, as frozen data."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .errors import UserError
from .groups import group_size, in_words
from .labels import check_conditional
from .layers import Shape
from .losses import BinaryCrossEntropy, Loss
from .networks import Network
from .optimiser import Adam
from .stacks import STACKS


@dataclass(frozen=True)
class Draw:
    """How a tensor is initialised: N(mean, scale), U(±1/sqrt(fan_in)), U(±sqrt(6/(fan_in +
    fan_out))) (Glorot and Bengio 2010), the constant `mean`, or a direction: N(0, 1), then of
    length 1."""

    kind: str = "normal"
    mean: float = 0.0
    scale: float = 0.02

    def __post_init__(self) -> None:
        kinds = ("normal", "uniform_fan_in", "glorot_uniform", "constant", "direction")
        if self.kind not in kinds:
            raise UserError(f"unknown initialiser {self.kind!r}; there are {', '.join(kinds)}")
        if not self.scale > 0:
            raise UserError(f"an initialiser's scale must be positive, not {self.scale}")


MIX = "mix"  # among a step's masks: the shares of real examples in mixed ones
ZERO, ONE, SMALL = Draw("constant"), Draw("constant", 1.0), Draw()
FAN_IN = Draw("uniform_fan_in")


@dataclass(frozen=True)
class Init:
    """A network's initial weights, by the role of the tensor."""

    weight: Draw = SMALL
    bias: Draw = ZERO
    gamma: Draw = ONE
    beta: Draw = ZERO
    running_mean: Draw = ZERO
    running_var: Draw = ONE
    power: Draw = Draw("direction")


@dataclass(frozen=True)
class Norm:
    """The numbers of all batch normalisations of a recipe (`layers.BatchNorm` explains them); when
    the running statistics change: `G_in_update_D` if G's also when its samples are drawn for D,
    `fake_first` if D's take the fake batch in before the real one; and a batch's `groups`."""

    eps: float = 1e-5
    momentum: float = 0.9
    unbiased: bool = True
    batch_stats: bool = True
    G_in_update_D: bool = False
    fake_first: bool = False
    groups: int = 1


@dataclass(frozen=True)
class Recipe:
    """One GAN: two networks, a loss, two optimisers, data and how they are fed.

    Raises UserError, on construction, for anything that no backend could train.
    """

    name: str
    source: str
    stack: str
    data: str
    data_shape: Shape
    latent_dim: int
    batch_size: int
    epochs: int
    adam_D: Adam
    adam_G: Adam
    loss: Loss = BinaryCrossEntropy()
    head: str = "logits"
    width: int = 64
    leaky_slope: float = 0.2
    dropout: float = 0.0
    spectral: bool = False
    latent: str = "normal"
    fresh_Z: bool = False
    D_updates: int = 1
    G_updates: int = 1
    ema: float = 0.0
    init_D: Init = Init()
    init_G: Init = Init()
    norm: Norm = Norm()
    tab: str = "aligned"
    epochs_by_data: tuple[tuple[str, int], ...] = ()
    conditional: str = ""
    classes: int = 0

    def __post_init__(self) -> None:
        if self.stack not in STACKS:
            raise UserError(f"unknown stack {self.stack!r}; there are {', '.join(STACKS)}")
        for name in ("latent_dim", "batch_size", "epochs", "width", "D_updates", "G_updates"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.latent not in ("normal", "uniform"):
            raise UserError(f"unknown latent {self.latent!r}; there are normal, uniform")
        if not 0 <= self.leaky_slope <= 1:
            raise UserError(f"leaky_slope must be in [0, 1] (0 is ReLU), not {self.leaky_slope}")
        if not 0 <= self.dropout < 1:
            raise UserError(f"dropout must be in [0, 1), not {self.dropout}")
        if not 0 <= self.ema < 1:
            raise UserError(f"ema must be in [0, 1) (0 turns it off), not {self.ema}")
        if self.loss.energy != (self.head == "energy"):
            wanted = "an energy head" if self.loss.energy else "a head of logits"
            raise UserError(
                f"the loss {self.loss.name} goes with {wanted}, not with one of {self.head}"
            )
        size = group_size(self.batch_size, self.norm.groups)
        if self.loss.needs_codes and size < 2:
            raise UserError("the repelling term compares examples; use groups of at least 2")
        check_conditional(self.conditional, self.classes, self.head == "energy")
        for network in (self.generator, self.discriminator):
            network.check_batch(size)
        if self.generator.output_shape != self.discriminator.input_shape:
            raise UserError("the generator's samples are not what the discriminator takes")

    @cached_property
    def networks(self) -> tuple[Network, Network]:
        """(generator, discriminator)."""
        return STACKS[self.stack](self)

    @property
    def generator(self) -> Network:
        """G: latent to samples."""
        return self.networks[0]

    @property
    def discriminator(self) -> Network:
        """D (or the cost network C): samples to outputs."""
        return self.networks[1]

    @property
    def latent_size(self) -> int:
        """The numbers of a latent: noise, and behind it the one-hot label if there are classes."""
        return self.latent_dim + self.classes

    @property
    def latent_shape(self) -> Shape:
        """One example's latent: (latent_size,) or (latent_size, 1, 1)."""
        return self.generator.input_shape

    @property
    def passes(self) -> int:
        """Forward passes of D in a step: real and fake for each update of D, and one for each of
        G."""
        return 2 * self.D_updates + self.G_updates

    @property
    def examples_per_step(self) -> int:
        """The real examples that a step sees: each update of D has a batch of its own."""
        return self.D_updates * self.batch_size

    def masks(self, batch_size: int | None = None) -> dict[str, Shape]:
        """What D's passes in one step draw: the dropout masks, by layer (passes, batch, *features),
        one-hot labels, by layer (passes, batch, classes), and where the loss mixes examples `MIX`,
        the share of the real one, (passes, batch, 1...): an example's axes, for any layout."""
        lead, D = (self.passes, batch_size or self.batch_size), self.discriminator
        drawn = {name: (*lead, *shape) for name, shape in (D.dropouts | D.labelled).items()}
        if any(penalty.at == "mixed" for penalty in self.loss.penalties):
            drawn[MIX] = (*lead, *(1,) * len(self.data_shape))
        return drawn

    @property
    def convolves(self) -> bool:
        """Whether either network has convolutions."""
        return any(network.convolves for network in self.networks)

    @property
    def flops_per_example(self) -> int:
        """FLOPs per example of one step without waste, counted as matrix products.

        A backward pass costs one forward pass for the weights and one for the inputs (the first
        layer's inputs need none). D's updates run it forward and backward on real and fake; each
        update of G runs D forward and back to its inputs, and G forward and backward. G's forward
        pass is shared where D and G see the same latent.
        """
        G, D = self.generator, self.discriminator
        first_D = 2 * D.layers[0].macs(D.shapes[0])
        first_G = 2 * G.layers[0].macs(G.shapes[0])
        forwards_G = self.D_updates + self.G_updates - (0 if self.fresh_Z else 1)
        update_D = 2 * self.D_updates * (3 * D.flops - first_D)
        update_G = self.G_updates * (2 * D.flops + 2 * G.flops - first_G) + forwards_G * G.flops
        return update_D + update_G

    def least_bytes(self, itemsize: int) -> int:
        """Bytes of memory that no training can do without, with numbers of so many: the initial
        weights (float64), weights, gradients and moments; and what lies between the layers in one
        pass of G and, for D's update, two of D."""
        numbers = sum(network.num_parameters for network in self.networks)
        copies = 4 + (1 if self.ema else 0)
        G, D = (sum(math.prod(shape) for shape in network.shapes) for network in self.networks)
        masks = sum(math.prod(shape) for shape in self.masks().values())
        fresh = self.G_updates * self.batch_size * math.prod(self.latent_shape)
        batch = self.batch_size * (G + 2 * D) + (fresh if self.fresh_Z else 0)
        return numbers * (8 + copies * itemsize) + batch * itemsize + masks

    def steps_per_epoch(self, examples: int) -> int:
        """Whole batches of so many examples; the rest waits for another epoch."""
        return examples // self.examples_per_step

    def epochs_on(self, data: str) -> int:
        """The default number of epochs on a data set."""
        return dict(self.epochs_by_data).get(data, self.epochs)

    def replace(self, **overrides: Any) -> Recipe:
        """A copy with other numbers. Raises UserError for a name that is no field."""
        fields = [field.name for field in dataclasses.fields(self)]
        for name in overrides:
            if name not in fields:
                raise UserError(f"a recipe has no {name!r}; it has {', '.join(fields)}")
        return dataclasses.replace(self, **overrides)

    def summary(self) -> str:
        """What a person wants to know before training."""
        z = "N(0, 1)" if self.latent == "normal" else "U(-1, 1)"
        counts = ("D", self.D_updates), ("G", self.G_updates)
        updates = "".join(f", {n} updates of {name} per step" for name, n in counts if n > 1)
        fresh = ", a fresh one for G" if self.fresh_Z else ""
        fresh += f" and {self.classes} classes ({self.conditional})" if self.classes else ""
        loss = [self.loss.name, *(f"{n}={v}" for n, v in dataclasses.asdict(self.loss).items())]
        lines = [
            f"{self.name} ({self.source}), {self.tab} semantics",
            f"data {self.data} {'×'.join(map(str, self.data_shape))}, latent {self.latent_dim}"
            f" from {z}{fresh}, {in_words(self)}, {self.epochs_on(self.data)} epochs",
            f"loss  {', '.join(loss)}{updates}",
            f"D     {self.adam_D}{', spectral normalisation' if self.spectral else ''}",
            f"G     {self.adam_G}",
            f"work  {self.flops_per_example:,} FLOPs per example and step",
            *(network.summary() for network in self.networks),
        ]
        return "\n".join(lines)
