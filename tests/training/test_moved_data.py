"""A run goes on with the data that it began with, wherever they lie now, or says what differs."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganref import train
from ganref.spec import UserError
from ganref.training import run as run_module
from ganref.training.run import RunDirectory


def _train(*args: object) -> None:
    assert train.main([str(a) for a in (*args, "--quiet")]) == 0


def _images(folder: Path, count: int = 9, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    for i in range(count):
        (folder / f"class {i % 3}").mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (8, 8), np.uint8)
        Image.fromarray(pixels).save(folder / f"class {i % 3}" / f"{i}.png")
    return folder


SMALL = ("--recipe", "mlp", "--width", 8, "--batch-size", 3)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    _images(tmp_path / "faces")
    _train(*SMALL, "--data", "faces", "--steps", 4, "--run-dir", "run")
    _train(*SMALL, "--data", "faces", "--steps", 8, "--run-dir", "whole")
    return tmp_path / "run"


def _goes_on(run: Path, *options: object) -> None:
    _train("--resume", run, "--steps", 8, *options)
    expected = (run.parent / "whole" / "steps.csv").read_text()
    assert (run / "steps.csv").read_text() == expected


def test_a_relative_path_means_the_same_everywhere(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    _goes_on(run)


def test_data_may_move(run: Path, tmp_path: Path) -> None:
    (tmp_path / "faces").rename(tmp_path / "people")
    with pytest.raises(UserError, match="faces are not to be found here; say where with --data"):
        _goes_on(run)
    _goes_on(run, "--data", "people")
    assert RunDirectory(run).read_config().data == str(tmp_path / "people")
    # From now on they are there.
    _train("--resume", run, "--steps", 9)


CHANGES = {
    "one more": lambda faces: _images(faces, 10),
    "one less": lambda faces: (faces / "class 1" / "1.png").unlink(),
    "another": lambda faces: Image.new("L", (8, 8)).save(faces / "class 1" / "1.png"),
    "another class": lambda faces: (faces / "class 1").rename(faces / "class 7"),
    "another order": lambda faces: (faces / "class 1/1.png").rename(faces / "class 1/z.png"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_data_are_refused(change: str, run: Path, tmp_path: Path) -> None:
    CHANGES[change](tmp_path / "faces")
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    with pytest.raises(UserError) as caught:
        _goes_on(run)
    count = {"one more": 10, "one less": 8}.get(change, 9)
    assert "were 9 examples 1×28×28 uint8, " in str(caught.value)
    assert f"holds {count} examples 1×28×28 uint8, " in str(caught.value)
    assert before == {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}


def test_what_a_run_trains_on_is_said(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    identity = RunDirectory(run).read_config().identity
    assert train.main(["--resume", str(run), "--steps", "8"]) == 0
    first = capsys.readouterr().err.splitlines()[0]
    assert first == f"mlp: trains on {tmp_path / 'faces'}, {identity}"


def test_drawn_points_are_known_by_their_name(tmp_path: Path) -> None:
    _train("--steps", 3, "--run-dir", tmp_path / "run")
    _train("--resume", tmp_path / "run", "--steps", 4, "--data", "gaussian")
    with pytest.raises(UserError, match="the data of this run were 1,000 examples"):
        _train("--resume", tmp_path / "run", "--steps", 5, "--data", "ring")


def test_a_run_without_an_identity_gets_one(run: Path) -> None:
    """Runs of older versions kept none."""
    here = RunDirectory(run)
    known = here.read_config()
    old = json.loads(here.config.read_text())
    del old["config"]["identity"], old["config"]["resize"], old["config"]["crop"]
    old["sha256"] = run_module._digest(old["config"])
    here.config.write_text(json.dumps(old))
    assert here.read_config() == dataclasses.replace(known, identity=None)
    _goes_on(run)
    assert here.read_config().identity == known.identity


def test_ways_of_reading_that_make_no_difference_are_refused(run: Path) -> None:
    for words in (["--mixed"], ["--strict"], ["--resize", "area"], ["--crop", "none"]):
        with pytest.raises(UserError, match=f"{words[0]} has no effect on the data gaussian"):
            train.main([*words, "--quiet"])
    with pytest.raises(UserError, match="--mixed has no effect on the data digits"):
        train.main(["--recipe", "mlp", "--data", "digits", "--mixed", "--quiet"])
