"""Memory that was freed is kept for the next step."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import cases
import pytest

from ganref.parity.workers import environment
from ganref.spec import heap

# Prints the fresh pages of a step, after the first five: its arrays are some 3,000.
STEPS = """
import resource, sys
import ganref
from cases import draws
recipe = ganref.recipe("mlp").replace(batch_size=32)
weights = ganref.initial_weights(recipe)
gan = ganref.load_backend(sys.argv[1]).create(recipe, weights, compile="on", steps=10)
(X, Z), more = draws(recipe, 5)
gan.train_steps(X, Z, **more)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
gan.train_steps(X, Z, **more)
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 5)
"""
ASKED = "from ganref.spec.heap import keep_freed; print(keep_freed())"
# glibc's first threshold, which it otherwise moves as it learns what a process frees.
SET = {heap.SETTINGS[1]: "131072"}

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is asked")


def _said(program: str, *args: str, **own: str) -> str:
    kept = {k: v for k, v in environment(**own).items() if k not in heap.SETTINGS or k in own}
    kept["PYTHONPATH"] += f"{os.pathsep}{Path(cases.__file__).parent}"
    words = [sys.executable, "-c", program, *args]
    done = subprocess.run(words, env=kept, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_step_takes_no_new_pages(backend: str) -> None:
    if backend not in ("numpy", "torch"):
        pytest.skip("its framework has its own way with memory")
    assert int(_said(STEPS, backend)) < 500 < int(_said(STEPS, backend, **SET))


def test_the_environment_is_asked_first() -> None:
    assert _said(ASKED) == "True"
    assert _said(ASKED, **SET) == "False"
