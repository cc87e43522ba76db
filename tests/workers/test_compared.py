"""`compare --workers`: a backend by several workers against itself by one, tensor by tensor."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from told import TOLD

from checks.kill_workers import ENGINES
from ganref import cli, compare
from ganref.parity import team
from ganref.parity.workers import WorkerFailed

FIRST = [name for name in ENGINES if name in TOLD][:1]


@pytest.mark.parametrize("name", FIRST)
@pytest.mark.parametrize("words", ["", "--recipe dcgan --width 4 --batch-size 8 --groups 4"])
def test_every_tensor_of_every_step(name: str, words: str, tmp_path: Path) -> None:
    """Gradients, too, which only the sum over the workers is."""
    argv = ["--backends", name, "--workers", "1,2,4", "--steps", "3", *words.split()]
    assert compare.main([*argv, "--out", str(tmp_path), "--quiet"]) == 0
    report = json.loads((tmp_path / "compare.json").read_text())
    pairs = [pair["pair"] for pair in report["pairs"]]
    one, two, four = (f"{name} x{size}" for size in (1, 2, 4))
    assert pairs == [[one, two], [one, four], [two, four]] and report["agrees"]
    for pair in report["pairs"]:
        assert all(len(worst) == 3 for worst in pair["worst"].values())
        assert 0 < max(pair["worst"]["gradients"]) < 1e-9
    assert (tmp_path / "compare.png").stat().st_size > 10_000


@pytest.mark.parametrize("name", FIRST)
@pytest.mark.parametrize(
    "words, says",
    [
        ("--workers 2", "two different numbers of workers; --workers 1,2, say"),
        ("--workers 1,2 --backends numpy", "numpy trains in one process; --workers compares"),
        ("--workers 1,3", "3 workers cannot share a batch of 8 evenly"),
        ("--workers 1,2 --recipe dcgan32", "train with --groups 2, which is another recipe"),
        ("--workers one", "'one' is no whole number"),
    ],
)
def test_what_cannot_be_compared(
    name: str, words: str, says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    argv = [*words.split(), "--out", str(tmp_path / "out")]
    argv += [] if "--backends" in words else ["--backends", name]
    with pytest.raises(SystemExit) as caught:
        cli.run_main(compare.main, "ganref.compare", argv)
    (said,) = capsys.readouterr().err.splitlines()
    assert caught.value.code == 2 and says in said


class _Said(team.Worker):
    """A worker that has answered already."""

    def __init__(self, answer: object) -> None:
        ours, theirs = os.pipe()
        with os.fdopen(theirs, "wb") as pipe:
            pickle.dump(("", answer), pipe)
        self.timeout, self._pipe = None, os.fdopen(ours, "rb")

    answers = property(lambda self: self._pipe)


def test_workers_that_differ_are_named() -> None:
    """In a bit of one tensor: they have to be one GAN."""

    def of(*parts: np.ndarray) -> object:
        found = team.Team.__new__(team.Team)
        found._members = [_Said({"state": {"w": np.zeros(2), "b": part}}) for part in parts]
        return found.receive()

    same, other = np.ones(3), np.array([1, 1, 1 + 2**-52])
    of(same, same, same)
    with pytest.raises(WorkerFailed, match="rank 2 differs from rank 0 in b"):
        of(same, same, other)
