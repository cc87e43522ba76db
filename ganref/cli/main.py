"""What every command line has: one-line errors, exit codes, numbers that are checked."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from ..spec.errors import UserError
from ..training.history import Diverged
from ..training.loop import Interrupted


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(2, f"{self.prog}: {message}; --help lists what there is\n")


def run_main(
    main: Callable[[list[str] | None], int | None], prog: str, argv: list[str] | None = None
) -> NoReturn:
    """Run a command line: 0 if all went well, 2 for a user's mistake, 3 for a loss that is not
    finite, 128 + n after signal n (SIGINT, SIGTERM, SIGHUP); for these a line on stderr, never a
    traceback."""
    try:
        code = main(argv) or 0
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
        value = _number(kind, text)
        if not 0 < value < math.inf:
            raise argparse.ArgumentTypeError(f"{text} must be above 0")
        return value

    return parse


def finite(text: str) -> float:
    """A parser for numbers of either sign, but neither infinite nor NaN."""
    value = _number(float, text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text} must be finite")
    return value


def _number(kind: type, text: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
