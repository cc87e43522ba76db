"""What a command is connected to: a terminal, a pipe that somebody closes, a full disk, nothing at
all, or a stream that has no letters but ASCII's."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
import unicodedata
from collections.abc import Iterator
from typing import Any

from ..spec.errors import UserError

PLAINER = str.maketrans({
    "×": "x", "–": "-", "—": "-", "−": "-", "·": "*", "±": "+/-", "µ": "u", "μ": "u", "≤": "<=",
    "≥": ">=", "→": "->", "’": "'", "‘": "'", "“": '"', "”": '"',
})  # fmt: skip


def _degrade(error: UnicodeError) -> tuple[str, int]:
    """An encoder's way out: the nearest text in ASCII."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(PLAINER)
    plain = unicodedata.normalize("NFKD", text).translate(PLAINER)
    return "".join(
        c if c.isascii() else "?" for c in plain if not unicodedata.combining(c)
    ), error.end


codecs.register_error("ganref.degrade", _degrade)


def _forget() -> None:
    """Let what standard output has not taken go nowhere, or Python tries once more when it ends."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


class _Results:
    """Standard output: where it does not take what is written, the person hears of it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> Any:
        with self._told():
            return self._stream.write(text)

    def flush(self) -> None:
        with self._told():
            self._stream.flush()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            if self._stream is None:
                raise OSError("it is closed")
            yield
        except BrokenPipeError:
            _forget()
            raise
        except (OSError, ValueError) as error:
            _forget()
            reason = getattr(error, "strerror", None) or error
            raise UserError(
                f"cannot write to the standard output ({reason}); what was to be kept in files is"
                " there"
            ) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Remarks:
    """Standard error: progress and warnings, which end nothing if nobody takes them."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> Any:
        with contextlib.suppress(OSError, ValueError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def streams() -> Iterator[None]:
    """Within it, standard output and error are as above."""
    before = sys.stdout, sys.stderr
    for number in range(3):  # or the first file that is opened would be where others print
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in before:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="ganref.degrade")
    remarks: Any = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    sys.stdout, sys.stderr = _Results(sys.stdout), _Remarks(remarks)  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def watched() -> bool:
    """Whether a person looks at standard error, where progress goes."""
    return bool(sys.stderr) and sys.stderr.isatty()
