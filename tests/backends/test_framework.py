"""What a backend says of its framework beside training: the product and the memory it counts."""

from __future__ import annotations

import numpy as np
import pytest

import ganref
from ganref.spec import UserError


def test_a_product_is_made_in_every_precision(backend: str) -> None:
    here = ganref.load_backend(backend)
    a, b = np.random.default_rng(0).standard_normal((2, 16, 16), dtype=np.float32)
    for dtype in here.dtypes("cpu"):
        product = here.matmul(a, b, dtype, "cpu")
        product()
        product()  # as often as it is asked for
    with pytest.raises(UserError):
        here.matmul(a, b, "float8", "cpu")


def test_nobody_counts_the_memory_of_a_processor(backend: str) -> None:
    assert ganref.load_backend(backend).peak_memory("cpu") is None
