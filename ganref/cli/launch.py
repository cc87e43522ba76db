"""Workers: where this one is, and the processes of `--workers N` on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from typing import Any

from ..backend import BACKENDS, check_backend, load_backend
from ..parity.workers import environment, free_ports
from ..spec.engines import Place, settle
from ..spec.errors import UserError
from ..spec.groups import share
from ..training.run import RunDirectory
from ..training.watch import LOST, VERDICT
from .options import build_recipe
from .start import prepare_threads

PATIENCE = 60.0  # seconds


def backend_of(args: dict[str, Any]) -> str:
    """The backend that the options name, or the run that goes on. Raises UserError."""
    name = args.get("backend")
    if name is None and "resume" in args:
        name = RunDirectory.open(args["resume"]).read_config().backend
    check_backend(name or "numpy")
    return name or "numpy"


def place(args: dict[str, Any]) -> Place | None:
    """Where this worker is, as its launcher's variables say; None for one that is alone, or that is
    to start the others. Raises UserError where they and --workers disagree."""
    for name, entry in BACKENDS.items():
        if entry.engine and entry.engine.helps(os.environ):
            if "workers" in args:
                threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
            load_backend(name)  # it serves the workers, and ends
    found = [e.engine for e in BACKENDS.values() if e.engine and e.engine.read(os.environ)]
    if not found and "workers" not in args:
        return None
    engine = BACKENDS[backend_of(args)].engine
    here = engine.read(os.environ) if engine else None
    if engine and here:
        settle(engine, here, os.environ)
    asked = args.get("workers", here.size if here else 1)
    if engine and here and asked != here.size:
        raise UserError(f"--workers {asked}, and {engine.size} is {here.size}; name one of them")
    return here


def start(argv: Sequence[str], args: dict[str, Any]) -> int:
    """Train in as many processes here as --workers says; the exit code of the first that fails, or
    of the first worker, which has said why. Raises UserError."""
    count, name = args["workers"], backend_of(args)
    engine = BACKENDS[name].engine
    if engine is None:
        able = ", ".join(name for name, entry in BACKENDS.items() if entry.engine)
        raise UserError(f"{name} trains in one process; --workers is for --backend {able}")
    resumed = "resume" in args
    recipe = RunDirectory.open(args["resume"]).read_config().recipe if resumed else None
    share(recipe or build_recipe(args), count)
    threads = max(1, prepare_threads(args.get("threads")) // count)
    with _Processes() as processes:
        workers, helpers = engine.here(free_ports(count))
        for rank, own in enumerate(workers):
            processes.begin(rank, argv, own | {"OMP_NUM_THREADS": str(threads)})
        for own in helpers:
            processes.begin(count, argv, own)
        return processes.wait(count)


def _end_with(parent: int) -> None:
    """End this process when the one that has started it is gone."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(LOST)


class _Processes:
    """The workers of one machine. Signals go to all of them, and none is left behind."""

    def __enter__(self) -> _Processes:
        self.workers: list[subprocess.Popen] = []
        self._logs: list[Any] = []
        self._before = {}
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if number := getattr(signal, name, None):
                before = signal.getsignal(number)
                if name != "SIGHUP" or before != signal.SIG_IGN:  # `nohup` asks to live on
                    self._before[number] = signal.signal(number, self._pass_on)
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop(0.0)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        for log in self._logs:
            log.close()

    def begin(self, rank: int, argv: Sequence[str], own: dict[str, str]) -> None:
        """Start a worker. The first one speaks for all; what others say is kept for their end."""
        log = None if rank == 0 else tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._logs += [log] if log else []
        command = [sys.executable, "-m", "ganref.train", *argv]
        # In a session of its own: a terminal's Ctrl-C would reach it twice.
        self.workers.append(
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(**own),
                start_new_session=True,
            )
        )

    def wait(self, count: int) -> int:
        """Until so many workers have ended, or one has failed; the exit code."""
        codes = [w.poll() for w in self.workers[:count]]
        while None in codes and not any(codes):
            time.sleep(0.05)
            codes = [w.poll() for w in self.workers[:count]]
        failed = {rank: code for rank, code in enumerate(codes) if code}
        if not failed:
            return 0
        self._stop(2 * VERDICT, count)
        code = self.workers[0].returncode
        if code > 0:  # it has said why
            return code
        print(f"ganref.train: {self._words(*next(iter(failed.items())))}", file=sys.stderr)
        return LOST

    def _words(self, rank: int, code: int) -> str:
        """What is known of the end of workers whose first one could not say it."""
        for log in self._logs:
            log.seek(0)
            said = [line.strip() for line in log if line.startswith("ganref.train: ")]
            if said:
                return said[-1].removeprefix("ganref.train: ")
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"rank {rank} died ({how}); all workers are stopped"

    def _stop(self, grace: float, count: int = 0) -> None:
        """End all, the workers at first by their own will, within so many seconds."""
        for wait, end in ((grace, "terminate"), (2.0 if grace else 0.0, "kill")):
            deadline = time.monotonic() + wait
            while (
                any(w.poll() is None for w in self.workers[:count]) and time.monotonic() < deadline
            ):
                time.sleep(0.05)
            for worker in self._living():
                getattr(worker, end)()
        for worker in self.workers:
            worker.wait()

    def _living(self) -> list[subprocess.Popen]:
        return [worker for worker in self.workers if worker.poll() is None]

    def _pass_on(self, number: int, _: Any) -> None:
        for worker in self._living():
            worker.send_signal(number)
