"""What every loss has: its numbers, its penalties, and what log, plots and detectors ask it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np

from .errors import UserError


class Penalty(NamedTuple):
    """weight * R[(|g| - norm)²], where g is the gradient of D's output to its input.

    `at` says at which inputs: "real" or "fake" examples, or "mixed" ones, ε x + (1 - ε) G(z) with a
    drawn ε; D's dropout there is that of its pass `drawn`, real (0) or fake (1)."""

    at: str
    drawn: int
    weight: float
    norm: float = 0.0


@dataclass(frozen=True)
class Loss:
    """What every kind has: the reduction R ("sum" or "mean"), the factor of L_D, the weights of the
    penalties (R1, R2 and `gp`), and the bound of D's weights after each of its updates (0: none).

    Raises UserError for numbers that no loss can have."""

    reduction: str = "mean"
    scale_D: float = 1.0
    r1: float = 0.0
    r2: float = field(default=0.0, kw_only=True)
    gp: float = field(default=0.0, kw_only=True)
    clip: float = field(default=0.0, kw_only=True)

    name: ClassVar[str] = ""
    energy: ClassVar[bool] = False  # D is an autoencoder, its outputs the errors it makes
    relative: ClassVar[bool] = False  # losses are in units that the data choose: only growth tells
    signed: ClassVar[bool] = False  # terms are of either sign, and may cancel to any loss
    against_collapse: ClassVar[str] = "--r1 0.1"

    def __post_init__(self) -> None:
        choose("reduction", self.reduction, "sum", "mean")
        weights = self.r1, self.r2, self.gp, self.clip
        if not self.scale_D > 0 or not all(weight >= 0 for weight in weights):
            raise UserError("scale_D must be positive, and r1, r2, gp and clip not negative")

    def terms_D(self, real: np.ndarray, fake: np.ndarray) -> np.ndarray:
        """What each pair of outputs (B,) adds to L_D."""
        raise NotImplementedError

    def terms_G(self, fake: np.ndarray) -> np.ndarray:
        """What each output (B,) on a generated example adds to L_G."""
        raise NotImplementedError

    def slopes_D(self, real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The derivatives of `terms_D` to both outputs."""
        raise NotImplementedError

    def slopes_G(self, fake: np.ndarray) -> np.ndarray:
        """The derivative of `terms_G`."""
        raise NotImplementedError

    def score(self, outputs: np.ndarray) -> np.ndarray:
        """What people read off D: the output itself, unless it is a logit."""
        return outputs

    def signal(self, D_G_z: float) -> float:
        """The share of its gradient that the loss passes on to G where D's score is `D_G_z`."""
        return 1.0

    @property
    def unit(self) -> float:
        """What a loss of an ordinary size is."""
        return 1.0

    @property
    def optimum(self) -> tuple[float, str] | None:
        """L_D per example where D can do no better than to score all alike, and its label."""
        return None

    @cached_property
    def penalties(self) -> tuple[Penalty, ...]:
        """What L_D has beside its terms."""
        each = (
            Penalty("real", 0, self.r1 / 2),
            Penalty("fake", 1, self.r2 / 2),
            Penalty("mixed", 0, self.gp, 1.0),
        )
        return tuple(penalty for penalty in each if penalty.weight)

    @property
    def needs_codes(self) -> bool:
        """Whether L_G has a term of the codes of an energy."""
        return False

    @property
    def against_saturation(self) -> tuple[str, str]:
        """What D is where `signal` is weak, and the options that help."""
        return "fooled", "a larger --lr-D or a smaller --lr-G"

    def weight(self, batch: int) -> float:
        """What an example of so many counts in the reduction R."""
        return 1.0 if self.reduction == "sum" else 1 / batch

    def share(self, workers: int) -> Loss:
        """What one of so many workers minimises on its part of a batch: see `groups`."""
        return self

    def per_example(self, value: Any, batch: int) -> Any:
        """A loss of a batch, as the mean over its examples."""
        return value * (1 / batch) if self.reduction == "sum" else value


def choose(name: str, value: str, *choices: str) -> None:
    """Refuse a value that is none of the choices. Raises UserError."""
    if value not in choices:
        raise UserError(f"unknown {name} {value!r}; there are {', '.join(choices)}")
