"""The other end of `benchmarks.speed.measure`: one process for each variant, asked in turn."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from ganref.backend import BACKENDS, check_backend, is_installed

ROOT = Path(__file__).parents[1]


class Failed(Exception):
    """A variant refused, died or did not answer; the message says which, in one line."""


def chosen_backends(asked: str | None) -> list[str]:
    """The backends that `--backends` names, or all that are installed. Raises UserError."""
    if not asked:
        return [name for name in BACKENDS if is_installed(name)]
    names = asked.split(",")
    for name in names:
        check_backend(name)
    return names


def environment(threads: int, cache: Path) -> dict[str, str]:
    """The environment of a measured process: the same thread count for every library, and `cache`
    in the place of compilers' caches, so that nothing was compiled before."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    threaded = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {
        **os.environ,
        **dict.fromkeys(threaded, str(threads)),
        "PYTHONPATH": os.pathsep.join(paths),
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor"),
        "TRITON_CACHE_DIR": str(cache / "triton"),
        # Otherwise it takes a GPU's whole memory, which others have to share.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }


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


class Worker:
    """A process that holds one variant and runs `module`. Raises Failed if it does not come up."""

    def __init__(
        self,
        backend: str,
        mode: str,
        threads: int,
        timeout: float = 1800,
        module: str = "benchmarks.speed.measure",
    ) -> None:
        self.timeout = timeout
        self._cache = Path(tempfile.mkdtemp(prefix="ganref-bench-"))
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        start = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, backend, mode, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            bufsize=1,
            env=environment(threads, self._cache),
        )
        try:
            self.hello = self._receive()
        except BaseException:
            self.close()
            raise
        self.startup_s = time.perf_counter() - start

    def ask(self, do: str, **what: Any) -> dict[str, Any]:
        """The answer to one question. Raises Failed."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **what}) + "\n")
        except OSError:
            raise Failed(self._last_words()) from None
        return self._receive()

    def close(self) -> None:
        """End the process, and remove what it left."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # a question that nobody will read
                    pipe.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        shutil.rmtree(self._cache, ignore_errors=True)

    def _receive(self) -> dict[str, Any]:
        stdout = self._process.stdout
        assert stdout is not None
        if not select.select([stdout], [], [], self.timeout)[0]:
            self._process.kill()
            raise Failed(f"no answer within {self.timeout:.0f} s")
        line = stdout.readline()
        if not line:
            raise Failed(self._last_words())
        answer = json.loads(line)
        if "refused" in answer:
            raise Failed(answer["refused"])
        return answer

    def _last_words(self) -> str:
        try:
            code: int | None = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = None
        self._log.seek(0)
        lines = [line.strip() for line in self._log if line.strip()]
        return f"exit code {code}: {lines[-1] if lines else 'without a word'}"
