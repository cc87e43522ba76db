"""D sees real and fake examples in one pass where that changes nothing, and only there."""

from __future__ import annotations

import dataclasses
import importlib

import numpy as np
import pytest
from cases import narrow, one_step

import ganref
from ganref.spec import recipe
from ganref.spec.steps import in_one_pass


@pytest.mark.parametrize(
    "name, expected", [("gaussian", True), ("mlp", True), ("ring", True), ("dcgan", False)]
)
def test_who_does(name: str, expected: bool) -> None:
    """Batch normalisation has statistics of each half."""
    assert in_one_pass(recipe(name)) == expected


def test_penalties_at_either_want_two() -> None:
    plain = recipe("ring")
    for name, value in ("r1", False), ("r2", False), ("gp", True):
        loss = dataclasses.replace(plain.loss, **{name: 0.5})
        assert in_one_pass(plain.replace(loss=loss)) == value, name


def test_one_pass_is_two(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = narrow("mlp")
    found = []
    for i, one in enumerate((True, False)):
        for file in ("steps", "losses"):
            module = importlib.import_module(f"{ganref.load_backend(backend).__name__}.{file}")
            if hasattr(module, "in_one_pass"):
                monkeypatch.setattr(module, "in_one_pass", lambda _, one=one: one)
        # JAX compiles once for equal recipes.
        other = own.replace(epochs=own.epochs + i)
        weights = ganref.initial_weights(other, 0)
        gan = ganref.load_backend(backend).create(other, weights, "cpu", "float64", "off")
        draw, more = one_step(other)
        found.append(gan.gradients(*draw, **more))
    for name, array in found[0].items():
        scale = max(np.abs(array).max(), 1e-3)
        assert np.abs(found[1][name] - array).max() <= 1e-13 * scale, name
