"""What is compiled when. That fast steps are the plain ones is for test_parity.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import draws, narrow
from told import TOLD

import ganref
from ganref.parity.tolerances import tolerance
from ganref.spec.losses import WassersteinGP

STEPS = 3


def _train(framework: str, recipe: ganref.Recipe, dtype: str, compile: str) -> tuple[Any, Any]:
    (X, Z), more = draws(recipe, STEPS)
    weights = ganref.initial_weights(recipe)
    gan = ganref.load_backend(framework).create(recipe, weights, "cpu", dtype, compile)
    return gan.train_trace(X, Z, **more), gan.state()


def test_auto_and_on_make_the_same_bits(framework: str) -> None:
    """They may differ in what compiling takes, never in the numbers of a run."""
    recipe = narrow("gaussian").replace(ema=0.9)
    (one, first), (other, second) = (
        _train(framework, recipe, "float32", compile) for compile in ("auto", "on")
    )
    assert np.array_equal(one, other)
    assert all(np.array_equal(array, second[name]) for name, array in first.items())


@pytest.mark.skipif("torch" not in TOLD, reason="the others compile in no time")
def test_auto_weighs_compiling_against_the_length_of_the_run() -> None:
    toy = ganref.recipe("gaussian")
    weights = ganref.initial_weights(toy)

    def compiled(compile: str, steps: int | None) -> bool:
        gan = ganref.load_backend("torch").create(toy, weights, "cpu", "float32", compile, steps)
        return gan.compiled == "yes"

    assert compiled("on", 10) and compiled("auto", None) and compiled("auto", 100_000)
    assert not compiled("auto", 2_500) and not compiled("off", None)


@pytest.mark.skipif("torch" not in TOLD, reason="the others make no difference of the width")
def test_wide_networks_are_compiled_with_vectors_for_those_who_ask() -> None:
    recipe = ganref.recipe("ring").replace(width=32, batch_size=16)
    (fast, _), (plain, _) = (_train("torch", recipe, "float64", how) for how in ("on", "off"))
    for step in range(STEPS):
        allowed = tolerance(recipe, "float64", False, step + 1, "losses")
        for column, expected in zip(fast, plain, strict=True):
            assert abs(column[step] / expected[step] - 1) <= allowed
    weights, torch = ganref.initial_weights(recipe), ganref.load_backend("torch")
    compiled = {how: torch.create(recipe, weights, compile=how).compiled for how in ("on", "auto")}
    assert compiled["on"] == "yes" and "half a minute" in compiled["auto"]
    mlp = ganref.recipe("mlp")
    wide = torch.create(mlp, ganref.initial_weights(mlp), compile="on")
    assert wide.compiled == "matrix products of this size gain nothing"


@pytest.mark.skipif("mxnet" not in TOLD, reason="only MXNet unrolls steps")
def test_a_graph_has_so_many_operators() -> None:
    """MXNet plans one in a time that grows with their square: 25 steps of this took two minutes."""
    toy = narrow("gaussian")
    weights = ganref.initial_weights(toy)
    costly = toy.replace(loss=WassersteinGP(), D_updates=5, fresh_Z=True)
    for one, largest in ((costly, 2), (toy, 25)):
        gan = ganref.load_backend("mxnet").create(one, weights, "cpu", "float32", "on")
        (X, Z), more = draws(one, 25)
        gan.train_steps(X, Z, **more)
        assert max(steps for steps, _ in gan._steps.graphs) == largest
