"""What a run has logged: a row a step in `steps.csv`, a line of JSON an epoch in `metrics.jsonl`.

Each checkpoint holds all of it up to its step. The two files are there to be read, by people and by
their programs; whoever loses or edits one has lost nothing that a resumed run does not bring back.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..output import strict_json
from ..output.files import read_file
from ..spec.errors import UserError
from ..spec.steps import Trace

HEADER = ",".join(("step", *Trace._fields))


class Log(NamedTuple):
    """All up to some step: the trace (float64, one number a step) and the epochs' lines."""

    trace: Trace = Trace(*(np.empty(0) for _ in Trace._fields))
    epochs: tuple[str, ...] = ()

    def texts(self) -> tuple[str, str]:
        """The text of `steps.csv`, and that of `metrics.jsonl`."""
        return HEADER + "\n" + "".join(rows(1, self.trace)), "".join(f"{e}\n" for e in self.epochs)


def rows(first: int, trace: Trace) -> Iterator[str]:
    """A line of `steps.csv` for each step; `first` is the number of the first one, from 1."""
    for step, values in enumerate(zip(*trace, strict=True), first):
        yield ",".join((str(step), *(str(float(v)) for v in values))) + "\n"


def read_steps(path: Path) -> Trace:
    """The trace in a `steps.csv`. Raises UserError, naming the line, if a row is not the next
    step's, or is no row of numbers; a last line without its end, which a run that was killed
    leaves, counts as not there."""
    table = []
    for number, line in _lines(path):
        if number == 1:
            if line.split(",")[0] != "step" or line.count(",") != HEADER.count(","):
                raise UserError(f"line 1 of {path} is not {HEADER}")
            continue
        try:
            step, *values = line.split(",")
            numbers = [float(value) for value in values]
        except ValueError:
            numbers = []
        if len(numbers) != len(Trace._fields) or step != str(number - 1):
            raise UserError(f"line {number} of {path} is not the row of step {number - 1:,}")
        table.append(numbers)
    return Trace(*np.array(table).reshape(len(table), len(Trace._fields)).T)


def read_epochs(path: Path) -> list[dict[str, Any]]:
    """The rows in a `metrics.jsonl`. Raises UserError, naming the line, if one is no row of an
    epoch, or comes before its time; a last line without its end counts as not there."""
    found: list[dict[str, Any]] = []
    for number, line in _lines(path):
        try:
            row = strict_json.loads(line)
            last = found[-1] if found else {"epoch": 0, "step": 0}
            # An epoch that was cut off by the end of a run that then went on has two rows.
            follows = row["epoch"] - last["epoch"] in (0, 1) and row["step"] > last["step"]
            whole = type(row["epoch"]) is type(row["step"]) is int and "loss_D" in row
        except (ValueError, TypeError, KeyError):
            follows = whole = False
        if not (follows and whole):
            raise UserError(f"line {number} of {path} is not the row of an epoch that comes next")
        found.append(row)
    return found


def differing(path: Path, text: str) -> str:
    """In words, which lines of a file are not as the text, which is the file's beginning, has
    them; "" if all are."""
    wanted = text.encode().splitlines()
    try:
        found = read_file(path).splitlines()
    except FileNotFoundError:
        return f"{path} was gone" if len(wanted) > 1 else ""
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error})") from None
    # Line 1 of steps.csv once named its columns otherwise.
    start = int(text.startswith("step,"))
    wrong = [i for i in range(start, len(wanted)) if found[i : i + 1] != wanted[i : i + 1]]
    if not wrong:
        return ""
    where = (
        f"line {wrong[0] + 1}" if len(wrong) == 1 else f"lines {wrong[0] + 1} to {wrong[-1] + 1}"
    )
    return f"{where} of {path} had been changed or lost"


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number from 1, text) of each line that has its end."""
    try:
        text = read_file(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error})") from None
    yield from enumerate(text.split("\n")[:-1], 1)
