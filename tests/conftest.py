"""Every test that takes a backend meets all that this run was told to have (see told.py)."""

import gc
import os
import platform
import sys
import tempfile
from pathlib import Path

# Before anything brings OpenMP in. The tests' processes share the cores, and threads that outnumber
# them only wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# XLA takes seconds for each function, and what a worker of pytest starts asks for the same. Not
# one for all workers: an entry that is half written is a warning.
worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
cache = f"{tempfile.gettempdir()}/ganref-xla-{os.getuid()}-{worker}"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", cache)
# And most of what is compiled runs for a few steps: simple code takes a compiler half as long.
if platform.machine() == "x86_64":
    flags = "--xla_cpu_max_isa=SSE4_2 --xla_backend_optimization_level=1"
    os.environ.setdefault("XLA_FLAGS", flags)
os.environ.setdefault("TORCHINDUCTOR_DEBUG_COMPILE", "1")
os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", f"{cache}-torch")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

import cases  # noqa: E402
import pytest  # noqa: E402
from told import TOLD  # noqa: E402

# Regions of memory: Linux gives a process 65,530, XLA takes some for every function it compiles,
# and where it gets none it ends the process.
MOST_REGIONS = 15_000


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Let go of what JAX has compiled before there is no room for more."""
    regions, jax = Path("/proc/self/maps"), sys.modules.get("jax")
    if jax and "jax" in item.name and regions.exists():
        with regions.open("rb") as lines:
            if sum(1 for _ in lines) < MOST_REGIONS:
                return
        cases._made.cache_clear()
        jax.clear_caches()
        gc.collect()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes `backend` on each of them, one that takes `framework` on all but
    NumPy, the oracle."""
    given = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if "backend" in metafunc.fixturenames and "backend" not in given:
        metafunc.parametrize("backend", TOLD)
    if "framework" in metafunc.fixturenames and "framework" not in given:
        metafunc.parametrize("framework", [name for name in TOLD if name != "numpy"])
