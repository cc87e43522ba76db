"""What every command line has: one-line errors, exit codes, numbers that are checked."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from ..spec.errors import UserError
from ..training.history import Diverged
from ..training.loop import Interrupted
from .terminal import streams, watched


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(2, f"{self.prog}: {message}; --help lists what there is\n")


def run_main(
    main: Callable[[list[str] | None], int | None], prog: str, argv: list[str] | None = None
) -> NoReturn:
    """Run a command line: 0 if all went well, 2 for a user's mistake, 3 for a loss that is not
    finite, 4 for a worker that is lost, 128 + n after signal n (SIGINT, SIGTERM, SIGHUP); for these
    a line on stderr, never a traceback."""
    with streams():
        code = _code(main, prog, argv)
        with contextlib.suppress(UserError, BrokenPipeError):  # said already
            sys.stdout.flush()
    sys.exit(code)


def _code(
    main: Callable[[list[str] | None], int | None], prog: str, argv: list[str] | None
) -> int | str | None:
    try:
        try:
            code: int | str | None = main(argv) or 0
        except SystemExit as error:  # the parser has spoken
            code = error.code
        sys.stdout.flush()
        return code
    except (UserError, Diverged, Interrupted) as error:
        words = str(error)
        code = getattr(error, "exit_code", 2)
    except MemoryError as error:
        smaller = "--num" if prog in ("ganref.sample", "ganref.evaluate") else "--batch-size"
        words = f"out of memory ({error}); use a smaller {smaller}"
        code = 2
    except BrokenPipeError:  # `... | head` has seen enough
        return 0
    except OSError as error:
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        words, code = f"{error.strerror}; raise the limit (`ulimit -n 1024`)", 2
    except KeyboardInterrupt:
        words, code = "interrupted", 130
    print(f"{prog}: {' '.join(words.split())}", file=sys.stderr)
    return code


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


def counts(text: str) -> tuple[int, ...]:
    """A parser for whole numbers from 1, comma-separated."""
    return tuple(map(positive(int), text.split(",")))


def path(text: str) -> Path:
    """A parser for names that a file can have."""
    try:
        os.lstat(text)
    except OSError as error:
        if not text or error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            reason = error.strerror if text else "it is empty"
            raise argparse.ArgumentTypeError(f"{text!r:.60} names no file ({reason})") from None
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r:.60} names no file ({error})") from None
    return Path(text)


def progress_options(p: argparse._ActionsContainer, what: str = "a progress bar") -> None:
    """--progress and --quiet; without either, a bar is shown where a person looks at it."""
    how = p.add_mutually_exclusive_group()
    how.add_argument("--progress", action="store_true", help=f"{what}, also where no terminal is")
    how.add_argument("--quiet", action="store_true", help="no word of progress")


def shows_bar(args: dict[str, Any]) -> bool:
    """Whether a progress bar is to be shown: what these options say, else on a terminal."""
    return bool(args.get("progress")) or (watched() and not args.get("quiet"))


THREADS = between(int, 1, 1024)
SEED = between(int, 0, 2**63 - 1)
