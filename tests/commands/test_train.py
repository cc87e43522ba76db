"""The command line as a user meets it: files, exit codes, one-line errors, signals."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from told import TOLD

from ganref import sample, train
from ganref.spec import UserError
from ganref.training import checkpoint
from ganref.training.history import Diverged
from ganref.training.run import RunDirectory


def _train(*args: object) -> None:
    assert train.main([str(a) for a in (*args, "--quiet")]) == 0


def _command(*args: object, cwd: Path, **how) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *map(str, args)]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=env, **how)


def test_no_argument_at_all(tmp_path: Path) -> None:
    done = _command("ganref.train", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    last = done.stdout.strip().splitlines()[-1]
    assert "2,500 steps" in last and "runs/gaussian-numpy-001" in last and "examples/s" in last
    run = tmp_path / "runs/gaussian-numpy-001"
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == list(range(1, 21))
    wanted = {"epoch", "step", "loss_D", "loss_G", "D_x", "D_G_z", "examples_per_sec", "seconds"}
    assert wanted <= set(rows[0])
    assert len((run / "steps.csv").read_text().splitlines()) == 2501
    assert (run / "progress.png").stat().st_size > 10_000
    pointer = json.loads((run / "checkpoints/latest.json").read_text())
    assert (run / "checkpoints" / pointer["file"]).exists()
    config = json.loads((run / "config.json").read_text())
    assert config["config"]["recipe"]["name"] == "gaussian" and config["versions"]["numpy"]
    # A second run finds a place of its own.
    assert "gaussian-numpy-002" in _command("ganref.train", "--steps", 3, cwd=tmp_path).stdout


def test_a_backend_trains_quietly(framework: str, tmp_path: Path) -> None:
    done = _command("ganref.train", "--backend", framework, "--steps", 150, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip().splitlines()) == 1
    noise = [line for line in done.stderr.replace("\r", "\n").splitlines()
             if line and not line.startswith("gaussian:")]  # fmt: skip
    assert not noise, noise


BAD = {
    "--recipe wgan": "gaussian, dcgan",
    "--backend theano": "numpy, torch, tf, mxnet, jax",
    "--device cuda:7": "cpu",
    "--dtype float8": "float32",
    "--tab theano": "aligned, pytorch",
    "--lr -1": "above 0",
    "--epochs 0": "from 1 to",
    "--keep -1": "from 0 to",
    "--r1 nan": "from 0 to",
    "--r1 1e30": "from 0 to 1e",
    "--lr inf": "above 0",
    "--lr nan": "above 0",
    "--steps 1e3": "no whole number from 1",
    "--threads 1000000000": "from 1 to 1,024",
    "--G-updates 10000000": "from 1 to 1,000",
    "--latent-dim 1000000000": "GiB at least.*--latent-dim",
    "--recipe dcgan --width 100000": "GiB at least",
    "--recipe mlp --batch-size 1000000000": "GiB at least",
    "--seed 99999999999999999999999999": "from 0 to",
    "--leaky-slope 2": "from 0 to 1",
    "--label-smoothing 1": "real_label",
    "--seed -1": "--seed.*from 0 to",
    "--ema 1": "ema",
    "--recipe dcgan --data gaussian": "points",
    "--data digits": "images",
    "--data nowhere/at/all": "nowhere",
    "--batch-size 1001": "1,?000",
    "--channels 3": "points",
    "--resume nowhere": "no run",
    "--nonsense": "nonsense",
    "--run-dir /proc/nowhere": "/proc/nowhere",
}


@pytest.mark.parametrize("args", BAD)
def test_bad_input_is_one_line_and_exit_code_2(
    args: str, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        train.main([*args.split(), "--quiet"])
        raise AssertionError("accepted")
    except UserError as error:
        message = str(error)
    except SystemExit as stop:
        assert stop.code == 2
        message = capsys.readouterr().err.strip()
    assert "\n" not in message
    assert pytest.importorskip("re").search(BAD[args], message), message
    assert not list(tmp_path.iterdir())


def test_the_process_exits_with_2_and_no_traceback(tmp_path: Path) -> None:
    done = _command("ganref.train", "--recipe", "wgan", cwd=tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1 and "wgan" in done.stderr


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    _train("--steps", 3, "--run-dir", tmp_path / "run")
    before = {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}
    with pytest.raises(UserError, match="--resume"):
        _train("--steps", 3, "--run-dir", tmp_path / "run")
    assert before == {p: p.read_bytes() for p in (tmp_path / "run").rglob("*") if p.is_file()}


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    args = ["--lr", "1e308", "--dtype", "float64", "--run-dir", str(tmp_path / "run"), "--quiet"]
    with pytest.raises(Diverged, match="at step") as caught:
        train.main(args)
    trace = RunDirectory(tmp_path / "run").read_steps()
    assert len(trace.loss_D) == caught.value.step
    assert not (np.isfinite(trace.loss_D[-1]) and np.isfinite(trace.loss_G[-1]))
    assert np.isfinite(trace.loss_D[:-1]).all()
    done = _command("ganref.train", "--lr", "1e308", "--dtype", "float64", cwd=tmp_path)
    assert done.returncode == 3 and "at step" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.mark.parametrize("number, code", SIGNALS)
def test_signals_save_and_exit(number: int, code: int, tmp_path: Path) -> None:
    run = tmp_path / "a run"
    command = [sys.executable, "-m", "ganref.train", "--epochs", "100000", "--run-dir", str(run)]
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    # Whoever runs the tests under `nohup` has them ignore SIGHUP, which a child inherits.
    process = subprocess.Popen(
        command,
        env=env,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL) and None,
    )
    try:
        while not (run / "steps.csv").exists() or len((run / "steps.csv").read_bytes()) < 10_000:
            time.sleep(0.05)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code and "Traceback" not in err
    saved = checkpoint.load_latest(run / "checkpoints")
    assert saved.step == len(RunDirectory(run).read_steps().loss_D)
    # The last line says how to go on, and does.
    (words,) = re.findall("`python (.*)`", err.splitlines()[-1])
    resume = [sys.executable, *shlex.split(words), "--steps", str(saved.step + 5), "--quiet"]
    subprocess.run(resume, env=env, check=True, cwd=tmp_path, capture_output=True)
    assert checkpoint.load_latest(run / "checkpoints").step == saved.step + 5


def test_sample_draws_from_a_run(tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    _train("--steps", 20, "--run-dir", run)
    assert sample.main([str(run), "--num", "300", "--out", str(out / "grid.png")]) == 0
    assert sample.main([str(run), "--num", "300", "--out", str(out / "points.npy")]) == 0
    assert np.load(out / "points.npy").shape == (300, 2)
    for bad in (["--out", "x.gif"], ["--ema"], ["--backend", "theano"]):
        with pytest.raises(UserError):
            sample.main([str(run), *bad])
    with pytest.raises(UserError, match="not a run"):
        sample.main([str(out)])


def test_extras_beside_the_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    _train("--epochs", 2, "--run-dir", run, "--gif", "--tensorboard")
    assert (run / "samples.gif").read_bytes()[:6] == b"GIF89a"
    assert any((run / "tensorboard").iterdir())
    assert len(list((run / "samples").iterdir())) == 2


@pytest.mark.skipif("jax" not in TOLD, reason="its compiler's folder can be looked into")
def test_what_was_compiled_is_kept_for_the_next_run(tmp_path: Path) -> None:
    """In the user's cache folder; not where compiling is off, nor where another folder is named."""
    words = ["--backend", "jax", "--steps", "30", "--quiet", "--device", "cpu"]
    env = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    env |= {"GANREF_DATA": str(tmp_path / "cache"), "PYTHONPATH": str(Path(__file__).parents[2])}
    env["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    kept = tmp_path / "cache" / "compiled"

    def train(*more: str, **changes: str) -> list[Path]:
        command = [sys.executable, "-m", "ganref.train", *words, *more]
        subprocess.run(command, cwd=tmp_path, env=env | changes, check=True, capture_output=True)
        return [p for p in kept.rglob("*") if p.is_file()]

    assert not train("--compile", "off")
    assert not train(JAX_COMPILATION_CACHE_DIR=str(tmp_path / "named"))
    assert train()
