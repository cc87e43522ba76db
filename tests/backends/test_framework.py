"""What a backend says of its framework beside training: the product and the memory it counts."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

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


def test_importing_a_backend_writes_nothing_and_leaves_no_engine_behind(backend: str) -> None:
    """MXNet tells which engine it starts; workers, which inherit the environment, need another."""
    code = f"import os, ganref; ganref.load_backend({backend!r}); print(*os.environ)"
    theirs = {"MXNET_ENGINE_TYPE", "OPENBLAS_CORETYPE"}
    env = {name: value for name, value in os.environ.items() if name not in theirs}
    how: Any = {"capture_output": True, "text": True, "check": True, "env": env}
    done = subprocess.run([sys.executable, "-c", code], **how)
    assert not done.stderr
    assert not theirs & set(done.stdout.split())
