"""What every command line has: one-line errors, exit codes, numbers that are checked."""

from __future__ import annotations

import argparse
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


LARGEST = sys.float_info.max  # more is infinite


def between(kind: type, low: float, high: float, open_below: bool = False) -> Callable[[str], Any]:
    """A parser for numbers from `low` (or, `open_below`, above it) to `high`, and for no NaN."""
    say = "{:,}".format if kind is int else "{:g}".format
    words = f"from {say(low)} to {say(high)}"
    if open_below:
        words = f"above {say(low)}" + ("" if high == LARGEST else f", {say(high)} at most")

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            what = "whole number" if kind is int else "number"
            raise argparse.ArgumentTypeError(f"{text!r:.60} is no {what} {words}") from None
        if not low <= value <= high or (open_below and value == low):
            raise argparse.ArgumentTypeError(f"{text:.60} must be {words}")
        return value

    return parse


def positive(kind: type) -> Callable[[str], Any]:
    """A parser for whole numbers from 1, or for others above zero."""
    if kind is int:
        return between(int, 1, 10**9)
    return between(float, 0, LARGEST, open_below=True)


THREADS = between(int, 1, 1024)
SEED = between(int, 0, 2**63 - 1)
