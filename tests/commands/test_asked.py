"""Classes that are asked for: samples of one or of each, pictures with a row for each, and what
`evaluate` says came of it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands.test_evaluate import one_line as refused_by_evaluate
from commands.test_evaluate import untrained
from PIL import Image

from ganref import cli, data, evaluate, sample
from ganref.spec import Recipe, UserError, recipe
from ganref.training import checkpoint as checkpoints
from ganref.training import shown
from ganref.training.decoration import Decoration
from ganref.training.run import Config, Options, RunDirectory

MLP = recipe("mlp").replace(width=4, batch_size=8)
DIGITS = MLP.replace(conditional="concat", classes=10)
PROJECTED = MLP.replace(conditional="projection", classes=10)
PAIR = MLP.replace(conditional="concat", classes=2)
DATA = data.load("digits", MLP)
RING = recipe("ring").replace(width=4, batch_size=8, conditional="concat", classes=8)


@pytest.fixture(autouse=True)
def only_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same digits for every command, so that their classifier is trained once, and none of the
    metrics that have nothing to do with classes."""
    own = data.load

    def load(name: str, *args: Any, **how: Any) -> data.Dataset:
        return DATA if name == "digits" else own(name, *args, **how)

    monkeypatch.setattr(data, "load", load)
    monkeypatch.setattr(evaluate, "evaluate_samples", lambda *args, **how: [])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return untrained(tmp_path / "run", DIGITS, "digits")


def named(run: Path, *names: str) -> Path:
    """The run, its checkpoint with names for its classes."""
    saved = checkpoints.find(run)
    checkpoints.save_latest(
        run / "checkpoints", dataclasses.replace(saved, class_names=names), keep=1
    )
    return run


def sampled(run: Path, *args: str) -> np.ndarray:
    out = run / "samples.npy"
    assert sample.main([str(run), "--out", str(out), *args]) == 0
    return np.load(out)


# Samples


def test_a_row_for_each_class_of_the_same_noise(
    run: Path, backend: str, capsys: pytest.CaptureFixture
) -> None:
    """Row c of the grid is what `--class c` begins with, and rows differ by their class alone."""
    rows = sampled(run, "--num", "3", "--backend", backend).reshape(10, 3, 1, 28, 28)
    assert "30 samples of mlp, a row for each of 10 classes, at step 0" in capsys.readouterr().out
    for c in (0, 3, 9):
        alone = sampled(run, "--class", str(c), "--num", "5", "--backend", backend)
        assert f"5 samples of mlp of class {c} at step 0" in capsys.readouterr().out
        np.testing.assert_allclose(alone[:3], rows[c], rtol=1e-6, atol=1e-7)
    assert len(np.unique(rows[:, 0].reshape(10, -1), axis=0)) == 10
    # Z is the noise, and behind it the class.
    Z = shown.rows_of_classes(DIGITS, 0, range(10), 3).reshape(10, 3, -1)
    assert (Z[..., :-10] == Z[:1, :, :-10]).all() and (Z[0, 0] != Z[0, 1]).any()
    assert np.array_equal(Z[..., -10:], np.broadcast_to(np.eye(10)[:, None], (10, 3, 10)))


def test_samples_without_a_number_are_so_many(run: Path) -> None:
    assert len(sampled(run)) == 10 * shown.COLUMNS
    assert len(sampled(run, "--class", "9")) == 64


def test_a_grid_has_a_row_for_each_class(run: Path) -> None:
    assert sample.main([str(run), "--num", "3", "--out", str(run / "grid.png")]) == 0
    with Image.open(run / "grid.png") as picture:
        width, height = picture.size
    scale = width // (3 * 30 + 2)
    assert (width, height) == (scale * (3 * 30 + 2), scale * (10 * 30 + 2))


def test_a_class_has_its_name(run: Path, capsys: pytest.CaptureFixture) -> None:
    words = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "1")
    by_number = sampled(named(run, *words), "--class", "3")
    assert "of class 3 ('three') at step 0" in capsys.readouterr().out
    assert np.array_equal(sampled(run, "--class", "three"), by_number)
    # A name wins over a number: folders are called 1 to 9, and are numbered from 0.
    assert np.array_equal(sampled(run, "--class", "1"), sampled(run, "--class", "9"))


@pytest.mark.parametrize("asked", ["10", "-1", "99999999999999999999", "three", "", "3.0", "²"])
def test_no_such_class_is_a_line(run: Path, asked: str, tmp_path: Path) -> None:
    out = tmp_path / "there.png"
    with pytest.raises(UserError, match="there is no class .*; there are classes 0 to 9$") as found:
        sample.main([str(run), f"--class={asked}", "--out", str(out)])
    assert "\n" not in str(found.value) and not out.exists()
    with pytest.raises(UserError, match="there are classes 0 to 9: a, b, c"):
        sample.main([str(named(run, *"abcdefghij")), f"--class={asked}", "--out", str(out)])


def test_names_cannot_break_the_line(run: Path, capsys: pytest.CaptureFixture) -> None:
    names = [f"c\n{i}" for i in range(10)]
    with pytest.raises(UserError) as found:
        sample.main([str(named(run, *names)), "--class", "c"])
    assert str(found.value).isprintable() and r"0 to 9: c\n0, c\n1" in str(found.value)
    sampled(run, "--class", "c\n4", "--num", "1")
    assert r"of class 4 ('c\n4') at" in capsys.readouterr().out


def test_a_run_without_classes_has_none(tmp_path: Path) -> None:
    plain = untrained(tmp_path / "plain", MLP, "digits")
    with pytest.raises(UserError, match="--class has no effect.* train with --conditional"):
        sample.main([str(plain), "--class", "0"])
    assert len(sampled(plain)) == 64


def test_points_have_classes_too(tmp_path: Path) -> None:
    run = untrained(tmp_path / "ring", RING, "ring")
    assert sampled(run, "--class", "7", "--num", "9").shape == (9, 2)
    assert sample.main([str(run), "--num", "9", "--out", str(tmp_path / "ring.png")]) == 0
    labels = shown.pictured(RING, 0)[:, -8:].argmax(axis=1)
    assert labels.tolist() == [i % 8 for i in range(200)] and shown.columns(RING) is None


# What a run and its checkpoints say of the classes


def test_a_checkpoint_keeps_the_names(run: Path) -> None:
    saved = checkpoints.find(run)
    assert saved.class_names == ()
    words = tuple(f"class {i}" for i in range(10))
    assert checkpoints.find(named(run, *words)).class_names == words


def test_a_run_keeps_the_names(tmp_path: Path) -> None:
    where = RunDirectory.create(tmp_path / "run")
    where.write_config(Config(PAIR, data="pets", class_names=("cat", "dog")), {})
    config = where.read_config()
    assert config.class_names == ("cat", "dog")
    of_run = checkpoints.Checkpoints(config, where, Options(), 1)
    state = checkpoints.find(untrained(tmp_path / "other", PAIR, "digits")).state
    log = checkpoints.Log(checkpoints.Trace(*np.zeros((5, 1))))
    of_run.save(1, state, log)
    assert checkpoints.find(tmp_path / "run").class_names == ("cat", "dog")


# Pictures of a run


def test_pictures_of_a_run_have_a_row_for_each_class(tmp_path: Path) -> None:
    where = RunDirectory.create(tmp_path / "run")
    of_run = Decoration(DIGITS, DATA, where, Options(evaluate_every=1), 1)
    _, gan = cli.restore(
        checkpoints.find(untrained(tmp_path / "other", DIGITS, "digits")), None, "cpu", 1
    )
    samples = gan.generate(shown.pictured(DIGITS, 0))
    row = {"epoch": 1, "step": 4}
    trace = checkpoints.Trace(*np.ones((5, 4)))
    of_run.epoch([row], trace, samples)
    with Image.open(where.samples / "epoch_0001.png") as picture:
        width, height = picture.size
    assert width * (10 * 30 + 2) == height * (8 * 30 + 2)
    assert set(of_run.metrics(gan, 0, 1)) == {"metrics"}  # its latents have labels
    of_run.finish([row], trace, samples)
    assert (where.path / "progress.png").stat().st_size > 0


def test_rows_are_not_too_many() -> None:
    many = MLP.replace(conditional="concat", classes=1000)
    assert len(shown.pictured(many, 0)) == shown.MOST_ROWS * shown.COLUMNS


# Evaluation


@pytest.mark.parametrize("chosen", [DIGITS, PROJECTED])
def test_each_class_is_measured(
    chosen: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run = untrained(tmp_path / "run", chosen, "digits")
    assert evaluate.main([str(run), "--num", "700"]) == 0
    found = json.loads((run / "evaluation.json").read_text(), parse_constant=pytest.fail)
    asked = found["asked"]
    assert [row["name"] for row in asked["rows"]] == [str(c) for c in range(10)]
    labels = np.asarray(DATA.labels)
    for c, row in enumerate(asked["rows"]):
        assert row["samples"] == 70 and row["real"] == (labels == c).sum()
        low, high = row["interval"]
        assert 0 <= low <= row["accuracy"] <= high <= 1
        assert row["frechet"] > row["halves"] > 0  # an untrained G
    mean = np.mean([row["accuracy"] for row in asked["rows"]])
    assert asked["accuracy"] == pytest.approx(mean) and mean < 0.3
    assert asked["held_out"] == len(labels) and asked["judge_accuracy"] > 0.97
    printed = capsys.readouterr().out
    assert "70 samples asked for of each class, told by a classifier with 97." in printed
    assert f"all classes       {mean:.1%}" in printed


def test_few_samples_have_no_distance(run: Path, capsys: pytest.CaptureFixture) -> None:
    """64 features need 65 samples of a class."""
    assert evaluate.main([str(run), "--num", "30"]) == 0
    rows = json.loads((run / "evaluation.json").read_text())["asked"]["rows"]
    assert all(row["frechet"] is None and row["samples"] == 3 for row in rows)
    assert "3 samples asked for of each class" in capsys.readouterr().out


def test_a_run_without_classes_is_asked_for_none(tmp_path: Path) -> None:
    plain = untrained(tmp_path / "plain", recipe("gaussian"), "gaussian")
    assert evaluate.main([str(plain), "--num", "30"]) == 0
    assert "asked" not in json.loads((plain / "evaluation.json").read_text())


def pets(folder: Path, counts: dict[str, int]) -> Path:
    """Folders of so many noisy images, of another mean in each."""
    generator = np.random.default_rng(0)
    for i, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True)
        for k in range(count):
            pixels = generator.integers(0, 40, (28, 28)) + 200 * i // len(counts)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{k}.png")
    return folder


def test_folders_have_a_classifier_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = pets(tmp_path / "pets", {"cat": 12, "dog": 12})
    run = untrained(tmp_path / "run", PAIR, str(folder))
    assert evaluate.main([str(run), "--num", "40"]) == 0
    asked = json.loads((run / "evaluation.json").read_text())["asked"]
    assert [(row["name"], row["samples"], row["real"]) for row in asked["rows"]] == [
        ("cat", 20, 12), ("dog", 20, 12),
    ]  # fmt: skip
    assert asked["judge_accuracy"] > 0.9 and "\ncat " in capsys.readouterr().out


def test_what_no_classifier_can_tell_is_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = pets(tmp_path / "pets", {"cat": 12, "dog": 2})
    run = untrained(tmp_path / "run", PAIR, str(folder))
    assert evaluate.main([str(run), "--num", "40"]) == 0
    found = json.loads((run / "evaluation.json").read_text())
    assert found["asked"] is None and "2 classes with at least 5" in found["asked_error"]
    assert "asked for         -        pets needs" in capsys.readouterr().out.replace(
        str(tmp_path) + "/", ""
    )
    ring = untrained(tmp_path / "ring", RING, "ring")
    assert evaluate.main([str(ring), "--num", "40"]) == 0
    assert "no labelled images" in json.loads((ring / "evaluation.json").read_text())["asked_error"]


def test_data_of_other_classes_are_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    X = np.random.default_rng(0).integers(0, 255, (40, 28, 28), np.uint8)
    np.savez(tmp_path / "few.npz", X=X, y=np.arange(40) % 12)
    assert "has classes 0 to 9, these data labels from 0 to 11" in refused_by_evaluate(
        [str(run), "--data", str(tmp_path / "few.npz")], capsys
    )
    np.save(tmp_path / "none.npy", X)
    assert "has 10 classes, and these data have no labels" in refused_by_evaluate(
        [str(run), "--data", str(tmp_path / "none.npy")], capsys
    )
    np.savez(tmp_path / "nine.npz", X=X, y=np.arange(40) % 4)
    assert evaluate.main([str(run), "--data", str(tmp_path / "nine.npz"), "--num", "40"]) == 0
    found = json.loads((run / "evaluation.json").read_text())
    assert "has no images of class 4, which was asked for" in found["asked_error"]
