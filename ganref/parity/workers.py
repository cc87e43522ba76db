"""Programs in processes of their own that answer questions: for `compare` and the benchmarks.

A question names a method and its arguments. Questions and answers are pickled, and only between a
program and its own child.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from ..spec import UserError

ROOT = Path(__file__).parents[2]  # of the package, for the child to find the same one


class WorkerFailed(Exception):
    """The process is gone, does not answer, or refused; the message holds its last words."""


def environment(**own: str) -> dict[str, str]:
    """The environment of a child: this process's, this package first where Python looks, and what
    is its `own`."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | own


def free_ports(count: int) -> list[int]:
    """As many ports of this machine that nobody uses."""
    with contextlib.ExitStack() as until_all_are_known:
        servers = [until_all_are_known.enter_context(socket.socket()) for _ in range(count)]
        for server in servers:
            server.bind(("127.0.0.1", 0))
        return [server.getsockname()[1] for server in servers]


class Worker:
    """The process `python -m module args...`, with `env` beside this one's environment; it has
    `timeout` seconds for an answer, None for as long as it takes."""

    def __init__(
        self,
        module: str,
        *args: str,
        env: dict[str, str] | None = None,
        timeout: float | None = None,
    ) -> None:
        self.timeout = timeout
        self._log = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment(**env or {}),
        )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def answers(self) -> IO[bytes]:
        """Where its answers come from."""
        assert self._process.stdout is not None
        return self._process.stdout

    def send(self, do: str, *args: Any, **more: Any) -> None:
        """Ask for something. Raises WorkerFailed."""
        assert self._process.stdin is not None
        try:
            pickle.dump((do, args, more), self._process.stdin)
            self._process.stdin.flush()
        except OSError:
            raise WorkerFailed(self._last_words()) from None

    def receive(self) -> Any:
        """The answer to the question that was asked. Raises WorkerFailed."""
        stdout = self.answers
        if not select.select([stdout], [], [], self.timeout)[0]:
            self._process.kill()
            raise WorkerFailed(f"no answer within {self.timeout:.0f} s")
        try:
            refused, answer = pickle.load(stdout)
        except (EOFError, OSError, pickle.UnpicklingError):
            raise WorkerFailed(self._last_words()) from None
        if refused:
            raise WorkerFailed(refused)
        return answer

    def ask(self, do: str, *args: Any, **more: Any) -> Any:
        """The answer to one question. Raises WorkerFailed."""
        self.send(do, *args, **more)
        return self.receive()

    def words(self) -> list[str]:
        """The lines that it has printed."""
        self._log.seek(0)
        return [line.strip() for line in self._log if line.strip()]

    def dismiss(self) -> None:
        """Ask nothing more: the process ends when it likes."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # a question that nobody will read
                    pipe.close()

    def close(self) -> None:
        """End the process."""
        self.dismiss()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _last_words(self) -> str:
        try:
            code: int | None = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            code = None
        lines = self.words()
        return f"exit code {code}: {lines[-1] if lines else 'without a word'}"


def serve(make: Callable[..., Any]) -> None:
    """The child's end: answer with the methods of what `make` makes of the arguments, until there
    are no more questions. What is refused is an answer, too: to all of them, if `make` refuses."""
    # What a library prints must not end up among the answers.
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    refused, program = _attempt(make, *sys.argv[1:])
    with contextlib.suppress(EOFError, BrokenPipeError):
        while True:
            do, args, more = pickle.load(questions)
            answer = (refused, None) if refused else _attempt(getattr(program, do), *args, **more)
            pickle.dump(answer, answers)
            answers.flush()


def _attempt(function: Callable[..., Any], *args: Any, **more: Any) -> tuple[str, Any]:
    """(why it is refused, "" if it is not; what came of it)."""
    try:
        return "", function(*args, **more)
    except (UserError, ImportError, NotImplementedError, MemoryError) as error:
        return " ".join(f"{error or type(error).__name__}".split()), None
