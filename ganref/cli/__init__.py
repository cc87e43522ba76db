"""What the command lines share: one-line errors, exit codes, and setting a run up."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from ..backend import GAN, load_backend
from ..draws.weights import initial_weights
from ..spec.errors import UserError
from ..training.checkpoint import Checkpoint
from ..training.logger import Diverged
from ..training.loop import Interrupted
from ..training.run import Config


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(2, f"{self.prog}: {message}; --help lists what there is\n")


def run_main(main: Callable[[list[str] | None], int | None], prog: str) -> NoReturn:
    """Run a command line: 0 if all went well, 2 for a user's mistake, 3 for a loss that is not
    finite, 130 or 143 after SIGINT or SIGTERM; a line on stderr, never a traceback, for these."""
    try:
        code = main(None) or 0
        sys.stdout.flush()
    except (UserError, Diverged, Interrupted) as error:
        print(f"{prog}: {' '.join(str(error).split())}", file=sys.stderr)
        code = {UserError: 2, Diverged: 3}.get(type(error), getattr(error, "exit_code", 2))
    except MemoryError as error:
        hint = "use a smaller --batch-size, --width or --num"
        print(f"{prog}: out of memory ({error}); {hint}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        code = 130
    except BrokenPipeError:  # `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def positive(kind: type) -> Callable[[str], Any]:
    """A parser for numbers above zero."""

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text} must be above 0")
        return value

    return parse


def prepare_threads(threads: int | None) -> int:
    """Settle the number of threads before any framework is imported, which reads it once: what was
    asked for, else OMP_NUM_THREADS, else all cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    threads = threads or (int(asked) if asked.isdigit() else 0) or len(os.sched_getaffinity(0))
    os.environ["OMP_NUM_THREADS"] = str(threads)
    return threads


def pick_device(backend: str, device: str) -> str:
    """`auto` as the first GPU that the framework sees, else the processor. Raises UserError."""
    devices = load_backend(backend).devices()
    if device == "auto":
        return devices[1] if len(devices) > 1 else "cpu"
    return "cuda:0" if device == "cuda" else device


def create(config: Config, threads: int, checkpoint: Checkpoint | None = None) -> GAN:
    """The GAN of a run, from its seed or from a checkpoint."""
    backend = load_backend(config.backend)
    backend.set_threads(threads)
    weights = initial_weights(config.recipe, config.seed)
    how = config.device, config.dtype, config.compile, config.planned_steps
    gan = backend.create(config.recipe, weights, *how)
    if checkpoint is not None:
        gan.load_state(checkpoint.state)
    return gan


def versions(backend: str) -> dict[str, str]:
    """What a run was made with."""
    import platform

    import numpy

    from .. import __version__

    return {
        "ganref": __version__,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "framework": load_backend(backend).version(),
    }
