"""The fast steps are the plain ones: for every recipe and option, on every framework."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import NARROW, draws, narrow, options, trace_differences
from told import TOLD

import ganref
from ganref.parity.lockstep import differences, kind_of
from ganref.parity.tolerances import tolerance
from ganref.spec.steps import Trace

STEPS = 3
CASES = {name: narrow(name) for name in NARROW} | options()


def _train(framework: str, recipe: ganref.Recipe, dtype: str, compile: str) -> tuple[Any, Any]:
    (X, Z), more = draws(recipe, STEPS)
    weights = ganref.initial_weights(recipe)
    gan = ganref.load_backend(framework).create(recipe, weights, "cpu", dtype, compile)
    return gan.train_trace(X, Z, **more), gan.state()


@pytest.mark.parametrize("case", CASES)
def test_the_fast_step_is_the_plain_step(framework: str, case: str) -> None:
    """Within the tolerances of `compare`, in float64, where nothing hides behind rounding."""
    recipe = CASES[case]
    plain, state = _train(framework, recipe, "float64", "off")
    fast, fast_state = _train(framework, recipe, "float64", "on")
    for step in range(STEPS):
        allowed = tolerance(recipe, "float64", False, step + 1, "losses")
        now = (Trace(*(column[step : step + 1] for column in made)) for made in (fast, plain))
        apart = trace_differences(recipe, *now)
        assert apart["loss_D"] <= allowed and apart["loss_G"] <= allowed
    apart = differences(fast_state, state)
    for name, array in state.items():
        if name.endswith(".step"):
            assert fast_state[name] == array
        else:
            allowed = tolerance(recipe, "float64", False, STEPS, kind_of(name))
            assert apart[name] <= allowed, name


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
