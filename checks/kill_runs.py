"""python -m checks.kill_runs: runs killed at random moments, resumed, and held against the
uninterrupted run, bit for bit.

Each trial starts a training command, kills it with SIGKILL somewhere between its first moment and
its expected end, resumes it (killing it again with probability 1/2), and compares the final state
and `steps.csv` with those of a run that nobody disturbed. Exit code 1 if any differs.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.command import chosen_backends
from ganref import cli
from ganref.training.checkpoint import load_latest

STEPS = {"tf": 20_000}  # a run has to last long enough to be killed; others make
USUAL_STEPS = 4_000


def run_of(backend: str) -> list[str]:
    """The options of a backend's run."""
    return ["--backend", backend, "--steps", str(STEPS.get(backend, USUAL_STEPS))]


def command(*args: str) -> list[str]:
    """The training command, without a progress bar and with frequent checkpoints."""
    return [sys.executable, "-m", "ganref.train", "--quiet", "--checkpoint-every", "50", *args]


def killed(args: list[str], run: Path, seconds: float, rng: random.Random) -> bool:
    """Run a command and kill it at a random moment up to `seconds`; whether it was still going."""
    with subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + rng.uniform(0, seconds)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        going = process.poll() is None
        process.send_signal(signal.SIGKILL)
    return going


def trial(args: list[str], whole: Path, run: Path, seconds: float, rng: random.Random) -> int:
    """One run killed at least once if there was time to; how often it was. Raises AssertionError
    if its end is not the uninterrupted run's."""
    kills = int(killed(command(*args, "--run-dir", str(run)), run, seconds, rng))
    while rng.random() < 0.5 and (run / "config.json").exists():
        kills += killed(command("--resume", str(run)), run, seconds, rng)
    rest = ["--resume", str(run)]
    if not (run / "config.json").exists():  # killed before it was a run
        shutil.rmtree(run, ignore_errors=True)
        rest = [*args, "--run-dir", str(run)]
    subprocess.run(command(*rest), check=True, stdout=subprocess.DEVNULL)
    expected, found = (load_latest(path / "checkpoints").state for path in (whole, run))
    for name, array in expected.items():
        assert np.array_equal(found[name], array), f"{name} differs"
    texts = [(path / "steps.csv").read_text() for path in (whole, run)]
    assert texts[0] == texts[1], "steps.csv differs"
    rows = [(path / "metrics.jsonl").read_text().splitlines() for path in (whole, run)]
    steps = [[json.loads(row)["step"] for row in part] for part in rows]
    assert steps[0] == steps[1], "metrics.jsonl has a gap or a repeated row"
    return kills


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = cli.Parser(prog="checks.kill_runs", description=__doc__.partition("\n\n")[0])
    p.add_argument("--backends", default="numpy,torch", help="comma-separated (numpy,torch)")
    p.add_argument("--trials", type=cli.positive(int), default=100, help="in all (default 100)")
    p.add_argument("--seed", type=cli.SEED, default=0)
    return p


def main(argv: list[str] | None = None) -> int:
    """Run the trials and print a line for each backend; exit code 1 if any ended differently."""
    options = parser().parse_args(argv)
    backends, rng = chosen_backends(options.backends), random.Random(options.seed)
    bad = 0
    with tempfile.TemporaryDirectory(prefix="ganref-kill-") as folder:
        for backend in backends:
            whole, began = Path(folder) / f"{backend}-whole", time.monotonic()
            subprocess.run(command(*run_of(backend), "--run-dir", str(whole)), check=True,
                           stdout=subprocess.DEVNULL)  # fmt: skip
            seconds, kills, equal = time.monotonic() - began, 0, 0
            trials = options.trials // len(backends)
            for number in range(trials):
                run = Path(folder) / f"{backend}-{number:03d}"
                try:
                    kills += trial(run_of(backend), whole, run, seconds, rng)
                    equal += 1
                except (AssertionError, subprocess.CalledProcessError) as error:
                    print(f"{backend}, trial {number}: {error}", flush=True)
                shutil.rmtree(run, ignore_errors=True)
            bad += trials - equal
            print(
                f"{backend}: {trials} runs, killed {kills} times, {equal} ended bit-equal",
                flush=True,
            )
    return int(bad > 0)


if __name__ == "__main__":
    cli.run_main(main, "checks.kill_runs")
