"""Every backend's losses against the oracle: values and gradients, logits from -1e4 to 1e4."""

import importlib

import numpy as np
import pytest
from native import value_and_gradients

from ganref.spec import formulas
from ganref.spec.losses import (
    BinaryCrossEntropy,
    Hinge,
    LeastSquares,
    Margin,
    Wasserstein,
    WassersteinGP,
)  # fmt: skip

RANGE = np.linspace(-100, 100, 2001)  # 0 among them
EXTREME = np.array([-1e4, -700.0, -90.0, -20.0, 0.0, 20.0, 90.0, 700.0, 1e4])

LOSSES = {
    "toy": BinaryCrossEntropy(reduction="sum", scale_D=0.5),
    "mean": BinaryCrossEntropy(),
    "minimax": BinaryCrossEntropy(generator="minimax"),
    "smoothed": BinaryCrossEntropy(real_label=0.9),
    "margin": Margin(margin=1.5),
    "least-squares": LeastSquares(scale_D=0.5),
    "least-squares-sum": LeastSquares(reduction="sum"),
    "hinge": Hinge(),
    "hinge-sum": Hinge(reduction="sum", scale_D=0.5),
    "wasserstein": Wasserstein(),
    "wasserstein-gp": WassersteinGP(reduction="sum", scale_D=0.5),
    "margin-sum": Margin(reduction="sum"),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("logits", [RANGE, EXTREME], ids=["range", "extreme"])
@pytest.mark.parametrize("dtype, tolerance", [("float32", 3e-7), ("float64", 1e-15)])
def test_losses(
    framework: str, name: str, logits: np.ndarray, dtype: str, tolerance: float
) -> None:
    ours = importlib.import_module(f"ganref.{framework}.losses")
    loss = LOSSES[name]
    real, fake = logits.astype(dtype), logits[::-1].astype(dtype)
    wide = real.astype(np.float64), fake.astype(np.float64)
    if loss.energy:
        real, fake, wide = abs(real), abs(fake), (abs(wide[0]), abs(wide[1]))

    value, grads = value_and_gradients(framework, lambda r, f: ours.loss_D(loss, r, f), real, fake)
    # Rounding is relative to what is summed: of either sign, it may leave anything.
    summed = loss.scale_D * loss.weight(len(real)) * np.abs(loss.terms_D(*wide)).sum()
    assert abs(value - formulas.loss_D(loss, *wide)) <= 10 * tolerance * summed
    for found, expected in zip(grads, formulas.grad_D(loss, *wide), strict=True):
        assert np.abs(found - expected).max() <= 4 * tolerance * np.abs(expected).max()

    value, (grad,) = value_and_gradients(framework, lambda f: ours.loss_G(loss, f), fake)
    summed = loss.weight(len(fake)) * np.abs(loss.terms_G(wide[1])).sum()
    assert abs(value - formulas.loss_G(loss, wide[1])) <= 10 * tolerance * summed
    expected = formulas.grad_G(loss, wide[1])
    assert np.abs(grad - expected).max() <= 4 * tolerance * np.abs(expected).max()


@pytest.mark.parametrize("dtype, tolerance", [("float32", 3e-7), ("float64", 1e-15)])
def test_single_logits(framework: str, dtype: str, tolerance: float) -> None:
    """Each logit by itself, relative to its own loss: a sum would hide the small ones."""
    ours = importlib.import_module(f"ganref.{framework}.losses")
    smallest = -87 if dtype == "float32" else -700  # below, exp(o) is subnormal
    for o in (*np.arange(smallest, 100, 7.3), 0.0):
        array = np.array([o], dtype)
        for label in (1, 0, 0.9):
            value, _ = value_and_gradients(framework, lambda x, y=label: ours.bce(x, y)[0], array)
            expected = float(formulas.bce(array.astype(np.float64), label)[0])
            assert value == pytest.approx(expected, rel=10 * tolerance, abs=1e-38)


def test_the_repelling_term(framework: str) -> None:
    ours = importlib.import_module(f"ganref.{framework}.losses")
    codes = np.random.default_rng(0).standard_normal((5, 7))
    value, (grad,) = value_and_gradients(framework, ours.pulling_away, codes)
    assert value == pytest.approx(float(formulas.pulling_away(codes)), rel=1e-14)
    assert np.abs(grad - formulas.grad_pulling_away(codes)).max() < 1e-15


def test_the_repelling_term_of_known_codes() -> None:
    """Orthogonal codes do not repel, equal ones do by 1, whatever their length."""
    assert formulas.pulling_away(np.eye(4) * [1, 2, 3, 4]) == pytest.approx(0)
    assert formulas.pulling_away(np.outer([1, 2, 3.0], [3, 4])) == pytest.approx(1)
