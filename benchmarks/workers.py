"""Processes that are measured: one for each variant, asked in turn; and commands run to the end."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from ganref.backend import BACKENDS
from ganref.parity import workers


def environment(threads: int, cache: Path) -> dict[str, str]:
    """The environment of a measured process: the same thread count for every library, and `cache`
    in the place of compilers' caches, so that nothing was compiled before."""
    threaded = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return workers.environment(
        **dict.fromkeys(threaded, str(threads)),
        **{entry.keeps: str(cache / name) for name, entry in BACKENDS.items() if entry.keeps},
        TRITON_CACHE_DIR=str(cache / "triton"),
        # Otherwise it takes a GPU's whole memory, which others have to share.
        TF_FORCE_GPU_ALLOW_GROWTH="true",
    )


class Finished(NamedTuple):
    """A command that has ended: the seconds from its start, what it printed, and in one line why
    it failed, None if it did not."""

    seconds: float
    lines: list[str]
    why: str | None


def finish(command: list[str], threads: int, cache: Path, folder: Path | None = None) -> Finished:
    """Run a command to its end, in `folder`."""
    start = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment(threads, cache), capture_output=True, text=True
    )
    took = time.perf_counter() - start
    out, errors = (
        [line.strip() for line in text.splitlines() if line.strip()]
        for text in (done.stdout, done.stderr)
    )
    last = [*out, *errors] or ["nothing said"]
    return Finished(
        took, out, f"exit code {done.returncode}: {last[-1]}" if done.returncode else None
    )


class Worker(workers.Worker):
    """A process that holds one variant and runs `module`. Raises WorkerFailed if it does not come
    up."""

    def __init__(
        self,
        backend: str,
        mode: str,
        threads: int,
        timeout: float = 1800,
        module: str = "benchmarks.speed.measure",
    ) -> None:
        self._cache = Path(tempfile.mkdtemp(prefix="ganref-bench-"))
        start = time.perf_counter()
        env = environment(threads, self._cache)
        super().__init__(module, backend, mode, str(threads), env=env, timeout=timeout)
        try:
            self.hello = self.ask("hello")
        except BaseException:
            self.close()
            raise
        self.startup_s = time.perf_counter() - start

    def close(self) -> None:
        """End the process, and remove what it left."""
        super().close()
        shutil.rmtree(self._cache, ignore_errors=True)
