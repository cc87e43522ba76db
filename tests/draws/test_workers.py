"""What a worker draws: its rows of the batches that all see."""

from types import SimpleNamespace

import numpy as np
import pytest
from cases import narrow

from ganref.draws.batches import Batch, Source, own_rows
from ganref.spec import Recipe
from ganref.spec.losses import WassersteinGP

MLP = narrow("mlp")
CASES = {
    "toy": narrow("gaussian"),
    "dropout, two updates, a fresh Z": MLP.replace(D_updates=2, G_updates=3, fresh_Z=True),
    "labels and mixed points": MLP.replace(
        loss=WassersteinGP(), conditional="concat", classes=3, D_updates=2
    ),
}


def _dataset(recipe: Recipe) -> SimpleNamespace:
    X = np.random.default_rng(0).standard_normal((100, *recipe.data_shape))
    labels = np.arange(100) % 3
    seen: list[int] = []

    class Data:
        def __len__(self) -> int:
            return 100

        def batch(self, rows: np.ndarray, dtype: str) -> np.ndarray:
            seen.append(rows.size)
            return X[rows].astype(dtype)

    data = Data()
    data.labels, data.seen = labels, seen  # type: ignore[attr-defined]
    return data  # type: ignore[return-value]


@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("case", CASES)
def test_workers_have_the_rows_of_one(case: str, workers: int) -> None:
    recipe, data = CASES[case], _dataset(CASES[case])
    steps = range(1, 3)
    whole = Source(recipe, data, 5, "float64").draw(steps)
    parts = [Source(recipe, data, 5, "float64", False, r, workers).draw(steps)
             for r in range(workers)]  # fmt: skip
    size = recipe.batch_size // workers
    for batch, n in ((lambda b: b.X, recipe.D_updates), (lambda b: b.Z, recipe.D_updates)):
        found = [batch(part).reshape(2, n, size, *batch(whole).shape[2:]) for part in parts]
        assert np.array_equal(np.concatenate(found, 2).reshape(batch(whole).shape), batch(whole))
    if recipe.fresh_Z:
        assert np.array_equal(np.concatenate([p.Z_G for p in parts], 2), whole.Z_G)
    assert set(parts[0].masks) == set(whole.masks)
    for name, mask in whole.masks.items():
        assert np.array_equal(np.concatenate([p.masks[name] for p in parts], 2), mask), name


def test_a_worker_reads_its_examples_alone() -> None:
    recipe = CASES["toy"]
    data = _dataset(recipe)
    Source(recipe, data, 0, "float64", False, 1, 4).draw(range(3))
    assert data.seen == [3 * recipe.batch_size // 4]


def test_rows_on_the_device_are_its_own() -> None:
    recipe, data = CASES["toy"], _dataset(CASES["toy"])
    whole: Batch = Source(recipe, data, 0, "float64", True).draw(range(2))
    own = Source(recipe, data, 0, "float64", True, 1, 2).draw(range(2))
    assert np.array_equal(own.X, own_rows(whole.X, 1, 2, 1)) and own.X.shape == (2, 4)
