"""Penalties, mixed examples and clipped weights: what they are, and that all backends agree."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from cases import draws, narrow, trace_differences, with_loss

import ganref
from ganref.draws.rng import MIXTURE, Stream, mixtures
from ganref.numpy import steps
from ganref.numpy.layers import Network
from ganref.spec import Adam, Recipe, UserError
from ganref.spec import layers as spec
from ganref.spec.formulas import excess, pull
from ganref.spec.losses import LOSSES, LeastSquares, Wasserstein, WassersteinGP
from ganref.spec.networks import Network as NetworkSpec
from ganref.spec.schema import MIX

TOY = narrow("gaussian")
GENTLE = Adam(1e-3, 0.0, 0.9)
ON_THE_TOY = {
    "r1": with_loss(TOY, r1=0.5),
    "r2": with_loss(TOY, r2=0.5),
    "both": with_loss(TOY, r1=0.5, r2=0.5),
    "least-squares": TOY.replace(loss=LeastSquares("sum", 0.5)),
    # A narrower bound leaves outputs that are equal to four digits, and Adam their rounding.
    "wasserstein": TOY.replace(loss=Wasserstein(clip=1.0), D_updates=5),
    "gp": TOY.replace(loss=WassersteinGP("sum", 0.5)),
    "wasserstein-gp": TOY.replace(
        loss=WassersteinGP(), D_updates=5, fresh_Z=True, adam_D=GENTLE, adam_G=GENTLE
    ),
}


def _traces(framework: str, recipe: Recipe, steps: int) -> dict[str, float]:
    (X, Z), more = draws(recipe, steps)
    weights = ganref.initial_weights(recipe)
    gans = (
        ganref.load_backend(name).create(recipe, weights, dtype="float64")
        for name in (framework, "numpy")
    )
    return trace_differences(recipe, *(gan.train_trace(X, Z, **more) for gan in gans))


@pytest.mark.parametrize("name", ON_THE_TOY)
def test_125_steps_of_the_toy(framework: str, name: str) -> None:
    """Fast ones: that plain ones are the same is for test_parity.py; here they take minutes."""
    apart = _traces(framework, ON_THE_TOY[name], 125)
    assert max(apart.values()) < 1e-11, apart


@pytest.mark.parametrize("compile", ["off", "on"])
def test_a_gradient_of_0_has_a_penalty_and_no_direction(backend: str, compile: str) -> None:
    """A D without weights: |g| is 0 everywhere, where (|g| - 1)² has no derivative."""
    recipe = TOY.replace(loss=WassersteinGP(r1=0.5))
    weights = {n: np.zeros_like(w) for n, w in ganref.initial_weights(recipe).items()}
    gan = ganref.load_backend(backend).create(recipe, weights, "cpu", "float64", compile)
    (X, Z), more = draws(recipe, 2)
    assert gan.train_trace(X, Z, **more).loss_D == pytest.approx([10, 10], abs=1e-12)
    assert all(np.isfinite(array).all() for array in gan.state().values())


@pytest.mark.parametrize("compile", ["off", "on"])
def test_clipping_holds_the_weights_of_D_alone(backend: str, compile: str) -> None:
    recipe = TOY.replace(loss=Wasserstein("sum", 0.5), adam_D=Adam(0.05), adam_G=Adam(0.05))
    (X, Z), more = draws(recipe, 3)
    gan = ganref.load_backend(backend).create(
        recipe, ganref.initial_weights(recipe), "cpu", "float64", compile
    )
    gan.train_steps(X, Z, **more)
    largest = {"generator": 0.0, "discriminator": 0.0}
    for name, array in gan.state().items():
        if name.endswith(("weight", "bias")):
            net = name.partition(".")[0]
            largest[net] = max(largest[net], np.abs(array).max())
    assert largest["discriminator"] == 0.01 and largest["generator"] > 0.05


# The formulas.


@pytest.mark.parametrize("norm", [0.0, 1.0, 2.5])
def test_pull_is_half_the_derivative_of_excess(norm: float) -> None:
    """By a complex step, which has nothing to cancel."""
    rng = np.random.default_rng(0)
    g, direction = rng.standard_normal((2, 5, 3, 2))
    slope = excess(g + 1e-30j * direction, norm).sum().imag / 1e-30
    assert slope == pytest.approx(2 * (pull(g, norm) * direction).sum(), rel=1e-14)
    assert (pull(np.zeros((2, 3)), norm) == 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_slopes_are_the_derivatives_of_the_terms(name: str) -> None:
    """By differences of both outputs, away from the corners."""
    loss, h = LOSSES[name](), 1e-6
    real, fake = np.random.default_rng(1).uniform(0.1, 0.9, (2, 50))
    d_real, d_fake = loss.slopes_D(real, fake)
    for found, up, down in (
        (d_real, loss.terms_D(real + h, fake), loss.terms_D(real - h, fake)),
        (d_fake, loss.terms_D(real, fake + h), loss.terms_D(real, fake - h)),
        (loss.slopes_G(fake), loss.terms_G(fake + h), loss.terms_G(fake - h)),
    ):
        assert found == pytest.approx((up - down) / (2 * h), abs=1e-9)


def _linear(w: np.ndarray) -> Network:
    network = NetworkSpec("discriminator", (2,), (spec.Dense(2, 1, bias=False),))
    return Network(network, {"discriminator.0.weight": w[None]}, np.dtype("float64"), "cpu")


def test_the_penalty_of_a_linear_critic() -> None:
    """|g| is |w| wherever it is asked, so the penalty and its gradient are in closed form."""
    w, (real, fake) = np.array([3.0, -4.0]), np.random.default_rng(0).standard_normal((2, 6, 2))
    recipe = TOY.replace(loss=WassersteinGP(gp=7.0))
    masks = {MIX: np.full((3, 6, 1), 0.25)}
    loss, *_, grads = steps.gradient_D(real, fake, _linear(w), recipe, masks)
    terms = (fake - real).mean(0)
    assert loss == pytest.approx(terms @ w + 7 * (5 - 1) ** 2, rel=1e-14)
    assert grads == pytest.approx(terms + 2 * 7 * (5 - 1) * w / 5, rel=1e-14)


def test_where_the_penalties_look() -> None:
    """D of degree 2 in x has |g| in proportion to x: the mean square of the points themselves."""
    real, fake = np.ones((4, 2)), np.full((4, 2), 3.0)
    recipe = TOY.replace(loss=WassersteinGP(r1=1.0, r2=1.0))
    masks = {MIX: np.full((3, 4, 1), 0.25)}
    found = steps.points(recipe, real, fake, masks)
    assert {at: float(x[0, 0]) for at, x in found.items()} == {
        "real": 1.0, "fake": 3.0, "mixed": 0.25 * 1 + 0.75 * 3,
    }  # fmt: skip
    assert set(steps.points(TOY.replace(loss=Wasserstein()), real, fake, {})) == set()


def test_a_critic_measures_how_far_points_are_moved() -> None:
    """Points moved by c are |c| apart in Wasserstein's distance, and the best D a plane, as steep
    as the penalty lets it be: 1 + |c| / (2 λ), where L_D is -|c| - |c|² / (4 λ)."""
    c = np.array([1.2, -0.5])
    recipe = ganref.recipe("ring").replace(
        loss=WassersteinGP(), width=16, batch_size=64, adam_D=Adam(5e-3, 0.5, 0.9), data="gaussian"
    )
    gan = ganref.load_backend("numpy").create(
        recipe, ganref.initial_weights(recipe), dtype="float64"
    )
    rng, found = np.random.default_rng(0), []
    for _ in range(600):
        real = rng.standard_normal((64, 2))
        masks = {MIX: rng.random((3, 64, 1))}
        loss, *_, grads = steps.gradient_D(real, real + c, gan.net_D, recipe, masks)
        gan.trainer_D.step(grads, 64)
        found.append(float(loss))
    length = np.linalg.norm(c)
    expected = -length - length**2 / (4 * recipe.loss.gp)
    assert np.mean(found[-100:]) == pytest.approx(expected, rel=0.02)
    best = np.linspace(0, 2, 200_001)
    assert (-best * length + 10 * (best - 1) ** 2).min() == pytest.approx(expected, rel=1e-9)


def test_a_fooled_critic_has_nothing_to_lose() -> None:
    """On equal data L_D is 0 at best: any slope of D is paid for by the penalty alone."""
    for loss in (Wasserstein(), WassersteinGP()):
        assert loss.optimum == (0.0, "0") and loss.signal(123.0) == 1.0


# The draws.


def test_mixtures_are_uniform_and_their_own() -> None:
    recipe = narrow("mlp").replace(loss=WassersteinGP(), D_updates=2)
    stream = Stream(0, MIXTURE)
    (mix,) = mixtures(recipe, stream, range(200)).values()
    assert mix.shape == (200, 5, 8, 1, 1, 1) and mix.dtype == np.float64
    assert 0 <= mix.min() < 0.01 and 0.99 < mix.max() < 1 and abs(mix.mean() - 0.5) < 0.01
    again = mixtures(recipe, Stream(0, MIXTURE), range(7, 9))[MIX]
    assert np.array_equal(again, mix[7:9])
    assert mixtures(TOY, stream, range(3)) == {} and MIX not in narrow("mlp").masks()


def test_a_loss_without_the_penalty_draws_what_it_drew() -> None:
    """A mixture has a stream of its own: masks, noise and order stay."""
    plain = narrow("mlp")
    mixed = plain.replace(loss=dataclasses.replace(plain.loss, gp=10.0))
    (X, Z), more = draws(plain, 2)
    (X_2, Z_2), more_2 = draws(mixed, 2)
    assert np.array_equal(X, X_2) and np.array_equal(Z, Z_2)
    assert set(more_2["masks"]) - set(more["masks"]) == {MIX}
    for name, mask in more["masks"].items():
        assert np.array_equal(mask, more_2["masks"][name])


@pytest.mark.parametrize("number", ["r1", "r2", "gp", "clip"])
def test_no_weight_is_negative(number: str) -> None:
    with pytest.raises(UserError, match="not negative"):
        WassersteinGP(**{number: -1.0})
    with pytest.raises(UserError, match="not negative"):
        WassersteinGP(**{number: float("nan")})
