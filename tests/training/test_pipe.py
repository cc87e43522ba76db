"""The order of a run: what it has earned is safe first, and what decorates it ends nothing."""

import os
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganref import train
from ganref.spec.steps import Trace
from ganref.training import decoration, history, loop
from ganref.training.checkpoint import load_latest
from ganref.training.run import RunDirectory

BROKEN = {
    "samples": "pictures.save_samples",
    "progress.png": "curves.progress",
    "samples.gif": "pictures.animate",
    "TensorBoard": "board.log_to_board",
    "metrics": "cheap_metrics",
}


def _train(*args: object) -> None:
    assert train.main([str(a) for a in (*args, "--quiet")]) == 0


DECORATED = ["--epochs", 3, "--gif", "--tensorboard", "--evaluate-every", 1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every decoration, none of which fails."""
    run = tmp_path_factory.mktemp("whole") / "run"
    _train(*DECORATED, "--run-dir", run)
    return run


@pytest.mark.parametrize("what", BROKEN)
def test_a_failing_decoration_is_a_warning_once(
    what: str,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("it cannot\nbe drawn")

    run = tmp_path / "run"
    monkeypatch.setattr(decoration, "PICTURE_SECONDS", 0)
    target, _, name = BROKEN[what].rpartition(".")
    monkeypatch.setattr(getattr(decoration, target) if target else decoration, name, fail)
    _train(*DECORATED, "--run-dir", run)
    lines = capsys.readouterr().err.strip().splitlines()
    said = f"gaussian: warning: {what} failed (it cannot be drawn); the run goes on without"
    assert lines.count(said) == 1 and len(lines) <= 2  # without samples there is no animation
    ours, theirs = (load_latest(path / "checkpoints") for path in (run, whole))
    assert all(np.array_equal(ours.state[n], a) for n, a in theirs.state.items())
    assert (run / "steps.csv").read_text() == (whole / "steps.csv").read_text()
    assert len(RunDirectory(run).read_metrics()) == 3


def test_a_checkpoint_comes_before_what_decorates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[tuple[int, int, int]] = []

    def look(self: decoration.Decoration, epochs: list[dict], trace: Trace, samples: Any) -> None:
        found = load_latest(self.run.checkpoints).step
        saved.append((found, epochs[-1]["step"], len(self.run.read_steps().loss_D)))

    monkeypatch.setattr(decoration.Decoration, "epoch", look)
    monkeypatch.setattr(decoration.Decoration, "finish", look)
    _train("--epochs", 3, "--checkpoint-every", 125, "--run-dir", tmp_path / "run")
    assert saved == [(s, s, s) for s in (125, 250, 375, 375)]


def test_a_signal_after_the_checkpoint_waits_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an interrupted run says is saved is saved, whenever the signal came."""

    def interrupt(self: decoration.Decoration, epochs: list[dict], *_: Any) -> None:
        if len(epochs) == 1:  # a second signal acts at once
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(decoration.Decoration, "epoch", interrupt)
    with pytest.raises(loop.Interrupted, match="after step (.*), which is saved") as caught:
        _train("--epochs", 9, "--run-dir", tmp_path / "run")
    step = int(re.findall("after step ([0-9,]+)", str(caught.value))[0].replace(",", ""))
    assert load_latest(tmp_path / "run" / "checkpoints").step == step > 125


def test_samples_that_are_thrown_away_come_again(tmp_path: Path) -> None:
    _train("--epochs", 1, "--run-dir", tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "samples")
    _train("--resume", tmp_path / "run", "--epochs", 2)
    assert [f.name for f in (tmp_path / "run" / "samples").iterdir()] == ["epoch_0002.npy"]


def test_scores_are_named_in_one_way_and_old_names_are_read(tmp_path: Path) -> None:
    whole, run = tmp_path / "whole", tmp_path / "run"
    _train("--steps", 30, "--run-dir", whole)
    _train("--steps", 20, "--run-dir", run)
    text = (run / "steps.csv").read_text()
    header = "step,loss_D,loss_G,D_x,D_G_z,D_G_z_after"
    assert text.startswith(header + "\n")
    assert set(Trace._fields) <= set(RunDirectory(run).read_metrics()[-1])
    # As runs were written until the log and the file agreed.
    old = "step,loss_D,loss_G,D_x,D_G_z1,D_G_z2"
    (run / "steps.csv").write_text(text.replace(header, old))
    _train("--resume", run, "--steps", 30)
    found, expected = (RunDirectory(path).read_steps() for path in (run, whole))
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_an_epoch_s_row_is_the_mean_of_its_steps(tmp_path: Path) -> None:
    """By example, where the loss is a sum; the last epoch may be cut off."""
    _train("--steps", 200, "--run-dir", tmp_path / "run")
    run = RunDirectory(tmp_path / "run")
    trace = run.read_steps()
    recipe = run.read_config().recipe
    for row, part in zip(run.read_metrics(), (slice(0, 125), slice(125, 200)), strict=True):
        means = history.per_example(recipe, Trace(*(column[part] for column in trace)))
        assert [row[name] for name in Trace._fields] == pytest.approx(means, rel=1e-6)
        assert means[0] == pytest.approx(trace.loss_D[part].mean() / recipe.batch_size)
