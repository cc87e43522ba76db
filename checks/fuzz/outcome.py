"""What may come of a case, and of many: two outcomes are right, a wrong one has its number."""

from __future__ import annotations

import contextlib
import io
import resource
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ganref.spec import UserError

ACCEPTED, REFUSED, FAULT, DIFFERENT = "accepted", "refused", "fault", "different"
SECONDS = 30.0  # more is a hang
SHOWN = 20  # wrong ones that are kept with their words


class Outcome(NamedTuple):
    """One of the four, and why it is a wrong one."""

    kind: str
    why: str = ""


class Hang(BaseException):
    """A case that takes too long."""


@contextlib.contextmanager
def limited(seconds: float = SECONDS) -> Iterator[None]:
    """Raise Hang within it when the time is over."""

    def over(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def attempt(function: Callable[[], Any]) -> tuple[Outcome, Any]:
    """Call it: accepted with its value, refused in one line as a person is refused, or a fault."""
    said = io.StringIO()
    try:
        with limited(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            return Outcome(ACCEPTED), function()
    except UserError as error:
        words = str(error)
        if not words or "\n" in words:
            return Outcome(FAULT, f"refused, but not in one line: {words!r}"), None
        return Outcome(REFUSED, words), None
    except SystemExit as stop:
        lines = said.getvalue().strip().splitlines()
        if stop.code in (0, None):
            return Outcome(ACCEPTED), None
        if stop.code == 2 and len(lines) == 1:
            return Outcome(REFUSED, lines[0]), None
        return Outcome(FAULT, f"exit code {stop.code} after {lines[-3:]}"), None
    except BaseException as error:  # the very thing that is looked for
        if isinstance(error, KeyboardInterrupt):
            raise
        where = ""
        if (trace := error.__traceback__) is not None:
            while trace.tb_next:
                trace = trace.tb_next
            where = f" in {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        return Outcome(FAULT, f"{type(error).__name__}: {str(error)[:200]}{where}"), None


@dataclass
class Tally:
    """What came of many cases."""

    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys((ACCEPTED, REFUSED, FAULT, DIFFERENT), 0)
    )
    wrong: list[list[Any]] = field(default_factory=list)  # [case, kind, why]
    slowest: list[float] = field(default_factory=lambda: [0.0, -1])  # [seconds, case]
    peak_mib: float = 0.0

    def run(self, case: int, function: Callable[[], Outcome]) -> None:
        """One more case."""
        start = time.perf_counter()
        outcome = function()
        self.add(case, outcome, time.perf_counter() - start)

    def add(self, case: int, outcome: Outcome, seconds: float) -> None:
        """Count it."""
        self.counts[outcome.kind] += 1
        if outcome.kind in (FAULT, DIFFERENT) and len(self.wrong) < SHOWN:
            self.wrong.append([case, outcome.kind, outcome.why])
        self.slowest = max(self.slowest, [seconds, case])
        self.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def merge(self, other: Tally) -> None:
        """Those of another one, too."""
        for kind, count in other.counts.items():
            self.counts[kind] += count
        self.wrong = (self.wrong + other.wrong)[:SHOWN]
        self.slowest = max(self.slowest, other.slowest)
        self.peak_mib = max(self.peak_mib, other.peak_mib)

    @property
    def right(self) -> bool:
        """Whether nothing went wrong."""
        return not (self.counts[FAULT] or self.counts[DIFFERENT])
