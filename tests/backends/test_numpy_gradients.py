"""The oracle itself against differences: the derivative of every loss in every direction."""

import numpy as np
import pytest
from cases import NARROW, narrow, one_step, options

import ganref
from ganref.numpy import steps
from ganref.numpy.gan import GAN
from ganref.spec import Recipe, losses


def _loss_D(gan: GAN, X, Z, Z_G, masks) -> float:
    fake_X, _ = gan.net_G(Z, update_stats=False)
    return float(steps.gradient_D(X, fake_X, gan.net_D, gan.recipe, masks, False)[0])


def _loss_G(gan: GAN, X, Z, Z_G, masks) -> float:
    samples = gan.net_G(Z if Z_G is None else Z_G[0], update_stats=False)
    own = {name: mask[2] for name, mask in masks.items()}
    return float(steps.gradient_G(*samples, gan.net_D, gan.net_G, gan.recipe, own, False)[0])


CASES = {name: narrow(name) for name in NARROW} | options()


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
    gan = ganref.load_backend("numpy").create(recipe, weights, dtype="float64")
    (X, Z), more = one_step(recipe)
    grads = gan.gradients(X, Z, **more)
    for net, loss in ((gan.net_D, _loss_D), (gan.net_G, _loss_G)):
        for tensor, view in net.params.items():
            direction = rng.standard_normal(view.shape)
            direction /= np.linalg.norm(direction)
            slope = (grads[tensor] * direction).sum()
            start, errors = view.copy(), []
            for h in (1e-5, 1e-6, 1e-7, 1e-8):  # a kink between both ends spoils the wider ones
                view[...] = start + h * direction
                up = loss(gan, X, Z, **more)
                view[...] = start - h * direction
                errors.append(abs((up - loss(gan, X, Z, **more)) / (2 * h) - slope))
            view[...] = start
            assert min(errors) < 2e-6 * max(abs(slope), 0.1), tensor


@pytest.mark.parametrize("o", [-1e4, -100.0, -30.0, -1e-8, 0.0, 1e-8, 30.0, 100.0, 1e4])
def test_losses_stay_accurate_for_any_logit(o: float) -> None:
    """Against mpmath-free identities: bce(o, 1) is log(1 + exp(-o)), and bce(-o, 0) the same."""
    value = losses.bce(np.array([o]), 1)[0]
    assert np.isfinite(value)
    assert value == losses.bce(np.array([-o]), 0)[0]
    assert value == pytest.approx(np.logaddexp(0, -o), rel=1e-15)
    mixed = losses.bce(np.array([o]), 0.9)[0]
    assert mixed == pytest.approx(0.9 * np.logaddexp(0, -o) + 0.1 * np.logaddexp(0, o), rel=1e-15)
