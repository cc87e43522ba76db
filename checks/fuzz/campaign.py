"""Many cases of a kind, in processes that may die of one."""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from .checkpoints import Checkpoints
from .commands import Commands
from .data import Data
from .faults import Faults
from .imports import IMPORTS
from .outcome import FAULT, Outcome, Tally
from .runs import Configs, Runs

# Each kind, and how many cases of it make a campaign.
KINDS: dict[str, tuple[Callable[[Path], Any], int]] = {
    "checkpoints": (Checkpoints, 100_000),
    "runs": (Runs, 100_000),
    "configs": (Configs, 100_000),
    "data": (Data, 100_000),
    "commands": (Commands, 10_000),
    "faults": (Faults, 1_000),
    **{kind: (target, 20_000) for kind, target in IMPORTS.items()},
}
CHUNK = 250
MEMORY = 8 << 30  # bytes of addresses for a case: a header that claims more than there is shows


def cases(kind: str, first: int, last: int) -> Tally:
    """Cases first to last - 1 of a kind, in this process."""
    tally, here = Tally(), os.getcwd()
    # In memory, where there is such a folder: hundreds of thousands of files are written.
    place = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=place) as temporary:
        target = KINDS[kind][0](Path(temporary))
        try:
            for case in range(first, last):
                rng = random.Random(f"{kind} {case}")
                tally.run(case, lambda rng=rng: target.case(rng))  # type: ignore[misc]
        finally:
            os.chdir(here)
    return tally


def campaign(
    kind: str, first: int, last: int, jobs: int, keep: Callable[[int, Tally], None]
) -> None:
    """Cases first to last - 1, in that many processes; `keep` has the number of the next case, and
    what came of the latest ones. A process that dies is a fault."""
    todo = [(start, min(start + CHUNK, last)) for start in range(first, last, CHUNK)]
    while todo:
        for chunk, tally in _together(kind, todo, jobs):
            if tally is None:  # one of several died; was it this one's?
                ((_, tally),) = _together(kind, [chunk], 1)
            if tally is None:
                tally = Tally()
                why = f"a process died among cases {chunk[0]} to {chunk[1] - 1}"
                tally.add(chunk[0], Outcome(FAULT, why), 0.0)
            keep(chunk[1], tally)
            todo.remove(chunk)


Chunk = tuple[int, int]


def _together(kind: str, chunks: list[Chunk], jobs: int) -> Iterator[tuple[Chunk, Tally | None]]:
    """As many of the chunks, in their order, as can be done until a process dies (None)."""
    context, some = multiprocessing.get_context("spawn"), chunks[: 8 * jobs]
    with ProcessPoolExecutor(jobs, context, _begin) as pool:
        for chunk, future in [(chunk, pool.submit(cases, kind, *chunk)) for chunk in some]:
            try:
                yield chunk, future.result()
            except BrokenProcessPool:
                yield chunk, None
                return


def _begin() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.environ["OMP_NUM_THREADS"] = "1"
