"""Spectral normalisation: what D is divided by, when its vector moves, and whose it is."""

from __future__ import annotations

import numpy as np
import pytest
from cases import draws, narrow

import ganref
from ganref.spec import Recipe
from ganref.spec.layers import Conv, ConvTranspose
from ganref.spec.losses import Hinge
from ganref.spec.serial import from_dict, to_dict
from ganref.spec.state import state_shapes

CASES = {
    "dense": narrow("gaussian").replace(spectral=True),
    "conv": narrow("dcgan32").replace(spectral=True, loss=Hinge()),
    "transposed": narrow("ebgan").replace(spectral=True),
    "projection": narrow("gaussian").replace(spectral=True, conditional="projection", classes=3),
}


def _own(key: str) -> str:
    """The matrix that a vector belongs to."""
    layer, _, u = key.rpartition(".")
    return f"{layer}.{u.removeprefix('u_') if u != 'u' else 'weight'}"


def _matrix(recipe: Recipe, name: str, weight: np.ndarray) -> np.ndarray:
    layer = recipe.discriminator.layers[int(name.split(".")[1])]
    weight = weight.swapaxes(0, 1) if isinstance(layer, ConvTranspose) else weight
    return weight.reshape(len(weight), -1)


def _vectors(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array for name, array in state.items() if name.endswith((".u", ".u_embedding"))}


@pytest.mark.parametrize("name", CASES)
def test_u_is_drawn_by_the_spec_and_of_length_1(name: str) -> None:
    recipe = CASES[name]
    vectors = _vectors(ganref.initial_weights(recipe, 3))
    matrices = [p for p in recipe.discriminator.params if p.role == "weight"]
    assert {_own(key) for key in vectors} == {p.name for p in matrices} and len(vectors) > 1
    for array in vectors.values():
        assert np.linalg.norm(array) == pytest.approx(1, rel=1e-15)
    assert not recipe.generator.spectral and recipe.discriminator.spectral
    assert set(vectors) <= set(state_shapes(recipe))
    assert not any(f"{key}.m" in state_shapes(recipe) for key in vectors)
    plain = recipe.replace(spectral=False)
    for key, array in ganref.initial_weights(plain, 3).items():
        if key.startswith("generator"):
            assert np.array_equal(array, ganref.initial_weights(recipe, 3)[key])


@pytest.mark.parametrize("name", CASES)
def test_the_weights_are_divided_by_their_largest_singular_value(backend: str, name: str) -> None:
    """With its u at the end of the iteration, D is the plain one with weights of norm 1."""
    recipe = CASES[name]
    weights = ganref.initial_weights(recipe)
    other = {n: w for n, w in weights.items() if n not in _vectors(weights)}
    for key in _vectors(weights):
        own = _own(key)
        left, values, _ = np.linalg.svd(_matrix(recipe, own, weights[own]))
        weights[key], other[own] = left[:, 0], other[own] / values[0]
    (X, _), more = draws(recipe, 1)
    labels = [more["masks"][name][0, 0] for name in recipe.discriminator.labelled]
    made = ganref.load_backend(backend)
    spectral = made.create(recipe, weights, dtype="float64")
    plain = made.create(recipe.replace(spectral=False), other, dtype="float64")
    expected, found = (gan.discriminate(X[0], *labels) for gan in (plain, spectral))
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("name", CASES)
def test_u_moves_in_passes_that_update_and_in_no_others(backend: str, name: str) -> None:
    recipe = CASES[name]
    gan = ganref.load_backend(backend).create(
        recipe, ganref.initial_weights(recipe), dtype="float64"
    )
    (X, Z), more = draws(recipe, 1)
    before = gan.state()
    gan.gradients(X[0], Z[0], masks={n: m[0] for n, m in more["masks"].items()})
    gan.discriminate(X[0], *(more["masks"][name][0, 0] for name in recipe.discriminator.labelled))
    gan.generate(Z[0])
    for key, array in _vectors(gan.state()).items():
        assert np.array_equal(array, before[key])
    gan.update_D(X[0], Z[0], masks={n: m[0] for n, m in more["masks"].items()})
    for key, array in _vectors(gan.state()).items():
        own = _own(key)
        matrix, u = _matrix(recipe, own, before[own]), before[key]
        for _ in range(2):  # on real examples and on fake ones
            v = matrix.T @ u
            u = matrix @ v
            u /= np.linalg.norm(u)
        np.testing.assert_allclose(array, u, atol=1e-12)


@pytest.mark.parametrize("compile", ["off", "on"])
def test_a_state_goes_on_elsewhere(framework: str, compile: str) -> None:
    """125 steps of the toy: 60 in NumPy, the rest in the framework and in NumPy, u with them."""
    recipe = CASES["dense"]
    (X, Z), _ = draws(recipe, 125)
    oracle = ganref.load_backend("numpy").create(
        recipe, ganref.initial_weights(recipe), dtype="float64"
    )
    oracle.train_steps(X[:60], Z[:60])
    gan = ganref.load_backend(framework).create(
        recipe, ganref.initial_weights(recipe, 9), "cpu", "float64", compile
    )
    gan.load_state(oracle.state())
    expected, found = (one.train_steps(X[60:], Z[60:]) for one in (oracle, gan))
    for a, b in zip(found, expected, strict=True):
        assert np.abs(a - b).max() <= 1e-11 * np.abs(b).max()
    for key, array in _vectors(oracle.state()).items():
        np.testing.assert_allclose(gan.state()[key], array, atol=1e-9)


def test_125_steps_of_the_toy_from_the_start(framework: str) -> None:
    recipe = CASES["dense"]
    (X, Z), _ = draws(recipe, 125)
    weights = ganref.initial_weights(recipe)
    expected, found = (
        ganref.load_backend(name).create(recipe, weights, dtype="float64").train_steps(X, Z)
        for name in ("numpy", framework)
    )
    for a, b in zip(found, expected, strict=True):
        assert np.abs(a - b).max() <= 1e-11 * np.abs(b).max()


def test_the_option_is_data() -> None:
    for recipe in CASES.values():
        assert from_dict(to_dict(recipe)) == recipe
        plain = ganref.recipe(recipe.name).replace(width=recipe.width)
        labels = {"conditional": recipe.conditional, "classes": recipe.classes}
        assert recipe.replace(spectral=False).discriminator == plain.replace(**labels).discriminator
    assert "spectral" not in str(Conv(1, 1, 3)) and not Conv(1, 1, 3).spectral
