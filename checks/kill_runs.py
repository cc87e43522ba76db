"""python -m checks.kill_runs: runs killed at random moments, resumed, and held against the
uninterrupted run, bit for bit.

Each trial starts a training command, kills it with SIGKILL somewhere between its first moment and
its expected end, resumes it (killing it again with probability 1/2, and at last in two processes at
once), and compares the final state and `steps.csv` with those of a run that nobody disturbed. Exit
code 1 if any differs.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import command
from benchmarks.workers import environment, finish
from ganref import cli
from ganref.training.checkpoint import load_latest

# What the one of two that comes too late is told.
REFUSALS = ("another process", "holds a run", "is not empty")
# A run has to last long enough to be killed.
USUAL_STEPS = 4_000
STEPS = {"tf": 20_000}  # where that takes more


@dataclass(frozen=True)
class Command:
    """The training command of a backend, without a progress bar and with frequent checkpoints. All
    have the same threads: sums in another order would differ in their last bits."""

    backend: str
    threads: int
    cache: Path

    @property
    def env(self) -> dict[str, str]:
        """Its environment."""
        return environment(self.threads, self.cache)

    def start(self, run: Path) -> list[str]:
        """The words that begin a run."""
        steps = str(STEPS.get(self.backend, USUAL_STEPS))
        return self._words("--backend", self.backend, "--steps", steps, "--run-dir", str(run))

    def resume(self, run: Path) -> list[str]:
        """The words that go on with it."""
        return self._words("--resume", str(run))

    def _words(self, *more: str) -> list[str]:
        words = [sys.executable, "-m", "ganref.train", "--quiet", "--checkpoint-every", "50"]
        return [*words, "--threads", str(self.threads), *more]


def killed(words: list[str], env: dict[str, str], seconds: float, rng: random.Random) -> bool:
    """Run a command and kill it at a random moment up to `seconds`; whether it was still going."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(words, env=env, stdout=quiet, stderr=quiet) as process:
        deadline = time.monotonic() + rng.uniform(0, seconds)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        going = process.poll() is None
        process.send_signal(signal.SIGKILL)
    return going


def raced(words: list[str], env: dict[str, str]) -> int:
    """Two processes that do the same with one run: one does it, the other comes too late or is
    refused; how many were refused. Raises AssertionError for anything else."""
    both = [
        subprocess.Popen(words, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [process.communicate()[1].decode().strip().splitlines()[-1:] for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes in ([0, 0], [0, 2]), f"of two at once: {codes}, {said}"
    refused = [
        line
        for process, lines in zip(both, said, strict=True)
        if process.returncode == 2
        for line in lines
    ]
    assert all(any(word in line for word in REFUSALS) for line in refused), refused
    return len(refused)


def trial(
    how: Command, whole: Path, run: Path, seconds: float, rng: random.Random
) -> tuple[int, int]:
    """One run killed at least once if there was time to, and ended by one of two that race; how
    often it was killed, and refused to the other. Raises AssertionError if its end is not the
    uninterrupted run's."""
    kills = int(killed(how.start(run), how.env, seconds, rng))
    while rng.random() < 0.5 and (run / "config.json").exists():
        kills += killed(how.resume(run), how.env, seconds, rng)
    rest = how.resume(run)
    if not (run / "config.json").exists():  # killed before it was a run
        shutil.rmtree(run, ignore_errors=True)
        rest = how.start(run)
    refused = raced(rest, how.env)
    expected, found = (load_latest(path / "checkpoints").state for path in (whole, run))
    for name, array in expected.items():
        assert np.array_equal(found[name], array), f"{name} differs"
    texts = [(path / "steps.csv").read_text() for path in (whole, run)]
    assert texts[0] == texts[1], "steps.csv differs"
    rows = [(path / "metrics.jsonl").read_text().splitlines() for path in (whole, run)]
    steps = [[json.loads(row)["step"] for row in part] for part in rows]
    assert steps[0] == steps[1], "metrics.jsonl has a gap or a repeated row"
    return kills, refused


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = command.parser("checks.kill_runs", __doc__, "kills")
    p.add_argument("--trials", type=cli.positive(int), default=100, help="in all, one for each"
                   " backend at least (default 100)")  # fmt: skip
    return p


def trials(
    backend: str, count: int, threads: int, rng: random.Random, folder: Path
) -> dict[str, Any]:
    """The row of a backend: how many runs, how often they were killed, how many ended as the
    undisturbed one, and in words what did not."""
    row: dict[str, Any] = {"backend": backend, "runs": 0, "kills": 0, "refused": 0, "equal": 0}
    row["wrong"] = []
    how, whole = Command(backend, threads, folder), folder / f"{backend}-whole"
    # The first fills the caches and takes longer than the others will: the second is timed.
    for path in (folder / f"{backend}-first", whole):
        done = finish(how.start(path), threads, folder)
        if done.why:
            return row | {"wrong": [done.why]}
    for number in range(count):
        run = folder / f"{backend}-{number:03d}"
        row["runs"] += 1
        try:
            kills, refused = trial(how, whole, run, done.seconds, rng)
            row["kills"] += kills
            row["refused"] += refused
            row["equal"] += 1
        except AssertionError as error:
            row["wrong"].append(f"trial {number}: {error}")
            command.say(f"{backend}, {row['wrong'][-1]}")
        shutil.rmtree(run, ignore_errors=True)
    return row


def main(argv: list[str] | None = None) -> int:
    """Run the trials, print a line for each backend, write; exit code 1 if any run ended
    differently, or there was none."""
    args = parser().parse_args(argv)
    names, threads = command.chosen_backends(args.backends), command.chosen_threads(args.threads)
    command.prepare(args.out)
    rng, rows = random.Random(args.seed), []
    with tempfile.TemporaryDirectory(prefix="ganref-kill-") as folder:
        for name in names:
            count = max(1, args.trials // len(names))
            row = trials(name, count, threads, rng, Path(folder))
            rows.append(row)
            said = (
                f"{row['runs']} runs, killed {row['kills']} times, resumed by two at once (one was"
                f" refused in {row['refused']}), {row['equal']} ended bit-equal"
            )
            print(f"{name}: {said if row['runs'] else row['wrong'][0]}", flush=True)
    command.write(args.out / "kills.json", args, command.environment(args), rows=rows)
    print(f"written: {args.out / 'kills.json'}")
    return int(any(row["wrong"] for row in rows))


if __name__ == "__main__":
    cli.run_main(main, "checks.kill_runs")
