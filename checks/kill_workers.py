"""python -m checks.kill_workers: a worker of a run killed at a random moment, the run resumed, and
held against the undisturbed run of as many workers, bit for bit.

Each trial starts `ganref train --workers 2`, waits for a first checkpoint and a random while, kills
a random worker with SIGKILL, and wants one line that names its rank, exit code 4 and no process
left; then the run is resumed with as many workers. Exit code 1 if anything is otherwise.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from ganref import cli
from ganref.backend import BACKENDS, is_installed
from ganref.parity.workers import environment
from ganref.training.checkpoint import load_latest
from ganref.training.watch import LOST

ENGINES = [name for name, entry in BACKENDS.items() if entry.engine]
SECONDS = 180  # within which anything has to end
STEPS = 400


def words(*more: object) -> list[str]:
    """A training command of two workers."""
    command = [sys.executable, "-m", "ganref.train", "--workers", "2", "--quiet"]
    return [*command, *map(str, more)]


def begin(*more: object) -> subprocess.Popen[str]:
    """It, with what it says kept."""
    pipe = subprocess.PIPE
    return subprocess.Popen(words(*more), env=environment(), stdout=pipe, stderr=pipe, text=True)


def finished(*more: object) -> subprocess.CompletedProcess[str]:
    """It, at its end."""
    return subprocess.run(
        words(*more), env=environment(), capture_output=True, text=True, timeout=SECONDS
    )


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """The process numbers of the workers that a command has started, in the order of ranks."""
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    ranks = {}
    for pid in map(int, path.read_text().split()):
        own = dict(
            pair.split("=", 1)
            for pair in Path(f"/proc/{pid}/environ").read_text().split("\0")
            if "=" in pair
        )
        places = [e.engine.read(own) for e in BACKENDS.values() if e.engine]
        ranks.update({place.rank: pid for place in places if place})
    return [ranks[rank] for rank in sorted(ranks)]


def lives(pid: int) -> bool:
    """Whether a process is still there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def until_saved(process: subprocess.Popen[str], run: Path) -> None:
    """Wait for a run's first checkpoint. Raises AssertionError if there will be none."""
    deadline = time.monotonic() + SECONDS
    while not (run / "checkpoints" / "latest.json").exists():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.01)


def disturbed(
    process: subprocess.Popen[str], run: Path, rank: int, signum: int, wait: float
) -> str:
    """Send a worker a signal, so long after the first checkpoint; the line that is said. Raises
    AssertionError if the run ends otherwise than it should."""
    until_saved(process, run)
    pids = workers_of(process)
    time.sleep(wait)
    os.kill(pids[rank], signum)
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == LOST, f"exit code {process.returncode}: {said}"
    lines = said.strip().splitlines()
    assert len(lines) == 1 and f"rank {rank} " in lines[0], said
    assert not any(map(lives, pids)), "a process is left"
    return lines[0]


def same_end(whole: Path, run: Path) -> None:
    """Raises AssertionError unless both runs have ended alike, to the last bit."""
    expected, found = (load_latest(path / "checkpoints") for path in (whole, run))
    for name, array in expected.state.items():
        assert np.array_equal(found.state[name], array), f"{name} differs"
    texts = [(path / "steps.csv").read_text() for path in (whole, run)]
    assert texts[0] == texts[1], "steps.csv differs"


def trials(backend: str, count: int, rng: random.Random, folder: Path) -> list[str]:
    """What went wrong in so many trials."""
    often = "--backend", backend, "--steps", STEPS, "--checkpoint-every", 5
    whole, wrong = folder / f"{backend}-whole", []
    done = finished(*often, "--run-dir", whole)
    assert done.returncode == 0, done.stderr
    for number in range(count):
        run = folder / f"{backend}-{number}"
        try:
            process = begin(*often, "--run-dir", run)
            rank, wait = rng.randrange(2), rng.uniform(0, 0.5)
            print(disturbed(process, run, rank, signal.SIGKILL, wait), flush=True)
            done = finished("--resume", run)
            assert done.returncode == 0, done.stderr
            same_end(whole, run)
        except AssertionError as error:
            wrong.append(f"{backend}, trial {number}: {error}")
        shutil.rmtree(run, ignore_errors=True)
    return wrong


def main(argv: list[str] | None = None) -> int:
    """Run the trials of each engine; exit code 1 if any ended otherwise than it should."""
    p = cli.Parser(prog="checks.kill_workers", description=__doc__)
    p.add_argument("--backends", default=",".join(filter(is_installed, ENGINES)))
    p.add_argument("--trials", type=cli.positive(int), default=20, help="of each (default 20)")
    p.add_argument("--seed", type=cli.SEED, default=0)
    args: argparse.Namespace = p.parse_args(argv)
    rng, wrong = random.Random(args.seed), []
    with tempfile.TemporaryDirectory(prefix="ganref-kill-") as folder:
        for name in args.backends.split(","):
            found = trials(name, args.trials, rng, Path(folder))
            print(f"{name}: {args.trials} killed, {args.trials - len(found)} stopped in one line"
                  " and ended bit-equal")  # fmt: skip
            wrong += found
    print("\n".join(wrong), end="")
    return int(bool(wrong))


if __name__ == "__main__":
    cli.run_main(main, "checks.kill_workers")
