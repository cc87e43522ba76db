"""Memory that was freed is kept for the next step."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from ganref.spec import heap

# Fresh pages for each step after the third: the recipe's arrays are some 3,000.
STEPS = """
import resource, sys
import numpy as np
import ganref
from ganref.spec import recipe
r = recipe("mlp").replace(batch_size=32)
gan = ganref.load_backend(sys.argv[1]).create(
    r, ganref.initial_weights(r, 0), compile="on", steps=10)
rng = np.random.default_rng(0)
def steps(k):
    def normal(*shape):
        return rng.normal(size=(k, *shape)).astype(np.float32)
    masks = {n: rng.random((k, *s)) > 0.3 for n, s in r.masks(32).items()}
    own = {"Z_G": normal(r.G_updates, 32, *r.latent_shape)} if r.fresh_Z else {}
    gan.train_steps(normal(32, *r.data_shape), normal(32, *r.latent_shape), masks=masks, **own)
steps(5)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
steps(5)
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 5)
"""


def _pages(backend: str, **own: str) -> int:
    environment = {k: v for k, v in os.environ.items() if k not in heap.SETTINGS} | own
    words = [sys.executable, "-c", STEPS, backend]
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is asked")
def test_a_step_takes_no_new_pages(backend: str) -> None:
    if backend not in ("numpy", "torch"):
        pytest.skip("its framework has its own way with memory")
    # glibc's first threshold, which it otherwise moves as it learns what a process frees.
    given_back = _pages(backend, **{heap.SETTINGS[1]: "131072"})
    assert _pages(backend) < 500 < given_back


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is asked")
def test_the_environment_is_asked_first() -> None:
    words = [sys.executable, "-c", "from ganref.spec.heap import keep_freed; print(keep_freed())"]
    for own, said in ({}, "True"), ({heap.SETTINGS[1]: "131072"}, "False"):
        environment = {k: v for k, v in os.environ.items() if k not in heap.SETTINGS} | own
        done = subprocess.run(words, env=environment, capture_output=True, text=True)
        assert done.stdout.strip() == said, done.stderr
