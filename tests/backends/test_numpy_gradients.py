"""The oracle itself against differences: the derivative of every loss in every direction."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from cases import NARROW, conditional, narrow, one_step, options

import ganref
from ganref.numpy import steps
from ganref.numpy.gan import GAN
from ganref.spec import Recipe, formulas
from ganref.spec.losses import BinaryCrossEntropy
from ganref.spec.steps import of_update


def _loss_D(gan: GAN, X, Z, Z_G, masks) -> float:
    X, Z = (of_update(a, 0, gan.recipe.D_updates) for a in (X, Z))
    fake_X, _ = gan.net_G(Z, update_stats=False)
    return float(steps.gradient_D(X, fake_X, gan.net_D, gan.recipe, masks, False)[0])


def _loss_G(gan: GAN, X, Z, Z_G, masks) -> float:
    n = gan.recipe.D_updates
    samples = gan.net_G(of_update(Z, 0, n) if Z_G is None else Z_G[0], update_stats=False)
    own = {name: mask[2 * n] for name, mask in masks.items()}
    return float(steps.gradient_G(*samples, gan.net_D, gan.net_G, gan.recipe, own, False)[0])


LABELLED = {name: conditional()[name] for name in ("concat-dcgan32", "concat-energy")}
CASES = {name: narrow(name) for name in NARROW} | options() | LABELLED


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_the_derivatives_of_the_losses(name: str) -> None:
    recipe: Recipe = CASES[name]
    weights = ganref.initial_weights(recipe)
    # Initial weights of 0.02 leave losses too flat for differences to be sharp.
    rng = np.random.default_rng(0)
    for key, value in weights.items():
        if key.endswith("weight") and value.ndim > 1:
            fan_in = value[0].size if value.ndim == 2 else value.size / value.shape[1]
            weights[key] = rng.normal(0, 1 / np.sqrt(fan_in), value.shape)
        elif key.endswith("weight"):  # gamma, which two of the tabs draw around 0
            weights[key] = rng.uniform(0.5, 1.5, value.shape)
    for key in (key for key in weights if key.endswith((".u", ".u_embedding"))):
        # Gradients take v as it is: they are a derivative where the power iteration has ended.
        layer, _, own = key.rpartition(".")
        matrix = weights[f"{layer}.{own.removeprefix('u_') if own != 'u' else 'weight'}"]
        matrix = matrix if len(matrix) == len(weights[key]) else matrix.swapaxes(0, 1)
        weights[key] = np.linalg.svd(matrix.reshape(len(matrix), -1))[0][:, 0]
    gan = ganref.load_backend("numpy").create(recipe, weights, dtype="float64")
    (X, Z), more = one_step(recipe)
    grads = gan.gradients(X, Z, **more)
    for net, loss in ((gan.net_D, _loss_D), (gan.net_G, _loss_G)):
        for tensor, view in net.trained.items():
            direction = rng.standard_normal(view.shape)
            direction /= np.linalg.norm(direction)
            slope = (grads[tensor] * direction).sum()
            start, errors = view.copy(), []
            # A kink between both ends spoils the wider ones, rounding the narrower.
            for h in (1e-5, 1e-6, 1e-7, 3e-8, 1e-8):
                view[...] = start + h * direction
                up = loss(gan, X, Z, **more)
                view[...] = start - h * direction
                errors.append(abs((up - loss(gan, X, Z, **more)) / (2 * h) - slope))
            view[...] = start
            assert min(errors) < 2e-6 * max(abs(slope), 0.1), tensor


LOGITS = [-1e4, -700.0, -100.0, -30.0, -20.5, -1.0, -1e-8, 0.0, 1e-8, 1.0, 20.5, 30.0, 100.0, 1e4]


@pytest.mark.parametrize("o", LOGITS)
def test_losses_and_slopes_stay_accurate_for_any_logit(o: float) -> None:
    """Against 60 decimal digits: rounding, and nothing more, for every label and both outputs."""
    with localcontext(prec=60, Emin=-(10**6), Emax=10**6):
        below, above = (1 + Decimal(sign * o).exp() for sign in (-1, 1))  # 1/D and 1/(1 - D)
        negative_logs, D = (below.ln(), above.ln()), 1 / below
        for label in (0, 1, 0.9, 0.25):
            share = Decimal(label)
            exact = share * negative_logs[0] + (1 - share) * negative_logs[1]
            assert formulas.bce(np.array([o]), label)[0] == pytest.approx(float(exact), rel=4e-16)
        real_slope, fake_slope = BinaryCrossEntropy().slopes_D(np.array([o]), np.array([o]))
        # The exponential of a rounded logarithm: an error of that logarithm's rounding.
        rel = 4e-16 * max(1, abs(o))
        assert real_slope[0] == pytest.approx(float(D - 1), rel=rel, abs=5e-324)
        assert fake_slope[0] == pytest.approx(float(D), rel=rel, abs=5e-324)
