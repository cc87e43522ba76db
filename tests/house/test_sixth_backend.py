"""A backend is one folder and one line of the list: two more are added to a copy of the project,
and everything that lists, compares, draws, times or teaches goes on with them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINE = '    "numpy": Entry("ganref.numpy", "numpy", ""),\n'
NAMES = ("fake", "sixth")

# NumPy's, in a folder of its own: what a person begins with.
FAKE = '''"""A backend that is NumPy's under another name."""

from ganref.numpy.framework import (
    computing, devices, dtypes, matmul, peak_memory, set_threads,
)
from ganref.numpy.gan import GAN, create

__all__ = [
    "GAN", "computing", "create", "devices", "dtypes", "matmul", "peak_memory", "set_threads",
    "version",
]


def version() -> str:
    """The framework's name and version."""
    return "Fake 1.0"
'''

# The others are tried elsewhere, and take their time.
DOCTOR = """
from ganref import backend, doctor

for name in set(backend.BACKENDS) - {"numpy", "fake", "sixth"}:
    del backend.BACKENDS[name]
raise SystemExit(doctor.main([]))
"""

DRAW = """
import numpy as np
from pathlib import Path
from ganref.backend import BACKENDS
from benchmarks.speed import charts
from ganref.output import curves

names = list(BACKENDS)
drawn = []
curves.save = lambda path, canvas: drawn.append(len(canvas.axes[0].lines))
loss = {"loss_D": [1.0, 0.5], "loss_G": [1.0, 2.0]}
worst = {"losses": [1e-9, 1e-8], "parameters": [1e-9, 1e-8]}
pairs = [{"pair": [a, b], "worst": worst} for a in names for b in names if a < b]
report = {"backends": names, "recipe": "gaussian", "dtype": "float64", "pairs": pairs, "steps": 2,
          "tab": "aligned", "teacher_forced": False, "losses": {name: loss for name in names},
          "tolerances": {kind: [1e-9, 1e-9] for kind in worst}}
curves.comparison(Path("all.png"), report)
assert drawn == [len(names) - 1 + 2], drawn  # a line for each but NumPy, epsilon, the promise
assert len({charts._colour(name) for name in names}) == len(names) == len(BACKENDS)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with two backends more."""
    copy = tmp_path_factory.mktemp("copy")
    for folder in ("ganref", "benchmarks", "checks"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    contract = copy / "ganref" / "backend.py"
    text = contract.read_text()
    assert text.count(LINE) == 1
    for name in NAMES:
        (copy / "ganref" / name).mkdir()
        (copy / "ganref" / name / "__init__.py").write_text(FAKE)
        text = text.replace(LINE, LINE + LINE.replace('"numpy":', f'"{name}":', 1)
                            .replace("ganref.numpy", f"ganref.{name}"))  # fmt: skip
    contract.write_text(text)
    return copy


def _run(project: Path, *words: str) -> str:
    return _together(project, [*words])[0]


def _together(project: Path, *commands: list[str]) -> list[str]:
    """What commands print that need nothing of each other: most of their time is start-up."""
    env = os.environ | {"PYTHONPATH": str(project), "OMP_NUM_THREADS": "1"}

    def run(words: list[str]) -> str:
        command = [sys.executable, *words]
        done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    with ThreadPoolExecutor() as pool:
        return list(pool.map(run, commands))


def test_it_is_listed_and_diagnosed(project: Path) -> None:
    listed, told = _together(project, ["-m", "ganref.train", "--list"], ["-c", DOCTOR])
    assert all(name in listed for name in NAMES) and "Fake 1.0" in told


def test_it_trains_samples_and_goes_on_elsewhere(project: Path) -> None:
    run = ["--run-dir", "run", "--quiet"]
    out = _run(project, "-m", "ganref.train", "--backend", "fake", "--steps", "20", *run)
    assert "Fake 1.0" in out
    _run(project, "-m", "ganref.train", "--resume", "run", "--backend", "sixth", "--steps", "30",
         "--quiet")  # fmt: skip
    _run(project, "-m", "ganref.sample", "run", "--num", "16", "--out", "grid.png")
    assert (project / "grid.png").stat().st_size > 1000


def test_it_is_compared_and_drawn(project: Path) -> None:
    compare = ["-m", "ganref.compare", "--backends", "numpy,fake,sixth", "--steps", "3"]
    out, _ = _together(project, compare, ["-c", DRAW])
    assert "fake - sixth" in out and (project / "compare" / "compare.png").exists()


def test_it_teaches_and_is_timed(project: Path) -> None:
    lab = ["-m", "ganref.lab", "vanishing", "--backend", "fake", "--quiet", "--out", "lab"]
    timed = ["--backends", "fake", "--modes", "fast", "--repeats", "1", "--seconds", "0.05"]
    speed = ["-m", "benchmarks.speed", *timed, "--out", "speed"]
    taught, out = _together(project, lab, speed)
    assert (
        "lab/vanishing.json" in taught
        and "fake" in out
        and (project / "speed" / "speed.png").exists()
    )


def test_nothing_else_names_it(project: Path) -> None:
    for path in project.rglob("*.py"):
        if not set(path.relative_to(project).parts) & set(NAMES):
            lines = [line for line in path.read_text().splitlines() if '"sixth"' in line]
            assert len(lines) == (1 if path.name == "backend.py" else 0), path
