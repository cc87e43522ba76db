"""The losses: one kind each, as data with its formulas in NumPy. This is the oracle.

o is an output of D: a logit, of which D is the sigmoid; a raw score; or an energy C. R is the sum
or the mean over the batch, and every kind has

    L_D = scale_D * R[terms_D(o_real, o_fake)] + P
    P = r1 / 2 * R[|g(x)|²] + r2 / 2 * R[|g(G(z))|²] + gp * R[(|g(ε x + (1 - ε) G(z))| - 1)²]
    L_G = R[terms_G(o_fake)]

where g is the gradient of o to D's input and ε ~ U(0, 1) is drawn anew for each example. After each
of its updates D's weights are held in [-clip, clip], where clip is not 0.

Sources: Goodfellow et al. 2014 (as in "Generative Adversarial Networks" of d2l.ai); T. Silva, "An
intuitive introduction to Generative Adversarial Networks" (label smoothing); Zhao, Mathieu and
LeCun 2016 (margin and repelling term); Mao et al. 2017 (least squares); Lim and Ye 2017 (hinge);
Mescheder, Geiger and Nowozin 2018 (R1 and R2); Arjovsky, Chintala and Bottou 2017 (the critic, held
by clipping its weights); Gulrajani et al. 2017 (by the penalty `gp`).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np

from .errors import UserError
from .formulas import bce, entropy, sigmoid
from .loss import Loss, choose


@dataclass(frozen=True)
class BinaryCrossEntropy(Loss):
    """terms_D = bce(o_real, real_label) + bce(o_fake, 0); terms_G = -log D(G(z)), or under the
    minimax game log(1 - D(G(z))) (Goodfellow et al. 2014)."""

    generator: str = "non_saturating"
    real_label: float = 1.0

    name = "bce"

    def __post_init__(self) -> None:
        super().__post_init__()
        choose("generator", self.generator, "non_saturating", "minimax")
        if not 0 < self.real_label <= 1:
            raise UserError(f"real_label must be in (0, 1], not {self.real_label}")

    @property
    def minimax(self) -> bool:
        """Whether G lowers what D raises."""
        return self.generator == "minimax"

    def terms_D(self, real: np.ndarray, fake: np.ndarray) -> np.ndarray:
        return bce(real, self.real_label) + bce(fake, 0)

    def terms_G(self, fake: np.ndarray) -> np.ndarray:
        return -bce(fake, 0) if self.minimax else bce(fake, 1)

    def slopes_D(self, real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # Split like the loss itself: sigmoid(o) - label would cancel where D is confident.
        d_real = -self.real_label * sigmoid(-real)
        if self.real_label != 1:
            d_real = d_real + (1 - self.real_label) * sigmoid(real)
        return d_real, sigmoid(fake)

    def slopes_G(self, fake: np.ndarray) -> np.ndarray:
        # -sigmoid(-o), not sigmoid(o) - 1, which would cancel where D is confident.
        return -sigmoid(fake if self.minimax else -fake)

    def score(self, outputs: np.ndarray) -> np.ndarray:
        return sigmoid(outputs)

    def signal(self, D_G_z: float) -> float:
        return D_G_z if self.minimax else 1 - D_G_z

    @property
    def optimum(self) -> tuple[float, str]:
        lowest = 2 * self.scale_D * entropy(self.real_label / 2)  # D of every example
        return lowest, f"{lowest / np.log(2):.3g} ln 2".removeprefix("1 ")

    @property
    def against_saturation(self) -> tuple[str, str]:
        cure = "--generator-loss non_saturating, a smaller --lr-D, or --label-smoothing 0.1"
        return ("sure", cure) if self.minimax else super().against_saturation


@dataclass(frozen=True)
class Margin(Loss):
    """terms_D = C(x) + max(0, margin - C(G(z))), terms_G = C(G(z)), and to L_G comes
    repelling * PT(codes) (Zhao, Mathieu and LeCun 2016, equations 1 and 2, section 2.4), or the
    mean of PT over the groups that a batch is cut into."""

    margin: float = 1.0
    repelling: float = 0.0

    name = "margin"
    energy = relative = True
    against_collapse = "--repelling 0.1"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.margin > 0 or not self.repelling >= 0:
            raise UserError("margin must be positive, and repelling not negative")

    def terms_D(self, real: np.ndarray, fake: np.ndarray) -> np.ndarray:
        return real + np.maximum(self.margin - fake, 0)

    def terms_G(self, fake: np.ndarray) -> np.ndarray:
        return fake

    def slopes_D(self, real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.ones_like(real), -(fake < self.margin).astype(fake.dtype)

    def slopes_G(self, fake: np.ndarray) -> np.ndarray:
        return np.ones_like(fake)

    @property
    def unit(self) -> float:
        return self.margin

    @property
    def needs_codes(self) -> bool:
        return self.repelling > 0

    def share(self, workers: int) -> Loss:
        if self.reduction == "mean":
            return self
        return dataclasses.replace(self, repelling=self.repelling / workers)


@dataclass(frozen=True)
class LeastSquares(Loss):
    """terms_D = (o_real - 1)² / 2 + o_fake² / 2, terms_G = (o_fake - 1)² / 2 (Mao et al. 2017,
    equation 9)."""

    name = "least-squares"

    def terms_D(self, real: np.ndarray, fake: np.ndarray) -> np.ndarray:
        return 0.5 * (real - 1) ** 2 + 0.5 * fake**2

    def terms_G(self, fake: np.ndarray) -> np.ndarray:
        return 0.5 * (fake - 1) ** 2

    def slopes_D(self, real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return real - 1, fake

    def slopes_G(self, fake: np.ndarray) -> np.ndarray:
        return fake - 1

    def signal(self, D_G_z: float) -> float:
        return min(1.0, abs(1 - D_G_z))

    @property
    def optimum(self) -> tuple[float, str]:
        return self.scale_D / 4, f"{self.scale_D / 4:g}"  # both outputs are 1/2


@dataclass(frozen=True)
class Hinge(Loss):
    """terms_D = max(0, 1 - o_real) + max(0, 1 + o_fake), terms_G = -o_fake (Lim and Ye 2017,
    equations 3 and 4 with the constants of section 3). At the corners the derivative is 0."""

    name = "hinge"
    signed = True

    def terms_D(self, real: np.ndarray, fake: np.ndarray) -> np.ndarray:
        return np.maximum(1 - real, 0) + np.maximum(1 + fake, 0)

    def terms_G(self, fake: np.ndarray) -> np.ndarray:
        return -fake

    def slopes_D(self, real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return -(real < 1).astype(real.dtype), (fake > -1).astype(fake.dtype)

    def slopes_G(self, fake: np.ndarray) -> np.ndarray:
        return -np.ones_like(fake)

    @property
    def optimum(self) -> tuple[float, str]:
        return 2 * self.scale_D, f"{2 * self.scale_D:g}"  # both outputs are 0


@dataclass(frozen=True)
class Critic(Loss):
    """terms_D = o_fake - o_real, terms_G = -o_fake: -L_D is the difference of D's means, which a D
    that is nowhere steeper than 1 makes the Wasserstein distance at most."""

    signed = relative = True

    def terms_D(self, real: np.ndarray, fake: np.ndarray) -> np.ndarray:
        return fake - real

    def terms_G(self, fake: np.ndarray) -> np.ndarray:
        return -fake

    def slopes_D(self, real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return -np.ones_like(real), np.ones_like(fake)

    def slopes_G(self, fake: np.ndarray) -> np.ndarray:
        return -np.ones_like(fake)

    @property
    def unit(self) -> float:
        return 100.0  # scores have no zero of their own: they may drift far

    @property
    def optimum(self) -> tuple[float, str]:
        return 0.0, "0"  # whatever all are scored


@dataclass(frozen=True)
class Wasserstein(Critic):
    """A critic whose weights are clipped to [-clip, clip] after each update (Arjovsky, Chintala and
    Bottou 2017, algorithm 1, which uses RMSProp: Adam with beta1 = 0 is that with its bias
    corrected)."""

    clip: float = field(default=0.01, kw_only=True)

    name = "wasserstein"


@dataclass(frozen=True)
class WassersteinGP(Critic):
    """A critic whose gradient between real and generated examples is drawn to length 1 (Gulrajani
    et al. 2017, equation 3 with lambda = 10)."""

    gp: float = field(default=10.0, kw_only=True)

    name = "wasserstein-gp"


KINDS = (BinaryCrossEntropy, Margin, LeastSquares, Hinge, Wasserstein, WassersteinGP)
LOSSES: dict[str, type[Loss]] = {kind.name: kind for kind in KINDS}
