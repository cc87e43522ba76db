"""Stopping and going on, in the same framework and in another."""

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cases import NARROW
from told import TOLD

from ganref import train
from ganref.parity.tolerances import promise
from ganref.training.checkpoint import load_latest
from ganref.training.run import RunDirectory


def _train(*args: object) -> None:
    assert train.main([str(a) for a in (*args, "--quiet")]) == 0


def _options(name: str) -> list[object]:
    words = {"width": "--width", "batch_size": "--batch-size"}
    return ["--recipe", name, *itertools.chain(*((words[k], v) for k, v in NARROW[name].items()))]


def _assert_same_run(found: Path, expected: Path) -> None:
    ours, theirs = load_latest(found / "checkpoints"), load_latest(expected / "checkpoints")
    assert ours.step == theirs.step
    for name, array in theirs.state.items():
        assert np.array_equal(ours.state[name], array), name
    assert (found / "steps.csv").read_text() == (expected / "steps.csv").read_text()
    rows, wanted = RunDirectory(found).read_metrics(), RunDirectory(expected).read_metrics()
    timed = ("examples_per_sec", "seconds")
    for row, want in zip(rows[-1:], wanted[-1:], strict=True):
        assert {k: v for k, v in row.items() if k not in timed} == {
            k: v for k, v in want.items() if k not in timed
        }


STOPS = {"gaussian": (77, 130, 200), "dcgan32": (2, 5), "mlp": (3, 17)}


@pytest.mark.parametrize("name", STOPS)
def test_stopping_changes_nothing(backend: str, name: str, tmp_path: Path) -> None:
    """N steps, stop, M steps is N + M steps bit for bit, in the middle of an epoch too."""
    options = [*_options(name), "--backend", backend, "--compile", "on"]
    *early, last = STOPS[name]
    _train(*options, "--steps", last, "--run-dir", tmp_path / "whole")
    _train(*options, "--steps", early[0], "--run-dir", tmp_path / "parts")
    for stop in (*early[1:], last):
        _train("--resume", tmp_path / "parts", "--steps", stop)
    _assert_same_run(tmp_path / "parts", tmp_path / "whole")
    # `auto` must not change its mind when a run is made longer.
    assert RunDirectory(tmp_path / "parts").read_config().planned_steps == early[0]


PAIRS = list(itertools.permutations(TOLD, 2))


@pytest.mark.parametrize("first, second", PAIRS)
def test_a_run_moves_to_another_framework(first: str, second: str, tmp_path: Path) -> None:
    """The trajectory is the uninterrupted one, within the tolerance of `compare`."""
    for name, steps in (("gaussian", (60, 125)), ("mlp", (3, 8))):
        options = [*_options(name), "--dtype", "float64"]
        whole, moved = tmp_path / f"{name}-whole", tmp_path / f"{name}-moved"
        _train(*options, "--steps", steps[1], "--backend", first, "--run-dir", whole)
        _train(*options, "--steps", steps[0], "--backend", first, "--run-dir", moved)
        _train("--resume", moved, "--steps", steps[1], "--backend", second)
        expected, found = (RunDirectory(path).read_steps() for path in (whole, moved))
        saved = load_latest(moved / "checkpoints")
        limit = promise(saved.recipe, "float64").losses
        for a, b in zip(found[:2], expected[:2], strict=True):
            assert np.abs(a / b - 1).max() <= limit
        assert saved.backend == second


@pytest.mark.parametrize("killed", ["numpy", "torch"])
def test_kill_at_any_moment(killed: str, tmp_path: Path) -> None:
    """A short version of checks/kill_runs.py."""
    if killed not in TOLD:
        killed = "numpy"
    whole, run = tmp_path / "whole", tmp_path / "run"
    options = [
        "--backend",
        killed,
        "--steps",
        "1500",
        "--checkpoint-every",
        "40",
        "--compile",
        "off",
    ]
    _train(*options, "--run-dir", whole)
    command = [sys.executable, "-m", "ganref.train", "--quiet"]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    rng = random.Random(0)
    arguments = [*options, "--run-dir", str(run)]
    for _ in range(3):
        process = subprocess.Popen([*command, *arguments], env=env, stdout=subprocess.DEVNULL)
        while process.poll() is None and not list(run.glob("checkpoints/step_*")):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait()
        arguments = ["--resume", str(run), "--checkpoint-every", "40"]
    subprocess.run([*command, *arguments], env=env, check=True, stdout=subprocess.DEVNULL)
    _assert_same_run(run, whole)
