"""python -m ganref.doctor: which backends work here, on what device, and what is missing."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time

import numpy as np

from . import cli
from .backend import BACKENDS, install, is_installed, load_backend
from .draws.weights import initial_weights
from .spec import UserError, recipe


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = cli.Parser(prog="ganref.doctor", description=__doc__)
    p.add_argument("--probe", metavar="BACKEND", help="try one backend in this process, as JSON")
    return p


def probe(name: str) -> dict[str, object]:
    """Import a backend and let it take steps of the toy. Raises UserError if it is not there."""
    cli.prepare_threads(None)
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
    worst = max(float(np.abs(a / b - 1).max()) for a, b in zip(losses, oracle, strict=True))
    return {
        "version": backend.version(),
        "devices": backend.devices(),
        "dtypes": backend.dtypes(backend.devices()[-1]),
        "import_seconds": imported,
        "first_steps_seconds": stepped,
        "difference": worst,
    }


def diagnose(name: str) -> tuple[bool, str]:
    """(works, a line about it), tried in a process of its own, which may crash."""
    cure = install(BACKENDS[name].extra)
    if not is_installed(name):
        return False, f"missing: {BACKENDS[name].requires} is not installed; {cure}"
    command = [sys.executable, "-m", "ganref.doctor", "--probe", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        return False, "broken: no answer within five minutes"
    if done.returncode:
        words = (done.stderr.strip().splitlines() or ["no last words"])[-1]
        words = words.removeprefix("ganref.doctor: ")
        return False, f"broken (exit code {done.returncode}): {words}"
    found = json.loads(done.stdout.splitlines()[-1])
    verdict = "agrees" if found["difference"] < 1e-12 else "DISAGREES"
    devices, dtypes = ", ".join(found["devices"]), ", ".join(found["dtypes"])
    return verdict == "agrees", (
        f"works: {found['version']} on {devices}; {dtypes}; import "
        f"{found['import_seconds']:.1f} s, first steps {found['first_steps_seconds']:.1f} s; "
        f"{verdict} with NumPy to {found['difference']:.0e}"
    )


def main(argv: list[str] | None = None) -> int:
    """Print the findings; exit code 1 if an installed backend does not work."""
    args = parser().parse_args(argv)
    if args.probe:
        if args.probe not in BACKENDS:
            raise UserError(f"unknown backend {args.probe!r}; there are {', '.join(BACKENDS)}")
        print(json.dumps(probe(args.probe)))
        return 0
    cores = len(os.sched_getaffinity(0))
    print(f"Python {platform.python_version()} on {platform.platform()}, {cores} cores")
    broken = False
    for name in BACKENDS:
        works, line = diagnose(name)
        broken |= not works and is_installed(name)
        print(f"{name:<6} {line}", flush=True)
    return int(broken)


if __name__ == "__main__":
    cli.run_main(main, "ganref.doctor")
