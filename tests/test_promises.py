"""The tolerances of `compare`, each one a test, on narrow networks and small batches.

`python tests/test_promises.py [BACKEND ...]` measures them anew and prints the table that
`ganref/tolerances.py` was written from.
"""

import sys

import numpy as np
import pytest
from cases import NARROW, draws, narrow

import ganref
from ganref.loop import Batch
from ganref.parity import differences, split_kinds
from ganref.spec import Recipe
from ganref.tolerances import KINDS, promise, tolerance
from ganref.workers import answer_step


def worst(recipe: Recipe, framework: str, dtype: str, steps: int, forced: bool) -> dict[str, list]:
    """Each kind's largest difference from NumPy, step by step."""
    weights = ganref.initial_weights(recipe)
    names = ("numpy", framework)
    oracle, gan = (ganref.load_backend(name).create(recipe, weights, dtype=dtype) for name in names)
    (X, Z), more = draws(recipe, steps)
    found: dict[str, list] = {kind: [] for kind in KINDS}
    for i in range(steps):
        one = slice(i, i + 1)
        Z_G = None if more["Z_G"] is None else more["Z_G"][one]
        batch = Batch(X[one], Z[one], Z_G, {n: m[one] for n, m in more["masks"].items()})
        expected, ours = answer_step(oracle, batch), answer_step(gan, batch)
        if forced:
            gan.load_state(expected["state"])
        theirs, mine = split_kinds(expected), split_kinds(ours)
        for kind in KINDS:
            each = differences(mine[kind], theirs[kind])
            found[kind].append(max(each.values(), default=0.0))
    return found


def horizon(recipe: Recipe, dtype: str, forced: bool) -> int:
    """For how many steps the test runs."""
    return 10 if forced else promise(recipe, dtype).steps


@pytest.mark.parametrize("forced", [False, True], ids=["free", "forced"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", NARROW)
def test_promises_are_kept(framework: str, name: str, dtype: str, forced: bool) -> None:
    recipe = narrow(name)
    found = worst(recipe, framework, dtype, horizon(recipe, dtype, forced), forced)
    for kind, values in found.items():
        for step, value in enumerate(values, 1):
            limit = tolerance(recipe, dtype, forced, step, kind)
            assert limit is None or value <= limit, f"{kind} at step {step}: {value:.1e}"


def test_the_whole_toy_run(framework: str) -> None:
    """2,500 steps in float64, to 1e-6 of NumPy's losses."""
    recipe = ganref.recipe("gaussian")
    weights, (draw, _) = ganref.initial_weights(recipe), draws(recipe, 2500)
    ends = [
        ganref.load_backend(b).create(recipe, weights, dtype="float64").train_steps(*draw)
        for b in ("numpy", framework)
    ]
    for a, b in zip(*ends, strict=True):
        assert np.abs(b / a - 1).max() < 1e-6


if __name__ == "__main__":
    for name in NARROW:
        recipe = narrow(name)
        for dtype in ("float64", "float32"):
            for forced in (False, True):
                for framework in sys.argv[1:] or ["torch", "tf", "mxnet"]:
                    steps = 10 if forced else {"gaussian": 125}.get(name, 50)
                    if not forced and dtype == "float32":
                        steps = 125 if name == "gaussian" else 5
                    found = worst(recipe, framework, dtype, steps, forced)
                    marks = [n for n in (1, 5, 10, 50, 125) if n <= steps]
                    print(f"{name:<9} {dtype} {'forced' if forced else 'free  '} {framework:<6}",
                          *(f"{k}: " + " ".join(f"{max(v[:n]):.0e}" for n in marks)
                            for k, v in found.items()), sep="  ", flush=True)  # fmt: skip
