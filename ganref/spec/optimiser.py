"""Adam as data (Kingma and Ba 2015), with the place of epsilon made explicit."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import UserError

EPS_FORMS = ("corrected", "plain")


@dataclass(frozen=True)
class Adam:
    """p <- p - lr * m_hat / (sqrt(v_hat) + eps), with bias-corrected moments.

    `eps_form="corrected"` is that formula (PyTorch, and the default of the paper's algorithm 1);
    "plain" adds eps to the uncorrected root, as Keras and MXNet do:
    p <- p - lr * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + eps).
    `mean_gradients` divides the gradients by the batch size first (MXNet's `step(batch_size)`
    in d2l); Adam hides the factor in all but eps.
    """

    lr: float
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    eps_form: str = "corrected"
    mean_gradients: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.lr < float("inf"):
            raise UserError(f"a learning rate must be positive and finite, not {self.lr}")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name} must be in [0, 1), not {getattr(self, name)}")
        if not 0 < self.eps < float("inf"):
            raise UserError(f"eps must be positive, not {self.eps}")
        if self.eps_form not in EPS_FORMS:
            raise UserError(f"unknown eps_form {self.eps_form!r}; there are {', '.join(EPS_FORMS)}")

    def coefficients(self, step: int) -> tuple[float, float, float]:
        """(rate, scale, eps) of update number `step` (from 1), in double precision, so that

            p <- p - rate * m / (sqrt(v) * scale + eps)

        whichever the form: rate is lr / (1 - beta1^t), scale 1 / sqrt(1 - beta2^t). The plain
        form is the same expression with eps * scale in the place of eps.
        """
        rate = self.lr / (1 - self.beta1**step)
        scale = 1 / (1 - self.beta2**step) ** 0.5
        return rate, scale, self.eps if self.eps_form == "corrected" else self.eps * scale
