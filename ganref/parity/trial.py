"""Whether a backend works here: imported, and a few steps of the toy held against NumPy."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import numpy as np

from ..backend import BACKENDS, check_backend, install, is_installed, load_backend
from ..draws.weights import initial_weights
from ..spec import recipe
from .differences import relative_difference

AGREES = 1e-12  # float64, ten steps
SECONDS = 300
COMMAND = ("-m", "ganref.doctor", "--probe")


def probe(name: str) -> dict[str, Any]:
    """Import a backend and let it take steps of the toy. Raises UserError if it is not there."""
    check_backend(name)
    began = time.perf_counter()
    backend = load_backend(name)
    imported = time.perf_counter() - began
    toy = recipe("gaussian")
    rng = np.random.default_rng(0)
    X, Z = rng.standard_normal((2, 10, toy.batch_size, 2))
    weights = initial_weights(toy)
    began = time.perf_counter()
    losses = backend.create(toy, weights, "cpu", "float64").train_steps(X, Z)
    stepped = time.perf_counter() - began
    oracle = load_backend("numpy").create(toy, weights, "cpu", "float64").train_steps(X, Z)
    return {
        "version": backend.version(),
        "devices": backend.devices(),
        "dtypes": backend.dtypes(backend.devices()[-1]),
        "import_seconds": imported,
        "first_steps_seconds": stepped,
        "difference": max(relative_difference(*pair) for pair in zip(losses, oracle, strict=True)),
    }


def diagnose(name: str) -> tuple[bool, str]:
    """(works, a line about it), tried in a process of its own, which may crash."""
    cure = install(BACKENDS[name].extra)
    if not is_installed(name):
        return False, f"missing: {BACKENDS[name].requires} is not installed; {cure}"
    command = [sys.executable, *COMMAND, name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return False, "broken: no answer within five minutes"
    if done.returncode:
        words = (done.stderr.strip().splitlines() or ["no last words"])[-1]
        words = words.removeprefix("ganref.doctor: ")
        return False, f"broken (exit code {done.returncode}): {words}"
    found = json.loads(done.stdout.splitlines()[-1])
    # JSON has no infinity: null is one.
    apart = float("inf") if found["difference"] is None else found["difference"]
    verdict = "agrees" if apart < AGREES else "DISAGREES"
    devices, dtypes = ", ".join(found["devices"]), ", ".join(found["dtypes"])
    return apart < AGREES, (
        f"works: {found['version']} on {devices}; {dtypes}; import "
        f"{found['import_seconds']:.1f} s, first steps {found['first_steps_seconds']:.1f} s; "
        f"{verdict} with NumPy to {apart:.0e}"
    )
