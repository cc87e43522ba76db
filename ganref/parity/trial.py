"""Whether a backend works here: imported, and a few steps held against NumPy on every device."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backend import BACKENDS, check_backend, install, is_installed, load_backend
from ..draws.weights import initial_weights
from ..spec import Recipe, recipe
from . import gpus
from .differences import relative_difference

SECONDS = 300
COMMAND = ("-m", "ganref.doctor", "--probe")


@dataclass(frozen=True)
class Case:
    """So many steps of a recipe in float64, whose losses are within `agrees` of NumPy's."""

    recipe: Recipe
    steps: int
    agrees: float

    def losses(self, backend: str, device: str) -> tuple[np.ndarray, np.ndarray]:
        """Both losses of every step."""
        chosen, rng = self.recipe, np.random.default_rng(0)
        lead = self.steps, chosen.batch_size
        X, Z = (rng.standard_normal((*lead, *s)) for s in (chosen.data_shape, chosen.latent_shape))
        gan = load_backend(backend).create(chosen, initial_weights(chosen), device, "float64")
        return gan.train_steps(X, Z)

    def difference(self, backend: str, device: str) -> float:
        """The largest relative difference of the losses from NumPy's."""
        pairs = zip(self.losses(backend, device), self.losses("numpy", "cpu"), strict=True)
        return max(relative_difference(*pair) for pair in pairs)


TOY = Case(recipe("gaussian"), 10, 1e-12)
# Convolutions and batch normalisation, which are another library's on a GPU.
IMAGES = Case(recipe("dcgan").replace(width=4, batch_size=4), 2, 1e-9)


def probe(name: str) -> dict[str, Any]:
    """Import a backend and let it take steps on each of its devices. Raises UserError if it is not
    there."""
    check_backend(name)
    began = time.perf_counter()
    backend = load_backend(name)
    imported = time.perf_counter() - began
    began = time.perf_counter()
    trials = {"cpu": {"differences": [TOY.difference(name, "cpu")]}}
    stepped = time.perf_counter() - began
    devices = backend.devices()
    return {
        "version": backend.version(),
        "devices": devices,
        "dtypes": backend.dtypes(devices[-1]),
        "import_seconds": imported,
        "first_steps_seconds": stepped,
        "trials": trials | {device: try_gpu(name, device) for device in devices[1:]},
    }


def try_gpu(name: str, device: str) -> dict[str, Any]:
    """Steps of the toy and of convolutions on a GPU: {"differences": of both} or {"why": not}."""
    try:
        return {"differences": [case.difference(name, device) for case in (TOY, IMAGES)]}
    except Exception as error:  # drivers, libraries and compilers fail in many ways
        return {"why": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}


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
    verdicts = [_verdict(device, trial) for device, trial in found["trials"].items()]
    devices, dtypes = ", ".join(found["devices"]), ", ".join(found["dtypes"])
    remark = gpus.too_new(name, gpus.found())
    parts = [
        f"{found['version']} on {devices}; {dtypes}; import {found['import_seconds']:.1f} s, first"
        f" steps {found['first_steps_seconds']:.1f} s",
        *(words for _, words in verdicts),
        *([remark] if remark else []),
    ]
    works = all(good for good, _ in verdicts)
    return works, f"{'works' if works else 'broken'}: {'; '.join(parts)}"


def _verdict(device: str, trial: dict[str, Any]) -> tuple[bool, str]:
    if why := trial.get("why"):
        return False, f"fails on {device} ({why})"
    # JSON has no infinity: null is one.
    apart = [float("inf") if d is None else d for d in trial["differences"]]
    good = all(d < case.agrees for d, case in zip(apart, (TOY, IMAGES), strict=False))
    return good, f"{'agrees' if good else 'DISAGREES'} with NumPy to {max(apart):.0e} on {device}"
