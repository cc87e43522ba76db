"""Mixed precision: where it is refused, and that it is the same GAN in fewer bits."""

from __future__ import annotations

import numpy as np
import pytest
from cases import draws, narrow, one_step

import ganref
from ganref.spec import UserError
from ganref.spec.processor import has_bfloat16

MIXED = ("torch", "tf", "jax")


def _gan(backend: str, dtype: str, recipe: ganref.Recipe):  # noqa: ANN202
    weights = ganref.initial_weights(recipe)
    return ganref.load_backend(backend).create(recipe, weights, "cpu", dtype)


def _mixed(framework: str) -> None:
    if framework not in MIXED or not has_bfloat16():
        pytest.skip("no bfloat16 here: its refusal is tested instead")


def test_a_precision_that_is_not_here_is_refused_in_a_line(backend: str) -> None:
    here = ganref.load_backend(backend).dtypes("cpu")
    assert ("bfloat16" in here) == (backend in MIXED and has_bfloat16())
    for dtype in {"bfloat16", "tf32", "float16"} - set(here):
        with pytest.raises(UserError, match=f"{dtype}.*there are float32, float64"):
            _gan(backend, dtype, narrow("gaussian"))


@pytest.mark.parametrize("name", list(ganref.RECIPES))
def test_bfloat16_is_the_same_step_in_fewer_bits(framework: str, name: str) -> None:
    _mixed(framework)
    recipe = narrow(name)
    args, more = one_step(recipe)
    exact = _gan("numpy", "float64", recipe).gradients(*args, **more)
    rounded = _gan(framework, "float32", recipe).gradients(*args, **more)
    mixed = _gan(framework, "bfloat16", recipe).gradients(*args, **more)
    far = 0.0
    for network in ("generator", "discriminator"):
        g, h, m = (
            np.concatenate([a.ravel() for n, a in grads.items() if n.startswith(network)])
            for grads in (exact, rounded, mixed)
        )
        assert m.dtype == np.float32
        # A bias before a batch normalisation has no gradient but rounding: angles, not numbers.
        # (Measured: 0.971, where a gradient nearly cancels, to 1.)
        assert m @ g / np.linalg.norm(m) / np.linalg.norm(g) > 0.95
        far = max(far, np.linalg.norm(m - g) / max(np.linalg.norm(h - g), 1e-7 * np.linalg.norm(g)))
    assert far > 100, "float32 under another name"


@pytest.mark.parametrize("name", ["gaussian", "dcgan", "mlp"])
def test_bfloat16_trains(framework: str, name: str) -> None:
    """The losses of a few steps, and a state in float32 that any other run can take over."""
    _mixed(framework)
    recipe = narrow(name)
    (X, Z), more = draws(recipe, 3)
    mixed, plain = (_gan(framework, dtype, recipe) for dtype in ("bfloat16", "float32"))
    for a, b in zip(mixed.train_steps(X, Z, **more), plain.train_steps(X, Z, **more), strict=True):
        np.testing.assert_allclose(a[0], b[0], rtol=0.1)
        assert np.isfinite(a).all()
    state = mixed.state()
    assert {a.dtype.name for a in state.values()} == {"float32", "int64"}
    # Weights move by less than bfloat16 could tell.
    weights = ganref.initial_weights(recipe)
    moved = [n for n in weights if not np.array_equal(weights[n].astype("f4"), state[n])]
    assert len(moved) >= len([n for n in weights if n.endswith("weight")])
    plain.load_state(state)
    samples = mixed.generate(Z[0])
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, plain.generate(Z[0]), atol=0.05 * np.abs(samples).max())
