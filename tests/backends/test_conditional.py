"""Recipes with class labels on every backend: one step of each kind, what labels reach, and what D
asks for."""

from __future__ import annotations

import numpy as np
import pytest
from cases import conditional, difference, draws, narrow, one_step, trace_differences

import ganref
from ganref.spec import Recipe, UserError
from ganref.spec.labels import one_hot, with_labels

CASES = conditional()


def _gan(backend: str, recipe: Recipe, compile: str = "off", seed: int = 0):
    weights = ganref.initial_weights(recipe, seed)
    return ganref.load_backend(backend).create(recipe, weights, "cpu", "float64", compile)


@pytest.mark.parametrize("name", CASES)
def test_one_step_and_its_gradients(framework: str, name: str) -> None:
    """In float64, as `test_parity` has it for recipes without labels."""
    recipe = CASES[name]
    oracle, gan = (_gan(backend, recipe) for backend in ("numpy", framework))
    draw, more = one_step(recipe)
    expected, found = (one.gradients(*draw, **more) for one in (oracle, gan))
    assert list(found) == list(expected)
    for net in ("generator", "discriminator"):
        own = {n: a for n, a in expected.items() if n.startswith(net)}
        largest = max(np.abs(a).max() for a in own.values())
        for key, array in own.items():
            # A bias before a batch normalisation has no gradient but rounding.
            scale = max(np.abs(array).max(), 1e-2 * largest, 2e-3)
            assert np.abs(found[key] - array).max() <= 1e-12 * scale, key
    (X, Z), more = draws(recipe, 1)
    apart = trace_differences(recipe, *(g.train_trace(X, Z, **more) for g in (gan, oracle)))
    assert max(apart.values()) < 1e-12, apart


def test_the_fast_step_of_the_mlp_is_the_plain_step(framework: str) -> None:
    """With dropout's masks and labels side by side, in the names' order and in the layers'."""
    recipe = CASES["concat-mlp"]
    (X, Z), more = draws(recipe, 3)
    masks = dict(reversed(more["masks"].items()))
    fast, plain = (_gan(framework, recipe, compile) for compile in ("on", "off"))
    made = fast.train_trace(X, Z, Z_G=more["Z_G"], masks=masks), plain.train_trace(X, Z, **more)
    apart = trace_differences(recipe, *made)
    assert max(apart.values()) < 1e-12, apart


@pytest.mark.parametrize("name", ["concat-mlp", "projection-dcgan32"])
def test_labels_reach_both_networks(backend: str, name: str) -> None:
    recipe = CASES[name]
    (X, Z), _ = draws(recipe, 1)
    gan = _gan(backend, recipe)
    noise = Z[0][:, : recipe.latent_dim]
    samples, scores = [], []
    for label in range(3):
        given = np.full(len(noise), label)
        samples.append(gan.generate(with_labels(recipe, noise, given)))
        scores.append(gan.discriminate(X[0], one_hot(given, 3)))
    for made in (samples, scores):
        assert difference(made[0], made[1]) > 1e-6 and difference(made[1], made[2]) > 1e-6
    mixed = np.arange(len(noise)) % 3
    found = gan.discriminate(X[0], one_hot(mixed, 3))
    assert found == pytest.approx(np.choose(mixed, scores), rel=1e-12)


def test_a_wrong_label_is_another_update(framework: str) -> None:
    """What the parity of steps would not see if no backend looked at labels."""
    recipe = CASES["projection-mlp"]
    (X, Z), more = draws(recipe, 1)
    (own,) = recipe.discriminator.labelled
    rolled = more["masks"] | {own: np.roll(more["masks"][own], 1, -1)}
    first = _gan(framework, recipe).train_trace(X, Z, **more)
    second = _gan(framework, recipe).train_trace(X, Z, Z_G=more["Z_G"], masks=rolled)
    assert first.loss_D[0] != second.loss_D[0] and first.loss_G[0] != second.loss_G[0]


def test_labels_are_asked_for_and_only_there(backend: str) -> None:
    recipe, plain = CASES["concat-mlp"], narrow("mlp")
    (X, Z), more = draws(recipe, 1)
    hot = one_hot(np.zeros(len(X[0]), int), 3)
    gan, other = _gan(backend, recipe), _gan(backend, plain)
    for labels in (None, hot[:3], hot[:, :2], np.zeros(len(hot))):
        with pytest.raises(UserError, match="one-hot labels must have shape"):
            gan.discriminate(X[0], labels)
    with pytest.raises(UserError, match="one-hot labels must have shape"):
        other.discriminate(X[0], hot)
    without = {n: m for n, m in more["masks"].items() if n != "discriminator.1"}
    for bad in (
        without,
        more["masks"] | {"discriminator.1": more["masks"]["discriminator.1"][..., 1:]},
    ):
        with pytest.raises(UserError, match="masks"):
            gan.train_steps(X, Z, Z_G=more["Z_G"], masks=bad)
    with pytest.raises(UserError, match="Z must have shape"):
        gan.train_steps(X, Z[..., :-3], **more)
