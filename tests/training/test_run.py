"""A run directory belongs to one process at a time, and what it lost comes back or is named."""

import contextlib
import dataclasses
import json
import logging
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ganref import train
from ganref.spec import UserError
from ganref.training import run as run_module
from ganref.training.checkpoint import load_latest, save_latest
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


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `saved` copies."""
    folder = tmp_path_factory.mktemp("trained")
    _train("--steps", 260, "--run-dir", folder / "whole")
    _train("--steps", 200, "--run-dir", folder / "run")
    return folder


@pytest.fixture
def saved(trained: Path, tmp_path: Path) -> Path:
    """A run of 200 steps in two epochs, and 260 steps' worth of a longer one beside it."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


def _lines(file: Path, change: Callable[[list[str]], list[str]]) -> None:
    lines = change(file.read_text().splitlines(keepends=True))
    file.write_text("".join(lines))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "empty": lambda file: file.write_text(""),
    "cut": lambda file: _lines(file, lambda found: found[: len(found) // 2]),
    "cut within a line": lambda file: file.write_text(file.read_text()[:-7]),
    "a number changed": lambda file: _lines(file, lambda f: [*f[:-1], f[-1].replace(":", ",", 1)
                                                             .replace(".", ".9", 1)]),
    "a line twice": lambda file: _lines(file, lambda found: [found[0], *found]),
    "turned round": lambda file: _lines(file, lambda found: found[::-1]),
    "no text": lambda file: file.write_bytes(b"\xff\x00" * 500),
    "deep": lambda file: file.write_text("[" * 100_000),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["steps.csv", "metrics.jsonl"])
def test_a_damaged_log_comes_back_from_the_checkpoint(
    name: str, damage: str, saved: Path, caplog: pytest.LogCaptureFixture
) -> None:
    DAMAGE[damage](saved / name)
    with caplog.at_level(logging.WARNING, "ganref"):
        _train("--resume", saved, "--steps", 260)
    (said,) = [record.getMessage() for record in caplog.records]
    assert str(saved / name) in said and "as the checkpoint has it again" in said
    whole = saved.parent / "whole"
    assert (saved / "steps.csv").read_text() == (whole / "steps.csv").read_text()
    ends = [row["step"] for row in RunDirectory(saved).read_metrics()]
    assert ends == [125, 200, 250, 260]


@pytest.mark.parametrize(
    "damage", [n for n in DAMAGE if n not in ("a number changed", "cut within a line")]
)
def test_an_old_checkpoint_needs_its_log(damage: str, saved: Path) -> None:
    """Before format 2 checkpoints had none: what the files do not say is lost, and is said so."""
    found = load_latest(saved / "checkpoints")
    save_latest(saved / "checkpoints", dataclasses.replace(found, log=None))
    shutil.copytree(saved, saved.parent / "copy")
    _train("--resume", saved.parent / "copy", "--steps", 260)
    whole = (saved.parent / "whole" / "steps.csv").read_text()
    assert (saved.parent / "copy" / "steps.csv").read_text() == whole
    DAMAGE[damage](saved / "steps.csv")
    before = _contents(saved)
    with pytest.raises(UserError, match="steps.csv"):
        _train("--resume", saved, "--steps", 260)
    assert before == _contents(saved)


def _contents(run: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in run.rglob("*") if p.is_file() and p.name != ".lock"}


CONFIGS = {
    "gone": "",
    "no text": "\udcff",
    "deep": "[" * 100_000,
    "a list": "[]",
    "a step that is text": '"steps": "200"',
    "an unknown field": '"speed": 3',
    "a negative seed": '"seed": -1',
}


@pytest.mark.parametrize("change", CONFIGS)
def test_a_configuration_is_ours_or_refused(change: str, saved: Path) -> None:
    """Also one with a checksum that fits: every field has its type and its range."""
    file, text = saved / "config.json", CONFIGS[change]
    if change == "gone":
        file.unlink()
    elif text.startswith('"'):
        content = json.loads(file.read_text())
        content["config"] |= json.loads("{" + text + "}")
        file.write_text(json.dumps(content | {"sha256": run_module._digest(content["config"])}))
    else:
        file.write_bytes(text.encode(errors="surrogateescape"))
    before = _contents(saved)
    with pytest.raises(UserError) as caught:
        _train("--resume", saved, "--steps", 260)
    assert str(saved) in str(caught.value) and "\n" not in str(caught.value)
    assert before == _contents(saved)


def test_a_refused_resume_leaves_every_byte(saved: Path) -> None:
    """Whatever it is that refuses: another run's checkpoint, a folder where a file was, a disk."""
    before = _contents(saved)
    for words in (["--steps", 10], ["--backend", "nonsense"], ["--device", "cuda:7"]):
        with pytest.raises(UserError):
            _train("--resume", saved, *words)
        assert before == _contents(saved)
    (saved / "metrics.jsonl").unlink()
    (saved / "metrics.jsonl").mkdir()
    del before[saved / "metrics.jsonl"]
    with pytest.raises(UserError, match="metrics.jsonl"):
        _train("--resume", saved, "--steps", 260)
    assert before == _contents(saved)


def test_a_damaged_checkpoint_is_named(saved: Path, caplog: pytest.LogCaptureFixture) -> None:
    _train("--resume", saved, "--steps", 230)
    (newest,) = saved.glob("checkpoints/step_00000230*")
    newest.write_bytes(newest.read_bytes()[:-3])
    with caplog.at_level(logging.WARNING, "ganref"):
        _train("--resume", saved, "--steps", 260)
    (said,) = [record.getMessage() for record in caplog.records]
    assert newest.name in said and "step_00000200" in said
    shutil.rmtree(saved / "checkpoints")
    with caplog.at_level(logging.WARNING, "ganref"):
        _train("--resume", saved, "--steps", 260)
    assert "begins again" in caplog.records[-1].getMessage()
    whole = saved.parent / "whole"
    assert (saved / "steps.csv").read_text() == (whole / "steps.csv").read_text()
