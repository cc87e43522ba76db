"""From ganref's weights and draws, the playground's arithmetic gives NumPy's numbers, in node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from played import agrees, cases, differences, given

FOLDER = Path(__file__).parent
CASES = cases()


def node(script: str, value: Any = None, *args: str) -> Any:
    """What a script of this folder prints, as JSON, for a value on its standard input."""
    if not shutil.which("node"):
        pytest.skip("node is missing: apt-get install nodejs")
    command = ["node", str(FOLDER / script), *args]
    done = subprocess.run(command, input=json.dumps(value), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", CASES)
def test_125_steps_are_those_of_numpy(name: str) -> None:
    """Losses, scores and weights: measured are 2e-13 (MXNet's tab) and 1e-15 elsewhere."""
    recipe = CASES[name]
    (found,) = node("steps.js", [given(recipe)])
    apart = differences(found, recipe)
    assert agrees(apart, recipe), apart


def test_a_step_cut_into_stages_is_the_step() -> None:
    """Slow motion, with more than one update of each network and with one that stands still."""
    for address in (
        "",
        "tab=mxnet&loss=hinge",
        "D_updates=3&G_updates=2",
        "freeze=D",
        "freeze=G&seed=7",
        "recipe=collapse&batch_size=5",
    ):
        fast, slow = node("stages.js", {"address": address, "steps": 20})
        assert fast == slow


def test_the_same_seed_is_the_same_run() -> None:
    runs = [node("stages.js", {"address": f"seed={seed}", "steps": 5})[0] for seed in (3, 3, 4)]
    assert runs[0] == runs[1] != runs[2]


def test_normal_numbers_are_normal() -> None:
    """Moments of 100,000 numbers, within five standard errors; uniform ones fill their interval."""
    found = node("draws.js", {"count": 100_000})
    n = 100_000**0.5
    assert abs(found["mean"]) < 5 / n and abs(found["square"] - 1) < 5 * 2**0.5 / n
    assert abs(found["cube"]) < 5 * 15**0.5 / n and abs(found["fourth"] - 3) < 5 * 96**0.5 / n
    assert abs(found["uniform"] - 0.5) < 5 / (12**0.5 * n)
    assert 0 <= found["least"] < 1e-3 and 1 - 1e-3 < found["most"] < 1
    assert sorted(found["shuffled"]) == list(range(50)) != found["shuffled"]
