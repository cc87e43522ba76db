"""`--workers`: the numbers of one worker, whatever dies; on this machine, over loopback.

Who lives is no matter of the engine: the first one shows it. GANREF_KILLS=20 kills as many workers
of each engine.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from told import TOLD

from checks import kill_workers
from checks.kill_workers import begin, disturbed, finished, same_end, until_saved, workers_of
from ganref import train
from ganref.parity.differences import differences
from ganref.training.checkpoint import load_latest

ENGINES = [name for name in kill_workers.ENGINES if name in TOLD]
KILLS = int(os.environ.get("GANREF_KILLS", "2"))
EVERY = ENGINES if "GANREF_KILLS" in os.environ else ENGINES[:1]
TOY = "--dtype", "float64", "--steps", 125, "--checkpoint-every", 25
DCGAN = ("--recipe", "dcgan", "--width", 8, "--batch-size", 4, "--groups", 2, "--steps", 20,
         "--dtype", "float64")  # fmt: skip


def _ok(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0 and not done.stderr, (done.returncode, done.stderr)


def _alone(*args: object) -> None:
    assert train.main([str(a) for a in (*args, "--quiet")]) == 0


def _apart(one: Path, two: Path) -> float:
    """The largest relative difference of losses, scores, weights and running statistics."""
    found, expected = (load_latest(run / "checkpoints") for run in (two, one))
    own = (".m", ".v", ".step")
    states = [{n: a for n, a in c.state.items() if not n.endswith(own)} for c in (found, expected)]
    traces = [c.log.trace._asdict() for c in (found, expected) if c.log]
    both = differences(*states) | differences(*traces)
    return max(both.values())


@pytest.fixture(scope="module", params=ENGINES)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run of the toy by two workers."""
    run = tmp_path_factory.mktemp("workers") / request.param
    _ok(finished("--backend", request.param, *TOY, "--run-dir", run))
    return run


def test_two_workers_train_as_one(whole: Path, tmp_path: Path) -> None:
    _alone("--backend", whole.name, *TOY, "--compile", "off", "--run-dir", tmp_path / "one")
    apart = _apart(tmp_path / "one", whole)
    print(f"{whole.name}, toy, 125 steps: {apart:.1e}")
    assert apart < 1e-12


@pytest.mark.parametrize("engine", ENGINES)
def test_groups_are_shared_out(engine: str, tmp_path: Path) -> None:
    """Two groups are a worker's each, and batch statistics need nobody else's examples."""
    where = "--backend", engine, *DCGAN
    _alone(*where, "--compile", "off", "--run-dir", tmp_path / "one")
    _ok(finished(*where, "--run-dir", tmp_path / "two"))
    apart = _apart(tmp_path / "one", tmp_path / "two")
    print(f"{engine}, dcgan of width 8, 20 steps: {apart:.1e}")
    assert apart < 1e-8


def test_a_run_moves_between_worker_counts(whole: Path, tmp_path: Path) -> None:
    """One worker begins, two go on; and the number of workers is no part of the run."""
    run = tmp_path / "run"
    args = [*TOY, "--steps", 50, "--compile", "off", "--run-dir", run]
    _alone("--backend", whole.name, *args)
    _ok(finished("--resume", run, "--steps", 125, "--checkpoint-every", 25))
    assert _apart(whole, run) < 1e-12


@pytest.mark.parametrize("trial", range(KILLS))
@pytest.mark.parametrize("whole", EVERY, indirect=True)
def test_a_worker_is_killed(whole: Path, tmp_path: Path, trial: int) -> None:
    """All stop, in one line that names it; the resumed run ends bit-equal."""
    rng, run = random.Random(trial), tmp_path / "run"
    often = [*TOY[:-1], 5, "--backend", whole.name]
    rank = trial % 2 if trial < 2 else rng.randrange(2)
    process = begin(*often, "--run-dir", run)
    line = disturbed(process, run, rank, signal.SIGKILL, rng.uniform(0, 0.1))
    assert "all workers are stopped" in line
    _ok(finished("--resume", run, "--checkpoint-every", 25))
    same_end(whole, run)


LONG = "--steps", 100_000, "--checkpoint-every", 5


@pytest.mark.parametrize("engine", EVERY)
def test_a_worker_hangs(engine: str, tmp_path: Path) -> None:
    args = "--backend", engine, *LONG, "--patience", 4, "--run-dir", tmp_path / "run"
    process = begin(*args)
    line = disturbed(process, tmp_path / "run", 1, signal.SIGSTOP, 0.0)
    assert "rank 1 gave no sign of life for 4 s; all workers are stopped; go on with" in line
    load_latest(tmp_path / "run" / "checkpoints")


@pytest.mark.parametrize("engine", EVERY)
def test_a_signal_stops_all_at_one_step(engine: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = begin("--backend", engine, *LONG, "--run-dir", run)
    until_saved(process, run)
    pids = workers_of(process)
    assert len(pids) == 2
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and len(said.splitlines()) == 1, said
    assert "stopped by SIGINT after step" in said and not any(map(kill_workers.lives, pids))
    step = load_latest(run / "checkpoints").step
    assert f"after step {step:,}, which is saved" in said


@pytest.mark.parametrize("engine", EVERY)
def test_workers_do_not_outlive_who_started_them(engine: str, tmp_path: Path) -> None:
    process = begin("--backend", engine, *LONG, "--run-dir", tmp_path / "run")
    until_saved(process, tmp_path / "run")
    pids = workers_of(process)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 20
    while any(map(kill_workers.lives, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(kill_workers.lives, pids))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_gpu_each(engine: str, tmp_path: Path) -> None:
    import ganref

    if len(ganref.load_backend(engine).devices()) < 3:
        pytest.skip("there is no second GPU")
    _ok(finished("--backend", engine, "--device", "cuda", *TOY, "--run-dir", tmp_path / "two"))
    _alone("--backend", engine, "--device", "cuda", *TOY, "--run-dir", tmp_path / "one")
    assert _apart(tmp_path / "one", tmp_path / "two") < 1e-11
