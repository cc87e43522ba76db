"""The tolerances of `compare`, each one a test, on narrow networks and small batches.

`python tests/parity/test_promises.py [BACKEND ...]` measures them anew and prints the table that
`ganref/tolerances.py` was written from.
"""

import itertools
import sys
from collections.abc import Collection

import numpy as np
import pytest
from cases import NARROW, draws, narrow, started

import ganref
from ganref.draws.batches import Batch
from ganref.parity.driven import answer_step
from ganref.parity.lockstep import differences, split_kinds
from ganref.parity.tolerances import KINDS, promise, tolerance
from ganref.spec import Recipe


def often(steps: int) -> set[int]:
    """The steps at which a test looks: the first, and then every tenth. Differences grow, and in
    TensorFlow a gradient takes as long as ten steps."""
    return {*range(min(steps, 5)), *range(9, steps, 10), steps - 1}


def worst(
    recipe: Recipe, framework: str, dtype: str, steps: int, forced: bool, judged: Collection[int]
) -> dict[str, dict[int, float]]:
    """Each kind's largest difference from NumPy after each of the steps (from 1) to be `judged`."""
    oracle, gan = (started(name, recipe, dtype) for name in ("numpy", framework))
    (X, Z), more = draws(recipe, steps)
    found: dict[str, dict[int, float]] = {kind: {} for kind in KINDS}
    for i in range(steps):
        one = slice(i, i + 1)
        Z_G = None if more["Z_G"] is None else more["Z_G"][one]
        batch = Batch(X[one], Z[one], Z_G, {n: m[one] for n, m in more["masks"].items()})
        if i not in judged and not forced:
            for own in (oracle, gan):
                own.train_trace(batch.X, batch.Z, Z_G=batch.Z_G, masks=batch.masks)
            continue
        expected, ours = answer_step(oracle, batch), answer_step(gan, batch)
        if forced:
            gan.load_state(expected["state"])
        theirs, mine = split_kinds(expected), split_kinds(ours)
        for kind in KINDS:
            each = differences(mine[kind], theirs[kind])
            found[kind][i + 1] = max(each.values(), default=0.0)
    return found


# The worst of torch, tf and mxnet against NumPy, as this file's main program printed it: losses,
# gradients, parameters, statistics, moments; for free runs up to the horizon of the promise.
MEASURED = {
    ("gaussian", "float64", False): (9e-14, 9e-11, 9e-12, 0, 1e-11),
    ("gaussian", "float64", True): (1e-14, 7e-12, 9e-12, 0, 4e-12),
    ("gaussian", "float32", False): (9e-5, 9e-2, 1e-2, 0, 1e-2),
    ("gaussian", "float32", True): (1e-5, 4e-3, 1e-2, 0, 2e-3),
    ("ring", "float64", False): (4e-16, 5e-14, 4e-16, 0, 6e-15),
    ("ring", "float64", True): (3e-16, 1e-14, 1e-16, 0, 6e-15),
    ("ring", "float32", False): (2e-7, 3e-6, 6e-8, 0, 2e-6),
    ("ring", "float32", True): (2e-7, 3e-6, 6e-8, 0, 2e-6),
    ("dcgan", "float64", False): (2e-14, 2e-13, 2e-13, 3e-14, 5e-13),
    ("dcgan", "float64", True): (6e-16, 1e-14, 2e-13, 2e-15, 1e-14),
    ("dcgan", "float32", False): (1e-7, 2e-5, 3e-5, 6e-7, 2e-5),
    ("dcgan", "float32", True): (6e-7, 2e-5, 5e-5, 1e-6, 2e-5),
    ("dcgan-nyu", "float64", False): (9e-16, 2e-14, 9e-15, 2e-15, 2e-14),
    ("dcgan-nyu", "float64", True): (6e-16, 7e-15, 9e-15, 2e-15, 9e-15),
    ("dcgan-nyu", "float32", False): (2e-7, 2e-6, 2e-5, 6e-7, 2e-6),
    ("dcgan-nyu", "float32", True): (3e-7, 6e-6, 2e-5, 7e-7, 6e-6),
    ("dcgan32", "float64", False): (6e-16, 1e-12, 3e-7, 1e-6, 1e-12),
    ("dcgan32", "float64", True): (4e-16, 1e-12, 6e-8, 2e-8, 9e-13),
    ("dcgan32", "float32", False): (1e-7, 4e-4, 6e-2, 1e-2, 4e-4),
    ("dcgan32", "float32", True): (2e-7, 8e-4, 7e-2, 4e-2, 4e-4),
    ("mlp", "float64", False): (4e-16, 3e-15, 2e-14, 0, 2e-15),
    ("mlp", "float64", True): (4e-16, 2e-15, 2e-14, 0, 1e-15),
    ("mlp", "float32", False): (2e-7, 1e-6, 8e-6, 0, 9e-7),
    ("mlp", "float32", True): (2e-7, 9e-7, 8e-6, 0, 9e-7),
    ("ebgan", "float64", False): (4e-15, 1e-12, 3e-9, 1e-8, 1e-12),
    ("ebgan", "float64", True): (4e-16, 6e-13, 3e-10, 1e-10, 3e-13),
    ("ebgan", "float32", False): (9e-8, 5e-5, 3e-2, 4e-3, 4e-5),
    ("ebgan", "float32", True): (4e-7, 3e-4, 4e-2, 1e-2, 2e-4),
    ("wgan-gp", "float64", False): (7e-16, 2e-13, 2e-9, 7e-11, 2e-13),
    ("wgan-gp", "float64", True): (5e-16, 2e-13, 8e-11, 6e-16, 2e-13),
    ("wgan-gp", "float32", False): (2e-7, 5e-5, 9e-3, 5e-7, 5e-5),
    ("wgan-gp", "float32", True): (3e-7, 5e-5, 2e-2, 5e-7, 7e-5),
}


def horizon(recipe: Recipe, dtype: str, forced: bool) -> int:
    """For how many steps the test runs."""
    return 10 if forced else promise(recipe, dtype).steps


@pytest.mark.parametrize("forced", [False, True], ids=["free", "forced"])
# In turn, so that what a framework compiles for a free run serves the forced one.
@pytest.mark.parametrize(
    "name, dtype", itertools.product(NARROW, ["float64", "float32"]), scope="module"
)
def test_promises_are_kept(framework: str, name: str, dtype: str, forced: bool) -> None:
    recipe = narrow(name)
    steps = horizon(recipe, dtype, forced)
    found = worst(recipe, framework, dtype, steps, forced, often(steps))
    measured = MEASURED[name, dtype, forced]
    for (kind, values), once in zip(found.items(), measured, strict=True):
        for step, value in values.items():
            promised = tolerance(recipe, dtype, forced, step, kind)
            assert promised is not None
            limit = min(10 * once, promised)
            assert value <= limit, f"{kind} at step {step}: {value:.1e} > {limit:.1e}"


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
                for framework in sys.argv[1:] or ["torch", "tf", "mxnet", "jax"]:
                    steps = 10 if forced else {"gaussian": 125}.get(name, 50)
                    if not forced and dtype == "float32":
                        steps = 125 if name == "gaussian" else 5
                    found = worst(recipe, framework, dtype, steps, forced, range(steps))
                    marks = [n for n in (1, 5, 10, 50, 125) if n <= steps]
                    words = [f"{name:<9} {dtype} {'forced' if forced else 'free  '} {framework:<6}"]
                    for kind, v in found.items():
                        so_far = (max(v[i] for i in range(1, n + 1)) for n in marks)
                        words.append(f"{kind}: " + " ".join(f"{far:.0e}" for far in so_far))
                    print(*words, sep="  ", flush=True)
