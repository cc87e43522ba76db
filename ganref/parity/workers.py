"""A backend in a process of its own, driven step by step over a pipe."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import tempfile
from typing import Any

from ..backend import load_backend
from ..spec import UserError
from ..spec.steps import Trace


class WorkerFailed(Exception):
    """The process is gone, or its backend raised; the message holds its last words."""


class Worker:
    """One backend's process, with so many threads or as OMP_NUM_THREADS says. Forking a process
    that has used TensorFlow or threads hangs the child, so it is spawned."""

    def __init__(self, backend: str, threads: int | None) -> None:
        self.backend = backend
        name = f"ganref-{backend}-"
        self._log = tempfile.NamedTemporaryFile(prefix=name, suffix=".log")  # noqa: SIM115
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        args = (theirs, backend, threads, self._log.name)
        self._process = context.Process(target=_serve, args=args, daemon=True)
        self._process.start()
        theirs.close()

    def send(self, message: tuple[Any, ...]) -> None:
        """Ask for something. Raises WorkerFailed."""
        try:
            self._pipe.send(message)
        except OSError:
            raise WorkerFailed(self._last_words()) from None

    def receive(self) -> Any:
        """The answer to the oldest question. Raises WorkerFailed."""
        try:
            kind, answer = self._pipe.recv()
        except (EOFError, OSError):
            raise WorkerFailed(self._last_words()) from None
        if kind == "error":
            raise WorkerFailed(answer)
        return answer

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.join(timeout=5)
        if self._process.is_alive():
            self._process.kill()
        with contextlib.suppress(OSError):
            self._log.close()

    def _last_words(self) -> str:
        self._process.join(timeout=5)
        with open(self._log.name, errors="replace") as file:
            lines = [line.strip() for line in file if line.strip()]
        words = lines[-1] if lines else "without a word"
        return f"exit code {self._process.exitcode}: {words}"


def _serve(pipe: Any, backend: str, threads: int | None, log: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 2)
    gan: Any = None
    while True:
        try:
            message = pipe.recv()
        except EOFError:
            return
        try:
            kind, *args = message
            if kind == "create":
                module = load_backend(backend)
                if threads:
                    module.set_threads(threads)
                gan = module.create(*args)
                answer: Any = module.version()
            elif kind == "load":
                answer = gan.load_state(args[0])
            else:
                answer = answer_step(gan, args[0])
            pipe.send(("answer", answer))
        except UserError as error:
            pipe.send(("error", str(error)))


def answer_step(gan: Any, batch: Any) -> dict[str, Any]:
    """One step: the gradients at the state before it, its losses, and the state after it."""
    masks = {name: mask[0] for name, mask in batch.masks.items()}
    Z_G = None if batch.Z_G is None else batch.Z_G[0]
    gradients = gan.gradients(batch.X[0], batch.Z[0], Z_G=Z_G, masks=masks)
    trace: Trace = gan.train_trace(batch.X, batch.Z, Z_G=batch.Z_G, masks=batch.masks)
    losses = {"loss_D": float(trace.loss_D[0]), "loss_G": float(trace.loss_G[0])}
    return {"gradients": gradients, "losses": losses, "state": gan.state()}
