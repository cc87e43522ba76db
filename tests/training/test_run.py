"""A run directory belongs to one process at a time, from its first moment on."""

import contextlib
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ganref import train
from ganref.spec import UserError
from ganref.training.checkpoint import load_latest
from ganref.training.run import RunDirectory


def _train(*args: object) -> None:
    assert train.main([str(a) for a in (*args, "--quiet")]) == 0


def test_a_second_process_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    _train("--steps", 30, "--run-dir", tmp_path / "run")
    run = RunDirectory(tmp_path / "run")
    with run.held():
        before = {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()}
        with pytest.raises(UserError, match="another process trains in"):
            _train("--resume", run.path, "--steps", 60)
        assert before == {p: p.read_bytes() for p in run.path.rglob("*") if p.is_file()}
    _train("--resume", run.path, "--steps", 60)


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "ganref.train", "--epochs", "100000", "--quiet"]
    process = subprocess.Popen([*command, "--run-dir", str(run), "--checkpoint-every", "50"])
    while not list(run.glob("checkpoints/step_*")):
        time.sleep(0.05)
    with pytest.raises(UserError, match="another process trains in"):
        _train("--resume", run, "--steps", 10**6)
    process.send_signal(signal.SIGKILL)
    process.wait()
    step = load_latest(run / "checkpoints").step
    _train("--resume", run, "--steps", step + 5)


def test_a_hundred_runs_at_once_have_a_hundred_directories(tmp_path: Path) -> None:
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(RunDirectory.numbered(tmp_path, "toy").path))
        for _ in range(100)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [tmp_path / f"toy-{n:03d}" for n in range(1, 101)]


def test_of_two_that_ask_for_one_directory_one_has_it(tmp_path: Path) -> None:
    made: list[Path] = []

    def make() -> None:
        with contextlib.suppress(UserError):
            made.append(RunDirectory.create(tmp_path / "run").path)

    threads = [threading.Thread(target=make) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_a_run_ended_before_its_first_checkpoint_goes_on(tmp_path: Path) -> None:
    """From its configuration, to the end that it would have had."""
    whole, run = tmp_path / "whole", tmp_path / "run"
    for path in (whole, run):
        _train("--steps", 200, "--run-dir", path)
    for file in (run / "checkpoints").iterdir():
        file.unlink()
    (run / "steps.csv").write_text("\n".join((run / "steps.csv").read_text().split("\n")[:77]))
    _train("--resume", run)
    assert (run / "steps.csv").read_text() == (whole / "steps.csv").read_text()
    assert len(RunDirectory(run).read_metrics()) == 2
